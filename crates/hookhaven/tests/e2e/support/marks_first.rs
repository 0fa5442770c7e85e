//! A receiver as they are often written, as a store: it marks an idempotency key as seen, and only then
//! stores the event. When it dies between the two, the sender's retry is taken for a duplicate and the event
//! is gone. A checker that does not find this one finds nothing.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use hookhaven_core::{Attempt, DeliveryId, Event, EventId, Lane};
use hookhaven_store::*;
use tokio::sync::Notify;

#[derive(Debug)]
pub struct MarksFirst {
    inner: Arc<dyn Store>,
    /// Outlives every death, as a cache server beside the receiver would.
    marks: Mutex<Marks>,
    /// It dies at each so-many-th new key, after the mark.
    dies_every: u64,
}

#[derive(Debug, Default)]
struct Marks {
    seen: HashMap<(Arc<str>, Arc<str>), EventId>,
    deaths: u64,
}

impl MarksFirst {
    pub fn over(inner: Arc<dyn Store>, dies_every: u64) -> Self {
        MarksFirst { inner, marks: Mutex::default(), dies_every }
    }

    pub fn deaths(&self) -> u64 {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).deaths
    }

    /// The event that has the key; `None` if it was not marked before.
    fn mark(&self, event: &Event) -> Result<Option<EventId>, StoreError> {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (event.source.clone(), event.idempotency_key.clone());
        if let Some(id) = marks.seen.get(&key) {
            return Ok(Some(*id));
        }
        marks.seen.insert(key, event.id);
        if (marks.seen.len() as u64).is_multiple_of(self.dies_every) {
            marks.deaths += 1;
            return Err(StoreError::Unavailable("died between mark and commit".to_owned()));
        }
        Ok(None)
    }
}

#[async_trait]
impl Store for MarksFirst {
    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let mut accepted = Vec::new();
        for new in events {
            accepted.extend(match self.mark(&new.event)? {
                Some(event) => vec![Accepted::Duplicate { other_bytes: false, event, revived: Vec::new() }],
                None => self.inner.accept(vec![new]).await?,
            });
        }
        Ok(accepted)
    }

    // The rest is the inner store's.

    fn ready(&self, leave: Leave) -> Result<(), StoreError> {
        self.inner.ready(leave)
    }
    fn wake(&self) -> Arc<Notify> {
        self.inner.wake()
    }
    async fn open_session(&self, ttl: Duration) -> Result<SessionId, StoreError> {
        self.inner.open_session(ttl).await
    }
    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        self.inner.renew_session(session).await
    }
    async fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.inner.close_session(session).await
    }
    async fn due(&self, skip: &[Lane], limit: usize) -> Result<Due, StoreError> {
        self.inner.due(skip, limit).await
    }
    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError> {
        self.inner.claim(session, lanes, max).await
    }
    async fn settle(&self, session: SessionId, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        self.inner.settle(session, settlements).await
    }
    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        self.inner.release_lapsed().await
    }
    async fn expire(&self, lanes: &[Lane]) -> Result<usize, StoreError> {
        self.inner.expire(lanes).await
    }
    async fn accept_together(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.accept(events).await
    }
    async fn claim_one(
        &self,
        session: SessionId,
        delivery: DeliveryId,
        limit: Option<usize>,
    ) -> Result<Option<Leased>, StoreError> {
        self.inner.claim_one(session, delivery, limit).await
    }
    async fn in_line(&self, ids: &[DeliveryId]) -> Result<Vec<Option<InLine>>, StoreError> {
        self.inner.in_line(ids).await
    }
    async fn retain(&self, retention: Retention) -> Result<Retained, StoreError> {
        self.inner.retain(retention).await
    }
    async fn backup(&self, dir: &Path, progress: OnBackup) -> Result<BackupProgress, StoreError> {
        self.inner.backup(dir, progress).await
    }
    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        self.inner.replay(deliveries).await
    }
    async fn replay_as(&self, replays: &[ReplayAs]) -> Result<Vec<Replayed>, StoreError> {
        self.inner.replay_as(replays).await
    }
    async fn redeliver(&self, redeliveries: Vec<Redelivery>) -> Result<Vec<Redelivered>, StoreError> {
        self.inner.redeliver(redeliveries).await
    }
    async fn route(&self, event: EventId, deliveries: Vec<NewDelivery>) -> Result<Routed, StoreError> {
        self.inner.route(event, deliveries).await
    }
    async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        self.inner.dismiss(deliveries).await
    }
    async fn cancel(&self, deliveries: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        self.inner.cancel(deliveries).await
    }
    async fn attempts_after(&self, after: AttemptAt, limit: usize) -> Result<Vec<AttemptRow>, StoreError> {
        self.inner.attempts_after(after, limit).await
    }

    async fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Result<Vec<Step>, StoreError> {
        self.inner.steps(filter, page).await
    }
    async fn lane_sizes(&self, lanes: &[Lane]) -> Result<Vec<LaneSize>, StoreError> {
        self.inner.lane_sizes(lanes).await
    }
    async fn put_catalog(&self, entry: CatalogEntry) -> Result<(), StoreError> {
        self.inner.put_catalog(entry).await
    }
    async fn add_catalog(&self, entry: CatalogEntry) -> Result<CatalogEntry, StoreError> {
        self.inner.add_catalog(entry).await
    }
    async fn delete_catalog(&self, kind: &str, name: &str) -> Result<(), StoreError> {
        self.inner.delete_catalog(kind, name).await
    }
    async fn catalog(&self, kind: &str) -> Result<Vec<CatalogEntry>, StoreError> {
        self.inner.catalog(kind).await
    }
    async fn look_events(
        &self,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Looked<EventRow, EventId>, StoreError> {
        self.inner.look_events(filter, page).await
    }

    async fn search(
        &self,
        text: &Needle,
        filter: &EventFilter,
        after: Option<EventId>,
    ) -> Result<Searched, StoreError> {
        self.inner.search(text, filter, after).await
    }
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.inner.event(id).await
    }
    async fn look_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<DeliveryRow, DeliveryId>, StoreError> {
        self.inner.look_deliveries(filter, page).await
    }
    async fn newest_dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.newest_dead_letters(limit).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        self.inner.delivery(id).await
    }
    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.inner.attempts(delivery).await
    }
    async fn stats(&self) -> Result<Stats, StoreError> {
        self.inner.stats().await
    }
    async fn report_node(&self, report: NodeReport) -> Result<(), StoreError> {
        self.inner.report_node(report).await
    }
    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        self.inner.nodes().await
    }
    async fn forget_node(&self, id: &str) -> Result<(), StoreError> {
        self.inner.forget_node(id).await
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}
