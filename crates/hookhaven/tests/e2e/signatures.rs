//! Who gets in: requests that the senders' own SDKs signed, over HTTP; and who does not. And the other
//! way round: what we sign, checked by a handler with the SDK.

use std::collections::BTreeMap;

use hookhaven_core::Time;
use hookhaven_load::now::unix_s;
use serde_json::Value;

use crate::support::{
    gateway::{Gateway, PUBLIC_URL},
    handler::Handler,
    sdk::{Sdk, Signed, ToSign, github_payloads},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SENDERS: [&str; 5] = ["stripe", "github", "slack", "twilio", "standard-webhooks"];
const OTHER_SECRET: &str = "whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhhdCBzb3VyY2U=";

/// One request of a sender that it would send itself. The bodies are ours.
struct Case {
    sender: &'static str,
    body: &'static str,
    /// Whether its signature covers the time.
    timed: bool,
}

const CASES: [Case; 8] = [
    Case { sender: "stripe", body: r#"{"id":"evt_1","type":"invoice.paid","created":1760000000}"#, timed: true },
    Case { sender: "github", body: r#"{"action":"opened","issue":{"number":1,"title":"ünïcode"}}"#, timed: false },
    Case {
        sender: "slack",
        body: r#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}"#,
        timed: true,
    },
    Case { sender: "slack", body: "command=%2Fweather&text=94070&trigger_id=1.2", timed: true },
    Case { sender: "twilio", body: "MessageSid=SM1&MessageStatus=delivered&To=%2B15550001&Body=a+b%26c", timed: false },
    Case { sender: "twilio", body: "Media=b&Media=a&Media=b&MessageSid=SM2&SmsStatus=sent&a=&Z=1", timed: false },
    Case { sender: "twilio", body: r#"[{"id":"EV1","type":"com.twilio.messaging.message.sent"}]"#, timed: false },
    Case { sender: "standard-webhooks", body: r#"{"type":"user.created","data":{}}"#, timed: true },
];

fn config(handler: &Handler) -> String {
    let source = |sender| {
        format!(
            "[sources.{sender}]\nsender = \"{sender}\"\nsecrets = [\"{SECRET}\"]\n\n\
             [[routes]]\nsource = \"{sender}\"\nto = [\"app\"]\n\n"
        )
    };
    let sources: String = SENDERS.map(source).concat();
    format!("{sources}[destinations.app]\nurl = \"{}\"\nsecret = \"{SECRET}\"\n", handler.url())
}

async fn sign(sdk: &mut Sdk, case: &Case, secret: &str, id: &str, timestamp_s: u64) -> Signed {
    let url = format!("{PUBLIC_URL}/webhooks/{}", case.sender);
    let Case { sender, body, .. } = case;
    sdk.sign(&ToSign { sender, secret, body, url: &url, timestamp_s, id, event_type: "issues" }).await
}

fn path(case: &Case, signed: &Signed) -> String {
    format!("/webhooks/{}{}", case.sender, signed.query)
}

#[tokio::test]
async fn what_the_sdks_sign_is_accepted_and_delivered_as_it_came() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    let gateway = Gateway::start(&config(&handler)).await;
    for (number, case) in CASES.iter().enumerate() {
        let signed = sign(&mut sdk, case, SECRET, &format!("id-{number}"), unix_s()).await;
        let answer = gateway.post(&path(case, &signed), &signed.headers, case.body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}: {}", case.sender, case.body);
        // Twilio sends any other text to the customer.
        let body = String::from_utf8_lossy(&answer.body);
        let right = if case.sender == "twilio" { body.ends_with("<Response/>") } else { body.is_empty() };
        assert!(right, "{} is answered {body:?}", case.sender);

        let attempt = handler.nth(number + 1).await;
        assert_eq!(attempt.body, case.body.as_bytes(), "{}: the body is kept to the byte", case.sender);
        assert_eq!(attempt.header("hookhaven-source"), case.sender);
        sdk.verify(SECRET, &attempt.headers, &attempt.body).await.expect("the handler's SDK accepts what we signed");
    }
}

/// Where GitHub's events say when they happened, the narrowest thing that changed first.
const GITHUB_TIMES: [&str; 12] = [
    "/comment/updated_at",
    "/review/submitted_at",
    "/workflow_run/updated_at",
    "/workflow_job/completed_at",
    "/check_run/completed_at",
    "/check_suite/updated_at",
    "/deployment_status/updated_at",
    "/deployment/updated_at",
    "/release/published_at",
    "/pull_request/updated_at",
    "/issue/updated_at",
    "/head_commit/timestamp",
];

/// All that GitHub publishes as examples: their types, ids and times as a plain parser reads them.
#[tokio::test]
async fn githubs_own_payloads_are_stored_as_what_they_are() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    let gateway = Gateway::start(&config(&handler)).await;
    let payloads = github_payloads().await;
    let mut expected = BTreeMap::new();
    for (number, (name, body)) in payloads.iter().enumerate() {
        let id = format!("72d3162e-cc78-11e3-81ab-{number:012}");
        let parsed: Value = serde_json::from_str(body).expect("JSON");
        let event_type = match parsed["action"].as_str() {
            Some(action) => format!("{name}.{action}"),
            None => name.clone(),
        };
        let to_sign = ToSign {
            sender: "github",
            secret: SECRET,
            body,
            url: "",
            timestamp_s: unix_s(),
            id: &id,
            event_type: name,
        };
        let signed = sdk.sign(&to_sign).await;
        let answer = gateway.post("/webhooks/github", &signed.headers, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{event_type}: {body}");
        let times = GITHUB_TIMES.iter().filter_map(|at| parsed.pointer(at)?.as_str());
        let at = times.filter_map(Time::parse_rfc3339).next();
        expected.insert(id, (event_type, at, body.as_bytes()));
    }
    assert_eq!(expected.len(), payloads.len());
    gateway.until_drained().await;

    let events = gateway.items("/api/v1/events?limit=500").await;
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let at = |event: &Value| event["occurred_at"].as_str().and_then(Time::parse_rfc3339);
    let stored: BTreeMap<_, _> =
        events.iter().map(|event| (text(event, "idempotency_key"), (text(event, "type"), at(event)))).collect();
    let facts: BTreeMap<_, _> =
        expected.iter().map(|(id, (event_type, at, _))| (id.clone(), (event_type.clone(), *at))).collect();
    assert_eq!(stored, facts);
    assert!(facts.values().filter(|(_, at)| at.is_some()).count() > 120, "many of them say when");
    let received = handler.received();
    assert_eq!(received.len(), expected.len());
    for attempt in &received {
        let (event_type, _, body) = &expected[attempt.header("x-github-delivery")];
        assert_eq!((attempt.header("hookhaven-event-type"), &attempt.body[..]), (&**event_type, *body));
    }
}

#[tokio::test]
async fn failure_mode_signature_bypass() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    let gateway = Gateway::start(&config(&handler)).await;
    for case in &CASES {
        let signed = sign(&mut sdk, case, SECRET, "id", unix_s()).await;
        let path = path(case, &signed);
        let refused = async |what: &str, headers: &[(String, String)], body: &[u8]| {
            let answer = gateway.post(&path, headers, body).await;
            assert_eq!(answer.status, 401, "{}, {what}", case.sender);
            assert!(answer.body.is_empty(), "{}, {what}: it is not told why", case.sender);
        };
        let mut body = case.body.as_bytes().to_vec();
        let last = body.len() - 2;
        body[last] ^= 1;
        refused("one bit of the body changed", &signed.headers, &body).await;
        for (position, (name, value)) in signed.headers.iter().enumerate() {
            if !name.contains("signature") {
                continue;
            }
            let with = |value: String| {
                let mut headers = signed.headers.clone();
                headers[position].1 = value;
                headers
            };
            refused("an empty signature", &with(String::new()), case.body.as_bytes()).await;
            refused("half a signature", &with(value[..value.len() / 2].into()), case.body.as_bytes()).await;
            let without: Vec<_> = signed.headers.iter().filter(|(n, _)| n != name).cloned().collect();
            refused("no signature", &without, case.body.as_bytes()).await;
            let twice = [&signed.headers[..], &[(name.clone(), value.clone())]].concat();
            refused("a signature twice", &twice, case.body.as_bytes()).await;
        }
    }
    gateway.until("/api/v1/status", |status| status["store"]["pending"] == 0).await;
    assert_eq!(handler.received().len(), 0, "nothing that was refused is delivered");
}

#[tokio::test]
async fn failure_mode_sender_authentication() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    // Each sender a second time, as another account of the same company: the secret is a right one there.
    let other = |case: &Case| format!("other-{}", case.sender);
    let mut sources = config(&handler);
    for sender in SENDERS {
        sources += &format!("\n[sources.other-{sender}]\nsender = \"{sender}\"\nsecrets = [\"{OTHER_SECRET}\"]\n");
    }
    let gateway = Gateway::start(&sources).await;
    for case in &CASES {
        for (source, status) in [(other(case), 200), (case.sender.to_owned(), 401)] {
            let url = format!("{PUBLIC_URL}/webhooks/{source}");
            let Case { sender, body, .. } = *case;
            let timestamp_s = unix_s();
            let (secret, id, event_type) = (OTHER_SECRET, "id", "issues");
            let signed = sdk.sign(&ToSign { sender, secret, body, url: &url, timestamp_s, id, event_type }).await;
            let path = format!("/webhooks/{source}{}", signed.query);
            let answer = gateway.post(&path, &signed.headers, body.as_bytes()).await;
            assert_eq!(answer.status, status, "{source}: signed with the secret of {}", other(case));
        }
    }
    assert_eq!(handler.received().len(), 0, "nothing of the other account reaches this one's handler");
}

#[tokio::test]
async fn a_signature_is_good_for_minutes_only() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    let gateway = Gateway::start(&config(&handler)).await;
    for case in CASES.iter().filter(|case| case.timed) {
        for (what, at_s, status) in
            [("stale", unix_s() - 600, 401), ("from the future", unix_s() + 600, 401), ("young", unix_s() - 60, 200)]
        {
            let signed = sign(&mut sdk, case, SECRET, what, at_s).await;
            let answer = gateway.post(&path(case, &signed), &signed.headers, case.body.as_bytes()).await;
            assert_eq!(answer.status, status, "{}, {what}", case.sender);
        }
    }
}
