//! The worker: brings events out. It claims due deliveries from lanes that have room, makes one
//! attempt of each, and settles what follows.
//!
//! - `session` keeps the node's session; when it cannot be kept, the attempts under it are aborted
//!   before others may take them over (I3).
//! - `dispatch` is the one loop that claims. It sleeps until the store has more, an attempt ends, or
//!   a time comes (next due, end of a rest or a hold), and never polls.
//! - `lanes` says how much each lane may take. It is where I10 lives: slow and unproven destinations
//!   share half of the slots, fast ones always have the other. No I/O there.
//! - `attempt` makes one attempt of a piece of `work`, configured or published (`crate::published`); `tried` is what it came to, and
//!   `headers` what it says to a configured handler, `trace` its span.
//! - What tells people of an alert is an attempt like the others, made by a [`Teller`] (`crate::alerting`).
//! - `ask` makes attempts that a sender waits for (`crate::asking`); `answers` brings back what handlers say too late.
//! - `shared` is what workers of several nodes tell each other: pauses and breakers.
//! - `board` shares the lanes between the loop, the attempts and those who look.
//!
//! Decisions are the core's (`lifecycle`, `breaker`, `pace`); this is the part that acts. Not here:
//! upkeep of the store (`sweeps`), and where metrics go ([`WorkerSignals`]).

mod answers;
mod ask;
mod attempt;
mod board;
mod dispatch;
pub(crate) mod headers;
mod lanes;
mod session;
mod shared;
mod trace;
mod tried;
mod work;

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hookhaven_core::{ErrorClass, Lane};
use hookhaven_store::{
    SessionId, Store,
    clock::{Clock, Entropy},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{board::Board, session::Session};
pub use self::{
    lanes::{Hold, LaneView},
    shared::BreakerEntry,
};
use crate::{
    alerting::Teller,
    config::Config,
    egress::Egress,
    published::{FlowNow, Published},
    telemetry::Tracer,
};

/// Catalog kind of a destination paused by a person or by its 410s; the name is the destination's.
pub const PAUSED_KIND: &str = "destination-paused";

/// Catalog kind of a destination whose breaker is open, for all nodes; the name is the destination's.
pub const BREAKER_KIND: &str = "destination-breaker";

/// What each step of a drain allows the store beyond the limit for attempts: for the last claim, for
/// recording attempts that had ended, for closing the session.
const STORE_GRACE: Duration = Duration::from_secs(2);

/// What the worker tells of itself, for metrics and alerts. Called on the path of every attempt:
/// implementations only count.
pub trait WorkerSignals: Send + Sync + fmt::Debug {
    /// An attempt was recorded. `outcome` is `delivered`, `retry` or `dead`.
    fn attempt(
        &self,
        source: &Arc<str>,
        destination: &Arc<str>,
        event_type: &str,
        outcome: &'static str,
        class: ErrorClass,
        took: Duration,
    );
    /// From the event's arrival to its delivery.
    fn end_to_end(&self, source: &Arc<str>, destination: &Arc<str>, took: Duration);
    /// An attempt began later than the delivery's deadline.
    fn deadline_missed(&self, source: &Arc<str>, destination: &Arc<str>);
    fn retried(&self);
    /// An attempt could not be recorded, since its lease was no longer ours.
    fn lease_lost(&self);
    fn breaker(&self, destination: &Arc<str>, open: bool);
    /// A try to tell an alert to a channel was recorded. `outcome` is `told`, `retry` or `failed`.
    fn telling(&self, _destination: &str, _outcome: &'static str) {}
    /// Its 410s paused a destination, and the catalog says so.
    fn paused(&self, _destination: &Arc<str>) {}
}

/// What a worker is made of.
#[derive(Clone, Debug)]
pub struct WorkerParts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub config: Arc<ArcSwap<Config>>,
    pub transport: Arc<dyn Egress>,
    pub published: Arc<dyn Published>,
    pub teller: Arc<dyn Teller>,
    pub signals: Arc<dyn WorkerSignals>,
    pub tracer: Tracer,
}

/// Starts workers.
#[derive(Debug)]
pub struct Worker;

impl Worker {
    /// Starts the worker's tasks on the current runtime. Paused states are read from the store before
    /// anything is claimed.
    pub fn start(parts: WorkerParts) -> WorkerHandle {
        let (handle, publish) = WorkerHandle::new(parts);
        let WorkerHandle { parts, board, session, attempts, .. } = handle.clone();
        handle.keeping.spawn(session::keep(parts.clone(), publish, handle.stop_session.clone()));
        let dispatcher = dispatch::Dispatcher { parts, board, session, attempts };
        handle.claiming.spawn(dispatch::run(dispatcher, handle.stop_claiming.clone()));
        handle.claiming.close();
        handle.keeping.close();
        handle
    }
}

/// A running worker. Clones are the same worker.
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    parts: Arc<WorkerParts>,
    board: Arc<Board>,
    session: watch::Receiver<Option<Arc<Session>>>,
    attempts: TaskTracker,
    claiming: TaskTracker,
    keeping: TaskTracker,
    stop_claiming: CancellationToken,
    stop_session: CancellationToken,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Attempts that the time did not suffice for; their deliveries went back to their lanes.
    pub aborted: usize,
}

impl WorkerHandle {
    /// Nothing runs yet. The sender is for whoever keeps the session.
    fn new(parts: WorkerParts) -> (Self, watch::Sender<Option<Arc<Session>>>) {
        let parts = Arc::new(parts);
        let board = Arc::new(Board::new(parts.clock.clone(), parts.config.clone(), parts.published.clone()));
        let [stop_claiming, stop_session] = [(); 2].map(|()| CancellationToken::new());
        let [attempts, claiming, keeping] = [(); 3].map(|()| TaskTracker::new());
        let (publish, session) = watch::channel(None);
        (WorkerHandle { parts, board, session, attempts, claiming, keeping, stop_claiming, stop_session }, publish)
    }

    /// Every lane seen so far, by name, and why it gives nothing out, if it does not.
    pub fn lanes(&self) -> Vec<LaneView> {
        self.board.view()
    }

    /// Lanes that cannot be attempted for the destination's own fault (breaker open, `Retry-After`):
    /// those whose old deliveries may expire. A person's pause is not among the reasons.
    pub fn failing_lanes(&self) -> Vec<Lane> {
        self.board.failing()
    }

    /// Attempts under way.
    pub fn in_flight(&self) -> usize {
        self.board.in_flight()
    }

    /// How a flow-control key stands on this node.
    pub fn flow_now(&self, key: &str) -> FlowNow {
        self.board.flow_now(key)
    }

    /// Holds a destination back or lets it go on, at once. Keeping that over a restart (the catalog's
    /// [`PAUSED_KIND`]) is the caller's.
    pub fn set_paused(&self, destination: &str, paused: bool) {
        self.board.set_paused(destination, paused);
    }

    /// How many nodes beside this one make attempts: rates are shared out among all.
    pub fn set_others(&self, others: u32) {
        self.board.set_others(others);
    }

    /// The session that stands; `None` while there is none, and so nothing is claimed.
    pub fn session(&self) -> Option<SessionId> {
        self.session.borrow().as_ref().map(|session| session.id)
    }

    /// Whether it can make attempts: there is a session, and it is known who is paused.
    pub fn is_ready(&self) -> bool {
        self.session().is_some() && self.board.lanes().knows_pauses()
    }

    /// The config was replaced, or paused states changed in the catalog: look again.
    pub fn refresh(&self) {
        self.board.refresh();
    }

    /// Stops claiming, lets attempts under way finish for at most `timeout`, aborts the rest, and ends
    /// the session, which gives what it still holds back to its lanes. Returns in a bounded time.
    pub async fn drain(&self, timeout: Duration) -> Drained {
        self.stop_claiming.cancel();
        let _ = tokio::time::timeout(STORE_GRACE, self.claiming.wait()).await;
        self.attempts.close();
        let mut aborted = 0;
        let clock = self.board.clock();
        tokio::select! {
            biased;
            () = self.attempts.wait() => {}
            () = clock.sleep_until(clock.now().plus(timeout)) => {
                aborted = self.board.in_flight();
                self.abort();
                // Aborted ones end at once; those that had ended are being recorded.
                let _ = tokio::time::timeout(STORE_GRACE, self.attempts.wait()).await;
            }
        }
        self.stop_session.cancel();
        let _ = tokio::time::timeout(STORE_GRACE, self.keeping.wait()).await;
        Drained { aborted }
    }

    fn abort(&self) {
        if let Some(session) = &*self.session.borrow() {
            session.ended.cancel();
        }
    }
}
