//! Requests of every shape that Stripe, Slack and Twilio declare in their own packages for Node.js and Python, signed by
//! their SDKs: each is stored as what a plain parse of the whole body says it is, and delivered to the byte.
//!
//! The shapes are made in `tests-clients/shapes.mjs` and `shapes.py`. GitHub's payloads have a test of their own
//! (`signatures`).

use std::collections::{BTreeMap, HashMap};

use hookhaven_core::{Time, senders::sha256_hex};
use hookhaven_load::now::unix_s;
use serde_json::Value;

use crate::support::{
    gateway::{Gateway, PUBLIC_URL},
    handler::Handler,
    sdk::{Sdk, Shape, ToSign, shapes},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SENDERS: [&str; 3] = ["slack", "stripe", "twilio"];
/// Of the list of events: the longest page that the API gives.
const PAGE: &str = "/api/v1/events?limit=500";

/// What an event is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    key: String,
    event_type: String,
    /// `None` where the sender tells no time.
    at: Option<Time>,
}

/// By a whole parse, and by each sender's documentation.
fn plain(shape: &Shape, sent_at_s: u64) -> Facts {
    let sent_at = Time::from_s(i64::try_from(sent_at_s).expect("seconds of this century"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if !shape.form {
        let body: Value = serde_json::from_str(&shape.body).expect("JSON");
        return if shape.sender == "stripe" {
            let (key, event_type) = (text(&body["id"]), text(&body["type"]));
            Facts {
                key: key.expect("an id"),
                event_type: event_type.expect("a type"),
                at: Some(time(&body["created"])),
            }
        } else {
            let event = &body["event"];
            let at = if event["event_ts"].is_null() { &body["event_time"] } else { &event["event_ts"] };
            let (key, event_type) = (text(&body["event_id"]), text(&event["type"]));
            Facts { key: key.expect("an id"), event_type: event_type.expect("a type"), at: Some(time(at)) }
        };
    }
    let fields: HashMap<String, String> = url::form_urlencoded::parse(shape.body.as_bytes()).into_owned().collect();
    match (&*shape.sender, fields.get("payload")) {
        ("slack", Some(payload)) => {
            let payload: Value = serde_json::from_str(payload).expect("JSON");
            let acted_at = [&payload["actions"][0]["action_ts"], &payload["action_ts"]];
            let acted_at = acted_at.into_iter().find(|at| !at.is_null());
            // A closed view has neither: then the body tells one from another.
            let hash = || format!("sha256:{}", sha256_hex(shape.body.as_bytes()));
            let key = text(&payload["trigger_id"]).or_else(|| text(acted_at?)).unwrap_or_else(hash);
            let at = acted_at.map_or(sent_at, time);
            Facts { key, event_type: text(&payload["type"]).expect("a type"), at: Some(at) }
        }
        ("slack", None) => {
            Facts { key: fields["trigger_id"].clone(), event_type: fields["command"].clone(), at: Some(sent_at) }
        }
        _ => match (fields.get("MessageSid"), fields.get("CallSid")) {
            (Some(sid), _) => {
                let status = &fields["MessageStatus"];
                Facts { key: format!("{sid}:{status}"), event_type: format!("message.{status}"), at: None }
            }
            (None, Some(sid)) => {
                let (status, number) = (&fields["CallStatus"], &fields["SequenceNumber"]);
                Facts { key: format!("{sid}:{status}:{number}"), event_type: format!("call.{status}"), at: None }
            }
            (None, None) => panic!("{shape:?}"),
        },
    }
}

/// Seconds as a number, seconds and microseconds as text, or RFC 3339.
fn time(value: &Value) -> Time {
    if let Some(s) = value.as_i64() {
        return Time::from_s(s);
    }
    let text = value.as_str().expect("a time");
    match text.split_once('.') {
        Some((s, us)) if us.len() == 6 => {
            Time::from_us(s.parse::<i64>().expect("seconds") * 1_000_000 + us.parse::<i64>().expect("microseconds"))
        }
        _ => Time::parse_rfc3339(text).expect("RFC 3339"),
    }
}

fn config(handler: &Handler) -> String {
    let source = |sender| {
        format!(
            "[sources.{sender}]\nsender = \"{sender}\"\nsecrets = [\"{SECRET}\"]\n\n\
             [[routes]]\nsource = \"{sender}\"\nto = [\"app\"]\n\n"
        )
    };
    format!("{}[destinations.app]\nurl = \"{}\"\nconcurrency = 64\n", SENDERS.map(source).concat(), handler.url())
}

/// All events, by source and key.
async fn stored(gateway: &Gateway) -> BTreeMap<(String, String), Value> {
    let mut all = BTreeMap::new();
    let mut page = gateway.get(PAGE).await;
    loop {
        for event in page["items"].as_array().expect("a list") {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            all.insert((text("source"), text("idempotency_key")), event.clone());
        }
        let Some(next) = page["next"].as_str() else { return all };
        page = gateway.get(&format!("{PAGE}&after={next}")).await;
    }
}

#[tokio::test]
async fn every_shape_of_the_senders_own_packages_is_stored_as_what_it_is() {
    let (handler, mut sdk) = (Handler::answering(200).await, Sdk::start());
    let gateway = Gateway::start(&config(&handler)).await;
    let shapes = shapes().await;
    let mut origins: BTreeMap<&str, usize> = BTreeMap::new();
    let mut expected = BTreeMap::new();
    for shape in &shapes {
        let timestamp_s = unix_s();
        let url = format!("{PUBLIC_URL}/webhooks/{}", shape.sender);
        // Without the token by which Twilio tells its requests apart, the form has to say it.
        let (sender, body, id, event_type) = (&*shape.sender, &*shape.body, "", "");
        let to_sign = ToSign { sender, secret: SECRET, body, url: &url, timestamp_s, id, event_type };
        let signed = sdk.sign(&to_sign).await;
        let path = format!("/webhooks/{sender}{}", signed.query);
        let answer = gateway.post(&path, &signed.headers, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}: {body}", shape.origin);
        let facts = plain(shape, timestamp_s);
        let before = expected.insert((sender.to_owned(), facts.key.clone()), (facts, shape));
        assert!(before.is_none(), "{before:?} and {shape:?}");
        *origins.entry(&shape.origin).or_default() += 1;
    }
    assert!(origins.len() == 14 && shapes.len() > 1_200, "{origins:?}");
    gateway.until_drained().await;

    let stored = stored(&gateway).await;
    let mut bodies = HashMap::new();
    for ((source, key), (facts, shape)) in &expected {
        let Some(event) = stored.get(&(source.clone(), key.clone())) else { panic!("{key} is not there: {shape:?}") };
        let at = event["occurred_at"].as_str().map(|text| Time::parse_rfc3339(text).expect("a time"));
        let event_type = event["type"].as_str().unwrap_or_default().to_owned();
        let read = Facts { key: key.clone(), event_type, at };
        assert_eq!(read, *facts, "{}: {}", shape.origin, shape.body);
        bodies.insert(event["id"].as_str().unwrap_or_default(), &*shape.body);
    }
    assert_eq!(stored.len(), expected.len());
    let received = handler.received();
    assert_eq!(received.len(), expected.len());
    for attempt in &received {
        let body = bodies[attempt.header("hookhaven-event-id")];
        assert!(attempt.body == body.as_bytes(), "to the byte: {body}");
    }
}
