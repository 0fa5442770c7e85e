//! What is asked when it is missing: each with why it is asked and what is taken if nobody knows.

/// One answer that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where it stands in the file: `volume.stripe`.
    pub path: String,
    pub ask: String,
    /// What depends on it.
    pub why: &'static str,
    /// A line of the file that answers it.
    pub example: String,
    /// What is taken if a person just presses return, as TOML; `None`: there is nothing to take.
    pub default: Option<String>,
    pub kind: Kind,
}

/// What a person types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Words,
    /// Separated by commas.
    Several,
}

impl Question {
    /// What was typed, as TOML.
    pub fn toml(&self, typed: &str) -> String {
        let quoted = |text: &str| format!("{:?}", text.trim());
        match self.kind {
            Kind::Number => typed.trim().replace([',', '_', ' '], ""),
            Kind::Words => quoted(typed),
            Kind::Several => {
                let all: Vec<String> = typed.split(',').filter(|t| !t.trim().is_empty()).map(quoted).collect();
                format!("[{}]", all.join(", "))
            }
        }
    }
}

fn under(table: &str, name: &str) -> String {
    hookhaven_toml::document::path_of(table, name)
}

pub fn senders() -> Question {
    Question {
        path: "senders".to_owned(),
        ask: "Which senders post to you? The main one first; `hookhaven senders` lists those that are known."
            .to_owned(),
        why: "everything follows from how they sign, how long they wait and whether they come again",
        example: "senders = [\"stripe\", \"github\"]".to_owned(),
        default: None,
        kind: Kind::Several,
    }
}

pub fn volume(name: &str) -> Question {
    Question {
        path: under("volume", name),
        ask: format!("How many events a day come from {name}?"),
        why: "disk, concurrency and whether one machine is enough are computed from it",
        example: format!("[volume]\n{name} = {{ per_day = 5000, peak_day = 20000 }}"),
        default: Some("1000".to_owned()),
        kind: Kind::Number,
    }
}

pub fn processing(name: &str) -> Question {
    Question {
        path: under("processing", name),
        ask: format!("What does your handler do with {name}'s events?"),
        why: "what it does decides what happens when it is done twice, and how long it takes",
        example: format!(
            "[processing]\n{name} = {{ does = \"update the customer in the database\", takes = \"200ms\" }}"
        ),
        default: Some("\"write to the database\"".to_owned()),
        kind: Kind::Words,
    }
}

pub fn once(name: &str) -> Question {
    Question {
        path: under("idempotency", name),
        ask: format!("Must an event of {name} never be processed twice? (must, nice, no)"),
        why: "it decides how many layers of protection the handler needs, and which dead letters wake somebody",
        example: format!("[idempotency]\n{name} = \"must\""),
        default: Some("\"nice\"".to_owned()),
        kind: Kind::Words,
    }
}

pub fn latency(name: &str) -> Question {
    Question {
        path: under("latency", name),
        ask: format!("How soon after it arrived should an event of {name} have been handled?"),
        why: "it becomes the deadline that is watched, and with the volume the concurrency",
        example: format!("[latency]\n{name} = \"30s\""),
        default: Some("\"1m\"".to_owned()),
        kind: Kind::Words,
    }
}

pub fn stack() -> Question {
    Question {
        path: "infrastructure.stack".to_owned(),
        ask: "What do your handlers run on? Language, framework, database, queue.".to_owned(),
        why: "the handler skeletons are written for it, and a database that is there can be used",
        example: "[infrastructure]\nstack = [\"node 20\", \"fastify\", \"postgres\"]".to_owned(),
        default: None,
        kind: Kind::Several,
    }
}

pub fn hosting() -> Question {
    Question {
        path: "infrastructure.hosting".to_owned(),
        ask: "Where does it run: a machine, containers, Kubernetes, a platform, serverless functions?".to_owned(),
        why: "the deployment files are written for it, and some places do not suit a receiver",
        example: "[infrastructure]\nhosting = \"one virtual machine\"".to_owned(),
        default: Some("\"one virtual machine\"".to_owned()),
        kind: Kind::Words,
    }
}

pub fn state() -> Question {
    Question {
        path: "existing.state".to_owned(),
        ask: "What receives these webhooks today?".to_owned(),
        why: "what there is decides how to get from there to here, and whether it is worth it",
        example: "[existing]\nstate = \"synchronous handler\"".to_owned(),
        default: Some("\"nothing yet\"".to_owned()),
        kind: Kind::Words,
    }
}
