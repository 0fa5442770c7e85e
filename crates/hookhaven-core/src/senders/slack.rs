//! Slack: `X-Slack-Signature: v0=<hex>`, HMAC-SHA256 of `v0:<X-Slack-Request-Timestamp>:<body>` under the
//! signing secret as text (it looks like hex and is not decoded). The same for all three kinds of request:
//! events (JSON), slash commands (a form) and interactivity (a form whose field `payload` is JSON).
//!
//! `url_verification` is signed like everything else and wants its challenge back. `ssl_check=1` is a form
//! that only wants a 200; it gets that if it is signed and nothing more, for an exemption from the signature
//! once let whole forged payloads through elsewhere. Facts: Slack's documentation and SDKs.

use std::{borrow::Cow, sync::Arc};

use http::StatusCode;

use super::{
    BadScheme, SenderDef, SenderOptionError, SenderOptions,
    declared::{Declaration, Declared},
    facts::FactPlaces,
    form::{self, FORM},
    hmac::HmacSpec,
    place::Unit,
    sample::{Named, fill, find, sample},
    signature::Form,
};
use crate::{
    json::{Pointer, scan},
    secret::Secret,
    sender::{Answer, CannotSign, Facts, Keys, Proof, Rejection, Request, Sample, Sender, Signed},
    time::Time,
};

pub const DEF: SenderDef = SenderDef { name: "slack", aliases: &[], title: "Slack", verifies: true, build };

/// A `url_verification` is some 150 bytes; nothing longer is looked at for one.
const HANDSHAKE_BYTES_MAX: usize = 1 << 10;
const SENT_AT: &str = "header:x-slack-request-timestamp";
const NOT_A_SECRET: &str = "this is a token; the signing secret stands under \"Basic Information\" of the app";

static DECLARATION: Declaration = Declaration {
    name: "slack",
    scheme: HmacSpec {
        header: "x-slack-signature",
        form: Form::Whole { prefix: Cow::Borrowed("v0=") },
        timestamp: Some((SENT_AT, Unit::S)),
        signed: "v0:{timestamp}:{body}",
        ..HmacSpec::DEFAULT
    },
    id: &["json:/event_id"],
    event_type: &["json:/event/type", "json:/type"],
    time: &["json:/event/event_ts", "json:/event_time", "json:/minute_rate_limited", SENT_AT],
    content_types: &["application/json", FORM],
    not_secrets: &[("xoxb-", NOT_A_SECRET), ("xoxp-", NOT_A_SECRET), ("xapp-", NOT_A_SECRET)],
    sample_types: &["message", "app_mention", "/deploy", "block_actions", "url_verification"],
    samples: SAMPLES,
};

const SAMPLES: &[Named] =
    &[sample!("slack", "message"), sample!("slack", "app_mention"), sample!("slack", "url_verification")];

/// Those that come as a form's `payload`.
const INTERACTIONS: &[Named] = &[sample!("slack", "block_actions")];

fn build(options: &SenderOptions) -> Result<Arc<dyn Sender>, SenderOptionError> {
    options.refuse_hmac(DECLARATION.name)?;
    let ids = ["json:/trigger_id", "json:/actions/0/action_ts"];
    let interactions = FactPlaces::parse(&ids, &["json:/type"], &["json:/actions/0/action_ts", SENT_AT]);
    let commands = FactPlaces::parse(&[], &[], &[SENT_AT]);
    let hello = ["/type", "/challenge"].map(Pointer::parse).into_iter().collect::<Result<_, _>>();
    Ok(Arc::new(Slack {
        events: DECLARATION.declared()?,
        interactions: interactions.map_err(|e| BadScheme::new("id", e))?,
        commands: commands.map_err(|e| BadScheme::new("id", e))?,
        hello: hello.map_err(|e| BadScheme::new("id", e))?,
    }))
}

#[derive(Debug)]
struct Slack {
    events: Declared,
    interactions: FactPlaces,
    /// Only the time: the rest stands in the form.
    commands: FactPlaces,
    /// Type and challenge of a `url_verification`.
    hello: Vec<Pointer>,
}

impl Sender for Slack {
    fn name(&self) -> &'static str {
        self.events.name()
    }

    fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
        self.events.verify(request, keys)
    }

    fn facts(&self, request: &Request<'_>) -> Facts {
        if !form::is_form(request.headers) {
            return self.events.facts(request);
        }
        if let Some(payload) = form::field(request.body, "payload") {
            return self.interactions.read(request.headers, &payload);
        }
        Facts {
            idempotency_key: form::field_text(request.body, "trigger_id").map(Cow::into_owned),
            event_type: form::field_text(request.body, "command").map(Cow::into_owned),
            ..self.commands.read(request.headers, b"")
        }
    }

    fn handshake(&self, request: &Request<'_>) -> Option<Answer> {
        if request.body.len() > HANDSHAKE_BYTES_MAX {
            return None;
        }
        if form::is_form(request.headers) {
            let field = |name| form::field(request.body, name);
            let only_asks = field("payload").is_none() && field("command").is_none();
            return (only_asks && field("ssl_check").as_deref() == Some(b"1")).then(Answer::empty);
        }
        let found = scan(request.body, &self.hello);
        let [event_type, challenge] = found[..] else { return None };
        (event_type?.text()? == "url_verification").then_some(())?;
        let body = challenge?.text()?.into_owned().into_bytes();
        Some(Answer { status: StatusCode::OK, content_type: Some("text/plain"), body })
    }

    fn content_types(&self) -> &'static [&'static str] {
        self.events.content_types()
    }

    fn signs_time(&self) -> bool {
        self.events.signs_time()
    }

    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        self.events.check_secret(secret)
    }

    fn sample_types(&self) -> &'static [&'static str] {
        self.events.sample_types()
    }

    /// A type that begins with a slash is a command.
    fn sample(&self, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
        let body = if event_type.starts_with('/') {
            command(event_type, id)
        } else if let Some(text) = find(INTERACTIONS, event_type) {
            form::write([("payload", &*fill(text.trim_end(), id, event_type, now))])
        } else {
            let text = find(SAMPLES, event_type).unwrap_or(ANY_EVENT);
            fill(text.trim_end(), id, event_type, now).into_bytes()
        };
        Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body })
    }

    fn sign(&self, sample: &Sample, url: Option<&str>, secret: &Secret, now: Time) -> Result<Signed, CannotSign> {
        let content_type = if sample.body.starts_with(b"{") { "application/json" } else { FORM };
        let mut headers = self.events.scheme.sign(&[], &sample.body, &sample.id, url, secret, now)?;
        headers.insert(0, ("content-type".into(), content_type.into()));
        Ok(Signed { headers, query: String::new(), body: sample.body.clone() })
    }
}

fn command(name: &str, trigger_id: &str) -> Vec<u8> {
    form::write([
        ("token", "retired"),
        ("team_id", "T0SAMPLE01"),
        ("team_domain", "example"),
        ("channel_id", "C0SAMPLE01"),
        ("channel_name", "general"),
        ("user_id", "U0SAMPLE01"),
        ("user_name", "sample"),
        ("command", name),
        ("text", "web to production"),
        ("api_app_id", "A0SAMPLE01"),
        ("response_url", "https://hooks.slack.com/commands/T0SAMPLE01/1/sample"),
        ("trigger_id", trigger_id),
    ])
}

const ANY_EVENT: &str = r#"{"token":"retired","team_id":"T0SAMPLE01","api_app_id":"A0SAMPLE01","event":{"type":"{{type}}","user":"U0SAMPLE01","event_ts":"{{now_s}}.000100"},"type":"event_callback","event_id":"{{id}}","event_time":{{now_s}}}"#;

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;

    fn ask(content_type: &str, body: &str) -> Option<Answer> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        let slack = build(&SenderOptions::default()).unwrap();
        slack.handshake(&Request {
            method: &Method::POST,
            url: None,
            query: None,
            headers: &headers,
            body: body.as_bytes(),
        })
    }

    #[test]
    fn a_challenge_is_given_back_as_text() {
        let answer =
            ask("application/json", r#"{"type":"url_verification","challenge":"3eZ<b>","token":"x"}"#).unwrap();
        assert_eq!(answer.body, b"3eZ<b>");
        assert_eq!(answer.content_type, Some("text/plain"));
        assert_eq!(ask("application/json", r#"{"type":"event_callback","challenge":"x"}"#), None);
        assert_eq!(ask("application/json", r#"{"type":"url_verification"}"#), None);
        let long = format!(r#"{{"type":"url_verification","challenge":"{}"}}"#, "x".repeat(HANDSHAKE_BYTES_MAX));
        assert_eq!(ask("application/json", &long), None);
    }

    #[test]
    fn a_certificate_check_is_answered_but_carries_nothing_along() {
        assert_eq!(ask(FORM, "ssl_check=1&token=x"), Some(Answer::empty()));
        assert_eq!(ask(FORM, "ssl_check=1&payload=%7B%7D"), None);
        assert_eq!(ask(FORM, "ssl_check=1&command=%2Fx"), None);
        assert_eq!(ask(FORM, "ssl_check=0"), None);
    }
}
