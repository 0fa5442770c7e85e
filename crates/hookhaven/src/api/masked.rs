//! Bodies as they are shown: as they are, but for credentials, which seal them in the store and which nobody reads here
//! either, and for fields that are named in `redact`.

use std::borrow::Cow;

use bytes::Bytes;
use hookhaven_core::{Attempt, Event, diagnosis};
use serde_json::Value;

use super::view::REDACTED;
use crate::{config::Config, seal::SEAL_BODY};

/// What a sender shows in its body is masked by the secrets in the config. A callback's body repeats the headers of the
/// message that it tells of: their values are masked. What is neither is not shown at all.
pub(super) fn body(config: &Config, event: &Event) -> Bytes {
    if event.header(SEAL_BODY).is_none() {
        return of_source(config, &event.source, event.body.clone());
    }
    let masked = if event.is_published() { callback(&event.body) } else { of_sender(config, event) };
    match masked {
        Some(masked) => of_source(config, &event.source, masked.into()),
        None => Bytes::from_static(REDACTED.as_bytes()),
    }
}

/// What a source sent, without the fields that are named in `redact`.
pub(super) fn of_source(config: &Config, source: &str, body: Bytes) -> Bytes {
    match config.redactions.of_source(source).body(&body) {
        Cow::Borrowed(_) => body,
        Cow::Owned(masked) => masked.into(),
    }
}

/// An attempt with an answer's beginning as it may be shown: handlers repeat what they were sent.
pub(super) fn attempt(config: &Config, source: &str, mut attempt: Attempt) -> Attempt {
    if let Cow::Owned(masked) = config.redactions.of_source(source).excerpt(&attempt.response_excerpt) {
        attempt.response_excerpt = masked.into();
    }
    attempt
}

/// The event with its body as it may be shown; `None`: that is as it is.
pub(super) fn event(config: &Config, event: &Event) -> Option<Event> {
    match config.redactions.of_source(&event.source).body(&event.body) {
        Cow::Borrowed(_) => None,
        Cow::Owned(masked) => Some(Event { body: masked.into(), ..event.clone() }),
    }
}

fn of_sender(config: &Config, event: &Event) -> Option<Vec<u8>> {
    let secrets = &config.sources.get(&event.source)?.secrets;
    let mask = |body: Vec<u8>, secret: &[u8]| diagnosis::replace(&body, secret, REDACTED.as_bytes());
    let masked = secrets.iter().fold(event.body.to_vec(), |body, secret| mask(body, secret.expose()));
    // It was sealed for a secret that is not in the config any more.
    (masked != event.body).then_some(masked)
}

fn callback(body: &[u8]) -> Option<Vec<u8>> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    for value in body.get_mut("sourceHeader")?.as_object_mut()?.values_mut() {
        *value = REDACTED.into();
    }
    serde_json::to_vec(&body).ok()
}

#[cfg(test)]
mod tests {
    use hookhaven_core::{EventId, Time};

    use super::*;
    use crate::{api::fixture, seal::mark_body};

    #[test]
    fn only_what_is_sealed_is_masked() {
        let config = fixture::config();
        let source = config.sources.values().next().expect("a source");
        let secret = String::from_utf8_lossy(source.secrets[0].expose()).into_owned();
        let shown = |source: &str, body: &str, sealed: bool| {
            let event = Event {
                id: EventId::from_bytes([1; 16]),
                source: source.into(),
                event_type: "t".into(),
                idempotency_key: "k".into(),
                received_at: Time::EPOCH,
                occurred_at: None,
                correlation_id: "c".into(),
                matched_secret: None,
                remote: "".into(),
                headers: sealed.then(mark_body).into_iter().collect(),
                body: Bytes::copy_from_slice(body.as_bytes()),
                part: None,
                digest: None,
            };
            String::from_utf8_lossy(&super::body(&config, &event)).into_owned()
        };
        let body = format!("{{\"a\":\"{secret}\"}}");
        assert_eq!(shown(&source.name, &body, false), body);
        assert_eq!(shown(&source.name, &body, true), "{\"a\":\"[redacted]\"}");
        assert_eq!(shown(&source.name, "another secret", true), "[redacted]");
        let callback = r#"{"sourceHeader":{"Authorization":["Bearer x"]},"status":200}"#;
        assert_eq!(shown("publish", callback, true), r#"{"sourceHeader":{"Authorization":"[redacted]"},"status":200}"#);
        assert_eq!(shown("publish", "no JSON", true), "[redacted]");
    }
}
