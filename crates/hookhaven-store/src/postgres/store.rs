//! The seam's verbs, each sent to the file that serves it.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use hookhaven_core::{Attempt, DeliveryId, Event, EventId, Lane};
use tokio::sync::{Notify, oneshot, watch};

use super::{PostgresStore, offer::Offer, settle::Report};
use crate::seam::*;

/// Until what waits is served when the store is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(15);

/// All answers, or the first error.
async fn all<T>(waiting: Vec<oneshot::Receiver<Result<T, StoreError>>>) -> Result<Vec<T>, StoreError> {
    let mut answers = Vec::with_capacity(waiting.len());
    for answer in waiting {
        let gone = |_| StoreError::Unavailable("the store stopped before it answered".to_owned());
        answers.push(answer.await.map_err(gone)?);
    }
    answers.into_iter().collect()
}

#[async_trait]
impl Store for PostgresStore {
    fn ready(&self, leave: Leave) -> Result<(), StoreError> {
        let shared = &self.shared;
        shared.accepts.ready(leave)?;
        shared.health.check()?;
        if shared.pending.known() >= leave.of(shared.pending.max()) {
            return Err(shared.pending.full());
        }
        Ok(())
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.shared.health.check()?;
        self.shared.courtesy.accepting();
        let (offers, waiting) = Offer::all(events);
        self.shared.accepts.push(offers)?;
        Ok(all(waiting).await?.into_iter().flatten().collect())
    }

    async fn accept_together(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.shared.health.check()?;
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let (offer, answered) = Offer::together(events);
        self.shared.accepts.push([offer])?;
        Ok(all(vec![answered]).await?.into_iter().flatten().collect())
    }

    fn wake(&self) -> Arc<Notify> {
        self.shared.wake.here.clone()
    }

    async fn open_session(&self, ttl: Duration) -> Result<SessionId, StoreError> {
        self.shared.open_session(ttl).await
    }

    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        self.shared.renew_session(session).await
    }

    async fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.shared.close_session(session).await
    }

    async fn due(&self, skip: &[Lane], limit: usize) -> Result<Due, StoreError> {
        self.shared.due(skip, limit).await
    }

    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError> {
        self.shared.claim(session, lanes, max).await
    }

    async fn claim_one(
        &self,
        session: SessionId,
        delivery: DeliveryId,
        limit: Option<usize>,
    ) -> Result<Option<Leased>, StoreError> {
        self.shared.claim_one(session, delivery, limit).await
    }

    async fn settle(&self, session: SessionId, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        self.shared.health.check()?;
        let report = |settlement| Report::new(session, settlement);
        let (reports, waiting): (Vec<_>, Vec<_>) = settlements.into_iter().map(report).unzip();
        self.shared.settles.push(reports)?;
        all(waiting).await
    }

    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        self.shared.release_lapsed().await
    }

    async fn expire(&self, lanes: &[Lane]) -> Result<usize, StoreError> {
        self.shared.expire(lanes).await
    }

    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        let replays: Vec<_> = deliveries.iter().map(|id| (*id, None)).collect();
        self.shared.replay(&replays).await
    }

    async fn replay_as(&self, replays: &[ReplayAs]) -> Result<Vec<Replayed>, StoreError> {
        let replays: Vec<_> = replays.iter().map(|r| (r.delivery, Some(r.new))).collect();
        self.shared.replay(&replays).await
    }

    async fn redeliver(&self, redeliveries: Vec<Redelivery>) -> Result<Vec<Redelivered>, StoreError> {
        self.shared.redeliver(&redeliveries).await
    }

    async fn route(&self, event: EventId, deliveries: Vec<NewDelivery>) -> Result<Routed, StoreError> {
        self.shared.route(event, deliveries).await
    }

    async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        self.shared.dismiss(deliveries).await
    }

    async fn cancel(&self, deliveries: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        self.shared.cancel(deliveries).await
    }

    async fn put_catalog(&self, entry: CatalogEntry) -> Result<(), StoreError> {
        self.shared.put_catalog(entry).await
    }

    async fn add_catalog(&self, entry: CatalogEntry) -> Result<CatalogEntry, StoreError> {
        self.shared.add_catalog(entry).await
    }

    async fn delete_catalog(&self, kind: &str, name: &str) -> Result<(), StoreError> {
        self.shared.delete_catalog(kind, name).await
    }

    async fn catalog(&self, kind: &str) -> Result<Vec<CatalogEntry>, StoreError> {
        self.shared.catalog(&[kind]).await
    }

    async fn catalog_of(&self, kinds: &[&str]) -> Result<Vec<CatalogEntry>, StoreError> {
        self.shared.catalog(kinds).await
    }

    fn changes(&self) -> watch::Receiver<Changes> {
        self.shared.wake.changes.subscribe()
    }

    async fn look_events(
        &self,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Looked<EventRow, EventId>, StoreError> {
        self.shared.courtesy.look(Box::pin(self.shared.look_events(filter, page))).await
    }

    async fn search(
        &self,
        text: &Needle,
        filter: &EventFilter,
        after: Option<EventId>,
    ) -> Result<Searched, StoreError> {
        self.shared.courtesy.look(Box::pin(self.shared.search(text, filter, after))).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.shared.event(id).await
    }

    async fn look_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<DeliveryRow, DeliveryId>, StoreError> {
        self.shared.courtesy.look(Box::pin(self.shared.look_deliveries(filter, page))).await
    }

    async fn newest_dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.shared.newest_dead_letters(limit).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        self.shared.delivery(id).await
    }

    async fn tried(&self, ids: &[DeliveryId]) -> Result<Vec<Option<Tried>>, StoreError> {
        self.shared.tried(ids).await
    }

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.shared.attempts(delivery).await
    }

    async fn attempts_after(&self, after: AttemptAt, limit: usize) -> Result<Vec<AttemptRow>, StoreError> {
        self.shared.attempts_after(after, limit).await
    }

    async fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Result<Vec<Step>, StoreError> {
        self.shared.steps(filter, page).await
    }

    async fn lane_sizes(&self, lanes: &[Lane]) -> Result<Vec<LaneSize>, StoreError> {
        self.shared.lane_sizes(lanes).await
    }

    async fn in_line(&self, deliveries: &[DeliveryId]) -> Result<Vec<Option<InLine>>, StoreError> {
        self.shared.in_line(deliveries).await
    }

    async fn retain(&self, retention: Retention) -> Result<Retained, StoreError> {
        self.shared.retain(retention).await
    }

    async fn backup(&self, _: &Path, _: OnBackup) -> Result<BackupProgress, StoreError> {
        Err(StoreError::Refused(
            "this store is a PostgreSQL database: back it up with pg_dump --schema=hookhaven, or with what its host \
             offers"
                .into(),
        ))
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.shared.stats().await
    }

    async fn report_node(&self, report: NodeReport) -> Result<(), StoreError> {
        self.shared.report_node(report).await
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        self.shared.nodes().await
    }

    async fn forget_node(&self, id: &str) -> Result<(), StoreError> {
        self.shared.forget_node(id).await
    }

    async fn close(&self) {
        let shared = &self.shared;
        shared.accepts.close();
        shared.settles.close();
        let mut committers = self.committers.lock().await;
        let served = async { while committers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, served).await;
        let sessions: Vec<_> = shared.sessions().keys().copied().collect();
        for session in sessions {
            // One that cannot be closed lapses by itself.
            let _ = shared.close_session(session).await;
        }
        self.stop.send_replace(true);
        shared.work.close();
        shared.reads.close();
    }
}
