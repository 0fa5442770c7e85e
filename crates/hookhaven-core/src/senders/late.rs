//! Late answers: where a sender takes what a handler has to say once the request itself had to be answered. The
//! request names an address for it, which is good for a while and for a few uses.
//!
//! The address is a capability, and what is posted there is the team's own text: it counts only on hosts that the
//! sender's file names, by HTTPS. Not here: posting (the gateway's worker).

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use url::Url;

use super::form::{self, FORM};
use crate::{
    event::Event,
    json::{self, Pointer},
};

/// What a sender's file says of late answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateAnswers {
    /// Where a form has the address, best first: the name of a field, or of one that holds JSON and, after a blank,
    /// the pointer into that.
    pub at: &'static [&'static str],
    /// Hosts of the sender's own.
    pub hosts: &'static [&'static str],
    /// From the request's arrival on.
    pub valid: Duration,
    /// How often the address may be used.
    pub uses: u32,
    /// The field of a JSON object as which an answer is posted that is no JSON.
    pub text_as: &'static str,
}

impl LateAnswers {
    /// The address that a request named, if it is one of the sender's own.
    ///
    /// Of forms only: in other bodies text of strangers stands as it is, and could pass for a field.
    pub fn address(&self, event: &Event) -> Option<String> {
        if !is_form(event) {
            return None;
        }
        let read = |place: &&str| match place.split_once(' ') {
            None => form::field_text(&event.body, place).map(|text| text.into_owned()),
            Some((field, pointer)) => text_within(&form::field(&event.body, field)?, pointer),
        };
        self.at.iter().filter_map(read).find(|url| self.is_theirs(url))
    }

    /// Whether an address is one of the sender's own.
    pub fn is_theirs(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
        plain && url.scheme() == "https" && url.host_str().is_some_and(|host| self.hosts.contains(&host))
    }

    /// A handler's answer as the sender takes it late: a JSON object as it came, other text as a field of one.
    /// `None` if there is nothing to say.
    pub fn body(&self, answer: &Bytes) -> Option<Bytes> {
        if answer.trim_ascii().is_empty() {
            return None;
        }
        // A text may look like JSON and be none: "42".
        if answer.trim_ascii_start().starts_with(b"{") && json::is_json(answer) {
            return Some(answer.clone());
        }
        let text = String::from_utf8_lossy(answer);
        Some(json!({ self.text_as: text }).to_string().into())
    }
}

fn is_form(event: &Event) -> bool {
    let media = event.header("content-type").and_then(|value| value.split(|b| *b == b';').next());
    media.is_some_and(|media| media.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes()))
}

fn text_within(field: &[u8], pointer: &str) -> Option<String> {
    let pointer = Pointer::parse(pointer).ok()?;
    let found = json::scan(field, &[pointer]).into_iter().next()??;
    found.text().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::testing::event_with, senders::TABLE};

    const SLACK: &str = "https://hooks.slack.com/commands/T1/1/x";

    fn slack() -> LateAnswers {
        crate::senders::find("slack").unwrap().late_answers.unwrap()
    }

    fn named(content_type: &str, body: &str) -> Option<String> {
        slack().address(&event_with(&[("content-type", content_type)], body.as_bytes()))
    }

    #[test]
    fn slacks_commands_and_interactions_name_an_address() {
        let escaped = "https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1%2F1%2Fx";
        let command = format!("command=%2Fdeploy&response_url={escaped}&text=a");
        assert_eq!(named(FORM, &command).as_deref(), Some(SLACK));
        assert_eq!(named(&format!("{FORM}; charset=utf-8"), &command).as_deref(), Some(SLACK));
        for payload in [
            format!(r#"{{"type":"block_actions","response_url":"{SLACK}"}}"#),
            format!(r#"{{"type":"view_submission","response_urls":[{{"response_url":"{SLACK}"}}]}}"#),
        ] {
            let body = form::write([("payload", &*payload)]);
            assert_eq!(named(FORM, std::str::from_utf8(&body).unwrap()).as_deref(), Some(SLACK), "{payload}");
        }
        assert_eq!(named(FORM, "command=%2Fdeploy"), None);
    }

    #[test]
    fn text_of_a_message_is_no_address() {
        let text = format!(r#"{{"event":{{"text":"&response_url={SLACK}"}}}}"#);
        assert_eq!(named("application/json", &text), None);
        assert_eq!(slack().address(&event_with(&[], text.as_bytes())), None);
        assert_eq!(named(FORM, "text=%26response_url%3Dhttps%3A%2F%2Fhooks.slack.com%2F"), None);
    }

    #[test]
    fn only_the_senders_own_hosts_count() {
        assert!(slack().is_theirs(SLACK));
        for url in [
            "http://hooks.slack.com/commands/1",
            "https://hooks.slack.com:8443/commands/1",
            "https://hooks.slack.com.example/commands/1",
            "https://hooks.slack.com@example.com/commands/1",
            "https://user:pass@hooks.slack.com/commands/1",
            "https://127.0.0.1/commands/1",
            "/commands/1",
        ] {
            assert!(!slack().is_theirs(url), "{url}");
            let body = form::write([("response_url", url)]);
            assert_eq!(named(FORM, std::str::from_utf8(&body).unwrap()), None, "{url}");
        }
    }

    #[test]
    fn an_answer_goes_as_json() {
        let body = |text: &'static str| slack().body(&Bytes::from_static(text.as_bytes()));
        assert_eq!(body(r#"{"text":"done"}"#).unwrap(), r#"{"text":"done"}"#);
        assert_eq!(body("42").unwrap(), r#"{"text":"42"}"#);
        assert_eq!(body("done \"now\"").unwrap(), r#"{"text":"done \"now\""}"#);
        assert_eq!((body(""), body(" \n")), (None, None));
    }

    #[test]
    fn what_senders_say_of_late_answers_can_be_followed() {
        for late in TABLE.iter().filter_map(|sender| sender.late_answers) {
            assert!(!late.at.is_empty() && !late.hosts.is_empty() && late.uses > 0 && !late.valid.is_zero());
            for pointer in late.at.iter().filter_map(|place| place.split_once(' ')) {
                Pointer::parse(pointer.1).unwrap();
            }
        }
    }
}
