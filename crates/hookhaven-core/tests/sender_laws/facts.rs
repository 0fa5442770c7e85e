//! Id, type and time: of every sender's samples, and of the shapes that real senders send.

use hookhaven_core::{
    Time,
    sender::{Facts, Request, Sample},
    senders::{self, SenderOptions, facts_or_fallback},
};
use http::{HeaderMap, HeaderName, Method};

use crate::support::{NOW, OWN, cases, with_request};

#[test]
fn samples_have_the_id_and_type_that_were_asked_for() {
    for case in cases() {
        for event_type in case.sender.sample_types().iter().chain(&["other.thing"]) {
            // Some senders have no way to write another type.
            let Ok(sample) = case.sender.sample(event_type, "id1", NOW) else { continue };
            assert_eq!(sample.event_type, *event_type, "{case:?}");
            with_request(&case.signed(event_type), |request| {
                if case.sender.handshake(request, &OWN).is_some() {
                    return;
                }
                let facts = case.sender.facts(request);
                if case.label != "hmac:plain" {
                    // Some ids are made of several values, of which the last is this.
                    let key = facts.idempotency_key.as_deref().map(|key| key.rsplit(':').next().unwrap());
                    let has_id = case.label.starts_with("hmac") || case.label == "twilio" || case.label == "slack";
                    let has_id = has_id || !case.declaration.id.is_empty();
                    assert_eq!(key, has_id.then_some("id1"), "{case:?} {event_type}");
                    assert_eq!(facts.event_type.as_deref(), Some(*event_type), "{case:?}");
                }
                let told = facts.occurred_at.is_none_or(|at| at.as_s() == NOW.as_s());
                assert!(told, "{case:?} {event_type}: {:?}", facts.occurred_at);
            });
        }
    }
}

#[test]
fn json_samples_are_json() {
    for case in cases() {
        for event_type in case.sender.sample_types().iter().chain(&["other.thing"]) {
            let Ok(Sample { body, .. }) = case.sender.sample(event_type, "a \"quoted\" id", NOW) else { continue };
            if body.starts_with(b"{") {
                let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&body);
                assert!(parsed.is_ok(), "{case:?} {event_type}: {parsed:?}");
            }
        }
    }
}

fn read(sender: &str, headers: &[(&'static str, &str)], body: &str) -> (Facts, (String, String, Option<Time>)) {
    let sender = senders::find(sender).unwrap().build(&SenderOptions::default()).unwrap();
    let map: HeaderMap =
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
    let request = Request { method: &Method::POST, url: None, query: None, headers: &map, body: body.as_bytes() };
    (sender.facts(&request), facts_or_fallback(&*sender, &request))
}

fn facts(id: &str, event_type: &str, at: &str) -> Facts {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Facts { idempotency_key: some(id), event_type: some(event_type), occurred_at: Time::parse_rfc3339(at) }
}

#[test]
fn stripe_has_two_shapes() {
    let snapshot = r#"{"id":"evt_1","object":"event","created":1700000000,"type":"invoice.paid","data":{"object":{"id":"in_1","type":"x"}}}"#;
    assert_eq!(read("stripe", &[], snapshot).0, facts("evt_1", "invoice.paid", "2023-11-14T22:13:20Z"));
    let thin = r#"{"id":"evt_2","object":"v2.core.event","type":"v2.core.account.updated","created":"2023-11-14T22:13:20.000Z"}"#;
    assert_eq!(read("stripe", &[], thin).0, facts("evt_2", "v2.core.account.updated", "2023-11-14T22:13:20Z"));
}

#[test]
fn github_types_have_their_action_in_json_and_in_forms() {
    let headers = [("x-github-event", "issues"), ("x-github-delivery", "guid-1")];
    let body = r#"{"action":"opened","issue":{"updated_at":"2023-11-14T22:13:20Z","created_at":"x"}}"#;
    let expected = facts("guid-1", "issues.opened", "2023-11-14T22:13:20Z");
    assert_eq!(read("github", &headers, body).0, expected);
    let form = [&headers[..], &[("content-type", "application/x-www-form-urlencoded")]].concat();
    let body = "payload=%7B%22action%22%3A%22opened%22%2C%22issue%22%3A%7B%22updated_at%22%3A%222023-11-14T22%3A13%3A20Z%22%7D%7D";
    assert_eq!(read("github", &form, body).0, expected);
    let push = [("x-github-event", "push"), ("x-github-delivery", "guid-2")];
    let body = r#"{"ref":"refs/heads/main","repository":{"pushed_at":1700000000},"head_commit":{"timestamp":"2023-11-14T23:13:20+01:00"}}"#;
    assert_eq!(read("github", &push, body).0, facts("guid-2", "push", "2023-11-14T22:13:20Z"));
    assert_eq!(read("github", &push, "not json").0, facts("guid-2", "push", ""));
}

#[test]
fn slack_has_three_kinds_of_request() {
    let at = ("x-slack-request-timestamp", "1700000000");
    let form = [at, ("content-type", "application/x-www-form-urlencoded")];
    let event = r#"{"type":"event_callback","event_id":"Ev1","event_time":1699999999,"event":{"type":"message","subtype":"bot_message","event_ts":"1700000000.000000"}}"#;
    assert_eq!(read("slack", &[at], event).0, facts("Ev1", "message", "2023-11-14T22:13:20Z"));
    let limited = r#"{"type":"app_rate_limited","minute_rate_limited":1700000000}"#;
    assert_eq!(read("slack", &[at], limited).0, facts("", "app_rate_limited", "2023-11-14T22:13:20Z"));
    let command = "command=%2Fdeploy&text=web&trigger_id=1.2.abc";
    assert_eq!(read("slack", &form, command).0, facts("1.2.abc", "/deploy", "2023-11-14T22:13:20Z"));
    let action = "payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5B%7B%22action_ts%22%3A%221700000000.000000%22%7D%5D%7D";
    assert_eq!(read("slack", &form, action).0, facts("1700000000.000000", "block_actions", "2023-11-14T22:13:20Z"));
}

#[test]
fn standard_webhooks_read_the_set_of_headers_that_was_verified() {
    let body = r#"{"type":"user.created","timestamp":"2023-11-14T22:13:20Z"}"#;
    let expected = |id| facts(id, "user.created", "2023-11-14T22:13:20Z");
    assert_eq!(read("standard-webhooks", &[("webhook-id", "a"), ("webhook-signature", "x")], body).0, expected("a"));
    let svix = [("svix-id", "b"), ("svix-signature", "x"), ("webhook-id", "forged")];
    assert_eq!(read("standard-webhooks", &svix, body).0, expected("b"));
    let both = [("svix-id", "forged"), ("svix-signature", "x"), ("webhook-id", "a"), ("webhook-signature", "x")];
    assert_eq!(read("svix", &both, body).0, expected("a"));
}

#[test]
fn twilio_events_of_a_batch_share_no_id() {
    let one = r#"[{"id":"e1","type":"com.twilio.x","time":"2023-11-14T22:13:20Z"}]"#;
    assert_eq!(read("twilio", &[], one).0, facts("e1", "com.twilio.x", "2023-11-14T22:13:20Z"));
    let two = r#"[{"id":"e1","type":"com.twilio.x"},{"id":"e2","type":"com.twilio.x"}]"#;
    assert_eq!(read("twilio", &[], two).0, facts("", "com.twilio.x", ""));
}

#[test]
fn an_id_in_an_unverified_body_is_not_taken_for_the_events() {
    let (key, event_type, _) = read("unverified", &[], r#"{"id":"order-5","type":"order.changed"}"#).1;
    assert!(key.starts_with("sha256:"), "{key}");
    assert_eq!(event_type, "order.changed");
}

#[test]
fn what_the_body_does_not_say_has_a_fallback() {
    let (_, known) = read("stripe", &[], r#"{"id":"","type":null,"created":"soon"}"#);
    let hash = "sha256:b8af7b3a7fd6a1e64d2d1aa0a3c3e3a1e8b0b7a0f0f6f1f4e6c9d8b7a6958473".len();
    assert_eq!((known.0.len(), &*known.1, known.2), (hash, "unknown", None));
    let (_, (key, event_type, _)) =
        read("stripe", &[], &format!(r#"{{"id":"{}","type":"a\u0000b"}}"#, "x".repeat(300)));
    assert_eq!((key.len(), &*event_type), (hash, "a\u{fffd}b"));
}

#[test]
fn fields_of_forms_are_facts_too() {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let paddle = "alert_id=1234567&alert_name=subscription_created&event_time=2026-11-21+09%3A30%3A00&p_signature=x";
    let expected = facts("1234567", "subscription_created", "2026-11-21T09:30:00Z");
    assert_eq!(read("paddle-classic", &[form], paddle).0, expected);

    let event = |id: &str| format!("%7B%22event%22%3A%22send%22%2C%22ts%22%3A1700000000%2C%22_id%22%3A%22{id}%22%7D");
    let one = format!("mandrill_events=%5B{}%5D", event("abc"));
    let expected = facts("send:1700000000:abc", "send", "2023-11-14T22:13:20Z");
    assert_eq!(read("mandrill", &[form], &one).0, expected);
    let two = format!("mandrill_events=%5B{}%2C{}%5D", event("abc"), event("abd"));
    let read_two = read("mandrill", &[form], &two);
    assert_eq!(read_two.0.idempotency_key, None, "a batch has no id of its own");
    assert!(read_two.1.0.starts_with("sha256:"));
}
