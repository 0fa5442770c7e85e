//! Callbacks: what an attempt came to, told to the address that its publisher named. A callback is a published
//! event of its own, stored with the settlement it follows from; it has no callbacks itself.
//!
//! The body is QStash's; original values, whatever is redacted elsewhere.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hookhaven_core::{Attempt, Delivery, DeliveryId, Event, EventId, Lane, Time, event::PUBLISHED};
use hookhaven_store::{NewDelivery, NewEvent};
use serde_json::{Map, Value, json};

use super::{
    ids,
    lines::{Line, canonical},
    message::{Message, ROUTE_CALLBACK, ROUTE_FAILURE_CALLBACK},
    settings::{Callback, Settings},
};
use crate::seal::mark_body;

/// What there is to tell.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    pub event: &'a Event,
    pub delivery: &'a Delivery,
    pub message: &'a Message,
    pub attempt: &'a Attempt,
    pub now: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// After every attempt.
    Attempt,
    /// Once the message has failed for good.
    Failure,
}

/// The callback's event with its one delivery. `random` makes its id, which is the delivery's too.
pub fn event(told: Told<'_>, kind: Kind, callback: &Callback, random: [u8; 10]) -> NewEvent {
    let Told { event: source, delivery, now, .. } = told;
    let mut headers = callback.message(&source.headers);
    // They were checked when the message was accepted.
    let settings = Settings::parse(&headers).unwrap_or_default();
    if !told.message.settings.forward.is_empty() {
        // The body repeats the message's headers, and so the credentials among them.
        headers.push(mark_body());
    }
    let id = EventId::mint(now, random);
    let (event_type, route) = match kind {
        Kind::Attempt => (ROUTE_CALLBACK, ROUTE_CALLBACK),
        Kind::Failure => (ROUTE_FAILURE_CALLBACK, ROUTE_FAILURE_CALLBACK),
    };
    let delivery = NewDelivery {
        order: None,
        id: DeliveryId::from_bytes(*id.as_bytes()),
        destination: callback.url.as_str().into(),
        lane: delivery.lane.beside(delivery.id).unwrap_or_else(|| Lane::of_url(&callback.url)),
        route: route.into(),
        policy: Arc::new(settings.policy()),
        due_at: settings.due_at(now),
    };
    let event = Event {
        digest: None,
        part: None,
        id,
        source: PUBLISHED.into(),
        event_type: event_type.into(),
        idempotency_key: id.to_string().into(),
        received_at: now,
        occurred_at: None,
        correlation_id: source.correlation_id.clone(),
        matched_secret: None,
        remote: source.remote.clone(),
        headers,
        body: body(told, kind).to_string().into(),
    };
    NewEvent { refuses_replay: false, event, key_until: now, deliveries: vec![delivery], revives: false }
}

fn body(told: Told<'_>, kind: Kind) -> Value {
    let Told { event, delivery, message, attempt, .. } = told;
    let settings = &message.settings;
    let content_type = settings.content_type.iter().map(|value| ("content-type".into(), value.clone()));
    let sent: Vec<Line> = content_type.chain(settings.forward.iter().cloned()).collect();
    let mut body = json!({
        "status": attempt.status.unwrap_or(0),
        "header": header_map(&attempt.response_headers),
        "body": STANDARD.encode(&attempt.response_excerpt),
        "retried": delivery.attempts,
        "maxRetries": settings.retries(),
        "sourceMessageId": message.id,
        "url": &*message.url,
        "method": settings.method.as_str(),
        "sourceHeader": header_map(&sent),
        "sourceBody": STANDARD.encode(&event.body),
        "notBefore": settings.due_at(event.received_at).as_ms(),
        "createdAt": delivery.accepted_at.as_ms(),
    });
    let dlq_id = (kind == Kind::Failure).then(|| ids::dead_letter(delivery.id));
    let others = [
        ("dlqId", dlq_id),
        ("topicName", message.group.clone()),
        ("endpointName", message.endpoint.clone()),
        ("scheduleId", message.schedule.clone()),
        ("callerIP", message.caller.clone()),
    ];
    for (name, value) in others {
        if let Some(value) = value {
            body[name] = value.into();
        }
    }
    body
}

/// `{"Canonical-Name": ["value", …]}`, names in the order of their first lines.
fn header_map(lines: &[(Arc<str>, Bytes)]) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in lines {
        let values = map.entry(canonical(name)).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = values {
            values.push(String::from_utf8_lossy(value).into());
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use hookhaven_core::{AttemptId, ErrorClass, Phases};

    use super::*;
    use crate::publish::message::{self, tests::stored};

    const NOW: Time = Time::from_s(1_700_000_100);

    fn attempt(delivery: &Delivery, status: Option<u16>) -> Attempt {
        Attempt {
            id: AttemptId::from_bytes([1; 16]),
            delivery: delivery.id,
            number: 1,
            started_at: NOW,
            duration_us: 1,
            phases: Phases::default(),
            status,
            class: ErrorClass::Http5xx,
            error: "answered 500".into(),
            response_headers: vec![("content-type".into(), Bytes::from_static(b"text/plain"))],
            response_excerpt: Bytes::from_static(b"no"),
            next_attempt_at: None,
        }
    }

    fn made(route: &str, lane: Lane, lines: &[(&str, &str)], kind: Kind) -> NewEvent {
        let (source, delivery) = stored("https://a.example/x", route, lane, lines);
        let message = Message::of(&source, &delivery);
        let callback = match kind {
            Kind::Attempt => message.settings.callback.clone(),
            Kind::Failure => message.settings.failure_callback.clone(),
        };
        let attempt = attempt(&delivery, Some(500));
        let told = Told { event: &source, delivery: &delivery, message: &message, attempt: &attempt, now: NOW };
        event(told, kind, &callback.unwrap(), [2; 10])
    }

    #[test]
    fn a_callback_says_what_the_documentation_says() {
        let lines = [
            ("content-type", "application/json"),
            ("upstash-forward-x-src", "s"),
            ("upstash-retries", "2"),
            ("upstash-failure-callback", "https://cb.example/failed"),
            (message::SCHEDULE, "scd_1"),
        ];
        let new = made("g/e", Lane::of_queue("q"), &lines, Kind::Failure);
        let body: Value = serde_json::from_slice(&new.event.body).unwrap();
        let expected = json!({
            "status": 500,
            "header": { "Content-Type": ["text/plain"] },
            "body": "bm8=",
            "retried": 0,
            "maxRetries": 2,
            "dlqId": ids::dead_letter(DeliveryId::from_bytes([7; 16])),
            "sourceMessageId": ids::message(DeliveryId::from_bytes([7; 16])),
            "topicName": "g",
            "endpointName": "e",
            "url": "https://a.example/x",
            "method": "POST",
            "sourceHeader": { "Content-Type": ["application/json"], "X-Src": ["s"] },
            "sourceBody": "e30=",
            "notBefore": 1_700_000_000_000_i64,
            "createdAt": 1_700_000_000_000_i64,
            "scheduleId": "scd_1",
            "callerIP": "203.0.113.9",
        });
        assert_eq!(body, expected);
        let delivery = &new.deliveries[0];
        assert_eq!((&*delivery.destination, &*delivery.route), ("https://cb.example/failed", "failure-callback"));
        assert_eq!(delivery.lane.holder(), Some(DeliveryId::from_bytes([7; 16])), "it keeps the queue's slot");
        assert_eq!(delivery.id.as_bytes(), new.event.id.as_bytes());
    }

    #[test]
    fn settings_of_the_callback_win_over_the_messages_and_nothing_else_of_it_goes_over() {
        let lines = [
            ("upstash-method", "PUT"),
            ("upstash-retries", "5"),
            ("upstash-label", "l"),
            ("upstash-flow-control-key", "k"),
            ("upstash-flow-control-value", "rate=1"),
            ("upstash-forward-x-src", "s"),
            ("upstash-callback", "https://cb.example/"),
            ("upstash-callback-retries", "0"),
            ("upstash-callback-forward-x-cb", "c"),
        ];
        let new = made("publish", Lane::of_flow("k"), &lines, Kind::Attempt);
        let settings = Settings::of(&new.event);
        assert_eq!((settings.method.as_str(), settings.retries()), ("POST", 0));
        assert_eq!(settings.forward, [(Arc::from("x-cb"), Bytes::from_static(b"c"))]);
        assert_eq!((&settings.callback, &settings.flow, settings.labels.len()), (&None, &None, 0));
        assert_eq!(settings.content_type.as_deref(), Some(&b"application/json"[..]));
        assert_eq!(new.deliveries[0].lane, Lane::of_url("https://cb.example/"));
        assert_eq!(new.deliveries[0].policy.retry.attempts, 1);
    }
}
