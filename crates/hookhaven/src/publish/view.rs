//! Messages, dead letters, schedules and settings as JSON, in QStash's names. A field without a value is left
//! out; what the publisher wants hidden is hidden here, once for everything that is shown.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hookhaven_core::{Attempt, Event, Time};
use hookhaven_store::DeliveryRow;
use serde_json::{Map, Value, json};

use super::{
    ids,
    lines::{Line, canonical},
    message::Message,
    redact,
    settings::{Callback, Settings},
};

pub type Object = Map<String, Value>;

/// A delivery, its event, and what they say as a message.
#[derive(Clone, Debug)]
pub struct Seen {
    pub row: DeliveryRow,
    pub event: std::sync::Arc<Event>,
    pub message: Message,
}

impl Seen {
    pub fn new(row: DeliveryRow, event: std::sync::Arc<Event>) -> Self {
        let message = Message::of(&event, &row.delivery);
        Seen { row, event, message }
    }
}

/// `GET /v2/messages/{id}`
pub fn message(seen: &Seen) -> Object {
    let Seen { row, event, message } = seen;
    let created = event.received_at;
    let mut object = Object::new();
    put(&mut object, "messageId", &message.id);
    place(&mut object, message);
    put(&mut object, "method", message.settings.method.as_str());
    put(&mut object, "maxRetries", message.settings.retries());
    let not_before = message.settings.due_at(row.delivery.accepted_at);
    put(&mut object, "notBefore", not_before.max(created).as_ms());
    put(&mut object, "createdAt", created.as_ms());
    header(&mut object, &message.settings);
    body(&mut object, &event.body, &message.settings);
    settings(&mut object, &message.settings);
    maybe(&mut object, "callerIP", message.caller.as_deref());
    object
}

/// An entry of the dead letter queue: a message and the last answer. The status is a number in every case.
pub fn dead_letter(seen: &Seen, last: Option<&Attempt>) -> Object {
    let mut object = message(seen);
    put(&mut object, "dlqId", ids::dead_letter(seen.row.delivery.id));
    put(&mut object, "responseStatus", last.and_then(|a| a.status).unwrap_or(0));
    let Some(last) = last else { return object };
    if !last.response_headers.is_empty() {
        object.insert("responseHeader".to_owned(), header_map(&last.response_headers, |_| false));
    }
    if last.status.is_none() {
        put(&mut object, "responseBody", &*last.error);
    } else {
        text_or_base64(&mut object, ("responseBody", "responseBodyBase64"), &last.response_excerpt);
    }
    object
}

/// Address, group, queue, schedule.
pub fn place(object: &mut Object, message: &Message) {
    put(object, "url", &*message.url);
    maybe(object, "topicName", message.group.as_deref());
    maybe(object, "endpointName", message.endpoint.as_deref());
    maybe(object, "queueName", message.queue.as_deref());
    maybe(object, "scheduleId", message.schedule.as_deref());
}

/// What several objects say of their settings.
pub fn settings(object: &mut Object, settings: &Settings) {
    callback(object, ("callback", "callbackHeader"), settings.callback.as_ref(), settings);
    callback(object, ("failureCallback", "failureCallbackHeader"), settings.failure_callback.as_ref(), settings);
    maybe(object, "retryDelayExpression", settings.retry_delay.as_ref().map(|delay| &*delay.text));
    if let Some(first) = settings.labels.first() {
        put(object, "label", first);
        put(object, "labels", &settings.labels);
    }
    if let Some(flow) = &settings.flow {
        put(object, "flowControlKey", &flow.key);
        maybe(object, "parallelism", flow.parallelism);
        maybe(object, "rate", flow.rate);
        put(object, "period", seconds(flow.period));
    }
}

/// Content type and forwarded headers: what the destination gets of the publisher's.
pub fn header(object: &mut Object, settings: &Settings) {
    let lines = sent_lines(settings);
    if !lines.is_empty() {
        object.insert("header".to_owned(), header_map(&lines, |name| settings.redact.header(name)));
    }
}

pub fn sent_lines(settings: &Settings) -> Vec<Line> {
    let content_type = settings.content_type.iter().map(|value| ("content-type".into(), value.clone()));
    content_type.chain(settings.forward.iter().cloned()).collect()
}

/// Text if it is UTF-8, else base64; nothing if empty.
pub fn body(object: &mut Object, body: &Bytes, settings: &Settings) {
    if settings.redact.body && !body.is_empty() {
        return put(object, "body", redact::hidden(body));
    }
    text_or_base64(object, ("body", "bodyBase64"), body);
}

/// `{"Canonical-Name": ["value", …]}`
pub fn header_map(lines: &[Line], hides: impl Fn(&str) -> bool) -> Value {
    let mut map = Object::new();
    for (name, value) in lines {
        let shown = if hides(name) { redact::hidden(value) } else { String::from_utf8_lossy(value).into_owned() };
        if let Value::Array(values) = map.entry(canonical(name)).or_insert_with(|| json!([])) {
            values.push(shown.into());
        }
    }
    Value::Object(map)
}

pub fn put(object: &mut Object, name: &str, value: impl serde::Serialize) {
    object.insert(name.to_owned(), json!(value));
}

pub fn maybe(object: &mut Object, name: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value {
        put(object, name, value);
    }
}

/// Whole where it is whole.
pub fn seconds(duration: std::time::Duration) -> Value {
    match duration.subsec_nanos() {
        0 => duration.as_secs().into(),
        _ => duration.as_secs_f64().into(),
    }
}

/// Unix milliseconds.
pub fn ms(time: Time) -> i64 {
    time.as_ms()
}

fn text_or_base64(object: &mut Object, (text, base64): (&str, &str), bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok("") => {}
        Ok(plain) => put(object, text, plain),
        Err(_) => put(object, base64, STANDARD.encode(bytes)),
    }
}

fn callback(object: &mut Object, (url, headers): (&str, &str), callback: Option<&Callback>, settings: &Settings) {
    let Some(callback) = callback else { return };
    put(object, url, &callback.url);
    let forwarded: Vec<Line> = callback.forwarded().collect();
    if !forwarded.is_empty() {
        object.insert(headers.to_owned(), header_map(&forwarded, |name| settings.redact.header(name)));
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Lane;

    use super::*;
    use crate::publish::message::tests::stored;

    fn seen(route: &str, lane: Lane, lines: &[(&str, &str)]) -> Seen {
        let (event, delivery) = stored("https://a.example/", route, lane, lines);
        Seen::new(DeliveryRow { delivery, last: None }, event.into())
    }

    #[test]
    fn a_message_in_full() {
        let lines = [
            ("content-type", "text/plain"),
            ("upstash-forward-test-header", "a"),
            ("upstash-forward-test-header", "b"),
            ("upstash-delay", "10s"),
            ("upstash-retries", "0"),
            ("upstash-retry-delay", "1000 * retried"),
            ("upstash-callback", "https://c.example/"),
            ("upstash-callback-forward-x-y", "z"),
            ("upstash-label", "l1,l2"),
            ("upstash-flow-control-key", "k"),
            ("upstash-flow-control-value", "parallelism=3"),
        ];
        let seen = seen("g/e", Lane::of_queue("q"), &lines);
        let expected = json!({
            "messageId": seen.message.id,
            "url": "https://a.example/",
            "topicName": "g",
            "endpointName": "e",
            "queueName": "q",
            "method": "POST",
            "maxRetries": 0,
            "notBefore": 1_700_000_010_000_i64,
            "createdAt": 1_700_000_000_000_i64,
            "header": {"Content-Type": ["text/plain"], "Test-Header": ["a", "b"]},
            "body": "{}",
            "callback": "https://c.example/",
            "callbackHeader": {"X-Y": ["z"]},
            "retryDelayExpression": "1000 * retried",
            "label": "l1",
            "labels": ["l1", "l2"],
            "flowControlKey": "k",
            "parallelism": 3,
            "period": 1,
            "callerIP": "203.0.113.9",
        });
        assert_eq!(Value::Object(message(&seen)), expected);
    }

    #[test]
    fn absent_is_left_out_and_hidden_is_hidden() {
        let mut plain = seen("publish", Lane::of_url("https://a.example/"), &[]);
        std::sync::Arc::make_mut(&mut plain.event).body = Bytes::new();
        let names: Vec<_> = message(&plain).keys().cloned().collect();
        assert_eq!(names, ["callerIP", "createdAt", "maxRetries", "messageId", "method", "notBefore", "url"]);
        let lines = [
            ("upstash-redact-fields", "body, header[X-Secret]"),
            ("upstash-forward-x-secret", "hunter2"),
            ("upstash-forward-x-open", "open"),
        ];
        let hidden = message(&seen("publish", Lane::of_url("https://a.example/"), &lines));
        assert_eq!(hidden["body"], redact::hidden(b"{}"));
        assert_eq!(hidden["header"], json!({"X-Secret": [redact::hidden(b"hunter2")], "X-Open": ["open"]}));
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let mut object = Object::new();
        body(&mut object, &Bytes::from_static(b"\xff\x00"), &Settings::default());
        assert_eq!(Value::Object(object), json!({"bodyBase64": "/wA="}));
    }
}
