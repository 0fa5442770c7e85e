//! A store that fails or stalls on demand: a decorator around any other, for tests and simulation of what
//! stands above the seam. Without faults it changes nothing.
//!
//! A fault strikes one verb, before the inner call (nothing was done) or after it (it was done, and the
//! caller does not learn that). Not here: faults of the disk below a store (`embedded::disk::SimDisk`).

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use hookhaven_core::{Attempt, DeliveryId, Event, EventId, Lane};
use tokio::sync::{Notify, watch};

use crate::seam::*;

/// The calls that a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// It does not wait: it can fail before, and nothing else.
    Ready,
    Accept,
    OpenSession,
    RenewSession,
    CloseSession,
    Due,
    Claim,
    Settle,
    ReleaseLapsed,
    Expire,
    Replay,
    ReplayAs,
    Redeliver,
    Route,
    Dismiss,
    Cancel,
    PutCatalog,
    AddCatalog,
    DeleteCatalog,
    Catalog,
    Events,
    Event,
    Search,
    Deliveries,
    Delivery,
    Attempts,
    Steps,
    LaneSizes,
    InLine,
    Retain,
    Backup,
    Stats,
    ReportNode,
    Nodes,
    ForgetNode,
}

/// On which side of the inner call a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    Before,
    After,
}

type Point = (Verb, When);

#[derive(Clone, Debug)]
enum Fault {
    /// The next so many calls fail.
    Fail(StoreError, usize),
    Hold(Gate),
}

/// Where calls wait. Both ends of a [`Held`] share it.
#[derive(Clone, Debug)]
struct Gate {
    arrived: Arc<watch::Sender<usize>>,
    open: Arc<watch::Sender<bool>>,
}

/// Calls held at one point. Let go when this is dropped.
#[derive(Debug)]
pub struct Held(Gate);

impl Held {
    /// Waits until so many calls have come to the point.
    pub async fn reached(&self, calls: usize) {
        // The sender lives as long as we do.
        let _ = self.0.arrived.subscribe().wait_for(|n| *n >= calls).await;
    }

    /// Lets all calls go on, those to come too.
    pub fn release(self) {}
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.open.send_replace(true);
    }
}

/// Decides, call by call, what happens at each point: for simulation, where faults come by chance and
/// not on demand.
#[async_trait]
pub trait Fate: Send + Sync + std::fmt::Debug {
    /// Lets the call go on, at once or after a while, or fails it there.
    async fn strike(&self, verb: Verb, when: When) -> Result<(), StoreError>;

    /// The same for [`Verb::Ready`], which does not wait.
    fn strike_ready(&self) -> Result<(), StoreError>;
}

/// A store with faults.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn Store>,
    faults: Mutex<HashMap<Point, Fault>>,
    fate: Option<Arc<dyn Fate>>,
}

impl Faulty {
    pub fn over(inner: Arc<dyn Store>) -> Self {
        Faulty { inner, faults: Mutex::default(), fate: None }
    }

    /// With `fate` asked at every point, after what was ordered there.
    pub fn fated(inner: Arc<dyn Store>, fate: Arc<dyn Fate>) -> Self {
        Faulty { fate: Some(fate), ..Faulty::over(inner) }
    }

    /// The next `times` calls of a verb fail at that point. Replaces the fault that was there.
    pub fn fail(&self, verb: Verb, when: When, error: StoreError, times: usize) {
        self.faults().insert((verb, when), Fault::Fail(error, times));
    }

    /// From now on calls of a verb wait at that point until what is answered is dropped. Replaces the
    /// fault that was there.
    pub fn hold(&self, verb: Verb, when: When) -> Held {
        let gate = Gate { arrived: Arc::new(watch::Sender::new(0)), open: Arc::new(watch::Sender::new(false)) };
        self.faults().insert((verb, when), Fault::Hold(gate.clone()));
        Held(gate)
    }

    /// No faults any more. Calls that are held stay held.
    pub fn mend(&self) {
        self.faults().clear();
    }

    fn faults(&self) -> MutexGuard<'_, HashMap<Point, Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A failure that strikes now, used up by one.
    fn failure(&self, point: Point) -> Option<StoreError> {
        match self.faults().get_mut(&point) {
            Some(Fault::Fail(error, times)) if *times > 0 => {
                *times -= 1;
                Some(error.clone())
            }
            _ => None,
        }
    }

    async fn pass(&self, verb: Verb, when: When) -> Result<(), StoreError> {
        let point = (verb, when);
        if let Some(error) = self.failure(point) {
            return Err(error);
        }
        let held = match self.faults().get(&point) {
            Some(Fault::Hold(gate)) => Some(gate.clone()),
            _ => None,
        };
        if let Some(gate) = held {
            gate.arrived.send_modify(|n| *n += 1);
            // Our own clone of the sender is alive as long as we wait.
            let _ = gate.open.subscribe().wait_for(|open| *open).await;
        }
        match &self.fate {
            Some(fate) => fate.strike(verb, when).await,
            None => Ok(()),
        }
    }
}

macro_rules! through {
    ($self:ident, $verb:ident, $call:expr) => {{
        $self.pass(Verb::$verb, When::Before).await?;
        let answer = $call.await?;
        $self.pass(Verb::$verb, When::After).await?;
        Ok(answer)
    }};
}

#[async_trait]
impl Store for Faulty {
    fn ready(&self, leave: Leave) -> Result<(), StoreError> {
        let failure = self.failure((Verb::Ready, When::Before));
        failure.map_or(Ok(()), Err)?;
        self.fate.as_ref().map_or(Ok(()), |fate| fate.strike_ready())?;
        self.inner.ready(leave)
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        through!(self, Accept, self.inner.accept(events))
    }

    async fn accept_together(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        through!(self, Accept, self.inner.accept_together(events))
    }

    fn wake(&self) -> Arc<Notify> {
        self.inner.wake()
    }

    async fn open_session(&self, ttl: Duration) -> Result<SessionId, StoreError> {
        through!(self, OpenSession, self.inner.open_session(ttl))
    }

    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        through!(self, RenewSession, self.inner.renew_session(session))
    }

    async fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        through!(self, CloseSession, self.inner.close_session(session))
    }

    async fn due(&self, skip: &[Lane], limit: usize) -> Result<Due, StoreError> {
        through!(self, Due, self.inner.due(skip, limit))
    }

    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError> {
        through!(self, Claim, self.inner.claim(session, lanes, max))
    }

    async fn claim_one(
        &self,
        session: SessionId,
        delivery: DeliveryId,
        limit: Option<usize>,
    ) -> Result<Option<Leased>, StoreError> {
        through!(self, Claim, self.inner.claim_one(session, delivery, limit))
    }

    async fn settle(&self, session: SessionId, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        through!(self, Settle, self.inner.settle(session, settlements))
    }

    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        through!(self, ReleaseLapsed, self.inner.release_lapsed())
    }

    async fn expire(&self, lanes: &[Lane]) -> Result<usize, StoreError> {
        through!(self, Expire, self.inner.expire(lanes))
    }

    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        through!(self, Replay, self.inner.replay(deliveries))
    }

    async fn replay_as(&self, replays: &[ReplayAs]) -> Result<Vec<Replayed>, StoreError> {
        through!(self, ReplayAs, self.inner.replay_as(replays))
    }

    async fn redeliver(&self, redeliveries: Vec<Redelivery>) -> Result<Vec<Redelivered>, StoreError> {
        through!(self, Redeliver, self.inner.redeliver(redeliveries))
    }

    async fn route(&self, event: EventId, deliveries: Vec<NewDelivery>) -> Result<Routed, StoreError> {
        through!(self, Route, self.inner.route(event, deliveries))
    }

    async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        through!(self, Dismiss, self.inner.dismiss(deliveries))
    }

    async fn cancel(&self, deliveries: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        through!(self, Cancel, self.inner.cancel(deliveries))
    }

    async fn put_catalog(&self, entry: CatalogEntry) -> Result<(), StoreError> {
        through!(self, PutCatalog, self.inner.put_catalog(entry))
    }

    async fn add_catalog(&self, entry: CatalogEntry) -> Result<CatalogEntry, StoreError> {
        through!(self, AddCatalog, self.inner.add_catalog(entry))
    }

    async fn delete_catalog(&self, kind: &str, name: &str) -> Result<(), StoreError> {
        through!(self, DeleteCatalog, self.inner.delete_catalog(kind, name))
    }

    fn changes(&self) -> tokio::sync::watch::Receiver<Changes> {
        self.inner.changes()
    }

    async fn catalog(&self, kind: &str) -> Result<Vec<CatalogEntry>, StoreError> {
        through!(self, Catalog, self.inner.catalog(kind))
    }

    async fn look_events(
        &self,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Looked<EventRow, EventId>, StoreError> {
        through!(self, Events, self.inner.look_events(filter, page))
    }

    async fn search(
        &self,
        text: &Needle,
        filter: &EventFilter,
        after: Option<EventId>,
    ) -> Result<Searched, StoreError> {
        through!(self, Search, self.inner.search(text, filter, after))
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        through!(self, Event, self.inner.event(id))
    }

    async fn look_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<DeliveryRow, DeliveryId>, StoreError> {
        through!(self, Deliveries, self.inner.look_deliveries(filter, page))
    }

    async fn newest_dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        through!(self, Deliveries, self.inner.newest_dead_letters(limit))
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        through!(self, Delivery, self.inner.delivery(id))
    }

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        through!(self, Attempts, self.inner.attempts(delivery))
    }

    async fn attempts_after(&self, after: AttemptAt, limit: usize) -> Result<Vec<AttemptRow>, StoreError> {
        through!(self, Attempts, self.inner.attempts_after(after, limit))
    }

    async fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Result<Vec<Step>, StoreError> {
        through!(self, Steps, self.inner.steps(filter, page))
    }

    async fn lane_sizes(&self, lanes: &[Lane]) -> Result<Vec<LaneSize>, StoreError> {
        through!(self, LaneSizes, self.inner.lane_sizes(lanes))
    }

    async fn in_line(&self, deliveries: &[DeliveryId]) -> Result<Vec<Option<InLine>>, StoreError> {
        through!(self, InLine, self.inner.in_line(deliveries))
    }

    async fn retain(&self, retention: Retention) -> Result<Retained, StoreError> {
        through!(self, Retain, self.inner.retain(retention))
    }

    async fn backup(&self, dir: &Path, progress: OnBackup) -> Result<BackupProgress, StoreError> {
        through!(self, Backup, self.inner.backup(dir, progress))
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        through!(self, Stats, self.inner.stats())
    }

    async fn report_node(&self, report: NodeReport) -> Result<(), StoreError> {
        through!(self, ReportNode, self.inner.report_node(report))
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        through!(self, Nodes, self.inner.nodes())
    }

    async fn forget_node(&self, id: &str) -> Result<(), StoreError> {
        through!(self, ForgetNode, self.inner.forget_node(id))
    }

    /// Never fails: whoever closes a store must be able to.
    async fn close(&self) {
        self.inner.close().await;
    }
}
