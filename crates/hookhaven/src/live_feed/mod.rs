//! The live feed: what happens in the store, for one reader, as it happens and from a place on.
//!
//! A reader is told of events as they are accepted, of attempts as they are recorded, of dead letters as they die.
//! All of it is read from the store, behind the reader's own place, a page at a time: so it is the same on every node
//! and over restarts, a slow reader costs nothing but its own time, and who was away goes on from where it was. While
//! nobody reads, nothing is asked.
//!
//! What happened is in the order of its time, and may be committed somewhat later than its time says: a body takes
//! its time to arrive, a commit waits, a node's clock is a little off. So what is at most [`LATE_MAX`] old is read
//! again and again, and what this reader was told before is left out ([`overlap`]). A cursor ([`cursor`]) names the
//! time from which reading must begin again, which is no later than a minute ago; who comes back with it is told of
//! some things twice, and knows them by their ids.
//!
//! One thing comes too late for that: an event that is released from quarantine has the time of its arrival. Its
//! attempts are told all the same.
//!
//! Not here: how it is written to a socket (`api/stream`).

pub mod cursor;
mod overlap;
#[cfg(test)]
mod tests;
pub mod wanted;

use std::{fmt, mem, sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, EventId, Time};
use hookhaven_store::{
    AttemptAt, AttemptRow, DeliveryFilter, DeliveryRow, EventFilter, EventRow, Page, Store, StoreError, clock::Clock,
};

use self::{cursor::Cursor, overlap::Overlap, wanted::Wanted};

/// How much later than its time something may be committed and still be told.
pub const LATE_MAX: Duration = Duration::from_secs(60);
/// How often all of that is read again.
const LATE_EVERY: Duration = Duration::from_secs(10);
/// What most commits take: so much is read again at every look.
const SOON: Duration = Duration::from_secs(2);
/// Between two looks, once all that is there was told.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Things read at once.
const PAGE: usize = 500;
/// A reader hears something at least so often.
pub const BEAT_EVERY: Duration = Duration::from_secs(15);
/// After a question to the store that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Failures in a row after which a reader is sent away, to try another node.
const FAILURES_MAX: u32 = 20;

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Event(EventRow),
    Attempt(AttemptRow),
    DeadLetter(DeliveryRow),
}

/// What comes next for a reader.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// At least one thing, each with the cursor that goes on behind it.
    Told(Vec<(Cursor, Told)>),
    /// Nothing happened; so far everything was told.
    Beat(Cursor),
    /// This node tells nothing any more.
    End,
}

/// One reader's feed.
pub struct Feed {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    wanted: Wanted,
    /// Whether the node stops.
    stops: Box<dyn Fn() -> bool + Send + Sync>,
    events: Overlap<EventId>,
    attempts: Overlap<AttemptAt>,
    dead: Overlap<DeliveryId>,
    passes: Passes,
    late_at: Time,
    beat_at: Time,
    failures: u32,
}

/// Where the passes under way go on; `None`: that one is over.
#[derive(Debug, Default)]
struct Passes {
    events: Option<EventId>,
    attempts: Option<AttemptAt>,
    dead: Option<DeadPass>,
    next: Kind,
}

#[derive(Clone, Copy, Debug)]
struct DeadPass {
    since: Time,
    after: Option<DeliveryId>,
    newest: Time,
}

#[derive(Clone, Copy, Debug, Default)]
enum Kind {
    #[default]
    Events,
    Attempts,
    Dead,
}

impl Feed {
    /// From the cursor on. `stops` is asked often; once it says so the feed ends.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        wanted: Wanted,
        from: Cursor,
        stops: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let now = clock.now();
        let mut feed = Feed {
            store,
            wanted,
            stops: Box::new(stops),
            // Ids know milliseconds only: what comes within this one is not before it.
            events: Overlap::from(Time::from_ms(from.events.as_ms())),
            attempts: Overlap::from(from.attempts),
            dead: Overlap::from(from.dead),
            passes: Passes::default(),
            late_at: now,
            beat_at: now,
            failures: 0,
            clock,
        };
        feed.begin();
        feed
    }

    /// Waits for what comes next. Given up while it waits, nothing is lost.
    pub async fn next(&mut self) -> Turn {
        loop {
            if (self.stops)() || self.failures > FAILURES_MAX {
                return Turn::End;
            }
            let now = self.clock.now();
            if now >= self.beat_at {
                self.beat_at = now.plus(BEAT_EVERY);
                return Turn::Beat(self.cursor());
            }
            match self.step().await {
                Ok(Some(told)) => {
                    self.failures = 0;
                    if !told.is_empty() {
                        self.beat_at = self.clock.now().plus(BEAT_EVERY);
                        return Turn::Told(told);
                    }
                }
                Ok(None) => {
                    self.clock.sleep_until(self.clock.now().plus(LOOK_EVERY)).await;
                    self.begin();
                }
                Err(error) => {
                    tracing::debug!(%error, "a live feed could not look into the store");
                    self.failures += 1;
                    self.clock.sleep_until(self.clock.now().plus(AGAIN_AFTER)).await;
                }
            }
        }
    }

    /// Where a reader goes on that was told everything so far.
    fn cursor(&self) -> Cursor {
        let [events, attempts, dead] = self.back(LATE_MAX);
        Cursor { events, attempts, dead }
    }

    /// From when on to read of each kind.
    fn back(&self, late: Duration) -> [Time; 3] {
        let now = self.clock.now();
        [self.events.back(late, now), self.attempts.back(late, now), self.dead.back(late, now)]
    }

    /// Begins passes from so far back as is due.
    fn begin(&mut self) {
        let now = self.clock.now();
        let late = if now >= self.late_at { LATE_MAX } else { SOON };
        if now >= self.late_at {
            self.late_at = now.plus(LATE_EVERY);
            self.events.forget_before(LATE_MAX, now);
            self.attempts.forget_before(LATE_MAX, now);
            self.dead.forget_before(LATE_MAX, now);
        }
        let [events, attempts, since] = self.back(late);
        let wanted = &self.wanted;
        self.passes = Passes {
            events: wanted.events.then(|| cursor::first_id(events)),
            attempts: wanted.attempts.then(|| AttemptAt::before(attempts)),
            dead: wanted.dead_letters.then_some(DeadPass { since, after: None, newest: Time::EPOCH }),
            next: Kind::Events,
        };
    }

    /// Reads one page of a pass that is under way; `None` if none is. Nothing is waited for between what is noted as
    /// told and its being told.
    async fn step(&mut self) -> Result<Option<Vec<(Cursor, Told)>>, StoreError> {
        for _ in 0..3 {
            match mem::replace(&mut self.passes.next, Kind::Events) {
                Kind::Events => {
                    self.passes.next = Kind::Attempts;
                    if let Some(after) = self.passes.events {
                        return self.read_events(after).await.map(Some);
                    }
                }
                Kind::Attempts => {
                    self.passes.next = Kind::Dead;
                    if let Some(after) = self.passes.attempts {
                        return self.read_attempts(after).await.map(Some);
                    }
                }
                Kind::Dead => {
                    if self.passes.dead.is_some() {
                        return self.read_dead().await.map(Some);
                    }
                }
            }
        }
        Ok(None)
    }

    async fn read_events(&mut self, after: EventId) -> Result<Vec<(Cursor, Told)>, StoreError> {
        let filter = EventFilter { source: self.wanted.source.clone(), ..EventFilter::default() };
        let page = Page::first(PAGE).oldest_first().after(after);
        let rows = self.store.events(&filter, page).await?;
        let now = self.clock.now();
        self.passes.events = rows.last().map(|row| row.id).filter(|_| rows.len() == PAGE);
        let mut told = Vec::new();
        for row in rows {
            if self.events.take(cursor::time_of(row.id), row.id, now) && self.wanted.event(&row) {
                told.push((self.cursor(), Told::Event(row)));
            }
        }
        Ok(told)
    }

    async fn read_attempts(&mut self, after: AttemptAt) -> Result<Vec<(Cursor, Told)>, StoreError> {
        let rows = self.store.attempts_after(after, PAGE).await?;
        let now = self.clock.now();
        self.passes.attempts = rows.last().map(|row| row.at).filter(|_| rows.len() == PAGE);
        let mut told = Vec::new();
        for row in rows {
            if self.attempts.take(row.at.ended_at, row.at, now) && self.wanted.attempt(&row) {
                told.push((self.cursor(), Told::Attempt(row)));
            }
        }
        Ok(told)
    }

    /// In the order of their ids, so that the cursor moves at the end of the pass only.
    async fn read_dead(&mut self) -> Result<Vec<(Cursor, Told)>, StoreError> {
        let Some(DeadPass { since, after, mut newest }) = self.passes.dead else { return Ok(Vec::new()) };
        let filter = DeliveryFilter { dead_letters: true, since: Some(since), ..self.wanted.of_deliveries() };
        let page = Page { after, ..Page::first(PAGE).oldest_first() };
        let rows = self.store.deliveries(&filter, page).await?;
        let after = rows.last().map(|row| row.delivery.id).filter(|_| rows.len() == PAGE);
        let mut told = Vec::new();
        for row in rows {
            let died_at = row.delivery.ended_at.unwrap_or(row.delivery.accepted_at);
            newest = newest.max(died_at);
            if self.dead.note(died_at, row.delivery.id) && self.wanted.dead_letter(&row) {
                told.push(Told::DeadLetter(row));
            }
        }
        let cursor = self.cursor();
        self.passes.dead = after.map(|after| DeadPass { since, after: Some(after), newest });
        if after.is_none() {
            self.dead.reached(newest, self.clock.now());
        }
        Ok(told.into_iter().map(|told| (cursor, told)).collect())
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}
