//! An event for each group of types: OBJECT stands for the id of what it is about.

#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub source: &'static str,
    pub event_type: &'static str,
    pub body: &'static str,
    pub keeps: bool,
    pub effects: &'static [&'static str],
    pub follows: &'static [&'static str],
}

pub const SAMPLES: &[Sample] = &[
    Sample {
        source: "stripe",
        event_type: "payment_intent.succeeded",
        body: "{\"data\":{\"object\":{\"id\":\"OBJECT\"}}}",
        keeps: true,
        effects: &["fulfilment", "mail", "record"],
        follows: &["fulfilment"],
    },
    Sample {
        source: "stripe",
        event_type: "customer.subscription.any",
        body: "{\"data\":{\"object\":{\"id\":\"OBJECT\"}}}",
        keeps: true,
        effects: &["fulfilment", "mail", "record"],
        follows: &["fulfilment"],
    },
    Sample {
        source: "github",
        event_type: "push",
        body: "{\"pull_request\":{\"id\":\"OBJECT\"}}",
        keeps: false,
        effects: &["build"],
        follows: &[],
    },
    Sample {
        source: "github",
        event_type: "pull_request.any",
        body: "{\"pull_request\":{\"id\":\"OBJECT\"}}",
        keeps: false,
        effects: &["build"],
        follows: &[],
    },
    Sample {
        source: "slack",
        event_type: "/deploy",
        body: "{}",
        keeps: false,
        effects: &["build", "message"],
        follows: &[],
    },
];
