//! Id, type and time of an event: where senders put them, and what stands in when they are absent, absurdly
//! long or unprintable.
//!
//! Not here: whether the request is the sender's; facts are only read once it is.

use std::{borrow::Cow, cell::OnceCell};

use http::{HeaderMap, HeaderName};

use super::{
    mac::sha256_hex,
    place::{BadPlace, Place, Unit, only, read_time},
};
use crate::{
    event::UNKNOWN_TYPE,
    json::{Found, Pointer, scan},
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
    let facts = sender.facts(request);
    let key = facts.idempotency_key.filter(|key| !key.trim().is_empty()).map(bounded_key);
    let event_type = facts.event_type.as_deref().map(bounded_type).filter(|t| !t.is_empty());
    (
        key.unwrap_or_else(|| format!("sha256:{}", sha256_hex(request.body))),
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

/// Where a sender puts id, type and time; of several places the first that holds something counts.
#[derive(Clone, Debug, Default)]
pub struct FactPlaces {
    id: Vec<Slot>,
    event_type: Vec<Slot>,
    time: Vec<(Slot, Option<Unit>)>,
    /// What the slots of kind `Json` point to: one pass over the body finds them all.
    pointers: Vec<Pointer>,
}

#[derive(Clone, Debug)]
enum Slot {
    Header(HeaderName),
    /// Position among the pointers.
    Json(usize),
}

impl FactPlaces {
    pub fn new(id: Vec<Place>, event_type: Vec<Place>, time: Vec<(Place, Option<Unit>)>) -> Self {
        let mut places = FactPlaces::default();
        places.id = id.into_iter().map(|p| places.slot(p)).collect();
        places.event_type = event_type.into_iter().map(|p| places.slot(p)).collect();
        places.time = time.into_iter().map(|(p, unit)| (places.slot(p), unit)).collect();
        places
    }

    /// From the notation of [`Place::parse`]; numbers as times tell their unit by their size.
    pub fn parse(id: &[&str], event_type: &[&str], time: &[&str]) -> Result<Self, BadPlace> {
        let parse = |texts: &[&str]| texts.iter().map(|t| Place::parse(t)).collect::<Result<Vec<_>, _>>();
        let time = parse(time)?.into_iter().map(|place| (place, None)).collect();
        Ok(FactPlaces::new(parse(id)?, parse(event_type)?, time))
    }

    fn slot(&mut self, place: Place) -> Slot {
        match place {
            Place::Header(name) => Slot::Header(name),
            Place::Json(pointer) => {
                let known = self.pointers.iter().position(|p| *p == pointer);
                Slot::Json(known.unwrap_or_else(|| {
                    self.pointers.push(pointer);
                    self.pointers.len() - 1
                }))
            }
        }
    }

    /// Reads headers, and `json` at most once and only if a header does not say it.
    pub fn read(&self, headers: &HeaderMap, json: &[u8]) -> Facts {
        let scanned = OnceCell::new();
        let value = |slot: &Slot| match slot {
            Slot::Header(name) => header_text(headers, name),
            Slot::Json(at) => {
                let found: &Vec<Option<Found<'_>>> = scanned.get_or_init(|| scan(json, &self.pointers));
                found.get(*at).copied().flatten().and_then(Found::scalar)
            }
        };
        Facts {
            idempotency_key: self.id.iter().find_map(value).map(Cow::into_owned),
            event_type: self.event_type.iter().find_map(value).map(Cow::into_owned),
            occurred_at: self.time.iter().find_map(|(slot, unit)| read_time(&value(slot)?, *unit)),
        }
    }

    /// Headers that carry id and type, for a sample to be signed.
    pub(super) fn headers(&self, id: &str, event_type: &str) -> Vec<(String, String)> {
        let of = |slots: &[Slot], text: &str| match slots.first() {
            Some(Slot::Header(name)) => Some((name.to_string(), text.to_owned())),
            _ => None,
        };
        of(&self.id, id).into_iter().chain(of(&self.event_type, event_type)).collect()
    }

    /// Where a sample body must hold id, type and time.
    pub(super) fn in_body(&self) -> InBody<'_> {
        let of = |slot: Option<&Slot>| match slot {
            Some(Slot::Json(at)) => self.pointers.get(*at),
            _ => None,
        };
        let time = self.time.first().and_then(|(slot, unit)| Some((of(Some(slot))?, *unit)));
        InBody { id: of(self.id.first()), event_type: of(self.event_type.first()), time }
    }
}

/// Pointers into a body; `None` for what stands elsewhere.
pub(super) struct InBody<'a> {
    pub id: Option<&'a Pointer>,
    pub event_type: Option<&'a Pointer>,
    pub time: Option<(&'a Pointer, Option<Unit>)>,
}

/// A header that is there once, has text, and is UTF-8.
pub fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let text = std::str::from_utf8(only(headers, name).ok()??).ok()?;
    (!text.is_empty()).then_some(Cow::Borrowed(text))
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

    #[test]
    fn the_first_place_that_holds_something_counts() {
        let places =
            FactPlaces::parse(&["header:x-id", "json:/id", "json:/n"], &["json:/type"], &["json:/at"]).unwrap();
        let mut headers = HeaderMap::new();
        let body = br#"{"id":"","n":7,"type":"t","at":1700000000}"#;
        let facts = places.read(&headers, body);
        assert_eq!(facts.idempotency_key.as_deref(), Some("7"));
        assert_eq!(facts.event_type.as_deref(), Some("t"));
        assert_eq!(facts.occurred_at, Some(Time::from_s(1_700_000_000)));
        headers.insert("x-id", "one".parse().unwrap());
        assert_eq!(places.read(&headers, body).idempotency_key.as_deref(), Some("one"));
        headers.append("x-id", "two".parse().unwrap());
        assert_eq!(places.read(&headers, body).idempotency_key.as_deref(), Some("7"));
        assert_eq!(places.read(&HeaderMap::new(), b"{broken"), Facts::default());
    }
}
