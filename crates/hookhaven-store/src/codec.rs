//! How records are written as bytes. Specified here by hand, so that no library's change of mind can
//! make a data directory unreadable; golden files of every released version hold us to it.
//!
//! Not here: frames, checksums, files (`embedded::frame` and up).
//!
//! # Version 1
//!
//! A payload is `version: u8 = 1`, then a non-empty list of records. Whole numbers called *varint* are
//! LEB128, shortest form only. A list or string is its length as varint, then its content; strings are
//! UTF-8. `time` is microseconds since 1970 as i64, little-endian; `duration` is whole seconds and
//! nanoseconds, both varint; `f64` is its IEEE bits, little-endian; `id` is 16 bytes; `flag` is a byte,
//! 0 or 1; `x?` is a flag and, if it is 1, an x.
//!
//! ```text
//! record      = kind: varint, then
//!   1 accepted         event, key_until: time, list of delivery
//!   2 settled          at: time, delivery: id, attempt?, to
//!   3 redelivered      at: time, event: id, source, event_type: string, event_at: position,
//!                      replaces: id?, delivery
//!   4 dismissed        at: time, delivery: id
//!   5 catalog put      at: time, kind: string, name: string, value: bytes
//!   6 catalog deleted  at: time, kind: string, name: string
//!   7 carried          at: time, event, key_until: time?, list of carried delivery
//!   8 carried keys     at: time, list of (digest: 16 bytes, event: id, until: time)
//!   9 removed          at: time, upto: varint (a segment), first event: id, last event: id
//!  10 cancel asked     at: time, delivery: id
//!  11 carried keys     at: time, list of (digest: 16 bytes, event: id, until: time, body: 16 bytes?), one of which
//!                      has a body
//! event       = id, source, event_type, idempotency_key: string, received_at: time, occurred_at: time?,
//!               correlation_id: string, marks: u8 (1 secret, 2 part, 4 digest, 8 digest and watched),
//!               matched_secret: u8 if marked, remote: string, headers: list of (name: string, value: bytes),
//!               digest: 16 bytes if marked, part if marked, body: bytes unless the part says where it lies
//! part        = number, of: varint, whole: u8 (0 not kept | 1 bytes follow | 2 that of the event before in this
//!               payload); unless it is 0, the body is of it: from, len: varint
//! delivery    = id, destination, lane, route: string, policy, due_at: time, order if the policy marks it
//! order       = key: string, turn: varint, failed_at: time?, parks_until: time?,
//!               (1 fifo park: duration | 2 latest version: 16 bytes)
//! position    = segment, offset, len: varint (where the event's frame lies)
//! policy      = attempts: varint, initial: duration, factor: f64, max: duration,
//!               deadline: duration, max_age: duration, marks: u8 (1 critical, 2 an order follows)
//! attempt     = id, delivery: id, number: varint, started_at: time, duration_us: varint,
//!               dns_us, connect_us, tls_us, first_byte_us: varint?, status: varint?, class: u8,
//!               error: string, headers: list of (name: string, value: bytes), excerpt: bytes,
//!               next_attempt_at: time?
//! carried delivery = delivery, accepted_at: time, attempts, tries, lost: varint,
//!               (5 = pending, cancel_asked_at: time | state: u8 (1 pending, 2 delivered, 3 dead, 4 cancelled),
//!               ended_at: time?), reason: u8?,
//!               replaces: id?, replaced_by: id?, dismissed_at: time?, list of attempt
//! to          = 1 delivered | 2 retry due_at: time | 3 lost due_at: time, lost: varint | 4 dead reason: u8
//!             | 5 cancelled | 6 superseded
//! ```
//!
//! A key's digest is the first 16 bytes of the SHA-256 of source, a zero byte and the idempotency key.
//!
//! Numbers are never used again for something else. An unknown kind, class or reason is an error and
//! never skipped: whoever cannot read a record does not know what is true.

mod attempt;
mod carried;
mod delivery;
mod event;
mod steps;
mod wire;

pub(crate) use self::{
    attempt::{class_number, decode_attempt, encode_attempt},
    carried::{state_number, state_of},
    delivery::{decode_order, decode_policy, encode_order, encode_policy},
    event::{decode_head, encode_head, place},
    steps::{step_number, step_of},
};

use std::{fmt, sync::Arc};

use bytes::Bytes;
use hookhaven_core::{DeliveryId, EndReason, EventId};

use self::{
    attempt::{attempt, read_attempt},
    delivery::{delivery, read_delivery},
    event::{Whole, event, read_event},
    wire::{Reader, Writer},
};
use crate::{
    position::Position,
    record::{Record, SettledRecord, SettledTo},
    seam::CatalogEntry,
};

pub const VERSION: u8 = 1;

const ACCEPTED: u64 = 1;
const SETTLED: u64 = 2;
const REDELIVERED: u64 = 3;
const DISMISSED: u64 = 4;
const CATALOG_PUT: u64 = 5;
const CATALOG_DELETED: u64 = 6;
const CARRIED: u64 = 7;
const CARRIED_KEYS: u64 = 8;
const REMOVED: u64 = 9;
const CANCEL_ASKED: u64 = 10;
const CARRIED_KEYS_AND_BODIES: u64 = 11;

/// Bytes that are no payload of a version we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {problem}")]
pub struct DecodeError {
    /// How far the reader had come.
    pub at: usize,
    pub problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Written by a newer version, or not ours.
    Version(u8),
    /// A kind of record that this version does not know.
    Kind(u64),
    /// Another number that stands for something, unknown.
    Tag {
        of: &'static str,
        found: u64,
    },
    Truncated,
    Trailing,
    /// A number too large for its place, or not in its shortest form.
    Number,
    Text,
    Empty,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(n) => write!(f, "record format {n} is not known; a newer version may have written it"),
            Self::Kind(n) => write!(f, "record kind {n} is not known; a newer version may have written it"),
            Self::Tag { of, found } => write!(f, "{found} is no {of}"),
            Self::Truncated => f.write_str("it ends too early"),
            Self::Trailing => f.write_str("bytes are left over"),
            Self::Number => f.write_str("a number is out of range or not in its shortest form"),
            Self::Text => f.write_str("text is not UTF-8"),
            Self::Empty => f.write_str("it holds no record"),
        }
    }
}

/// The payload for these records. An empty list has none.
pub fn encode(records: &[Record]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(256);
    encode_into(&mut payload, records.iter());
    payload
}

/// Appends the payload to a buffer, so that a batch needs one.
pub fn encode_into<'a>(buffer: &mut Vec<u8>, records: impl ExactSizeIterator<Item = &'a Record>) {
    let mut w = Writer(buffer);
    w.u8(VERSION);
    w.len(records.len());
    let mut whole = None;
    records.for_each(|r| record(&mut w, r, &mut whole));
}

/// The records of a payload, all of them or an error.
pub fn decode(payload: &[u8]) -> Result<Vec<Record>, DecodeError> {
    let mut r = open(payload)?;
    let mut whole = None;
    let records = r.list(|r| read_record(r, &mut whole))?;
    r.end()?;
    if records.is_empty() { r.fail(Problem::Empty) } else { Ok(records) }
}

/// What a damaged payload seems to have held: the kind and id of its first record, if its beginning
/// can be read. For reports only; nothing may be decided by it.
pub fn glimpse(payload: &[u8]) -> Option<String> {
    let mut r = open(payload).ok()?;
    let n = r.varint().ok()?;
    let kind = r.varint().ok()?;
    let first = match kind {
        ACCEPTED => format!("event {}", EventId::from_bytes(r.id().ok()?)),
        SETTLED => format!("an attempt, {}", r.time().and_then(|_| r.id()).map(DeliveryId::from_bytes).ok()?),
        REDELIVERED => format!("a replay of {}", r.time().and_then(|_| r.id()).map(EventId::from_bytes).ok()?),
        DISMISSED => format!("a dismissal of {}", r.time().and_then(|_| r.id()).map(DeliveryId::from_bytes).ok()?),
        CANCEL_ASKED => format!("the wish to end {}", r.time().and_then(|_| r.id()).map(DeliveryId::from_bytes).ok()?),
        CATALOG_PUT | CATALOG_DELETED => "a catalog entry".to_owned(),
        CARRIED => format!("carried event {}", r.time().and_then(|_| r.id()).map(EventId::from_bytes).ok()?),
        CARRIED_KEYS | CARRIED_KEYS_AND_BODIES => "carried keys".to_owned(),
        REMOVED => "the removal of a segment".to_owned(),
        _ => return None,
    };
    Some(if n > 1 { format!("{first} and {} more", n - 1) } else { first })
}

fn open(payload: &[u8]) -> Result<Reader<'_>, DecodeError> {
    let mut r = Reader::new(payload);
    match r.u8()? {
        VERSION => Ok(r),
        other => r.fail(Problem::Version(other)),
    }
}

fn record<'a>(w: &mut Writer<'_>, record: &'a Record, whole: &mut Whole<'a>) {
    match record {
        Record::Accepted { event: e, key_until, deliveries } => {
            w.varint(ACCEPTED);
            event(w, e, whole);
            w.time(*key_until);
            w.len(deliveries.len());
            deliveries.iter().for_each(|d| delivery(w, d));
        }
        Record::Settled(settled) => {
            w.varint(SETTLED);
            w.time(settled.at);
            w.id(settled.delivery.as_bytes());
            w.option(settled.attempt.as_deref(), attempt);
            to(w, settled.to);
        }
        Record::Redelivered { at, event, source, event_type, event_at, replaces, delivery: d } => {
            w.varint(REDELIVERED);
            w.time(*at);
            w.id(event.as_bytes());
            w.text(source);
            w.text(event_type);
            position(w, *event_at);
            w.option(replaces.as_ref(), |w, id| w.id(id.as_bytes()));
            delivery(w, d);
        }
        Record::Dismissed { at, delivery } => {
            w.varint(DISMISSED);
            w.time(*at);
            w.id(delivery.as_bytes());
        }
        Record::CancelAsked { at, delivery } => {
            w.varint(CANCEL_ASKED);
            w.time(*at);
            w.id(delivery.as_bytes());
        }
        Record::CatalogPut { at, entry } => {
            w.varint(CATALOG_PUT);
            w.time(*at);
            w.text(&entry.kind);
            w.text(&entry.name);
            w.bytes(&entry.value);
        }
        Record::CatalogDeleted { at, kind, name } => {
            w.varint(CATALOG_DELETED);
            w.time(*at);
            w.text(kind);
            w.text(name);
        }
        Record::Carried(one) => {
            w.varint(CARRIED);
            carried::event(w, one);
        }
        Record::CarriedKeys { at, keys } => {
            let bodies = keys.iter().any(|key| key.body.is_some());
            w.varint(if bodies { CARRIED_KEYS_AND_BODIES } else { CARRIED_KEYS });
            carried::keys(w, *at, keys, bodies);
        }
        Record::Removed(removed) => {
            w.varint(REMOVED);
            carried::removed(w, removed);
        }
    }
}

fn read_record(r: &mut Reader<'_>, whole: &mut Option<Bytes>) -> Result<Record, DecodeError> {
    Ok(match r.varint()? {
        ACCEPTED => Record::Accepted {
            event: Arc::new(read_event(r, whole)?),
            key_until: r.time()?,
            deliveries: r.list(read_delivery)?,
        },
        SETTLED => Record::Settled(SettledRecord {
            at: r.time()?,
            delivery: DeliveryId::from_bytes(r.id()?),
            attempt: r.option(read_attempt)?.map(Arc::new),
            to: read_to(r)?,
        }),
        REDELIVERED => Record::Redelivered {
            at: r.time()?,
            event: EventId::from_bytes(r.id()?),
            source: r.text()?,
            event_type: r.text()?,
            event_at: read_position(r)?,
            replaces: r.option(Reader::id)?.map(DeliveryId::from_bytes),
            delivery: read_delivery(r)?,
        },
        DISMISSED => Record::Dismissed { at: r.time()?, delivery: DeliveryId::from_bytes(r.id()?) },
        CANCEL_ASKED => Record::CancelAsked { at: r.time()?, delivery: DeliveryId::from_bytes(r.id()?) },
        CATALOG_PUT => Record::CatalogPut {
            at: r.time()?,
            entry: CatalogEntry { kind: r.str()?.into(), name: r.str()?.into(), value: r.slice()?.to_vec() },
        },
        CATALOG_DELETED => Record::CatalogDeleted { at: r.time()?, kind: r.str()?.into(), name: r.str()?.into() },
        CARRIED => Record::Carried(Box::new(carried::read_event(r)?)),
        CARRIED_KEYS => carried::read_keys(r, false)?,
        CARRIED_KEYS_AND_BODIES => carried::read_keys(r, true)?,
        REMOVED => Record::Removed(carried::read_removed(r)?),
        kind => return r.fail(Problem::Kind(kind)),
    })
}

fn headers(w: &mut Writer<'_>, headers: &[(Arc<str>, Bytes)]) {
    w.len(headers.len());
    for (name, value) in headers {
        w.text(name);
        w.bytes(value);
    }
}

fn read_header(r: &mut Reader<'_>) -> Result<(Arc<str>, Bytes), DecodeError> {
    Ok((r.text()?, r.bytes()?))
}

fn position(w: &mut Writer<'_>, at: Position) {
    w.varint(u64::from(at.segment));
    w.varint(at.offset);
    w.varint(u64::from(at.len));
}

fn read_position(r: &mut Reader<'_>) -> Result<Position, DecodeError> {
    Ok(Position { segment: r.u32()?, offset: r.varint()?, len: r.u32()? })
}

fn to(w: &mut Writer<'_>, to: SettledTo) {
    match to {
        SettledTo::Delivered => w.u8(1),
        SettledTo::Retry { due_at } => {
            w.u8(2);
            w.time(due_at);
        }
        SettledTo::Lost { due_at, lost } => {
            w.u8(3);
            w.time(due_at);
            w.varint(u64::from(lost));
        }
        SettledTo::Dead(reason) => {
            w.u8(4);
            w.u8(reason_number(reason));
        }
        SettledTo::Cancelled => w.u8(5),
        SettledTo::Superseded => w.u8(6),
    }
}

fn read_to(r: &mut Reader<'_>) -> Result<SettledTo, DecodeError> {
    Ok(match r.u8()? {
        1 => SettledTo::Delivered,
        2 => SettledTo::Retry { due_at: r.time()? },
        3 => SettledTo::Lost { due_at: r.time()?, lost: r.u32()? },
        4 => SettledTo::Dead(read_number(r, "end reason", reason_of)?),
        5 => SettledTo::Cancelled,
        6 => SettledTo::Superseded,
        n => return r.fail(Problem::Tag { of: "outcome of a settle", found: u64::from(n) }),
    })
}

fn read_number<T>(r: &mut Reader<'_>, of: &'static str, known: impl FnOnce(u8) -> Option<T>) -> Result<T, DecodeError> {
    let n = r.u8()?;
    known(n).map_or_else(|| r.fail(Problem::Tag { of, found: u64::from(n) }), Ok)
}

pub(crate) fn reason_number(reason: EndReason) -> u8 {
    match reason {
        EndReason::Exhausted => 1,
        EndReason::Aborted => 2,
        EndReason::Expired => 3,
        EndReason::Lost => 4,
        EndReason::Damaged => 5,
        EndReason::Cancelled => 6,
        EndReason::Parked => 7,
        EndReason::Superseded => 8,
    }
}

pub(crate) fn reason_of(n: u8) -> Option<EndReason> {
    EndReason::ALL.into_iter().find(|reason| reason_number(*reason) == n)
}
