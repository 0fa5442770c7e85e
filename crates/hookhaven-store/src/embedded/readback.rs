//! Events and attempts, read back from where they lie in the journal.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use hookhaven_core::{Attempt, DeliveryId, Event, EventId};

use super::{
    damages::Damages,
    engine::Engine,
    journal::{JournalReader, ReadError},
};
use crate::{codec, position::Position, record::Record, seam::StoreError};

impl Engine {
    /// Events by where they lie, in the order asked for, each with why it could not be read.
    pub async fn events_at(&self, wanted: Vec<(EventId, Position)>) -> Vec<Result<Arc<Event>, String>> {
        let mut found: Vec<_> = wanted.iter().map(|(id, _)| self.recent.get(*id).map(Ok)).collect();
        let missing: Vec<_> = (0..found.len()).filter(|i| found[*i].is_none()).collect();
        if !missing.is_empty() {
            let (journal, damages) = (self.journal.clone(), self.damages.clone());
            let places: Vec<_> = missing.iter().map(|i| wanted[*i]).collect();
            let read = move || -> Vec<_> {
                places.into_iter().map(|(id, at)| read_event(&journal, &damages, id, at)).collect()
            };
            let read = self.mode.run(read).await.unwrap_or_default();
            for (i, event) in missing.into_iter().zip(read) {
                found[i] = Some(event);
            }
        }
        let unread = || Err("the read was ended early".to_owned());
        found.into_iter().map(|event| event.unwrap_or_else(unread)).collect()
    }

    /// The attempts of a delivery from the frames they lie in. Those in damaged ones are left out, loudly.
    pub async fn attempts_at(&self, delivery: DeliveryId, places: Vec<Position>) -> Result<Vec<Attempt>, StoreError> {
        let (journal, damages) = (self.journal.clone(), self.damages.clone());
        let read = self.mode.run(move || read_attempts(&journal, &damages, delivery, places));
        read.await.map_err(|e| StoreError::Failed(format!("the read ended early: {e}")))
    }

    /// One attempt each of many deliveries. A frame is read once, however many of them lie in it; what cannot be read
    /// is left out.
    pub async fn last_attempts_at(
        &self,
        places: Vec<(DeliveryId, Position)>,
    ) -> Result<HashMap<DeliveryId, Attempt>, StoreError> {
        let (journal, damages) = (self.journal.clone(), self.damages.clone());
        let read = self.mode.run(move || read_last(&journal, &damages, places));
        read.await.map_err(|e| StoreError::Failed(format!("the read ended early: {e}")))
    }
}

/// A frame whose checksum holds and whose content we cannot read was written by another version.
pub(super) fn unreadable(at: Position, e: &codec::DecodeError) -> StoreError {
    let Position { segment, offset, .. } = at;
    StoreError::Incompatible(format!("segment {segment} of the journal, frame at byte {offset}: {e}"))
}

fn records_at(journal: &JournalReader, damages: &Damages, at: Position) -> Result<Vec<Record>, String> {
    let payload = journal.read(at).map_err(|e| {
        if let ReadError::Damaged(at) = e {
            damages.unreadable(at);
        }
        e.to_string()
    })?;
    codec::decode(&payload).map_err(|e| unreadable(at, &e).to_string())
}

pub(super) fn read_event(
    journal: &JournalReader,
    damages: &Damages,
    id: EventId,
    at: Position,
) -> Result<Arc<Event>, String> {
    mine(records_at(journal, damages, at)?, id)
}

/// The event in a frame that was read from there.
pub(super) fn event_in(payload: &[u8], id: EventId, at: Position) -> Result<Arc<Event>, String> {
    mine(codec::decode(payload).map_err(|e| unreadable(at, &e).to_string())?, id)
}

fn mine(records: Vec<Record>, id: EventId) -> Result<Arc<Event>, String> {
    let event = |record| match record {
        Record::Accepted { event, .. } if event.id == id => Some(event),
        Record::Carried(carried) if carried.event.id == id => Some(carried.event),
        _ => None,
    };
    let found = records.into_iter().find_map(event);
    found.ok_or_else(|| format!("the journal has something else in the place of {id}"))
}

fn attempts_in(record: Record) -> Vec<Arc<Attempt>> {
    match record {
        Record::Settled(settled) => settled.attempt.into_iter().collect(),
        Record::Carried(carried) => carried.deliveries.into_iter().flat_map(|d| d.attempts).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn read_attempts(
    journal: &JournalReader,
    damages: &Damages,
    delivery: DeliveryId,
    places: Vec<Position>,
) -> Vec<Attempt> {
    let mut attempts = BTreeMap::new();
    for at in places {
        match records_at(journal, damages, at) {
            Err(e) => tracing::error!(%delivery, "an attempt cannot be read: {e}"),
            Ok(records) => {
                let found = records.into_iter().flat_map(attempts_in).filter(|a| a.delivery == delivery);
                attempts.extend(found.map(|a| (a.number, Attempt::clone(&a))));
            }
        }
    }
    attempts.into_values().collect()
}

fn read_last(
    journal: &JournalReader,
    damages: &Damages,
    mut places: Vec<(DeliveryId, Position)>,
) -> HashMap<DeliveryId, Attempt> {
    places.sort_unstable_by_key(|(_, at)| (at.segment, at.offset));
    let mut last: HashMap<DeliveryId, Attempt> = HashMap::new();
    for together in places.chunk_by(|(_, one), (_, other)| one == other) {
        let wanted: HashSet<DeliveryId> = together.iter().map(|(id, _)| *id).collect();
        // Who reads them one by one says what is wrong.
        let Ok(records) = records_at(journal, damages, together[0].1) else { continue };
        for attempt in records.into_iter().flat_map(attempts_in).filter(|a| wanted.contains(&a.delivery)) {
            if last.get(&attempt.delivery).is_none_or(|before| before.number < attempt.number) {
                last.insert(attempt.delivery, Attempt::clone(&attempt));
            }
        }
    }
    last
}
