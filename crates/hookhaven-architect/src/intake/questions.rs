//! What is asked when it is missing: each with why it is asked, what is taken if nobody knows, and how what a person
//! types becomes TOML.
//!
//! Not here: figures as they are typed (`typed`), whether an answer is right (`read`), asking (`hookhaven architect`).

use hookhaven_toml::document::path_of;

use super::typed;
use crate::words::one_line;

/// Of what is typed for one answer.
const TYPED_CHARS_MAX: usize = 2_000;

/// One answer that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where it stands in the file: `volume.stripe`.
    pub path: String,
    pub ask: String,
    /// What depends on it.
    pub why: &'static str,
    /// A value that answers it, as TOML.
    pub example: &'static str,
    /// The same as a person types it.
    pub typed: &'static str,
    /// What is taken if a person just presses return, as TOML; `None`: there is nothing to take.
    pub default: Option<String>,
    pub kind: Kind,
}

/// What a person types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `5000`, `5k`, `5000, peak 20000, burst 2000 in 1m`.
    Volume,
    Words,
    /// Words, and after `takes` how long.
    Work,
    /// `30s`, `2 minutes`.
    Length,
    /// One of a few words, whatever the size of its letters; some are said in other words, too.
    Word(&'static [(&'static str, &'static str)]),
    /// Separated by commas.
    Several,
    /// The same, of names in small letters without blanks.
    Names,
}

impl Question {
    /// What was typed, as TOML.
    ///
    /// # Errors
    /// Why it cannot be read, for the person who typed it.
    pub fn toml(&self, typed: &str) -> Result<String, String> {
        if typed.chars().count() > TYPED_CHARS_MAX {
            return Err(format!(
                "longer than {TYPED_CHARS_MAX} characters; say it in fewer words, or write it into a file"
            ));
        }
        let typed = one_line(typed, TYPED_CHARS_MAX);
        match self.kind {
            Kind::Volume => typed::volume(&typed),
            Kind::Words => Ok(quoted(&typed)),
            Kind::Work => typed::work(&typed),
            Kind::Length => Ok(typed::length(&typed)),
            Kind::Word(meant) => {
                let word = typed.to_lowercase();
                let meant = meant.iter().find(|(said, _)| *said == word).map(|(_, meant)| *meant);
                Ok(quoted(meant.unwrap_or(&word)))
            }
            Kind::Several => Ok(several(typed.split(','))),
            Kind::Names => {
                let plain = typed.to_lowercase().replace(" and ", ",").replace([';', '&', '+'], ",");
                let names: Vec<String> = plain.split(',').map(|name| name.trim().replace([' ', '_'], "-")).collect();
                Ok(several(names.iter().map(String::as_str)))
            }
        }
    }

    /// The default as a person would type it.
    pub fn default_typed(&self) -> Option<String> {
        self.default.as_deref().map(bare)
    }

    /// What answers it at the top of a file.
    pub fn example_line(&self) -> String {
        format!("{} = {}", self.path, self.example)
    }
}

fn several<'t>(all: impl Iterator<Item = &'t str>) -> String {
    let all: Vec<String> = all.filter(|text| !text.trim().is_empty()).map(quoted).collect();
    format!("[{}]", all.join(", "))
}

/// A TOML value without what only TOML needs.
pub fn bare(value: &str) -> String {
    let inner = value.trim_start_matches('[').trim_end_matches(']');
    inner.split(", ").map(|part| part.trim_matches('"')).collect::<Vec<_>>().join(", ")
}

/// A TOML string.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.trim().chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

pub fn senders() -> Question {
    Question {
        path: "senders".to_owned(),
        ask: "Which senders post to you? The main one first; `hookhaven senders` lists those that are known."
            .to_owned(),
        why: "everything follows from how they sign, how long they wait and whether they come again",
        example: "[\"stripe\", \"github\"]",
        typed: "stripe, github",
        default: None,
        kind: Kind::Names,
    }
}

pub fn events(name: &str) -> Question {
    Question {
        path: path_of("events", name),
        ask: format!("Which event types of {name} do you want? Patterns may stand for several, as in invoice.*"),
        why: "routes, handlers and alerts are made for the types that are named",
        example: "[\"invoice.*\", \"charge.failed\"]",
        typed: "invoice.*, charge.failed",
        default: Some("[\"*\"]".to_owned()),
        kind: Kind::Several,
    }
}

pub fn volume(name: &str) -> Question {
    Question {
        path: path_of("volume", name),
        ask: format!("How many events a day come from {name}? On the busiest day, and at once, if you know."),
        why: "disk, concurrency and whether one machine is enough are computed from it",
        example: "{ per_day = 5000, peak_day = 20000 }",
        typed: "5000, peak 20000, burst 2000 in 1m",
        default: Some("1000".to_owned()),
        kind: Kind::Volume,
    }
}

pub fn processing(name: &str) -> Question {
    Question {
        path: path_of("processing", name),
        ask: format!("What does your handler do with {name}'s events, and how long does it take?"),
        why: "what it does decides what happens when it is done twice; how long it takes, how many run at once",
        example: "{ does = \"update the customer in the database\", takes = \"200ms\" }",
        typed: "update the customer in the database, takes 200ms",
        default: Some("\"write to the database\"".to_owned()),
        kind: Kind::Work,
    }
}

pub fn once(name: &str) -> Question {
    Question {
        path: path_of("idempotency", name),
        ask: format!("Must an event of {name} never be processed twice? (must, nice, no)"),
        why: "it decides how many layers of protection the handler needs, and which dead letters wake somebody",
        example: "\"must\"",
        typed: "must",
        default: Some("\"nice\"".to_owned()),
        kind: Kind::Word(&[("yes", "must"), ("never", "must"), ("preferably", "nice"), ("n", "no"), ("y", "must")]),
    }
}

pub fn ordering(name: &str) -> Question {
    Question {
        path: path_of("ordering", name),
        ask: format!("Does anything of {name} have to be handled in order? Say what, and how strictly."),
        why: "no order can be had for nothing: most teams need the newest state rather than an order",
        example: "\"a subscription's creation before its updates, ideally\"",
        typed: "a subscription's creation before its updates, ideally",
        default: Some("\"none\"".to_owned()),
        kind: Kind::Words,
    }
}

pub fn latency(name: &str) -> Question {
    Question {
        path: path_of("latency", name),
        ask: format!("How soon after it arrived should an event of {name} have been handled?"),
        why: "it becomes the deadline that is watched, and with the volume the concurrency",
        example: "\"30s\"",
        typed: "30s",
        default: Some("\"1m\"".to_owned()),
        kind: Kind::Length,
    }
}

pub fn stack() -> Question {
    Question {
        path: "infrastructure.stack".to_owned(),
        ask: "What do your handlers run on? Language, framework, database, queue.".to_owned(),
        why: "the handler skeletons are written for it, and a database that is there can be used",
        example: "[\"node 20\", \"fastify\", \"postgres\"]",
        typed: "node 20, fastify, postgres",
        default: Some("[]".to_owned()),
        kind: Kind::Several,
    }
}

pub fn hosting() -> Question {
    Question {
        path: "infrastructure.hosting".to_owned(),
        ask: "Where does it run: a machine, containers, Kubernetes, a platform, serverless functions?".to_owned(),
        why: "the deployment files are written for it, and some places do not suit a receiver",
        example: "\"one virtual machine\"",
        typed: "docker compose on one virtual machine",
        default: Some("\"one virtual machine\"".to_owned()),
        kind: Kind::Words,
    }
}

pub fn state() -> Question {
    Question {
        path: "existing.state".to_owned(),
        ask: "What receives these webhooks today?".to_owned(),
        why: "what there is decides how to get from there to here, and whether it is worth it",
        example: "\"synchronous handler\"",
        typed: "a synchronous handler; signatures are verified",
        default: Some("\"nothing yet\"".to_owned()),
        kind: Kind::Words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_toml() {
        for (question, typed, toml) in [
            (volume("a"), "5k a day, peak 20000", "{ per_day = 5000, peak_day = 20000 }"),
            (processing("a"), "write a row, takes 2s", "{ does = \"write a row\", takes = \"2s\" }"),
            (latency("a"), " 30s ", "\"30s\""),
            (latency("a"), "2 minutes", "\"2m\""),
            (once("a"), "Must", "\"must\""),
            (once("a"), "yes", "\"must\""),
            (once("a"), "most", "\"most\""),
            (hosting(), "a \"VM\" \\ \u{1b}[A", "\"a \\\"VM\\\" \\\\ [A\""),
            (stack(), "node 20, Fastify,", "[\"node 20\", \"Fastify\"]"),
            (senders(), "stripe, github,", "[\"stripe\", \"github\"]"),
            (senders(), "Stripe, GitHub and Docker Hub", "[\"stripe\", \"github\", \"docker-hub\"]"),
            (senders(), "", "[]"),
        ] {
            assert_eq!(question.toml(typed).as_deref(), Ok(toml), "{typed}");
            assert!(toml::de::DeTable::parse(&format!("a = {toml}")).is_ok(), "{toml}");
        }
        let long = hosting().toml(&"x".repeat(TYPED_CHARS_MAX + 1)).unwrap_err();
        assert!(long.starts_with("longer than 2000 characters; say it in fewer words"), "{long}");
    }

    #[test]
    fn each_question_can_be_answered_by_what_it_shows() {
        let all = [events, volume, processing, once, ordering, latency].map(|question| question("a"));
        for question in all.into_iter().chain([senders(), stack(), hosting(), state()]) {
            assert!(question.toml(question.typed).is_ok(), "{}", question.path);
            let default = question.default_typed();
            assert!(default.is_none_or(|default| question.toml(&default).is_ok()), "{}", question.path);
            assert!(toml::de::DeTable::parse(&question.example_line()).is_ok(), "{}", question.example);
        }
    }
}
