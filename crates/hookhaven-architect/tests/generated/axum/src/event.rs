//! An event as the handlers see it, read from a verified request.

use axum::http::HeaderMap;
use serde_json::Value;

use crate::{once::Failure, receive::header};

#[derive(Clone, Debug)]
pub struct Event {
    pub source: &'static str,
    /// The same at every attempt, at the sender's own repetitions, and at replays.
    pub id: String,
    pub event_type: String,
    /// When it happened, as far as the sender says so; else when it reached the gateway. RFC 3339.
    pub occurred_at: String,
    pub received_at: String,
    pub object_id: String,
    pub body: Value,
    /// As it came, where it came as JSON.
    pub json: String,
}

pub struct Source {
    pub name: &'static str,
    pub secret_variable: &'static str,
    /// Where the id of what an event is about stands: the first alternative that is there, its places joined.
    pub object_places: &'static [&'static [&'static str]],
    /// What the sender is told once an event is handled, where somebody waits for it.
    pub reply: Option<fn(&Event) -> Reply>,
}

pub struct Reply {
    pub content_type: &'static str,
    pub text: String,
}

impl Event {
    /// # Errors
    /// If the body is neither JSON nor a form.
    pub(crate) fn read(source: &Source, headers: &HeaderMap, raw: &[u8]) -> Result<Event, Failure> {
        let unreadable = || Failure::NeverSucceeds("the body is neither JSON nor a form");
        let text = std::str::from_utf8(raw).map_err(|_| unreadable())?;
        let (body, json) = if header(headers, "content-type").starts_with("application/x-www-form-urlencoded") {
            let fields = form_urlencoded::parse(raw);
            let body: Value = fields.map(|(name, value)| (name.into_owned(), Value::from(value))).collect();
            (body.clone(), body.to_string())
        } else {
            (serde_json::from_str(text).map_err(|_| unreadable())?, text.to_owned())
        };
        let (id, occurred_at) = (header(headers, "webhook-id"), header(headers, "hookhaven-occurred-at"));
        let received_at = header(headers, "hookhaven-received-at");
        Ok(Event {
            source: source.name,
            id: id.to_owned(),
            event_type: header(headers, "hookhaven-event-type").to_owned(),
            occurred_at: if occurred_at.is_empty() { received_at } else { occurred_at }.to_owned(),
            received_at: received_at.to_owned(),
            object_id: object_id(source, headers, &body).unwrap_or_else(|| id.to_owned()),
            body,
            json,
        })
    }

    /// Whether its type is one of these; `*` stands for any run of characters, all else for itself.
    pub fn is_any(&self, patterns: &[&str]) -> bool {
        patterns.iter().any(|pattern| matches(pattern, &self.event_type))
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| matches(rest, &text[at..]))
}

fn object_id(source: &Source, headers: &HeaderMap, body: &Value) -> Option<String> {
    source.object_places.iter().find_map(|places| {
        let mut found = places.iter().map(|place| look(place, headers, body));
        let first = found.next()??;
        Some(std::iter::once(first).chain(found.flatten()).collect::<Vec<_>>().join("/"))
    })
}

/// `header:NAME`, or `json:/a/b` for `body.a.b`.
fn look(place: &str, headers: &HeaderMap, body: &Value) -> Option<String> {
    match place.split_once(':')? {
        ("header", name) => Some(headers.get(name)?.to_str().ok()?.to_owned()),
        (_, pointer) => match body.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        assert!(matches("invoice.*", "invoice.paid") && matches("*", "") && matches("a*c*e", "abcde"));
        assert!(!matches("invoice.*", "invoices.paid") && !matches("a.c", "abc") && !matches("a*", "ba"));
    }
}
