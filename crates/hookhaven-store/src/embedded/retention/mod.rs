//! Retention: the oldest segment goes once all of it is old, and what lives on in it goes forward first.
//!
//! One step (`retain_step`) takes at most one segment, in this order:
//!
//! 1. It is *retired*: nothing new begins with its events (`rules::carry`), so that what is over stays over.
//! 2. Each event of it of which anything is pending or a dead letter is appended again as it stands, with
//!    all its deliveries and attempts (a *carried* record); so are keys inside their window and what the
//!    catalog still says. Found in the index, each is rechecked by the writer, between other work.
//! 3. A record says that the segment is *removed*. From here on it is, whatever happens.
//! 4. The file goes. If the power goes first, start-up does it (`engine`).
//! 5. The index deletes rows whose frames are gone, a few at a time (`applier`, `index::forget`).
//!
//! A crash before 3 leaves carried records that say nothing new. Segments are begun anew when an eighth of
//! the retention has passed, so that a quiet gateway too lets go of things in time.
//!
//! Not here: when it runs (the sweep of the gateway).

mod scan;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hookhaven_core::{Attempt, DeliveryId, DeliveryState, Event, EventId, Time};

use self::scan::{FoundEvent, Piece, Summary};
use super::{
    EmbeddedStore,
    damages::Damages,
    engine::{Engine, Mode},
    index::{IndexError, Indexed, readers::Reader},
    journal::{Iterate, JournalReader},
    readback,
};
use crate::{
    history::{KeyHeld, keys_of},
    position::Position,
    record::{CarriedDelivery, CarriedKey, CarriedRecord, RemovedRecord},
    rules::{Answer, Command, Upkeep},
    seam::{Dismissed, Retained, Retention, StoreError},
};

/// Dead letters dismissed in one step.
const DISMISSED_MAX: usize = 500;
/// Deliveries of unreadable events ended in one step.
const BURIED_MAX: usize = 500;
/// How often an event that keeps changing is tried in one step.
const ROUNDS_MAX: usize = 20;
/// Of a carried record; beyond it its attempts lose the answers' headers and excerpts.
const CARRIED_BYTES_MAX: usize = 32 << 20;
/// How long a step waits for the index.
const INDEX_WAIT_MAX: Duration = Duration::from_secs(120);
/// Segments span at most this part of the retention.
const SPANS: u32 = 8;

/// What is remembered from step to step, so that files are read once.
#[derive(Debug, Default)]
pub struct Memo {
    oldest: Option<Summary>,
    /// The newest segment and when it began.
    newest: Option<(u32, Time)>,
}

/// An event with its deliveries, as the index has it.
struct Family {
    found: FoundEvent,
    deliveries: Vec<Indexed>,
    attempts_at: HashMap<DeliveryId, Vec<Position>>,
}

/// What the index says of events found in a segment.
#[derive(Default)]
struct Sorted {
    live: Vec<Family>,
    over: Vec<FoundEvent>,
}

impl EmbeddedStore {
    pub(super) async fn retain_step(&self, retention: Retention) -> Result<Retained, StoreError> {
        let mut memo = self.shared.retention.lock().await;
        let engine = self.engine()?;
        let mut retained = Retained::default();
        if let Some(before) = retention.dead_before {
            self.dismiss_old(&engine, before, &mut retained).await?;
        }
        self.forget(&engine, &mut retained).await?;
        self.roll(&engine, &mut memo, retention.before).await?;
        let oldest = engine.journal.first_segment();
        if oldest == engine.journal.end().segment {
            return Ok(retained);
        }
        if oldest < engine.live().begins() {
            retained.more |= self.unlink(&engine, oldest, &mut retained).await?;
            return Ok(retained);
        }
        let summary = match memo.oldest.take().filter(|s| s.segment == oldest) {
            Some(summary) => summary,
            None => read(&engine, move |journal| scan::summary(journal, oldest)).await?,
        };
        if summary.newest.is_some_and(|at| at >= retention.before) {
            memo.oldest = Some(summary);
            return Ok(retained);
        }
        self.carry_all(&engine, &summary, &mut retained).await?;
        let Summary { segment, first_event, last_event, .. } = summary;
        let removed = RemovedRecord { at: self.now(), upto: segment, first_event, last_event };
        if !self.upkeep(Upkeep::Remove(removed)).await? {
            return Err(StoreError::Unavailable(format!("segment {segment} still holds what is pending")));
        }
        retained.more |= self.unlink(&engine, segment, &mut retained).await?;
        self.forget(&engine, &mut retained).await?;
        tracing::info!(segment, carried = retained.carried, events = retained.events, "removed a segment");
        Ok(retained)
    }

    /// Dead letters never vanish: those past their retention are dismissed, each by a record and a line.
    async fn dismiss_old(&self, engine: &Engine, before: Time, retained: &mut Retained) -> Result<(), StoreError> {
        let old = ask(engine, move |reader: &Reader| reader.dead_before(before, DISMISSED_MAX)).await?;
        retained.more |= old.len() == DISMISSED_MAX;
        let answers = self.run(old.iter().map(|letter| Command::Dismiss(letter.delivery.id)).collect()).await?;
        for (letter, answer) in old.iter().zip(answers) {
            if answer == Answer::Dismissed(Dismissed::Done) {
                let d = &letter.delivery;
                retained.dismissed += 1;
                engine.dismissed_by_age.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    delivery_id = %d.id, event_id = %d.event, source = %d.source, destination = %d.destination,
                    "a dead letter was dismissed: it is older than store.retention_dead"
                );
            }
        }
        Ok(())
    }

    async fn forget(&self, engine: &Engine, retained: &mut Retained) -> Result<(), StoreError> {
        engine.applier.caught_up_within(INDEX_WAIT_MAX).await?;
        let upkept = engine.applier.upkeep(self.now()).await?;
        retained.events += upkept.events;
        retained.keys += upkept.keys;
        Ok(())
    }

    /// Lets a new segment begin if the newest has spanned its part of the retention.
    async fn roll(&self, engine: &Engine, memo: &mut Memo, before: Time) -> Result<(), StoreError> {
        let newest = engine.journal.end().segment;
        if memo.newest.is_none_or(|(segment, _)| segment != newest) {
            memo.newest = read(engine, move |journal| scan::began(journal, newest)).await?.map(|at| (newest, at));
        }
        let Some((_, began)) = memo.newest else { return Ok(()) };
        let now = self.now();
        if began <= now.minus(now.since(before) / SPANS) {
            engine.roll.store(true, Ordering::Relaxed);
            // Any batch will do.
            self.upkeep(Upkeep::Retire { upto: 0 }).await?;
        }
        Ok(())
    }

    /// Carries everything of a segment that lives.
    async fn carry_all(
        &self,
        engine: &Arc<Engine>,
        summary: &Summary,
        retained: &mut Retained,
    ) -> Result<(), StoreError> {
        let segment = summary.segment;
        // Asked twice: when the second is answered, what was decided before the first has been applied.
        for _ in 0..2 {
            self.upkeep(Upkeep::Retire { upto: segment }).await?;
        }
        for (kind, name) in summary.catalog.clone() {
            self.upkeep(Upkeep::CarryCatalog { kind, name }).await?;
        }
        let mut entries = engine.journal.iterate_segment(segment);
        loop {
            let (piece, rest) = next_piece(engine.mode, entries).await?;
            entries = rest;
            let end = piece.end;
            self.carry_piece(engine, piece, retained).await?;
            if end {
                break;
            }
        }
        let left = engine.live().pending_upto(segment);
        if left > 0 || summary.damaged { self.bury(engine, segment).await } else { Ok(()) }
    }

    async fn carry_piece(&self, engine: &Arc<Engine>, piece: Piece, retained: &mut Retained) -> Result<(), StoreError> {
        let (mut found, mut keys, now) = (piece.events, piece.keys, self.now());
        for _ in 0..ROUNDS_MAX {
            let Sorted { live, over } = ask(engine, move |reader: &Reader| sort(reader, found)).await?;
            keys.extend(over.iter().flat_map(carried_keys));
            let damages = engine.damages.clone();
            let carried = read(engine, move |journal| {
                Ok(live.into_iter().map(|f| f.read(journal, &damages)).collect::<Vec<_>>())
            })
            .await?;
            found = self.carry(carried, retained).await?;
            if found.is_empty() {
                keys.retain(|key| key.until > now);
                return if keys.is_empty() { Ok(()) } else { self.upkeep(Upkeep::CarryKeys(keys)).await.map(drop) };
            }
        }
        Err(StoreError::Unavailable("an event changes too often to be carried".into()))
    }

    /// Hands families to the writer; answers those that had changed meanwhile.
    async fn carry(
        &self,
        carried: Vec<(FoundEvent, CarriedRecord)>,
        retained: &mut Retained,
    ) -> Result<Vec<FoundEvent>, StoreError> {
        let (found, records): (Vec<_>, Vec<_>) = carried.into_iter().unzip();
        let command = |record| Command::Upkeep(Upkeep::Carry(Box::new(record)));
        let answers = self.run(records.into_iter().map(command).collect()).await?;
        let mut again = Vec::new();
        for (found, answer) in found.into_iter().zip(answers) {
            match answer {
                Answer::Upkept(true) => retained.carried += 1,
                _ => again.push(found),
            }
        }
        Ok(again)
    }

    /// Ends deliveries whose events cannot be read and so cannot be carried, by records, aloud.
    async fn bury(&self, engine: &Engine, segment: u32) -> Result<(), StoreError> {
        loop {
            let left = ask(engine, move |reader: &Reader| reader.unended_upto(segment, BURIED_MAX)).await?;
            for one in &left {
                let d = &one.delivery;
                tracing::error!(
                    delivery_id = %d.id, event_id = %d.event, source = %d.source, destination = %d.destination,
                    "its event was damaged in the journal and its retention is over: it is given up"
                );
                if d.state == DeliveryState::Pending && !self.upkeep(Upkeep::Bury(d.id)).await? {
                    return Err(StoreError::Unavailable(format!("{} is in hand; it is looked at again", d.id)));
                }
                self.run_one(Command::Dismiss(d.id)).await?;
            }
            if left.len() < BURIED_MAX {
                return Ok(());
            }
        }
    }

    /// Takes the file away. `false` if it must stay a while: a backup is being written.
    async fn unlink(&self, engine: &Arc<Engine>, segment: u32, retained: &mut Retained) -> Result<bool, StoreError> {
        let (shared, engine, mode) = (self.shared.clone(), engine.clone(), engine.mode);
        let unlink = move || {
            let pins = shared.pins();
            if *pins > 0 {
                return Ok(false);
            }
            if !Arc::ptr_eq(&shared.engine()?, &engine) {
                return Err(StoreError::Unavailable("the store was opened again".into()));
            }
            let removed = engine.journal.remove(segment);
            removed.map_err(|e| StoreError::Failed(format!("cannot remove segment {segment}: {e}")))?;
            Ok(true)
        };
        let gone = blocking(mode, unlink).await?;
        retained.segments += u64::from(gone);
        Ok(gone)
    }

    async fn upkeep(&self, upkeep: Upkeep) -> Result<bool, StoreError> {
        match self.run_one(Command::Upkeep(upkeep)).await? {
            Answer::Upkept(done) => Ok(done),
            // A change of the catalog.
            Answer::Done => Ok(true),
            other => Err(StoreError::Failed(format!("an answer of another kind: {other:?}"))),
        }
    }
}

/// Asks the index once it has caught up, which may take a while under load: nobody waits for retention.
async fn ask<T: Send + 'static>(
    engine: &Engine,
    question: impl FnOnce(&Reader) -> Result<T, IndexError> + Send + 'static,
) -> Result<T, StoreError> {
    engine.applier.caught_up_within(INDEX_WAIT_MAX).await?;
    engine.ask_now(question).await
}

async fn blocking<T: Send + 'static>(
    mode: Mode,
    act: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = mode.run(act).await;
    done.unwrap_or_else(|e| Err(StoreError::Failed(format!("it ended early: {e}"))))
}

async fn read<T: Send + 'static>(
    engine: &Engine,
    question: impl FnOnce(&JournalReader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let journal = engine.journal.clone();
    blocking(engine.mode, move || question(&journal)).await
}

async fn next_piece(mode: Mode, mut entries: Iterate) -> Result<(Piece, Iterate), StoreError> {
    blocking(mode, move || scan::piece(&mut entries).map(|piece| (piece, entries))).await
}

/// Which of these events live, are over, or have moved elsewhere (those are neither).
fn sort(reader: &Reader, found: Vec<FoundEvent>) -> Result<Sorted, IndexError> {
    let mut sorted = Sorted::default();
    for found in found {
        let id: EventId = found.event.id;
        if reader.event_at(id)? != Some(found.at) {
            continue;
        }
        let deliveries = reader.deliveries_of(id)?;
        let lives = |d: &Indexed| !d.delivery.state.is_final() || d.delivery.is_dead_letter();
        if !deliveries.iter().any(lives) {
            sorted.over.push(found);
            continue;
        }
        let mut attempts_at = HashMap::new();
        for Indexed { delivery, .. } in &deliveries {
            attempts_at.insert(delivery.id, reader.attempts_at(delivery.id)?);
        }
        sorted.live.push(Family { found, deliveries, attempts_at });
    }
    Ok(sorted)
}

fn carried_keys(found: &FoundEvent) -> impl Iterator<Item = CarriedKey> {
    let keys = found.key_until.map(|until| keys_of(&found.event).map(move |(digest, held)| (digest, held, until)));
    keys.into_iter().flatten().map(|(digest, KeyHeld { event, body }, until)| CarriedKey { digest, event, until, body })
}

impl Family {
    /// With its attempts, as it will be carried.
    fn read(mut self, journal: &JournalReader, damages: &Damages) -> (FoundEvent, CarriedRecord) {
        let mut bytes = self.found.event.body.len();
        let mut deliveries = Vec::with_capacity(self.deliveries.len());
        for Indexed { delivery, .. } in self.deliveries {
            let places = self.attempts_at.remove(&delivery.id).unwrap_or_default();
            let attempts = readback::read_attempts(journal, damages, delivery.id, places);
            bytes += attempts.iter().map(size).sum::<usize>();
            deliveries.push(CarriedDelivery::new(delivery, attempts.into_iter().map(Arc::new).collect()));
        }
        if bytes > CARRIED_BYTES_MAX {
            deliveries.iter_mut().flat_map(|d| &mut d.attempts).for_each(shorten);
        }
        let FoundEvent { event, key_until, .. } = &self.found;
        // The writer says when.
        let at = event.received_at;
        let record = CarriedRecord { at, event: by_itself(event), key_until: *key_until, deliveries };
        (self.found, record)
    }
}

/// Without the request that it came in with others: that would be carried with each of them.
fn by_itself(event: &Arc<Event>) -> Arc<Event> {
    let mut event = event.clone();
    if event.part.as_ref().is_some_and(|part| part.whole.is_some())
        && let Some(part) = &mut Arc::make_mut(&mut event).part
    {
        part.whole = None;
    }
    event
}

fn size(attempt: &Attempt) -> usize {
    let headers: usize = attempt.response_headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    attempt.response_excerpt.len() + attempt.error.len() + headers
}

fn shorten(attempt: &mut Arc<Attempt>) {
    let attempt = Arc::make_mut(attempt);
    attempt.response_headers.clear();
    attempt.response_excerpt = Default::default();
}
