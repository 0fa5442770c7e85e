//! Okta: `Authorization` is the text entered for the hook, and nothing is signed. A GET with `X-Okta-Verification-
//! Challenge` wants it back as JSON.
//!
//! Facts: Okta's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "okta",
    title: "Okta event hooks",
    scheme: Scheme::Shared(SharedSpec::Header { name: "authorization", prefix: "" }),
    id: &["json:/data/events/0/uuid", "json:/eventId"],
    event_type: &["json:/data/events/0/eventType", "json:/eventType"],
    time: &["json:/data/events/0/published", "json:/eventTime"],
    order_key: &["json:/data/events/0/target/0/id"],
    batch: Some("/data/events"),
    handshakes: &[Handshake::HeaderToJson { header: "x-okta-verification-challenge", field: "verification" }],
    answer: Told::status(204),
    addresses: &[AddressList::json("https://s3.amazonaws.com/okta-ip-ranges/ip_ranges.json", "/*/ip_ranges")],
    sample_types: &["user.session.start", "user.lifecycle.create"],
    about: About {
        secret: "made up by you and entered as the hook's Authentication secret",
        rotation: Rotation::MadeUp,
        paste: "Workflow → Event Hooks → URL",
        quirks: &[
            "Okta comes again at most once, and never after a 4xx.",
            "Events come in batches.",
            "Nothing is signed: `allow = [\"published\"]` keeps others away.",
        ],
        docs: "https://developer.okta.com/docs/concepts/event-hooks/",
        timeout_s: Some(3),
        retries: Retries::minutes(1, "once, not after a 4xx"),
    },
    conduct: Conduct {
        order: OrderPromise::None,
        reconcile: "`GET /api/v1/logs?since=…` is the system log that the events come from, for 90 days back",
        gives_up: "it tries once more at most, and never after a 4xx",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
