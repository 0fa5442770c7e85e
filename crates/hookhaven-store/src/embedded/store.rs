//! The seam's verbs, each sent to where it is served: changes to the writer, claims to the live state,
//! lists to the index.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use hookhaven_core::{Attempt, DeliveryId, Event, EventId, Lane};
use tokio::sync::Notify;

use super::{EmbeddedStore, Shared, backup, engine::Engine, index::readers::Reader};
use crate::{
    live::{Claimed, Live},
    rules::{Accepting, Answer, Command},
    seam::*,
};

impl EmbeddedStore {
    /// Sends commands to the writer and waits for all answers.
    pub(super) async fn run(&self, commands: Vec<Command>) -> Result<Vec<Answer>, StoreError> {
        let mut answers = Vec::with_capacity(commands.len());
        for answer in self.shared.queue.push(commands)? {
            let gone = |_| StoreError::Unavailable("the store stopped before it answered".to_owned());
            answers.push(answer.await.map_err(gone)?);
        }
        answers.into_iter().collect()
    }

    pub(super) async fn run_one(&self, command: Command) -> Result<Answer, StoreError> {
        let mut answers = self.run(vec![command]).await?;
        answers.pop().ok_or_else(|| StoreError::Failed("no answer".to_owned()))
    }

    pub(super) fn now(&self) -> hookhaven_core::Time {
        self.shared.options.clock.now()
    }

    pub(super) fn engine(&self) -> Result<Arc<Engine>, StoreError> {
        self.shared.engine()
    }
}

fn other(answer: &Answer) -> StoreError {
    StoreError::Failed(format!("an answer of another kind: {answer:?}"))
}

/// The content of answers that must be of one kind; another kind is a bug of ours, told as such.
macro_rules! all_of {
    ($answers:expr, $kind:path) => {
        $answers
            .into_iter()
            .map(|answer| match answer {
                $kind(value) => Ok(value),
                wrong => Err(other(&wrong)),
            })
            .collect()
    };
}

macro_rules! one_of {
    ($answer:expr, $kind:path) => {
        match $answer {
            $kind(value) => Ok(value),
            wrong => Err(other(&wrong)),
        }
    };
}

/// What the live state knows better than the index: leases.
fn overlay(row: super::index::Indexed, live: &Live) -> DeliveryRow {
    let delivery = if row.delivery.state.is_final() { None } else { live.pending(row.delivery.id) };
    DeliveryRow { delivery: delivery.unwrap_or(row.delivery), last: row.last }
}

/// What was claimed, with the events.
async fn leased(engine: &Engine, claimed: Vec<Claimed>) -> Vec<Leased> {
    let places = claimed.iter().map(|c| (c.delivery.event, c.event_at)).collect();
    let mut events = engine.events_at(places).await;
    for (c, event) in claimed.iter().zip(&mut events).filter(|(_, event)| event.is_err()) {
        // Retention may have carried it elsewhere since the claim.
        let place = engine.live().pending_event_at(c.delivery.id).filter(|at| *at != c.event_at);
        if let Some(at) = place {
            *event = engine.events_at(vec![(c.delivery.event, at)]).await.pop().unwrap_or_else(|| event.clone());
        }
    }
    let leased = claimed.into_iter().zip(events).map(|(c, event)| Leased {
        delivery: c.delivery,
        fence: c.fence,
        attempt_number: c.attempt_number,
        event,
    });
    leased.collect()
}

#[async_trait]
impl Store for EmbeddedStore {
    fn ready(&self, leave: Leave) -> Result<(), StoreError> {
        let Shared { queue, space, options, .. } = &*self.shared;
        queue.ready(leave)?;
        let engine = self.engine()?;
        space.check(leave, self.now()).inspect_err(|_| {
            if space.may_restore() {
                queue.nudge();
            }
        })?;
        if engine.pending.load(Ordering::Relaxed) >= leave.of(options.pending_max) {
            return Err(StoreError::Full { limit: "store.pending_max", value: options.pending_max });
        }
        if engine.applier.lag().0 > leave.of(options.index_lag_bytes_max) {
            return Err(StoreError::Full { limit: "store.index_lag_max", value: options.index_lag_bytes_max });
        }
        Ok(())
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.engine()?.courtesy.accepting();
        let accept = |new: NewEvent| Command::Accept(new.into());
        let answers = self.run(events.into_iter().map(accept).collect()).await?;
        all_of!(answers, Answer::Accepted)
    }

    async fn accept_together(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let all = events.into_iter().map(Accepting::from).collect();
        one_of!(self.run_one(Command::AcceptTogether(all)).await?, Answer::AcceptedTogether)
    }

    fn wake(&self) -> Arc<Notify> {
        self.shared.wake.clone()
    }

    async fn open_session(&self, ttl: Duration) -> Result<SessionId, StoreError> {
        Ok(self.engine()?.live().open_session(ttl, self.now()))
    }

    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        Ok(self.engine()?.live().renew_session(session, self.now()))
    }

    async fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        if self.engine()?.live().close_session(session) {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    async fn due(&self, skip: &[Lane], limit: usize) -> Result<Due, StoreError> {
        Ok(self.engine()?.live().due(skip, limit, self.now()))
    }

    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError> {
        let engine = self.engine()?;
        let claimed = engine.live().claim(session, lanes, max, self.now());
        Ok(leased(&engine, claimed).await)
    }

    async fn claim_one(
        &self,
        session: SessionId,
        delivery: DeliveryId,
        limit: Option<usize>,
    ) -> Result<Option<Leased>, StoreError> {
        let engine = self.engine()?;
        let claimed = engine.live().claim_one(session, delivery, limit, self.now());
        Ok(leased(&engine, claimed.into_iter().collect()).await.pop())
    }

    async fn settle(&self, session: SessionId, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        let settle = |settlement| Command::Settle { session, settlement };
        let answers = self.run(settlements.into_iter().map(settle).collect()).await?;
        all_of!(answers, Answer::Settled)
    }

    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        one_of!(self.run_one(Command::ReleaseLapsed).await?, Answer::Count)
    }

    async fn expire(&self, lanes: &[Lane]) -> Result<usize, StoreError> {
        one_of!(self.run_one(Command::Expire { lanes: lanes.to_vec() }).await?, Answer::Count)
    }

    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        let replay = |id: &DeliveryId| Command::Replay { delivery: *id, new: None };
        let answers = self.run(deliveries.iter().map(replay).collect()).await?;
        all_of!(answers, Answer::Replayed)
    }

    async fn replay_as(&self, replays: &[ReplayAs]) -> Result<Vec<Replayed>, StoreError> {
        let replay = |r: &ReplayAs| Command::Replay { delivery: r.delivery, new: Some(r.new) };
        let answers = self.run(replays.iter().map(replay).collect()).await?;
        all_of!(answers, Answer::Replayed)
    }

    async fn redeliver(&self, redeliveries: Vec<Redelivery>) -> Result<Vec<Redelivered>, StoreError> {
        // The rules know events by history only.
        self.engine()?.applier.caught_up().await?;
        let answers = self.run(redeliveries.into_iter().map(Command::Redeliver).collect()).await?;
        all_of!(answers, Answer::Redelivered)
    }

    async fn route(&self, event: EventId, deliveries: Vec<NewDelivery>) -> Result<Routed, StoreError> {
        // The rules know events by history only.
        self.engine()?.applier.caught_up().await?;
        one_of!(self.run_one(Command::Route { event, deliveries }).await?, Answer::Routed)
    }

    async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        let answers = self.run(deliveries.iter().map(|id| Command::Dismiss(*id)).collect()).await?;
        all_of!(answers, Answer::Dismissed)
    }

    async fn cancel(&self, deliveries: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        let answers = self.run(deliveries.iter().map(|id| Command::Cancel(*id)).collect()).await?;
        all_of!(answers, Answer::Cancelled)
    }

    async fn put_catalog(&self, entry: CatalogEntry) -> Result<(), StoreError> {
        self.run_one(Command::PutCatalog(entry)).await.map(drop)
    }

    async fn add_catalog(&self, entry: CatalogEntry) -> Result<CatalogEntry, StoreError> {
        one_of!(self.run_one(Command::AddCatalog(entry)).await?, Answer::Stands)
    }

    async fn delete_catalog(&self, kind: &str, name: &str) -> Result<(), StoreError> {
        self.run_one(Command::DeleteCatalog { kind: kind.to_owned(), name: name.to_owned() }).await.map(drop)
    }

    async fn catalog(&self, kind: &str) -> Result<Vec<CatalogEntry>, StoreError> {
        Ok(self.engine()?.live().catalog(kind))
    }

    async fn look_events(
        &self,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Looked<EventRow, EventId>, StoreError> {
        let filter = filter.clone();
        self.engine()?.look(move |reader: &Reader| reader.events(&filter, page)).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        let engine = self.engine()?;
        let mut place = engine.ask(move |reader: &Reader| reader.event_at(id)).await?;
        while let Some(at) = place {
            match engine.events_at(vec![(id, at)]).await.pop() {
                Some(Err(unread)) => {
                    // Retention may have carried or removed it since.
                    place = engine.ask(move |reader: &Reader| reader.event_at(id)).await?;
                    if place == Some(at) {
                        return Err(StoreError::Failed(unread));
                    }
                }
                read => return Ok(read.and_then(Result::ok)),
            }
        }
        Ok(None)
    }

    async fn search(
        &self,
        text: &Needle,
        filter: &EventFilter,
        after: Option<EventId>,
    ) -> Result<Searched, StoreError> {
        self.engine()?.search(text.clone(), filter.clone(), after).await
    }

    async fn look_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<DeliveryRow, DeliveryId>, StoreError> {
        let (engine, filter) = (self.engine()?, filter.clone());
        let Looked { rows, upto } = engine.look(move |reader: &Reader| reader.deliveries(&filter, page)).await?;
        let live = engine.live();
        Ok(Looked { rows: rows.into_iter().map(|row| overlay(row, &live)).collect(), upto })
    }

    async fn newest_dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.engine()?.ask(move |reader: &Reader| reader.newest_dead_letters(limit)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        let engine = self.engine()?;
        let row = engine.ask(move |reader: &Reader| reader.delivery(id)).await?;
        let live = engine.live();
        Ok(row.map(|row| overlay(row, &live)))
    }

    async fn tried(&self, ids: &[DeliveryId]) -> Result<Vec<Option<Tried>>, StoreError> {
        let (engine, wanted) = (self.engine()?, ids.to_vec());
        let question = move |reader: &Reader| {
            let found = |id: &DeliveryId| Ok((reader.delivery(*id)?, reader.attempts_at(*id)?.pop()));
            wanted.iter().map(found).collect::<Result<Vec<_>, _>>()
        };
        let found = engine.ask(question).await?;
        let places = ids.iter().zip(&found).filter_map(|(id, (_, place))| Some((*id, (*place)?)));
        let read = engine.last_attempts_at(places.collect()).await?;
        let mut tried = Vec::with_capacity(ids.len());
        for (id, (row, place)) in ids.iter().zip(found) {
            let Some(row) = row else {
                tried.push(None);
                continue;
            };
            let attempt = match (place, read.get(id)) {
                // Damage, or retention has carried it elsewhere since.
                (Some(_), None) => self.attempts(*id).await?.pop(),
                (_, read) => read.cloned(),
            };
            tried.push(Some(Tried { row: overlay(row, &engine.live()), attempt }));
        }
        Ok(tried)
    }

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        let engine = self.engine()?;
        let mut places = engine.ask(move |reader: &Reader| reader.attempts_at(delivery)).await?;
        loop {
            let read = engine.attempts_at(delivery, places.clone()).await?;
            if read.len() == places.len() {
                return Ok(read);
            }
            // Damage, or retention has carried them elsewhere since.
            let now = engine.ask(move |reader: &Reader| reader.attempts_at(delivery)).await?;
            if now == places {
                return Ok(read);
            }
            places = now;
        }
    }

    async fn attempts_after(&self, after: AttemptAt, limit: usize) -> Result<Vec<AttemptRow>, StoreError> {
        let engine = self.engine()?;
        let mut rows = engine.ask(move |reader: &Reader| reader.attempts_after(after, limit)).await?;
        let live = engine.live();
        for row in rows.iter_mut().filter(|row| !row.delivery.state.is_final()) {
            if let Some(now) = live.pending(row.delivery.id) {
                row.delivery = now;
            }
        }
        Ok(rows)
    }

    async fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Result<Vec<Step>, StoreError> {
        let filter = *filter;
        self.engine()?.ask(move |reader: &Reader| reader.steps(&filter, page)).await
    }

    async fn lane_sizes(&self, lanes: &[Lane]) -> Result<Vec<LaneSize>, StoreError> {
        let engine = self.engine()?;
        let live = engine.live();
        Ok(lanes.iter().map(|lane| live.lane_size(lane)).collect())
    }

    async fn in_line(&self, deliveries: &[DeliveryId]) -> Result<Vec<Option<InLine>>, StoreError> {
        let (engine, now) = (self.engine()?, self.now());
        let live = engine.live();
        Ok(deliveries.iter().map(|id| live.in_line(*id, now)).collect())
    }

    async fn retain(&self, retention: Retention) -> Result<Retained, StoreError> {
        self.retain_step(retention).await
    }

    async fn backup(&self, dir: &Path, progress: OnBackup) -> Result<BackupProgress, StoreError> {
        backup::write(&self.shared, dir.to_owned(), progress).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let engine = self.engine()?;
        let (oldest_event, index_bytes) = engine.ask_now(Reader::oldest_event_and_bytes).await.unwrap_or_default();
        let (_, index_lag) = engine.applier.lag();
        let (damages, damage) = self.shared.damages.told();
        let live = engine.live();
        Ok(Stats {
            depths: live.depths(),
            oldest_due: live.oldest_due(self.now()),
            pending: live.pending_len(),
            pending_max: self.shared.options.pending_max,
            index_lag,
            journal_bytes: engine.journal.bytes(),
            segments: engine.journal.segments().len() as u64,
            index_bytes,
            oldest_event,
            kept_back: live.kept_back(self.now()),
            superseded: live.superseded(),
            dismissed_by_age: engine.dismissed_by_age.load(Ordering::Relaxed),
            sessions: live.sessions_len(),
            free_bytes: Some(self.shared.space.free_bytes()),
            free_min_bytes: self.shared.options.space.free_min_bytes,
            damages,
            damage,
        })
    }

    async fn report_node(&self, report: NodeReport) -> Result<(), StoreError> {
        self.shared.nodes.report(report, self.now());
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        let engine = self.engine()?;
        let live = engine.live();
        Ok(self.shared.nodes.rows(|session| live.leases_of(session)))
    }

    async fn forget_node(&self, id: &str) -> Result<(), StoreError> {
        self.shared.nodes.forget(id);
        Ok(())
    }

    async fn close(&self) {
        self.shared.queue.close();
        // An error means that the thread has gone, which is as good.
        let _ = self.done.clone().wait_for(|done| *done).await;
    }
}
