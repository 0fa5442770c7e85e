//! Events as bytes, with the body or without. The specification stands with the records in `codec`.
//!
//! The events of one request share its body: the first of them in a payload writes it, the others say so.

use std::sync::Arc;

use bytes::Bytes;
use hookhaven_core::{
    Event, EventId, Time,
    event::{BodyDigest, Part},
};

use super::{DecodeError, Problem, Reader, VERSION, Writer, headers, open, read_header};

const SECRET: u8 = 1;
const PART: u8 = 2;
const DIGEST: u8 = 4;
const WATCHED: u8 = 8;

const NOT_KEPT: u8 = 0;
const FOLLOWS: u8 = 1;
const AS_BEFORE: u8 = 2;

/// The body of a request that was written last in this payload.
pub(super) type Whole<'a> = Option<&'a Bytes>;

pub(super) fn event<'a>(w: &mut Writer<'_>, e: &'a Event, written: &mut Whole<'a>) {
    w.id(e.id.as_bytes());
    w.text(&e.source);
    w.text(&e.event_type);
    w.text(&e.idempotency_key);
    w.time(e.received_at);
    w.option(e.occurred_at, Writer::time);
    w.text(&e.correlation_id);
    beginning(w, e, e.digest);
    let place = e.part.as_ref().and_then(|part| place(part, e));
    if let Some(part) = &e.part {
        w.varint(u64::from(part.number));
        w.varint(u64::from(part.of));
    }
    match (&e.part, place) {
        (None, _) => w.bytes(&e.body),
        (Some(_), None) => {
            w.u8(NOT_KEPT);
            w.bytes(&e.body);
        }
        (Some(_), Some((whole, from))) => {
            if written.is_some_and(|known| known.as_ptr() == whole.as_ptr() && known.len() == whole.len()) {
                w.u8(AS_BEFORE);
            } else {
                w.u8(FOLLOWS);
                w.bytes(whole);
                *written = Some(whole);
            }
            w.len(from);
            w.len(e.body.len());
        }
    }
}

pub(super) fn read_event(r: &mut Reader<'_>, read: &mut Option<Bytes>) -> Result<Event, DecodeError> {
    let id = EventId::from_bytes(r.id()?);
    let (source, event_type, idempotency_key) = (r.text()?, r.text()?, r.text()?);
    let (received_at, occurred_at, correlation_id) = (r.time()?, r.option(Reader::time)?, r.text()?);
    let Beginning { marks, matched_secret, remote, headers, digest } = read_beginning(r)?;
    let (part, body) = if marks & PART == 0 { (None, r.bytes()?) } else { read_part(r, read)? };
    Ok(Event {
        id,
        source,
        event_type,
        idempotency_key,
        received_at,
        occurred_at,
        correlation_id,
        matched_secret,
        remote,
        headers,
        body,
        part,
        digest,
    })
}

fn read_part(r: &mut Reader<'_>, read: &mut Option<Bytes>) -> Result<(Option<Part>, Bytes), DecodeError> {
    let (number, of) = (r.u32()?, r.u32()?);
    match r.u8()? {
        NOT_KEPT => return Ok((Some(Part { number, of, whole: None }), r.bytes()?)),
        FOLLOWS => *read = Some(r.bytes()?),
        AS_BEFORE => {}
        n => return r.fail(Problem::Tag { of: "place of a request", found: u64::from(n) }),
    }
    let Some(whole) = read.clone() else { return r.fail(Problem::Truncated) };
    // Counts of something that was read before: they may exceed what is left.
    let (from, len) = (r.u32()? as usize, r.u32()? as usize);
    let end = from.checked_add(len).filter(|end| *end <= whole.len() && (len > 0 || from == 0));
    match end.filter(|_| !whole.is_empty()) {
        Some(end) => {
            let body = whole.slice(from..end);
            Ok((Some(Part { number, of, whole: Some(whole) }), body))
        }
        None => r.fail(Problem::Truncated),
    }
}

/// The body of the request, and where in it the event's own begins; `None` where it is no piece of it.
pub(crate) fn place<'a>(part: &'a Part, event: &Event) -> Option<(&'a Bytes, usize)> {
    let whole = part.whole.as_ref().filter(|whole| !whole.is_empty())?;
    if event.body.is_empty() {
        // It lies nowhere in memory.
        return Some((whole, 0));
    }
    let from = (event.body.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (from.checked_add(event.body.len())? <= whole.len()).then_some((whole, from))
}

/// The part of an event that nobody filters by, by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub occurred_at: Option<Time>,
    pub correlation_id: Arc<str>,
    pub matched_secret: Option<u8>,
    pub remote: Arc<str>,
    pub headers: Vec<(Arc<str>, Bytes)>,
    /// Without the body of the request.
    pub part: Option<Part>,
}

/// Without the digest, which stands elsewhere: who knows of none can read it.
pub(crate) fn encode_head(e: &Event) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    let w = &mut Writer(&mut bytes);
    w.option(e.occurred_at, Writer::time);
    w.text(&e.correlation_id);
    beginning(w, e, None);
    if let Some(part) = &e.part {
        w.varint(u64::from(part.number));
        w.varint(u64::from(part.of));
    }
    bytes
}

pub(crate) fn decode_head(bytes: &[u8]) -> Result<Head, DecodeError> {
    let mut r = open(bytes)?;
    let (occurred_at, correlation_id) = (r.option(Reader::time)?, r.text()?);
    let Beginning { marks, matched_secret, remote, headers, .. } = read_beginning(&mut r)?;
    let part = match marks & PART {
        0 => None,
        _ => Some(Part { number: r.u32()?, of: r.u32()?, whole: None }),
    };
    r.end()?;
    Ok(Head { occurred_at, correlation_id, matched_secret, remote, headers, part })
}

struct Beginning {
    marks: u8,
    matched_secret: Option<u8>,
    remote: Arc<str>,
    headers: Vec<(Arc<str>, Bytes)>,
    digest: Option<BodyDigest>,
}

/// From the marks to the digest.
fn beginning(w: &mut Writer<'_>, e: &Event, kept: Option<BodyDigest>) {
    let digest = kept.map_or(0, |d| if d.watched { WATCHED } else { DIGEST });
    let of = |mark: u8, there: bool| if there { mark } else { 0 };
    w.u8(of(SECRET, e.matched_secret.is_some()) | of(PART, e.part.is_some()) | digest);
    if let Some(secret) = e.matched_secret {
        w.u8(secret);
    }
    w.text(&e.remote);
    headers(w, &e.headers);
    if let Some(digest) = kept {
        w.id(&digest.bytes);
    }
}

fn read_beginning(r: &mut Reader<'_>) -> Result<Beginning, DecodeError> {
    let marks = r.u8()?;
    let both = DIGEST | WATCHED;
    if marks > SECRET | PART | both || marks & both == both {
        return r.fail(Problem::Tag { of: "marks of an event", found: u64::from(marks) });
    }
    let matched_secret = if marks & SECRET == 0 { None } else { Some(r.u8()?) };
    let (remote, headers) = (r.text()?, r.list(read_header)?);
    let digest = match marks & both {
        0 => None,
        mark => Some(BodyDigest { bytes: r.id()?, watched: mark == WATCHED }),
    };
    Ok(Beginning { marks, matched_secret, remote, headers, digest })
}
