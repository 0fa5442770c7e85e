//! Reading one old segment for retention: what it is all about in one pass, then its events in another,
//! a bounded piece at a time.

use std::{collections::BTreeSet, sync::Arc};

use hookhaven_core::{Event, EventId, Time};

use crate::{
    codec,
    embedded::{
        index::forget::WHOLE_RANGE,
        journal::{Entry, Iterate, JournalReader},
    },
    position::Position,
    record::Record,
    seam::StoreError,
};

/// A piece ends after so many frames or bytes.
const PIECE_FRAMES: usize = 256;
const PIECE_BYTES: u64 = 1 << 20;

/// What a segment is all about.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub segment: u32,
    /// When the last of its records was made; `None` if it holds none.
    pub newest: Option<Time>,
    /// Between these lie the ids of all events whose place it is or was.
    pub first_event: EventId,
    pub last_event: EventId,
    /// What cannot be read may have been anything.
    pub damaged: bool,
    /// Kinds and names of catalog entries put here.
    pub catalog: BTreeSet<(String, String)>,
}

/// An event as it lies in the segment.
#[derive(Clone, Debug)]
pub struct FoundEvent {
    pub event: Arc<Event>,
    pub key_until: Option<Time>,
    pub at: Position,
}

/// A piece of a segment.
#[derive(Debug, Default)]
pub struct Piece {
    pub events: Vec<FoundEvent>,
    pub keys: Vec<crate::record::CarriedKey>,
    /// The last one.
    pub end: bool,
}

fn time_of(record: &Record) -> Time {
    match record {
        Record::Accepted { event, .. } => event.received_at,
        Record::Settled(settled) => settled.at,
        Record::Carried(carried) => carried.at,
        Record::Removed(removed) => removed.at,
        Record::Redelivered { at, .. }
        | Record::Dismissed { at, .. }
        | Record::CancelAsked { at, .. }
        | Record::CatalogPut { at, .. }
        | Record::CatalogDeleted { at, .. }
        | Record::CarriedKeys { at, .. } => *at,
    }
}

fn step(entries: &mut Iterate) -> Result<Option<Entry>, StoreError> {
    entries.step().map_err(|e| StoreError::Failed(format!("cannot read the journal: {e}")))
}

fn decode(payload: &[u8], at: Position) -> Result<Vec<Record>, StoreError> {
    let Position { segment, offset, .. } = at;
    codec::decode(payload)
        .map_err(|e| StoreError::Incompatible(format!("segment {segment} of the journal, frame at byte {offset}: {e}")))
}

/// When the first record of a segment was made.
pub fn began(journal: &JournalReader, segment: u32) -> Result<Option<Time>, StoreError> {
    let mut entries = journal.iterate_segment(segment);
    while let Some(entry) = step(&mut entries)? {
        if let Entry::Frame(at, payload) = entry {
            return Ok(decode(&payload, at)?.first().map(time_of));
        }
    }
    Ok(None)
}

pub fn summary(journal: &JournalReader, segment: u32) -> Result<Summary, StoreError> {
    let (any_first, any_last) = WHOLE_RANGE;
    let mut summary = Summary {
        segment,
        newest: None,
        first_event: any_last,
        last_event: any_first,
        damaged: false,
        catalog: BTreeSet::new(),
    };
    let mut entries = journal.iterate_segment(segment);
    while let Some(entry) = step(&mut entries)? {
        let Entry::Frame(at, payload) = entry else {
            summary.damaged = true;
            continue;
        };
        for record in decode(&payload, at)? {
            summary.add(&record);
        }
    }
    if summary.damaged {
        (summary.first_event, summary.last_event) = WHOLE_RANGE;
    }
    Ok(summary)
}

impl Summary {
    fn add(&mut self, record: &Record) {
        self.newest = self.newest.max(Some(time_of(record)));
        let event = match record {
            Record::Accepted { event, .. } => event.id,
            Record::Carried(carried) => carried.event.id,
            Record::CatalogPut { entry, .. } => {
                self.catalog.insert((entry.kind.clone(), entry.name.clone()));
                return;
            }
            _ => return,
        };
        self.first_event = self.first_event.min(event);
        self.last_event = self.last_event.max(event);
    }
}

/// The next piece of a segment.
pub fn piece(entries: &mut Iterate) -> Result<Piece, StoreError> {
    let (mut piece, mut bytes) = (Piece::default(), 0);
    for _ in 0..PIECE_FRAMES {
        let (at, payload) = match step(entries)? {
            Some(Entry::Frame(at, payload)) => (at, payload),
            Some(Entry::Damage(_)) => continue,
            None => {
                piece.end = true;
                break;
            }
        };
        bytes += u64::from(at.len);
        for record in decode(&payload, at)? {
            match record {
                Record::Accepted { event, key_until, .. } => {
                    piece.events.push(FoundEvent { event, key_until: Some(key_until), at });
                }
                Record::Carried(carried) => {
                    let crate::record::CarriedRecord { event, key_until, .. } = *carried;
                    piece.events.push(FoundEvent { event, key_until, at });
                }
                Record::CarriedKeys { keys, .. } => piece.keys.extend(keys),
                _ => {}
            }
        }
        if bytes >= PIECE_BYTES {
            break;
        }
    }
    Ok(piece)
}
