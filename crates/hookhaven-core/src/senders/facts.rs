//! Id, type and time of an event: where senders put them.
//!
//! Not here: whether the request is the sender's, for facts are only read once it is; what stands in for those that
//! are missing (`fallback`); how they get into samples (`put`).

mod put;

use std::{borrow::Cow, cell::OnceCell};

use http::{HeaderMap, HeaderName};

use super::place::{BadPlace, Place, Unit, only, read_time};
use crate::{
    json::{Found, Pointer, scan, whole},
    sender::Facts,
};

/// Where a sender puts id, type and time; of several places the first that holds something counts.
#[derive(Clone, Debug, Default)]
pub struct FactPlaces {
    id: Vec<Joined>,
    event_type: Vec<Joined>,
    time: Vec<(Slot, Option<Unit>)>,
    batch: Option<Batch>,
    /// What the slots of kind `Json` point to: one pass over the body finds them all.
    pointers: Vec<Pointer>,
}

/// What a body that holds several events is taken apart by.
#[derive(Clone, Debug)]
struct Batch {
    /// Leads to the list; `None`: the body is it.
    list: Option<usize>,
    /// Leads to the second event: a body that has it has no id of its own.
    second: usize,
    /// For each pointer that leads into the first event: which of `within` leads to the same in any event.
    inner: Vec<Option<usize>>,
    within: Vec<Pointer>,
}

/// One of the events of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// As it stands in the body.
    pub bytes: &'a [u8],
    pub facts: Facts,
}

/// Values that make one text together. All must be there but the optional ones.
type Joined = Vec<Piece>;

#[derive(Clone, Debug)]
struct Piece {
    slot: Slot,
    optional: bool,
}

#[derive(Clone, Debug)]
enum Slot {
    Header(HeaderName),
    /// Position among the pointers.
    Json(usize),
    /// The last name of the first of these pointers that leads anywhere.
    Has(Box<[(usize, Box<str>)]>),
    Text(Box<str>),
}

/// What stands between the pieces of an id, and of a type.
const ID_JOINT: &str = ":";
const TYPE_JOINT: &str = ".";

impl FactPlaces {
    pub fn new(id: Vec<Place>, event_type: Vec<Place>, time: Vec<(Place, Option<Unit>)>) -> Self {
        let mut places = FactPlaces::default();
        let single = |slot| vec![Piece { slot, optional: false }];
        places.id = id.into_iter().map(|p| single(places.slot(p))).collect();
        places.event_type = event_type.into_iter().map(|p| single(places.slot(p))).collect();
        places.time = time.into_iter().map(|(p, unit)| (places.slot(p), unit)).collect();
        places
    }

    /// From the notation of [`Place::parse`], and three things more: `a + b?` takes several values together, the
    /// one with a question mark only if it is there; `has:/a /b` is the last name of the first path that leads
    /// anywhere; `text:word` is the word. A time may have its unit after a blank (`json:/at ms`); without one a number
    /// tells its unit by its size.
    pub fn parse(id: &[&str], event_type: &[&str], time: &[&str]) -> Result<Self, BadPlace> {
        let mut places = FactPlaces::default();
        places.id = id.iter().map(|text| places.joined(text)).collect::<Result<_, _>>()?;
        places.event_type = event_type.iter().map(|text| places.joined(text)).collect::<Result<_, _>>()?;
        for text in time {
            let (place, unit) = match text.split_once(' ') {
                Some((place, unit)) => (place, Some(unit.parse().map_err(|_| BadPlace::Kind((*text).to_owned()))?)),
                None => (*text, None),
            };
            let slot = places.slot(Place::parse(place)?);
            places.time.push((slot, unit));
        }
        Ok(places)
    }

    /// The same for a sender whose body may hold several events, in the array at `batch` (empty: the body itself).
    pub(super) fn in_batches(mut self, batch: &str) -> Result<Self, BadPlace> {
        let second = self.pointer(Pointer::parse(&format!("{batch}/1"))?);
        let list = if batch.is_empty() { None } else { Some(self.pointer(Pointer::parse(batch)?)) };
        let (first, mut within) = (format!("{batch}/0"), Vec::new());
        let mut inner = Vec::with_capacity(self.pointers.len());
        for pointer in &self.pointers {
            let text = pointer.to_string();
            inner.push(match text.strip_prefix(&first).filter(|rest| rest.starts_with('/')) {
                Some(rest) => {
                    within.push(Pointer::parse(rest)?);
                    Some(within.len() - 1)
                }
                None => None,
            });
        }
        self.batch = Some(Batch { list, second, inner, within });
        Ok(self)
    }

    fn joined(&mut self, text: &str) -> Result<Joined, BadPlace> {
        let piece = |piece: &str| {
            let (piece, optional) = piece.strip_suffix('?').map_or((piece, false), |piece| (piece, true));
            let slot = match piece.split_once(':') {
                Some(("text", word)) => Slot::Text(word.into()),
                Some(("has", paths)) => {
                    let one = |path| {
                        let pointer = Pointer::parse(path)?;
                        let name = pointer.segments().last().unwrap_or_default().into();
                        Ok((self.pointer(pointer), name))
                    };
                    Slot::Has(paths.split(' ').map(one).collect::<Result<_, BadPlace>>()?)
                }
                _ => self.slot(Place::parse(piece)?),
            };
            Ok(Piece { slot, optional })
        };
        text.split(" + ").map(piece).collect()
    }

    fn slot(&mut self, place: Place) -> Slot {
        match place {
            Place::Header(name) => Slot::Header(name),
            Place::Json(pointer) => Slot::Json(self.pointer(pointer)),
        }
    }

    fn pointer(&mut self, pointer: Pointer) -> usize {
        let known = self.pointers.iter().position(|p| *p == pointer);
        known.unwrap_or_else(|| {
            self.pointers.push(pointer);
            self.pointers.len() - 1
        })
    }

    /// Reads headers, and `json` at most once and only if a header does not say it.
    pub fn read(&self, headers: &HeaderMap, json: &[u8]) -> Facts {
        let scanned = OnceCell::new();
        let found = |at: usize| {
            let found: &Vec<Option<Found<'_>>> = scanned.get_or_init(|| scan(json, &self.pointers));
            found.get(at).copied().flatten()
        };
        let is_batch = self.batch.as_ref().is_some_and(|batch| found(batch.second).is_some());
        let facts = self.facts(headers, &found);
        Facts { idempotency_key: facts.idempotency_key.filter(|_| !is_batch), ..facts }
    }

    /// The events that a body holds, in their order, if it is a list of them: at least one, at most `max`. What an
    /// event does not say itself is what headers and body say of all; an id of theirs gets its number.
    pub fn items<'a>(&self, headers: &HeaderMap, json: &'a [u8], max: usize) -> Option<Vec<Item<'a>>> {
        let batch = self.batch.as_ref()?;
        let of_all = scan(json, &self.pointers);
        let list = match batch.list {
            Some(at) => of_all.get(at).copied().flatten()?,
            None => whole(json)?,
        };
        let items = list.items(max + 1).filter(|items| !items.is_empty() && items.len() <= max)?;
        let item = |(n, item): (usize, Found<'a>)| {
            let own = scan(item.bytes(), &batch.within);
            let found = |at: usize| match batch.inner.get(at).copied().flatten() {
                Some(inner) => own.get(inner).copied().flatten(),
                None => of_all.get(at).copied().flatten(),
            };
            let alone = |at: usize| batch.inner.get(at).copied().flatten().and_then(|_| found(at));
            let facts = self.facts(headers, &found);
            let own_id = self.facts(&HeaderMap::new(), &alone).idempotency_key;
            let idempotency_key = own_id.or_else(|| Some(format!("{}{ID_JOINT}{}", facts.idempotency_key?, n + 1)));
            Item { bytes: item.bytes(), facts: Facts { idempotency_key, ..facts } }
        };
        Some(items.into_iter().enumerate().map(item).collect())
    }

    fn facts<'a>(&self, headers: &HeaderMap, found: &dyn Fn(usize) -> Option<Found<'a>>) -> Facts {
        let value = |slot: &Slot| match slot {
            Slot::Header(name) => header_text(headers, name),
            Slot::Json(at) => found(*at).and_then(Found::scalar),
            Slot::Has(all) => {
                let there = all.iter().find(|(at, _)| found(*at).is_some());
                there.map(|(_, name)| Cow::Owned(name.to_string()))
            }
            Slot::Text(word) => Some(Cow::Owned(word.to_string())),
        };
        let joined = |pieces: &Joined, joint: &str| {
            let mut text = String::new();
            for Piece { slot, optional } in pieces {
                match value(slot) {
                    Some(value) if text.is_empty() => text.push_str(&value),
                    Some(value) => text.extend([joint, &*value]),
                    None if *optional => {}
                    None => return None,
                }
            }
            (!text.is_empty()).then_some(text)
        };
        let id = self.id.iter().find_map(|pieces| joined(pieces, ID_JOINT));
        Facts {
            idempotency_key: id,
            event_type: self.event_type.iter().find_map(|pieces| joined(pieces, TYPE_JOINT)),
            occurred_at: self.time.iter().find_map(|(slot, unit)| read_time(&value(slot)?, *unit)),
        }
    }

    /// Whether every place of the id is one that a signature over these covers: `headers`, and the body if `body`.
    pub(super) fn id_is_signed(&self, body: bool, headers: impl Fn(&HeaderName) -> bool) -> bool {
        are_signed(&self.id, body, headers)
    }

    /// The same of the type.
    pub(super) fn type_is_signed(&self, body: bool, headers: impl Fn(&HeaderName) -> bool) -> bool {
        are_signed(&self.event_type, body, headers)
    }
}

fn are_signed(places: &[Joined], body: bool, headers: impl Fn(&HeaderName) -> bool) -> bool {
    let signed = |piece: &Piece| match &piece.slot {
        Slot::Header(name) => headers(name),
        Slot::Json(_) | Slot::Has(..) => body,
        Slot::Text(_) => true,
    };
    // Without a place it is made of the body.
    if places.is_empty() { body } else { places.iter().all(|pieces| pieces.iter().all(signed)) }
}

/// A header that is there once, has text, and is UTF-8.
pub fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let text = std::str::from_utf8(only(headers, name).ok()??).ok()?;
    (!text.is_empty()).then_some(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

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

    #[test]
    fn places_may_be_joined_and_a_type_may_be_what_is_there() {
        let ids = ["json:/id + json:/n", "json:/n + header:x-id?"];
        let types = ["json:/type + json:/action?", "has:/news /message", "text:other"];
        let places = FactPlaces::parse(&ids, &types, &["json:/at ms"]).unwrap();
        let read = |body: &str| places.read(&HeaderMap::new(), body.as_bytes());
        let of = |body: &str| (read(body).idempotency_key, read(body).event_type.unwrap());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(r#"{"id":"a","n":1,"type":"t","action":"b"}"#), (some("a:1"), "t.b".into()));
        assert_eq!(of(r#"{"n":1,"type":"t"}"#), (some("1"), "t".into()));
        assert_eq!(of(r#"{"id":"a","message":{}}"#), (None, "message".into()));
        assert_eq!(of(r#"{"action":"b"}"#), (None, "other".into()));
        assert_eq!(read(r#"{"at":1000}"#).occurred_at, Some(Time::from_s(1)));
    }

    #[test]
    fn a_batch_has_no_id_of_its_own() {
        let places = FactPlaces::parse(&["json:/events/0/id"], &["json:/events/0/type"], &[]).unwrap();
        let places = places.in_batches("/events").unwrap();
        let read = |body: &str| places.read(&HeaderMap::new(), body.as_bytes()).idempotency_key;
        assert_eq!(read(r#"{"events":[{"id":"a"}]}"#).as_deref(), Some("a"));
        assert_eq!(read(r#"{"events":[{"id":"a"},{"id":"b"}]}"#), None);
    }

    #[test]
    fn a_batch_is_taken_apart_into_its_events() {
        let ids = ["json:/events/0/id", "header:x-id"];
        let types = ["json:/object + json:/events/0/type?"];
        let places = FactPlaces::parse(&ids, &types, &["json:/events/0/at s", "json:/at s"]).unwrap();
        let places = places.in_batches("/events").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-id", "h".parse().unwrap());
        let body = br#"{"object":"page","at":9,"events":[ {"id":"a","type":"t","at":1} , {"type":"\u0075"},[]]}"#;
        let read = |max| places.items(&headers, body, max);
        let told = |item: Item<'_>| {
            let text = String::from_utf8(item.bytes.to_vec()).unwrap();
            let facts = item.facts;
            (text, facts.idempotency_key.unwrap(), facts.event_type.unwrap(), facts.occurred_at.unwrap().as_s())
        };
        let items: Vec<_> = read(3).unwrap().into_iter().map(told).collect();
        let expected = [
            (r#"{"id":"a","type":"t","at":1}"#, "a", "page.t", 1),
            (r#"{"type":"\u0075"}"#, "h:2", "page.u", 9),
            ("[]", "h:3", "page", 9),
        ];
        assert_eq!(items, expected.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c.to_owned(), d)));
        assert_eq!(read(2), None, "more than it may be");
        for none in [r#"{"events":[]}"#, r#"{"events":{}}"#, "{}", "[1]", "{broken"] {
            assert_eq!(places.items(&headers, none.as_bytes(), 9), None, "{none}");
        }
        let root = FactPlaces::parse(&["json:/0/id"], &[], &[]).unwrap().in_batches("").unwrap();
        let items = root.items(&HeaderMap::new(), br#"[{"id":1},{"id":2}]"#, 9).unwrap();
        let keys: Vec<_> = items.into_iter().map(|item| item.facts.idempotency_key.unwrap()).collect();
        assert_eq!(keys, ["1", "2"]);
    }
}
