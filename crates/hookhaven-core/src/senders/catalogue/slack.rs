//! Slack: `X-Slack-Signature: v0=<hex>`, HMAC-SHA256 of `v0:<X-Slack-Request-Timestamp>:<body>` under the
//! signing secret as text (it looks like hex and is not decoded). The same for all three kinds of request:
//! events (JSON), slash commands (a form) and interactivity (a form whose field `payload` is JSON).
//!
//! `url_verification` is signed like everything else and wants its challenge back. `ssl_check=1` is a form
//! that only wants a 200; it gets that if it is signed and nothing more, for an exemption from the signature
//! once let whole forged payloads through elsewhere. Facts: Slack's documentation and SDKs.

use std::{borrow::Cow, sync::LazyLock};

use super::super::{
    Overlay,
    declared::Declared,
    facts::FactPlaces,
    form::{self, FORM},
    handshake::HANDSHAKE_BYTES_MAX,
    prelude::*,
    sample::{Named, fill, find, sample},
};
use crate::{
    secret::Secret,
    sender::{Answer, CannotSign, Facts, Own, Reply, Request, Sample, Signed},
    time::Time,
};

const SENT_AT: &str = "header:x-slack-request-timestamp";
const NOT_A_SECRET: &str = "this is a token; the signing secret stands under \"Basic Information\" of the app";

pub static SENDER: Declaration = Declaration {
    name: "slack",
    title: "Slack",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-slack-signature",
        form: Form::prefix("v0="),
        timestamp: Some((SENT_AT, Unit::S)),
        signed: "v0:{timestamp}:{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/event_id"],
    event_type: &["json:/event/type", "json:/type"],
    // By kind of channel; what arrives says the kind in `/event/channel_type`.
    subscribed: &[
        ("message.channels", "message"),
        ("message.groups", "message"),
        ("message.im", "message"),
        ("message.mpim", "message"),
        ("message.app_home", "message"),
    ],
    time: &["json:/event/event_ts", "json:/event_time", "json:/minute_rate_limited", SENT_AT],
    order_key: &["json:/event/channel", "json:/team_id"],
    version: &["json:/event/event_ts"],
    content_types: &["application/json", FORM],
    // What these are answered is shown. A button or a shortcut is only acknowledged: what comes of it goes to the
    // `response_url`.
    asks: &["/*", "view_submission", "block_suggestion"],
    late_answers: Some(LateAnswers {
        at: &["response_url", "payload /response_url", "payload /response_urls/0/response_url"],
        hosts: &["hooks.slack.com"],
        valid: Duration::from_secs(30 * 60),
        uses: 5,
        text_as: "text",
    }),
    not_secrets: &[("xoxb-", NOT_A_SECRET), ("xoxp-", NOT_A_SECRET), ("xapp-", NOT_A_SECRET)],
    sample_types: &["message", "app_mention", "/deploy", "block_actions", "url_verification"],
    samples: SAMPLES,
    chains: CHAINS,
    handshakes: &[Handshake::Echo {
        when: Some(("json:/type", "url_verification")),
        challenge: "json:/challenge",
        answer: Echoed::Text,
        signed: true,
    }],
    about: About {
        secret: "the app's Basic Information → App Credentials → Signing Secret (not a token)",
        rotation: Rotation::AtOnce("the app's Basic Information → App Credentials → Signing Secret → Regenerate"),
        paste: "Event Subscriptions → Request URL; Interactivity → Request URL; each slash command's Request URL",
        quirks: &[
            "A new signing secret counts at once: put it here at once, and release what was refused in between.",
            "Commands and interactions are not sent again, and their `trigger_id` dies after 3 seconds.",
            "Above 95% of failures in an hour Slack switches the subscriptions off.",
            "Offers mutual TLS: `client_certificate = { names = [\"platform-tls-client.slack.com\"] }`, DigiCert's roots as `client_ca`.",
        ],
        docs: "https://docs.slack.dev/apis/events-api/",
        timeout_s: Some(3),
        retries: Retries::minutes(6, "events only: at once, after 1 and after 5 minutes"),
    },
    conduct: Conduct {
        reconcile: "`conversations.history` with `oldest` lists the messages of a channel; commands and clicks are nowhere",
        gives_up: "when more than 95% of attempts fail within an hour (of apps with 1,000 events and more) it switches the subscriptions off and mails",
        stops: true,
        ..Conduct::UNKNOWN
    },
    code: Code {
        facts: Some(facts),
        handshake: Some(certificate_check),
        sample: Some(sample_of),
        sign: Some(sign),
        ..Code::NONE
    },
    ..Declaration::DEFAULT
};

const SAMPLES: &[Named] = &[
    sample!("slack", "message"),
    sample!("slack", "message_changed"),
    sample!("slack", "app_mention"),
    sample!("slack", "url_verification"),
];

const CHAINS: &[Chain] = &[Chain {
    name: "conversation",
    title: "A message, a question to the app, and the message edited",
    steps: &[
        Step { event_type: "message", after_s: 0, set: &[MESSAGE] },
        Step { event_type: "app_mention", after_s: 10, set: &[&[("/event/channel", CHANNEL)]] },
        Step {
            event_type: EDITED,
            after_s: 20,
            set: &[&[("/event/channel", CHANNEL), ("/event/message/ts", BEGAN), ("/event/previous_message/ts", BEGAN)]],
        },
    ],
}];

const CHANNEL: &str = "\"C0{{number}}\"";
const BEGAN: &str = "\"{{began_s}}.000100\"";
const MESSAGE: &[Overlay] = &[("/event/channel", CHANNEL)];
/// Not a type but a subtype of `message`.
const EDITED: &str = "message_changed";

/// Those that come as a form's `payload`.
const INTERACTIONS: &[Named] = &[sample!("slack", "block_actions")];

static INTERACTION: LazyLock<FactPlaces> = LazyLock::new(|| {
    // Shortcuts and old dialogs have their own time beside the type; a closed view has nothing but its content.
    let acted_at = ["json:/actions/0/action_ts", "json:/action_ts"];
    let ids = ["json:/trigger_id", acted_at[0], acted_at[1]];
    FactPlaces::parse(&ids, &["json:/type"], &[acted_at[0], acted_at[1], SENT_AT]).unwrap_or_default()
});

/// Only the time: the rest of a command stands in the form.
static COMMAND: LazyLock<FactPlaces> = LazyLock::new(|| FactPlaces::parse(&[], &[], &[SENT_AT]).unwrap_or_default());

fn facts(declared: &Declared, request: &Request<'_>) -> Facts {
    if !form::is_form(request.headers) {
        return declared.places().read(request.headers, request.body);
    }
    if let Some(payload) = form::field(request.body, "payload") {
        return INTERACTION.read(request.headers, &payload);
    }
    Facts {
        idempotency_key: form::field_text(request.body, "trigger_id").map(Cow::into_owned),
        event_type: form::field_text(request.body, "command").map(Cow::into_owned),
        ..COMMAND.read(request.headers, b"")
    }
}

/// `ssl_check=1`, signed and with nothing else in it.
fn certificate_check(request: &Request<'_>, _: &Own<'_>) -> Option<Reply> {
    if request.body.len() > HANDSHAKE_BYTES_MAX || !form::is_form(request.headers) {
        return None;
    }
    let field = |name| form::field(request.body, name);
    let only_asks = field("payload").is_none() && field("command").is_none();
    (only_asks && field("ssl_check").as_deref() == Some(b"1")).then(|| Reply::Answer(Answer::empty()))
}

/// A type that begins with a slash is a command.
fn sample_of(_: &Declared, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
    let body = if event_type.starts_with('/') {
        command(event_type, id)
    } else if let Some(text) = find(INTERACTIONS, event_type) {
        form::write([("payload", &*fill(text.trim_end(), id, event_type, now))])
    } else {
        let text = find(SAMPLES, event_type).unwrap_or(ANY_EVENT);
        fill(text.trim_end(), id, event_type, now).into_bytes()
    };
    let event_type = if event_type == EDITED { "message" } else { event_type };
    Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body })
}

fn sign(
    declared: &Declared,
    sample: &Sample,
    url: Option<&str>,
    secret: &Secret,
    now: Time,
) -> Result<Signed, CannotSign> {
    let content_type = if sample.body.starts_with(b"{") { "application/json" } else { FORM };
    declared.sign_with(vec![("content-type".into(), content_type.into())], sample, url, secret, now)
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
    use http::HeaderMap;

    use super::*;

    fn ask(content_type: &str, body: &str) -> Option<Answer> {
        let own = Own { secrets: &[], verify_token: None, awaits_secret: false };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        let slack = SENDER.build(&Default::default()).unwrap();
        let body = body.as_bytes();
        let request = Request { method: &Method::POST, url: None, query: None, headers: &headers, body };
        match slack.handshake(&request, &own)? {
            Reply::Answer(answer) => Some(answer),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_challenge_is_given_back_as_text() {
        let answer =
            ask("application/json", r#"{"type":"url_verification","challenge":"3eZ<b>","token":"x"}"#).unwrap();
        assert_eq!(answer.body, b"3eZ<b>");
        assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
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
