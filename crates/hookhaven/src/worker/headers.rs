//! What an attempt says to the handler beside the body: the sender's useful headers as they came, then
//! ours, which win. Everything a sender wrote is checked again before it becomes a header.

use base64::{Engine, engine::general_purpose::STANDARD};
use hookhaven_core::{Delivery, DeliveryId, Destination, Event, Order, Time, job::Mark, sign};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, USER_AGENT},
};

use crate::headers::is_of_the_connection;

/// Of text that a sender wrote, in a header of ours.
const TEXT_BYTES_MAX: usize = 1_024;

pub const AGENT: &str = concat!("Hookhaven/", env!("CARGO_PKG_VERSION"));

/// Ours; a sender's own would not fit the id and the time that we send.
const NOT_PASSED_ON: [&str; 2] = ["webhook-signature", "webhook-timestamp"];

/// Prefix of our own headers: no sender can speak for us.
const OURS: &str = "hookhaven-";

/// All headers of one attempt, signed for `now`.
///
/// A replay keeps the idempotency key, unless whoever asked for it wanted the handler to take it for something new.
pub fn build(event: &Event, delivery: &Delivery, destination: &Destination, attempt: u32, now: Time) -> HeaderMap {
    let (mark, replaces) = (Mark::of_route(&delivery.route), delivery.replaces);
    all(event, &About { mark, replaces, order: delivery.order.as_deref(), attempt }, destination, now)
}

/// The same of an event that is brought to somebody without a delivery.
pub fn build_without_delivery(event: &Event, destination: &Destination, now: Time) -> HeaderMap {
    all(event, &About { mark: None, replaces: None, order: None, attempt: 1 }, destination, now)
}

/// What a delivery adds to its event.
struct About<'d> {
    mark: Option<Mark>,
    replaces: Option<DeliveryId>,
    order: Option<&'d Order>,
    attempt: u32,
}

fn all(event: &Event, about: &About<'_>, destination: &Destination, now: Time) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(event.headers.len() + 12);
    for (name, value) in &event.headers {
        if is_of_the_connection(name) || NOT_PASSED_ON.contains(&&**name) || name.starts_with(OURS) {
            continue;
        }
        // What is no valid header cannot have come in as one.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(&**name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let id = event.id.to_string();
    let mark = about.mark;
    let key = mark.map_or_else(|| id.clone(), |mark| mark.webhook_id(event.id));
    let mut set = |name: &'static str, value: &str| {
        headers.insert(HeaderName::from_static(name), clean(value));
    };
    set("hookhaven-event-id", &id);
    set("hookhaven-event-type", &event.event_type);
    set("hookhaven-source", &event.source);
    set("hookhaven-attempt", &about.attempt.to_string());
    set("hookhaven-received-at", &event.received_at.to_string());
    if let Some(occurred_at) = event.occurred_at {
        set("hookhaven-occurred-at", &occurred_at.to_string());
    }
    // Whose doing it is that the event comes again: a job's, or it replaces a delivery that ended.
    if let Some(by) = mark.map(|mark| mark.job.to_string()).or(about.replaces.map(|old| old.to_string())) {
        set("hookhaven-replay", &by);
    }
    if let Some(version) = about.order.and_then(Order::version) {
        set("hookhaven-version", &version.to_string());
    }
    if let Some(part) = &event.part {
        set("hookhaven-part", &format!("{}/{}", part.number, part.of));
    }
    set("hookhaven-correlation-id", &event.correlation_id);
    match sign::sign(&key, now, &event.body, &destination.secrets) {
        Some(signed) => {
            set("webhook-id", &signed.id);
            set("webhook-timestamp", &signed.timestamp);
            // Base64 only, and as long as there are secrets: not to be shortened.
            if let Ok(value) = HeaderValue::try_from(signed.signature) {
                headers.insert("webhook-signature", value);
            }
        }
        None => {
            set("webhook-id", &key);
            set("webhook-timestamp", &now.as_s().to_string());
        }
    }
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if let Some(credentials) = credentials(&destination.url) {
        headers.insert(AUTHORIZATION, credentials);
    }
    headers
}

/// A header value of text from outside: visible ASCII stays, anything else becomes `?`.
fn clean(text: &str) -> HeaderValue {
    let clean: Vec<u8> =
        text.bytes().take(TEXT_BYTES_MAX).map(|b| if (0x20..=0x7e).contains(&b) { b } else { b'?' }).collect();
    HeaderValue::from_bytes(&clean).unwrap_or(HeaderValue::from_static(""))
}

/// The user name and password of a destination's URL, as HTTP sends them (RFC 7617).
fn credentials(url: &url::Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair = percent_decode(url.username());
    pair.push(b':');
    pair.extend(percent_decode(url.password().unwrap_or_default()));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn percent_decode(text: &str) -> Vec<u8> {
    let (bytes, mut decoded, mut i) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(&byte) = bytes.get(i) {
        let code = bytes.get(i + 1..i + 3).filter(|_| byte == b'%').and_then(|hex| hex::decode(hex).ok());
        i += if code.is_some() { 3 } else { 1 };
        decoded.push(code.map_or(byte, |c| c[0]));
    }
    decoded
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, sync::Arc, time::Duration};

    use bytes::Bytes;
    use hookhaven_core::{
        DeliveryId, DeliveryState, EventId, JobId, Lane, Policy, Secret,
        destination::{BreakerPolicy, DestinationState},
    };

    use super::*;

    fn destination(url: &str, secrets: &[&str]) -> Destination {
        Destination {
            name: "billing".into(),
            url: url.parse().unwrap(),
            timeout: Duration::from_secs(10),
            concurrency: NonZeroU32::MIN,
            rate: None,
            secrets: secrets.iter().filter_map(|s| Secret::new(*s)).collect(),
            breaker: BreakerPolicy::default(),
            state: DestinationState::Active,
        }
    }

    fn event(event_type: &str, headers: &[(&str, &str)]) -> Event {
        Event {
            digest: None,
            part: None,
            id: EventId::from_bytes([7; 16]),
            source: "stripe".into(),
            event_type: event_type.into(),
            idempotency_key: "evt_1".into(),
            received_at: Time::from_s(1_700_000_000),
            occurred_at: None,
            correlation_id: "c-1".into(),
            matched_secret: Some(0),
            remote: "".into(),
            headers: headers.iter().map(|(n, v)| (Arc::from(*n), Bytes::copy_from_slice(v.as_bytes()))).collect(),
            body: Bytes::from_static(b"{}"),
        }
    }

    fn delivery(event: &Event) -> Delivery {
        let policy = Policy {
            retry: Default::default(),
            deadline: Duration::from_secs(30),
            max_age: Duration::from_secs(60),
            critical: false,
        };
        Delivery {
            id: DeliveryId::from_bytes([8; 16]),
            event: event.id,
            source: event.source.clone(),
            event_type: event.event_type.clone(),
            destination: "billing".into(),
            lane: Lane::of_destination("billing"),
            route: "stripe#1".into(),
            policy: Arc::new(policy),
            accepted_at: event.received_at,
            due_at: event.received_at,
            attempts: 0,
            tries: 0,
            lost: 0,
            state: DeliveryState::Leased,
            ended_at: None,
            end_reason: None,
            replaces: None,
            replaced_by: None,
            dismissed_at: None,
            cancel_asked_at: None,
            order: None,
        }
    }

    #[test]
    fn a_replay_says_so_and_keeps_the_key_unless_told_otherwise() {
        let (event, destination) = (event("a", &[]), destination("http://h/", &["one"]));
        let job = JobId::mint(Time::from_s(1_700_000_000), [1; 10]);
        let by_job = |new_key| Delivery { route: Mark { job, new_key }.route(), ..delivery(&event) };
        let of = |delivery: &Delivery| build(&event, delivery, &destination, 1, Time::from_s(1_700_000_001));
        let again = Delivery { replaces: Some(DeliveryId::from_bytes([9; 16])), ..delivery(&event) };
        let [plain, replay, sent, new] = [&delivery(&event), &again, &by_job(false), &by_job(true)].map(of);
        let id = event.id.to_string();
        assert_eq!(plain.get("hookhaven-replay"), None);
        assert_eq!(replay["hookhaven-replay"], DeliveryId::from_bytes([9; 16]).to_string());
        assert!(sent["hookhaven-replay"] == *job.to_string() && sent["webhook-id"] == *id);
        assert!([&plain, &replay].iter().all(|headers| headers["webhook-id"] == *id));
        let key = format!("{id}-{job}");
        assert!(new["webhook-id"] == *key && new["hookhaven-event-id"] == *id);
        let signed = sign::sign(&key, Time::from_s(1_700_000_001), b"{}", &destination.secrets);
        assert_eq!(new["webhook-signature"].to_str().ok(), signed.as_ref().map(|s| &*s.signature));
    }

    #[test]
    fn ours_win_and_the_senders_useful_ones_stay() {
        let event = event(
            "invoice.paid",
            &[
                ("content-type", "application/json; charset=utf-8"),
                ("stripe-signature", "t=1,v1=aa"),
                ("x-many", "one"),
                ("x-many", "two"),
                ("host", "evil.example"),
                ("transfer-encoding", "chunked"),
                ("content-length", "0"),
                ("user-agent", "Stripe/1.0"),
                ("hookhaven-source", "github"),
                ("hookhaven-role", "admin"),
                ("webhook-id", "msg_1"),
                ("webhook-signature", "v1,forged"),
            ],
        );
        let now = Time::from_s(1_700_000_100);
        let headers = build(&event, &delivery(&event), &destination("http://h/", &[]), 3, now);
        let all = |name: &str| headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(all("content-type"), ["application/json; charset=utf-8"]);
        assert_eq!(all("stripe-signature"), ["t=1,v1=aa"]);
        assert_eq!(all("x-many"), ["one", "two"]);
        assert_eq!(all("user-agent"), [AGENT]);
        assert_eq!(all("hookhaven-source"), ["stripe"]);
        assert_eq!(all("hookhaven-attempt"), ["3"]);
        assert_eq!(all("hookhaven-received-at"), ["2023-11-14T22:13:20.000000Z"]);
        assert_eq!(all("webhook-id"), [event.id.to_string()]);
        assert_eq!(all("webhook-timestamp"), ["1700000100"]);
        for absent in ["host", "transfer-encoding", "content-length", "hookhaven-role", "webhook-signature"] {
            assert_eq!(all(absent), [""; 0], "{absent}");
        }
        assert_eq!(all("hookhaven-occurred-at"), [""; 0], "the sender did not say when");
    }

    #[test]
    fn the_senders_own_time_is_there_to_order_by() {
        let event = Event { occurred_at: Some(Time::from_s(1_600_000_000)), ..event("a", &[]) };
        let headers = build(&event, &delivery(&event), &destination("http://h/", &[]), 1, Time::EPOCH);
        assert_eq!(headers["hookhaven-occurred-at"], "2020-09-13T12:26:40.000000Z");
    }

    #[test]
    fn each_attempt_is_signed_for_its_own_time() {
        let (event, destination) = (event("a", &[]), destination("http://h/", &["one", "two"]));
        let [first, second] = [1, 2]
            .map(|n| build(&event, &delivery(&event), &destination, n, Time::from_s(1_700_000_000 + i64::from(n))));
        let expected = sign::sign(&event.id.to_string(), Time::from_s(1_700_000_001), b"{}", &destination.secrets);
        assert_eq!(first["webhook-signature"].to_str().ok(), expected.as_ref().map(|s| &*s.signature));
        assert_ne!(first["webhook-signature"], second["webhook-signature"]);
        assert_eq!(first["webhook-id"], second["webhook-id"]);
    }

    #[test]
    fn nothing_a_sender_wrote_becomes_another_header() {
        for hostile in ["a\r\nx-admin: 1", "a\0b", "\u{7f}", "Zahlung bestätigt", &"x".repeat(100_000)] {
            let event = event(hostile, &[("x-bad", hostile)]);
            let headers = build(&event, &delivery(&event), &destination("http://h/", &[]), 1, Time::EPOCH);
            assert!(!headers.contains_key("x-admin"));
            let value = headers["hookhaven-event-type"].to_str().unwrap();
            assert!(value.len() <= TEXT_BYTES_MAX && !value.contains(['\r', '\n']));
        }
    }

    #[test]
    fn credentials_of_the_url_are_sent_as_http_sends_them() {
        let event = event("a", &[]);
        let of = |url| build(&event, &delivery(&event), &destination(url, &[]), 1, Time::EPOCH);
        let headers = of("http://us%65r:p%40ss@h/");
        assert_eq!(headers[AUTHORIZATION], format!("Basic {}", STANDARD.encode("user:p@ss")));
        assert!(headers[AUTHORIZATION].is_sensitive());
        let none = of("http://h/");
        assert!(!none.contains_key(AUTHORIZATION));
    }
}
