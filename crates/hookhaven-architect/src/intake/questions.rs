//! What is asked when it is missing: each with why it is asked, what is taken if nobody knows, and how what a person
//! types becomes TOML.
//!
//! Not here: whether an answer is right (`read`), asking (`hookhaven architect`).

use std::time::Duration;

use hookhaven_toml::{document::path_of, duration};

use crate::words::one_line;

/// Of what is typed; the rest is left out.
const TYPED_CHARS_MAX: usize = 2_000;

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
    /// Separated by commas.
    Several,
}

impl Question {
    /// What was typed, as TOML.
    ///
    /// # Errors
    /// Why it cannot be read, for the person who typed it.
    pub fn toml(&self, typed: &str) -> Result<String, String> {
        let typed = one_line(typed, TYPED_CHARS_MAX);
        match self.kind {
            Kind::Volume => volume_typed(&typed),
            Kind::Words => Ok(quoted(&typed)),
            Kind::Work => Ok(work_typed(&typed)),
            Kind::Several => {
                let all: Vec<String> = typed.split(',').filter(|t| !t.trim().is_empty()).map(quoted).collect();
                Ok(format!("[{}]", all.join(", ")))
            }
        }
    }

    /// The default as a person would type it.
    pub fn default_typed(&self) -> Option<String> {
        self.default.as_deref().map(bare)
    }
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

fn volume_typed(typed: &str) -> Result<String, String> {
    let lower = typed.to_lowercase();
    let (rest, burst) = lower.split_once("burst").map_or((&*lower, None), |(rest, burst)| (rest, Some(burst)));
    let (day, peak) = rest.split_once("peak").map_or((rest, None), |(day, peak)| (day, Some(peak)));
    let per_day = number(day)?;
    let peak = peak.map(number).transpose()?;
    let burst = burst.map(burst_typed).transpose()?;
    if peak.is_none() && burst.is_none() {
        return Ok(per_day.to_string());
    }
    let peak = peak.map(|peak| format!(", peak_day = {peak}")).unwrap_or_default();
    let burst = burst.map(|burst| format!(", burst = {burst}")).unwrap_or_default();
    Ok(format!("{{ per_day = {per_day}{peak}{burst} }}"))
}

fn burst_typed(typed: &str) -> Result<String, String> {
    let (events, within) = typed
        .split_once(" within ")
        .or_else(|| typed.split_once(" in "))
        .ok_or("of a burst, type how many come within how long, as in: burst 2000 in 1m")?;
    let within = within.trim();
    match duration::parse(within) {
        Some(_) => Ok(format!("{{ events = {}, within = {} }}", number(events)?, quoted(within))),
        None => Err(format!("{within:?} is not a duration; type one such as {}", duration::EXAMPLES)),
    }
}

/// `5000`, `5,000`, `5 000`, `5k`, `1.5M`; words around it do not matter.
fn number(typed: &str) -> Result<u64, String> {
    const BESIDE: [&str; 9] = ["at", "of", "a", "day", "per", "events", "about", "on", "days"];
    let words: Vec<&str> = typed
        .split(|c: char| c.is_whitespace() || c == '/')
        .map(|word| word.trim_matches([',', ';', ':', '(', ')']))
        .filter(|word| !word.is_empty() && !BESIDE.contains(word))
        .collect();
    let text = words.concat().replace([',', '_'], "");
    let (digits, unit) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1_000.0),
        None => text.strip_suffix('m').map_or((&*text, 1.0), |digits| (digits, 1_000_000.0)),
    };
    let wrong = || format!("{:?} is not a number of events; type one such as 5000 or 5k", typed.trim());
    if unit == 1.0 {
        return digits.parse().map_err(|_| wrong());
    }
    let plain = digits.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    let value: f64 = digits.parse().map_err(|_| wrong())?;
    if plain && value < 1e9 { Ok((value * unit).round() as u64) } else { Err(wrong()) }
}

fn work_typed(typed: &str) -> String {
    let takes = |(does, length): (&str, &str)| {
        let length: Duration = duration::parse(length.trim())?;
        let does = does.trim().trim_end_matches([',', ';', '.']);
        (!does.is_empty())
            .then(|| format!("{{ does = {}, takes = {} }}", quoted(does), quoted(&duration::print(length))))
    };
    typed.rsplit_once("takes ").and_then(takes).unwrap_or_else(|| quoted(typed))
}

pub fn senders() -> Question {
    Question {
        path: "senders".to_owned(),
        ask: "Which senders post to you? The main one first; `hookhaven senders` lists those that are known."
            .to_owned(),
        why: "everything follows from how they sign, how long they wait and whether they come again",
        example: "senders = [\"stripe\", \"github\"]".to_owned(),
        typed: "stripe, github",
        default: None,
        kind: Kind::Several,
    }
}

pub fn events(name: &str) -> Question {
    Question {
        path: path_of("events", name),
        ask: format!("Which event types of {name} do you want? Patterns may stand for several, as in invoice.*"),
        why: "routes, handlers and alerts are made for the types that are named",
        example: format!("[events]\n{name} = [\"invoice.*\", \"charge.failed\"]"),
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
        example: format!("[volume]\n{name} = {{ per_day = 5000, peak_day = 20000 }}"),
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
        example: format!(
            "[processing]\n{name} = {{ does = \"update the customer in the database\", takes = \"200ms\" }}"
        ),
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
        example: format!("[idempotency]\n{name} = \"must\""),
        typed: "must",
        default: Some("\"nice\"".to_owned()),
        kind: Kind::Words,
    }
}

pub fn ordering(name: &str) -> Question {
    Question {
        path: path_of("ordering", name),
        ask: format!("Does anything of {name} have to be handled in order? Say what, and how strictly."),
        why: "no order can be had for nothing: most teams need the newest state rather than an order",
        example: format!("[ordering]\n{name} = \"a subscription's creation before its updates, ideally\""),
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
        example: format!("[latency]\n{name} = \"30s\""),
        typed: "30s",
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
        example: "[infrastructure]\nhosting = \"one virtual machine\"".to_owned(),
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
        example: "[existing]\nstate = \"synchronous handler\"".to_owned(),
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
            (volume("a"), "5000", "5000"),
            (volume("a"), "5,000 a day", "5000"),
            (volume("a"), "2.5k", "2500"),
            (volume("a"), "1M", "1000000"),
            (volume("a"), "5000, peak 20000", "{ per_day = 5000, peak_day = 20000 }"),
            (
                volume("a"),
                "5k, at peak 20k, burst 2000 in 1m",
                "{ per_day = 5000, peak_day = 20000, burst = { events = 2000, within = \"1m\" } }",
            ),
            (volume("a"), "0", "0"),
            (processing("a"), "write a row", "\"write a row\""),
            (processing("a"), "write a row, takes 2s", "{ does = \"write a row\", takes = \"2s\" }"),
            (processing("a"), "it takes ages", "\"it takes ages\""),
            (latency("a"), " 30s ", "\"30s\""),
            (hosting(), "a \"VM\" \\ \u{1b}[A", "\"a \\\"VM\\\" \\\\ [A\""),
            (senders(), "stripe, github,", "[\"stripe\", \"github\"]"),
            (senders(), "", "[]"),
        ] {
            assert_eq!(question.toml(typed).as_deref(), Ok(toml), "{typed}");
            assert!(toml::de::DeTable::parse(&format!("a = {toml}")).is_ok(), "{toml}");
        }
        for typed in [
            "many",
            "",
            "5000, peak many",
            "5000, burst 3",
            "5000, burst 3 in a while",
            "1e9k",
            "-1",
            "99999999999999999999",
        ] {
            let refused = volume("a").toml(typed);
            assert!(
                refused.as_ref().is_err_and(|why| why.contains("type") || why.contains("duration")),
                "{typed} {refused:?}"
            );
        }
    }

    #[test]
    fn each_question_can_be_answered_by_what_it_shows() {
        let all = [events, volume, processing, once, ordering, latency].map(|question| question("a"));
        for question in all.into_iter().chain([senders(), stack(), hosting(), state()]) {
            assert!(question.toml(question.typed).is_ok(), "{}", question.path);
            let default = question.default_typed();
            assert!(default.is_none_or(|default| question.toml(&default).is_ok()), "{}", question.path);
            assert!(toml::de::DeTable::parse(&question.example).is_ok(), "{}", question.example);
        }
    }
}
