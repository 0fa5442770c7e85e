//! A layer over a store that changes or watches some verbs and leaves the rest as they are: the shape of
//! planted bugs and of the watch that the laws keep.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use hookhaven_core::{Attempt, DeliveryId, Event, EventId, Lane};
use hookhaven_store::*;
use tokio::sync::Notify;

/// The verbs that some layer is interested in. By default each goes through.
#[async_trait]
pub trait Layer: Send + Sync + fmt::Debug {
    fn inner(&self) -> &Arc<dyn Store>;

    fn wake(&self) -> Arc<Notify> {
        self.inner().wake()
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.inner().accept(events).await
    }

    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        self.inner().renew_session(session).await
    }

    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError> {
        self.inner().claim(session, lanes, max).await
    }

    async fn settle(&self, session: SessionId, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        self.inner().settle(session, settlements).await
    }

    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        self.inner().release_lapsed().await
    }

    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        self.inner().replay(deliveries).await
    }

    async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        self.inner().dismiss(deliveries).await
    }

    async fn retain(&self, retention: Retention) -> Result<Retained, StoreError> {
        self.inner().retain(retention).await
    }

    async fn catalog(&self, kind: &str) -> Result<Vec<CatalogEntry>, StoreError> {
        self.inner().catalog(kind).await
    }
}

/// A layer as a store.
#[derive(Debug)]
pub struct Over<L>(pub L);

#[async_trait]
impl<L: Layer> Store for Over<L> {
    fn ready(&self, leave: Leave) -> Result<(), StoreError> {
        self.0.inner().ready(leave)
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.0.accept(events).await
    }

    async fn accept_together(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.0.inner().accept_together(events).await
    }

    fn wake(&self) -> Arc<Notify> {
        self.0.wake()
    }

    async fn open_session(&self, ttl: Duration) -> Result<SessionId, StoreError> {
        self.0.inner().open_session(ttl).await
    }

    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        self.0.renew_session(session).await
    }

    async fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.0.inner().close_session(session).await
    }

    async fn due(&self, skip: &[Lane], limit: usize) -> Result<Due, StoreError> {
        self.0.inner().due(skip, limit).await
    }

    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError> {
        self.0.claim(session, lanes, max).await
    }

    async fn claim_one(
        &self,
        session: SessionId,
        delivery: DeliveryId,
        limit: Option<usize>,
    ) -> Result<Option<Leased>, StoreError> {
        self.0.inner().claim_one(session, delivery, limit).await
    }

    async fn in_line(&self, deliveries: &[DeliveryId]) -> Result<Vec<Option<InLine>>, StoreError> {
        self.0.inner().in_line(deliveries).await
    }

    async fn settle(&self, session: SessionId, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        self.0.settle(session, settlements).await
    }

    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        self.0.release_lapsed().await
    }

    async fn expire(&self, lanes: &[Lane]) -> Result<usize, StoreError> {
        self.0.inner().expire(lanes).await
    }

    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        self.0.replay(deliveries).await
    }

    async fn replay_as(&self, replays: &[ReplayAs]) -> Result<Vec<Replayed>, StoreError> {
        self.0.inner().replay_as(replays).await
    }

    async fn redeliver(&self, redeliveries: Vec<Redelivery>) -> Result<Vec<Redelivered>, StoreError> {
        self.0.inner().redeliver(redeliveries).await
    }

    async fn route(&self, event: EventId, deliveries: Vec<NewDelivery>) -> Result<Routed, StoreError> {
        self.0.inner().route(event, deliveries).await
    }

    async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        self.0.dismiss(deliveries).await
    }

    async fn retain(&self, retention: Retention) -> Result<Retained, StoreError> {
        self.0.retain(retention).await
    }

    async fn backup(&self, dir: &Path, progress: OnBackup) -> Result<BackupProgress, StoreError> {
        self.0.inner().backup(dir, progress).await
    }

    async fn cancel(&self, deliveries: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        self.0.inner().cancel(deliveries).await
    }

    async fn attempts_after(&self, after: AttemptAt, limit: usize) -> Result<Vec<AttemptRow>, StoreError> {
        self.0.inner().attempts_after(after, limit).await
    }

    async fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Result<Vec<Step>, StoreError> {
        self.0.inner().steps(filter, page).await
    }

    async fn lane_sizes(&self, lanes: &[Lane]) -> Result<Vec<LaneSize>, StoreError> {
        self.0.inner().lane_sizes(lanes).await
    }

    async fn put_catalog(&self, entry: CatalogEntry) -> Result<(), StoreError> {
        self.0.inner().put_catalog(entry).await
    }

    async fn add_catalog(&self, entry: CatalogEntry) -> Result<CatalogEntry, StoreError> {
        self.0.inner().add_catalog(entry).await
    }

    async fn delete_catalog(&self, kind: &str, name: &str) -> Result<(), StoreError> {
        self.0.inner().delete_catalog(kind, name).await
    }

    async fn catalog(&self, kind: &str) -> Result<Vec<CatalogEntry>, StoreError> {
        self.0.catalog(kind).await
    }

    async fn look_events(
        &self,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Looked<EventRow, EventId>, StoreError> {
        self.0.inner().look_events(filter, page).await
    }

    async fn search(
        &self,
        text: &Needle,
        filter: &EventFilter,
        after: Option<EventId>,
    ) -> Result<Searched, StoreError> {
        self.0.inner().search(text, filter, after).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.0.inner().event(id).await
    }

    async fn look_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<DeliveryRow, DeliveryId>, StoreError> {
        self.0.inner().look_deliveries(filter, page).await
    }

    async fn newest_dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.0.inner().newest_dead_letters(limit).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        self.0.inner().delivery(id).await
    }

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.0.inner().attempts(delivery).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.0.inner().stats().await
    }

    async fn report_node(&self, report: NodeReport) -> Result<(), StoreError> {
        self.0.inner().report_node(report).await
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        self.0.inner().nodes().await
    }

    async fn forget_node(&self, id: &str) -> Result<(), StoreError> {
        self.0.inner().forget_node(id).await
    }

    async fn close(&self) {
        self.0.inner().close().await;
    }
}
