//! The seam: what the gateway asks of any store, in the domain's verbs, in batches. Every store keeps
//! the same contract, and the conformance suite is its specification.
//!
//! No SQL, no files and no driver types cross this line.

mod actions;
mod lists;
mod search;
mod upkeep;
mod work;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use hookhaven_core::{Attempt, Delivery, DeliveryId, Event, EventId, Lane, Order, Policy, Time};
use tokio::sync::{Notify, watch};

pub use self::{actions::*, lists::*, search::*, upkeep::*, work::*};

/// An event to be stored, with the deliveries it makes: one commit (I1).
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    pub event: Event,
    /// Until when its idempotency key is remembered.
    pub key_until: Time,
    /// Empty if no route takes it.
    pub deliveries: Vec<NewDelivery>,
    /// Whether its duplicate replays what is dead of the first (I8).
    pub revives: bool,
    /// Whether it is refused if its bytes are known under another id and its digest is watched.
    pub refuses_replay: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    pub id: DeliveryId,
    pub destination: Arc<str>,
    pub lane: Lane,
    pub route: Arc<str>,
    pub policy: Arc<Policy>,
    pub due_at: Time,
    /// Its place in a line; the store numbers it.
    pub order: Option<Arc<Order>>,
}

/// The part of a delivery that was there when it was made.
impl From<&Delivery> for NewDelivery {
    fn from(d: &Delivery) -> Self {
        NewDelivery {
            id: d.id,
            destination: d.destination.clone(),
            lane: d.lane.clone(),
            route: d.route.clone(),
            policy: d.policy.clone(),
            due_at: d.due_at,
            order: d.order.clone(),
        }
    }
}

/// What became of an accept. Whether new or a duplicate, the sender is answered the same.
///
/// An event whose key is known and whose digest is watched, but whose bytes are others than the first's, is no
/// duplicate: anybody can change an id that is not signed. It is stored under a key of its own, made of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    New {
        /// The event that has the same bytes under another id, if the digest is watched: a suspected replay.
        twin: Option<EventId>,
    },
    /// The key was known.
    Duplicate {
        event: EventId,
        /// New deliveries that replace its dead letters (I8).
        revived: Vec<DeliveryId>,
        /// The sender signs the id, and still the bytes are others than the first's. They are not kept.
        other_bytes: bool,
    },
    /// Its bytes are those of `twin` under another id; nothing was kept ([`NewEvent::refuses_replay`]).
    Refused { twin: EventId },
}

/// The share of each of the store's limits that an accept must leave free for those that may not be
/// refused, because their sender does not come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leave(u8);

impl Leave {
    pub const NOTHING: Leave = Leave(0);

    /// At most 90%.
    pub fn percent(percent: u8) -> Self {
        Leave(percent.min(90))
    }

    /// What is left of an upper limit.
    pub fn of(self, limit: u64) -> u64 {
        limit - (u128::from(limit) * u128::from(self.0) / 100) as u64
    }

    /// A lower limit with the share on top.
    pub fn above(self, limit: u64) -> u64 {
        limit.saturating_add(limit - self.of(limit))
    }
}

/// A small thing that people create or switch and that must survive a restart (paused states).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// What it is, e.g. `destination-paused`.
    pub kind: String,
    pub name: String,
    pub value: Vec<u8>,
}

/// What a node tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// Its own for as long as its process runs.
    pub id: String,
    /// `all`, `ingest` or `worker`.
    pub role: String,
    pub version: String,
    /// Of the config it goes by, so that a difference shows.
    pub config_hash: String,
    /// Where its admin side listens; empty if nobody is told.
    pub address: String,
    pub session: Option<SessionId>,
    pub started_at: Time,
}

/// Counts that grow when something may have changed that several nodes go by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub catalog: u64,
    /// A node came or went.
    pub nodes: u64,
}

/// A node as the others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    pub report: NodeReport,
    /// When it last told.
    pub seen_at: Time,
    /// Deliveries that it has in hand.
    pub leases: u64,
}

/// What could not be done. Branch on the variant, print the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot store just now (I9): nothing was kept, ask again later.
    #[error("the store cannot accept now: {0}")]
    Unavailable(String),
    /// A limit with a name was reached; nothing was kept.
    #[error("the store is full: {limit} = {value} is reached")]
    Full { limit: &'static str, value: u64 },
    /// Another process holds the data directory.
    #[error("{0}")]
    Locked(String),
    /// The data was written by a newer version, or is not ours.
    #[error("{0}")]
    Incompatible(String),
    /// What was asked for cannot be had here, as it was asked.
    #[error("{0}")]
    Refused(String),
    /// Opening or reading failed.
    #[error("{0}")]
    Failed(String),
}

/// The store. All calls may be made at once from many tasks; concurrent writes share commits.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Whether an accept that leaves so much free would be tried: asked before a body is read (I9). Cheap.
    fn ready(&self, leave: Leave) -> Result<(), StoreError>;

    /// Stores events with their keys and deliveries, each whole, and answers once they are on stable
    /// storage. One answer per event, in order.
    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError>;

    /// The same for events that came in one request: all of them in one commit.
    async fn accept_together(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError>;

    /// Signalled (coalesced) when there may be more to claim than before.
    fn wake(&self) -> Arc<Notify>;

    /// A new session, live for `ttl` and for `ttl` more at each renewal.
    async fn open_session(&self, ttl: Duration) -> Result<SessionId, StoreError>;
    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError>;
    /// Ends a session; what it still holds goes back to its lanes as if never claimed.
    async fn close_session(&self, session: SessionId) -> Result<(), StoreError>;

    /// Due lanes other than those in `skip`, at most `limit`.
    ///
    /// Of a queue's lane ([`Lane::is_queue`]) at most its width ([`LANE_WIDTH_KIND`]) is begun and not over: a
    /// delivery is begun by its first claim, and over when it and all deliveries in lanes beside the queue that
    /// keep its slot have ended. The others wait in the order of their due times, those due when they were
    /// accepted in the order of commits, those of one call in that of their ids; until their turn they are neither
    /// due nor claimed.
    ///
    /// Deliveries with an [`Order`] stand in lines, one for each mode, destination and key, numbered in the order of
    /// commits, those of one call in the order given. Of a line only the first that has not ended may be claimed, and
    /// only while nobody has one of it in hand; the others are neither due nor claimed. In a `fifo` line the first
    /// stays the first while it waits for its retry. If it dies and parks ([`Order::die`]), the next is not due before
    /// then; replaying it meanwhile puts the new one in its place, dismissing it ends the parking; later a replay is
    /// the last in line. In a `latest` line one that a newer version has overtaken is cancelled, `superseded`, at the
    /// latest by [`Store::release_lapsed`], and not claimed any more; the newest version of a line is remembered for
    /// as long as its event, so one that comes too late is superseded at once.
    async fn due(&self, skip: &[Lane], limit: usize) -> Result<Due, StoreError>;

    /// Leases due deliveries from the named lanes, earliest due + deadline first, at most `max` in all
    /// and each lane's room in it, and never more than its limit, whoever else claims at the same time.
    /// Empty if the session has lapsed.
    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError>;

    /// Leases one pending delivery, whether or not it is due yet. `None` if somebody has it in hand, it has ended, it
    /// is not its turn in its line or queue, its lane has `limit` leased already, or the session has lapsed.
    async fn claim_one(
        &self,
        session: SessionId,
        delivery: DeliveryId,
        limit: Option<usize>,
    ) -> Result<Option<Leased>, StoreError>;

    /// Records attempts and what follows, each in one commit.
    async fn settle(&self, session: SessionId, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError>;

    /// Takes leases away from sessions that lapsed; records each as a lost attempt. Ends what was to be cancelled or
    /// is superseded and nobody has in hand. Answers how many.
    async fn release_lapsed(&self) -> Result<usize, StoreError>;

    /// Ends pending deliveries of these lanes that are older than their `max_age`: dead, `expired`.
    async fn expire(&self, lanes: &[Lane]) -> Result<usize, StoreError>;

    /// New deliveries of ended ones, each at most once (I8).
    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError>;

    /// The same with new deliveries whose ids the caller derives, so that a step of bulk work that is taken again
    /// after a crash knows its own: [`Replayed::Already`] names what it chose.
    async fn replay_as(&self, replays: &[ReplayAs]) -> Result<Vec<Replayed>, StoreError>;

    /// Further deliveries of stored events, wherever else those went, each at most once by its id: safe to repeat.
    /// They replace nothing.
    async fn redeliver(&self, redeliveries: Vec<Redelivery>) -> Result<Vec<Redelivered>, StoreError>;

    /// Ends pending deliveries, cancelled; asks for the end of those in hand.
    async fn cancel(&self, deliveries: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError>;

    /// Deliveries of a stored event to destinations it has none for yet.
    async fn route(&self, event: EventId, deliveries: Vec<NewDelivery>) -> Result<Routed, StoreError>;

    /// Takes dead letters off the list; they stay dead in history.
    async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError>;

    async fn put_catalog(&self, entry: CatalogEntry) -> Result<(), StoreError>;

    /// Puts an entry unless one of its kind and name stands. Answers the one that stands then: of all who add one at
    /// the same time, on whatever node, each is told the same.
    async fn add_catalog(&self, entry: CatalogEntry) -> Result<CatalogEntry, StoreError>;

    async fn delete_catalog(&self, kind: &str, name: &str) -> Result<(), StoreError>;
    async fn catalog(&self, kind: &str) -> Result<Vec<CatalogEntry>, StoreError>;

    /// Entries of several kinds, in one look where that costs less.
    async fn catalog_of(&self, kinds: &[&str]) -> Result<Vec<CatalogEntry>, StoreError> {
        let mut entries = Vec::new();
        for kind in kinds {
            entries.extend(self.catalog(kind).await?);
        }
        Ok(entries)
    }

    /// Tells when the catalog or the nodes may have changed, here or on another node. A store that only one
    /// node can have may keep silent: it changes nothing but what that node asks it to.
    fn changes(&self) -> watch::Receiver<Changes> {
        watch::channel(Changes::default()).1
    }

    /// Lists see everything that was committed before they were asked, by id.
    ///
    /// One bounded look: see [`Looked`].
    async fn look_events(
        &self,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Looked<EventRow, EventId>, StoreError>;

    /// A whole page, over as many looks as that takes.
    async fn events(&self, filter: &EventFilter, page: Page<EventId>) -> Result<Vec<EventRow>, StoreError> {
        let (mut rows, mut rest) = (Vec::new(), page);
        loop {
            let looked = self.look_events(filter, rest).await?;
            rows.extend(looked.rows);
            let Some(upto) = looked.upto.filter(|_| rows.len() < page.limit) else { return Ok(rows) };
            rest = Page { limit: page.limit - rows.len(), ..rest.after(upto) };
        }
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError>;

    /// Looks for text in the bodies of the next events older than `after` that the filter lets through, at most
    /// [`STRETCH_EVENTS_MAX`] of them.
    async fn search(&self, text: &Needle, filter: &EventFilter, after: Option<EventId>)
    -> Result<Searched, StoreError>;

    /// One bounded look: see [`Looked`].
    async fn look_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<DeliveryRow, DeliveryId>, StoreError>;

    /// A whole page, over as many looks as that takes.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let (mut rows, mut rest) = (Vec::new(), page);
        loop {
            let looked = self.look_deliveries(filter, rest).await?;
            rows.extend(looked.rows);
            let Some(upto) = looked.upto.filter(|_| rows.len() < page.limit) else { return Ok(rows) };
            rest = Page { limit: page.limit - rows.len(), ..rest.after(upto) };
        }
    }

    /// The dead letters that died last, the latest first, at most so many. Tens of thousands cost milliseconds: who
    /// knows what they died of learns by this which are still dead letters.
    async fn newest_dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError>;

    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError>;
    /// Many of them at once, in the order asked, each with its last attempt. Hundreds are one question.
    async fn tried(&self, ids: &[DeliveryId]) -> Result<Vec<Option<Tried>>, StoreError> {
        let mut tried = Vec::with_capacity(ids.len());
        for id in ids {
            let row = self.delivery(*id).await?;
            let attempt = self.attempts(*id).await?.pop();
            tried.push(row.map(|row| Tried { row, attempt }));
        }
        Ok(tried)
    }
    /// All attempts of a delivery, first to last.
    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<Attempt>, StoreError>;

    /// Attempts of all deliveries behind that place, oldest end first. One is recorded a moment after it ended, so
    /// one that ended earlier may yet come.
    async fn attempts_after(&self, after: AttemptAt, limit: usize) -> Result<Vec<AttemptRow>, StoreError>;

    /// What happened to published deliveries, by the step's number; kept about as long as their events.
    async fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Result<Vec<Step>, StoreError>;

    /// How full lanes are, in the order asked; lanes beside a queue are not counted with it.
    async fn lane_sizes(&self, lanes: &[Lane]) -> Result<Vec<LaneSize>, StoreError>;

    /// Where pending deliveries stand in their lines, in the order asked; `None` for those in no line or ended.
    async fn in_line(&self, deliveries: &[DeliveryId]) -> Result<Vec<Option<InLine>>, StoreError>;

    /// Lets go of what is older than its retention, one bounded step at a time: asked again while there
    /// is `more`. What is pending, dead letters, keys inside their window and the catalog stay. Accepts
    /// go on meanwhile.
    async fn retain(&self, retention: Retention) -> Result<Retained, StoreError>;

    /// Writes a copy of everything acknowledged by now into a directory that is new or empty, while
    /// everything else goes on. Opened as a data directory, it is this store as it was.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the directory holds something, or there is nothing on disk to copy.
    async fn backup(&self, dir: &Path, progress: OnBackup) -> Result<BackupProgress, StoreError>;

    async fn stats(&self) -> Result<Stats, StoreError>;

    /// Tells the other nodes of this one, first and from then on now and then. Who did not for an hour is
    /// forgotten.
    async fn report_node(&self, report: NodeReport) -> Result<(), StoreError>;
    /// All nodes that told of themselves, by id.
    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError>;
    /// A node that ends need not be waited for.
    async fn forget_node(&self, id: &str) -> Result<(), StoreError>;

    /// Flushes what is pending and lets go of files. Later calls answer `Unavailable`.
    async fn close(&self);
}
