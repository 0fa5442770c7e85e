//! What stands in for id and type where they are absent, absurdly long or unprintable.

use super::mac::sha256_hex;
use crate::{
    event::UNKNOWN_TYPE,
    sender::{Facts, Request, Sender},
    time::Time,
};

/// Longest idempotency key that is kept as it is; a longer one is kept as its SHA-256.
pub const KEY_BYTES_MAX: usize = 256;
/// Longest event type; a longer one is cut.
pub const TYPE_BYTES_MAX: usize = 128;

/// Idempotency key, event type and time of a verified request, always usable: the key falls back to a hash of
/// the body, the type to [`UNKNOWN_TYPE`]. Neither holds control characters (NUL could not be stored
/// everywhere, the others would reach terminals and logs), and both are bounded.
pub fn facts_or_fallback(sender: &dyn Sender, request: &Request<'_>) -> (String, String, Option<Time>) {
    bounded(sender.facts(request), request.body)
}

/// The same of facts that were read from `body`.
pub fn bounded(facts: Facts, body: &[u8]) -> (String, String, Option<Time>) {
    let key = facts.idempotency_key.filter(|key| !key.trim().is_empty()).map(bounded_key);
    let event_type = facts.event_type.as_deref().map(bounded_type).filter(|t| !t.is_empty());
    (
        key.unwrap_or_else(|| format!("sha256:{}", sha256_hex(body))),
        event_type.unwrap_or_else(|| UNKNOWN_TYPE.to_owned()),
        facts.occurred_at,
    )
}

fn bounded_key(key: String) -> String {
    if key.len() > KEY_BYTES_MAX || key.chars().any(char::is_control) {
        format!("sha256:{}", sha256_hex(key.as_bytes()))
    } else {
        key
    }
}

fn bounded_type(event_type: &str) -> String {
    let mut text = String::new();
    for c in event_type.trim().chars() {
        let c = if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        if text.len() + c.len_utf8() > TYPE_BYTES_MAX {
            break;
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_and_printable() {
        assert_eq!(bounded_key("evt_1".into()), "evt_1");
        assert_eq!(bounded_key("a".repeat(256)), "a".repeat(256));
        for odd in ["a".repeat(257), "a\0b".into(), "a\nb".into()] {
            let key = bounded_key(odd.clone());
            assert_eq!(key, format!("sha256:{}", sha256_hex(odd.as_bytes())));
        }
    }

    #[test]
    fn types_are_cut_between_characters_and_hold_no_control_characters() {
        assert_eq!(bounded_type(" invoice.paid "), "invoice.paid");
        assert_eq!(bounded_type("a\u{1b}[31m"), "a\u{fffd}[31m");
        assert_eq!(bounded_type(&"é".repeat(100)), "é".repeat(64));
        assert_eq!(bounded_type(&format!("a{}", "é".repeat(100))).len(), 127);
    }
}
