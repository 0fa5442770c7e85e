//! The memory store: the live state plus plain maps of everything that happened. Nothing survives the
//! process. It is the reference that the conformance suite was written against, and serves tests and
//! play (`store.url = "memory:"`).

mod past;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use hookhaven_core::{Attempt, DeliveryId, Event, EventId, Lane};
use tokio::sync::{Notify, watch};

use self::past::Maps;
use crate::{
    clock::{Clock, Entropy},
    live::{Claimed, Live},
    nodes::Nodes,
    position::Position,
    rules::{Accepting, Answer, Command, Decision, Rules, Touched},
    seam::*,
};

/// Pending deliveries unless told otherwise.
const PENDING_MAX: u64 = 2_000_000;

#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    wake: Arc<Notify>,
    changes: watch::Sender<Changes>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pending_max: u64,
    nodes: Nodes,
}

#[derive(Debug, Default)]
struct State {
    live: Live,
    maps: Maps,
    closed: bool,
    dismissed_by_age: u64,
}

impl State {
    fn leased(&self, claimed: Claimed) -> Leased {
        Leased {
            event: self.maps.event(claimed.delivery.event).ok_or_else(|| "the event is not there".to_owned()),
            delivery: claimed.delivery,
            fence: claimed.fence,
            attempt_number: claimed.attempt_number,
        }
    }
}

impl MemoryStore {
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self::with_pending_max(clock, entropy, PENDING_MAX)
    }

    pub fn with_pending_max(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, pending_max: u64) -> Self {
        let (state, wake, changes, nodes) = Default::default();
        MemoryStore { state, wake, changes, clock, entropy, pending_max, nodes }
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        if state.closed {
            return Err(StoreError::Unavailable("the store is closed".to_owned()));
        }
        Ok(state)
    }

    /// Decides and applies one command at a time: every batch is one command.
    fn run(&self, mut command: Command) -> Result<Answer, StoreError> {
        let mut state = self.state()?;
        let State { live, maps, .. } = &mut *state;
        let (entropy, now, pending_max) = (&*self.entropy, self.clock.now(), self.pending_max);
        let mut rules = Rules { live, history: &*maps, entropy, now, pending_max };
        let decision = rules.decide(&mut command, &mut Touched::default())?;
        let Decision::Go { changes, answer } = decision else {
            return Err(StoreError::Failed("a command alone in its batch had to wait".to_owned()));
        };
        let mut more = false;
        for (record, recalled) in changes {
            more |= live.apply(&record, Position::NONE, recalled);
            maps.apply(&record, live);
            live.forget(Position::NONE);
        }
        drop(state);
        if more {
            self.wake.notify_one();
        }
        Ok(answer)
    }
}

/// The answer a command gives by its kind; another kind is a bug of ours, told as such.
macro_rules! answer_of {
    ($answer:expr, $kind:path) => {
        match $answer? {
            $kind(value) => Ok(value),
            other => Err(StoreError::Failed(format!("an answer of another kind: {other:?}"))),
        }
    };
}

#[async_trait]
impl Store for MemoryStore {
    fn ready(&self, leave: Leave) -> Result<(), StoreError> {
        let state = self.state()?;
        if state.live.pending_len() >= leave.of(self.pending_max) {
            return Err(StoreError::Full { limit: "store.pending_max", value: self.pending_max });
        }
        Ok(())
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let accept = |new: NewEvent| answer_of!(self.run(Command::Accept(new.into())), Answer::Accepted);
        events.into_iter().map(accept).collect()
    }

    async fn accept_together(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let all = events.into_iter().map(Accepting::from).collect();
        answer_of!(self.run(Command::AcceptTogether(all)), Answer::AcceptedTogether)
    }

    fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    async fn open_session(&self, ttl: Duration) -> Result<SessionId, StoreError> {
        Ok(self.state()?.live.open_session(ttl, self.clock.now()))
    }

    async fn renew_session(&self, session: SessionId) -> Result<Renewed, StoreError> {
        Ok(self.state()?.live.renew_session(session, self.clock.now()))
    }

    async fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        if self.state()?.live.close_session(session) {
            self.wake.notify_one();
        }
        Ok(())
    }

    async fn due(&self, skip: &[Lane], limit: usize) -> Result<Due, StoreError> {
        Ok(self.state()?.live.due(skip, limit, self.clock.now()))
    }

    async fn claim(&self, session: SessionId, lanes: &[LaneRoom], max: usize) -> Result<Vec<Leased>, StoreError> {
        let mut state = self.state()?;
        let claimed = state.live.claim(session, lanes, max, self.clock.now());
        Ok(claimed.into_iter().map(|c| state.leased(c)).collect())
    }

    async fn claim_one(
        &self,
        session: SessionId,
        delivery: DeliveryId,
        limit: Option<usize>,
    ) -> Result<Option<Leased>, StoreError> {
        let mut state = self.state()?;
        let claimed = state.live.claim_one(session, delivery, limit, self.clock.now());
        Ok(claimed.map(|c| state.leased(c)))
    }

    async fn settle(&self, session: SessionId, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        let settle = |settlement| answer_of!(self.run(Command::Settle { session, settlement }), Answer::Settled);
        settlements.into_iter().map(settle).collect()
    }

    async fn release_lapsed(&self) -> Result<usize, StoreError> {
        answer_of!(self.run(Command::ReleaseLapsed), Answer::Count)
    }

    async fn expire(&self, lanes: &[Lane]) -> Result<usize, StoreError> {
        answer_of!(self.run(Command::Expire { lanes: lanes.to_vec() }), Answer::Count)
    }

    async fn replay(&self, deliveries: &[DeliveryId]) -> Result<Vec<Replayed>, StoreError> {
        let replay = |id: &DeliveryId| Command::Replay { delivery: *id, new: None };
        deliveries.iter().map(|id| answer_of!(self.run(replay(id)), Answer::Replayed)).collect()
    }

    async fn replay_as(&self, replays: &[ReplayAs]) -> Result<Vec<Replayed>, StoreError> {
        let replay = |r: &ReplayAs| Command::Replay { delivery: r.delivery, new: Some(r.new) };
        replays.iter().map(|r| answer_of!(self.run(replay(r)), Answer::Replayed)).collect()
    }

    async fn redeliver(&self, redeliveries: Vec<Redelivery>) -> Result<Vec<Redelivered>, StoreError> {
        let one = |wanted| answer_of!(self.run(Command::Redeliver(wanted)), Answer::Redelivered);
        redeliveries.into_iter().map(one).collect()
    }

    async fn route(&self, event: EventId, deliveries: Vec<NewDelivery>) -> Result<Routed, StoreError> {
        answer_of!(self.run(Command::Route { event, deliveries }), Answer::Routed)
    }

    async fn dismiss(&self, deliveries: &[DeliveryId]) -> Result<Vec<Dismissed>, StoreError> {
        deliveries.iter().map(|id| answer_of!(self.run(Command::Dismiss(*id)), Answer::Dismissed)).collect()
    }

    async fn cancel(&self, deliveries: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        deliveries.iter().map(|id| answer_of!(self.run(Command::Cancel(*id)), Answer::Cancelled)).collect()
    }

    async fn put_catalog(&self, entry: CatalogEntry) -> Result<(), StoreError> {
        self.run(Command::PutCatalog(entry))?;
        self.changes.send_modify(|changes| changes.catalog += 1);
        Ok(())
    }

    async fn add_catalog(&self, entry: CatalogEntry) -> Result<CatalogEntry, StoreError> {
        let stands = answer_of!(self.run(Command::AddCatalog(entry)), Answer::Stands)?;
        self.changes.send_modify(|changes| changes.catalog += 1);
        Ok(stands)
    }

    async fn delete_catalog(&self, kind: &str, name: &str) -> Result<(), StoreError> {
        self.run(Command::DeleteCatalog { kind: kind.to_owned(), name: name.to_owned() })?;
        self.changes.send_modify(|changes| changes.catalog += 1);
        Ok(())
    }

    fn changes(&self) -> watch::Receiver<Changes> {
        self.changes.subscribe()
    }

    async fn catalog(&self, kind: &str) -> Result<Vec<CatalogEntry>, StoreError> {
        Ok(self.state()?.live.catalog(kind))
    }

    async fn look_events(
        &self,
        filter: &EventFilter,
        page: Page<EventId>,
    ) -> Result<Looked<EventRow, EventId>, StoreError> {
        let state = self.state()?;
        Ok(Looked::whole(state.maps.events(filter, page, &state.live)))
    }

    async fn search(
        &self,
        text: &Needle,
        filter: &EventFilter,
        after: Option<EventId>,
    ) -> Result<Searched, StoreError> {
        let state = self.state()?;
        Ok(state.maps.search(text, filter, after, &state.live))
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        Ok(self.state()?.maps.event(id))
    }

    async fn look_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<DeliveryRow, DeliveryId>, StoreError> {
        let state = self.state()?;
        Ok(Looked::whole(state.maps.deliveries(filter, page, &state.live)))
    }

    async fn newest_dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(self.state()?.maps.newest_dead_letters(limit))
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        let state = self.state()?;
        Ok(state.maps.row(id, &state.live))
    }

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        Ok(self.state()?.maps.attempts(delivery))
    }

    async fn attempts_after(&self, after: AttemptAt, limit: usize) -> Result<Vec<AttemptRow>, StoreError> {
        let state = self.state()?;
        Ok(state.maps.attempts_after(after, limit, &state.live))
    }

    async fn steps(&self, filter: &StepFilter, page: Page<u64>) -> Result<Vec<Step>, StoreError> {
        Ok(self.state()?.maps.steps(filter, page))
    }

    async fn lane_sizes(&self, lanes: &[Lane]) -> Result<Vec<LaneSize>, StoreError> {
        let state = self.state()?;
        Ok(lanes.iter().map(|lane| state.live.lane_size(lane)).collect())
    }

    async fn in_line(&self, deliveries: &[DeliveryId]) -> Result<Vec<Option<InLine>>, StoreError> {
        let (state, now) = (self.state()?, self.clock.now());
        Ok(deliveries.iter().map(|id| state.live.in_line(*id, now)).collect())
    }

    async fn retain(&self, retention: Retention) -> Result<Retained, StoreError> {
        let old = retention.dead_before.map(|before| self.state().map(|state| state.maps.dead_letters_before(before)));
        let mut retained = Retained::default();
        for id in old.transpose()?.unwrap_or_default() {
            let answer = answer_of!(self.run(Command::Dismiss(id)), Answer::Dismissed)?;
            retained.dismissed += u64::from(answer == Dismissed::Done);
        }
        let mut state = self.state()?;
        state.dismissed_by_age += retained.dismissed;
        retained.events = state.maps.forget_events(retention.before);
        retained.keys = state.maps.forget_keys(self.clock.now());
        Ok(retained)
    }

    async fn backup(&self, _: &Path, _: OnBackup) -> Result<BackupProgress, StoreError> {
        Err(StoreError::Refused("this store keeps nothing on disk (store.url = \"memory:\")".into()))
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let state = self.state()?;
        Ok(Stats {
            depths: state.live.depths(),
            oldest_due: state.live.oldest_due(self.clock.now()),
            pending: state.live.pending_len(),
            pending_max: self.pending_max,
            sessions: state.live.sessions_len(),
            oldest_event: state.maps.oldest_event(),
            kept_back: state.live.kept_back(self.clock.now()),
            superseded: state.live.superseded(),
            dismissed_by_age: state.dismissed_by_age,
            ..Stats::default()
        })
    }

    async fn report_node(&self, report: NodeReport) -> Result<(), StoreError> {
        self.nodes.report(report, self.clock.now());
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        let state = self.state()?;
        Ok(self.nodes.rows(|session| state.live.leases_of(session)))
    }

    async fn forget_node(&self, id: &str) -> Result<(), StoreError> {
        self.nodes.forget(id);
        Ok(())
    }

    async fn close(&self) {
        self.state.lock().unwrap_or_else(|e| e.into_inner()).closed = true;
    }
}
