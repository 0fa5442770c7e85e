//! The lanes, shared: the dispatcher claims by them, attempts report to them, people look at them. The
//! lock is held for arithmetic only, never across an await.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use hookhaven_core::{DeliveryId, Destination, Lane, lifecycle::Decision};
use hookhaven_store::clock::Clock;
use tokio::sync::Notify;

use super::lanes::{Effect, Hold, LaneView, Lanes, Ticket};
use crate::{
    config::Config,
    published::{FlowNow, Published},
};

#[derive(Debug)]
pub struct Board {
    lanes: Mutex<Lanes>,
    clock: Arc<dyn Clock>,
    config: Arc<ArcSwap<Config>>,
    /// There may be more room than before.
    changed: Notify,
    /// Paused states, and what other nodes say, are to be read from the store before the next claim.
    reread: AtomicBool,
    /// Counts the beginnings and ends of what this node tells others: what was read meanwhile may be older.
    tellings: AtomicU64,
}

impl Board {
    pub fn new(clock: Arc<dyn Clock>, config: Arc<ArcSwap<Config>>, published: Arc<dyn Published>) -> Self {
        let reread = AtomicBool::new(true);
        Board {
            lanes: Mutex::new(Lanes::new(published)),
            clock,
            config,
            changed: Notify::new(),
            reread,
            tellings: AtomicU64::new(0),
        }
    }

    pub fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    pub fn changed(&self) -> &Notify {
        &self.changed
    }

    /// An attempt of this lane starts; the slot is given back when what is returned is dropped.
    pub fn start(self: &Arc<Self>, lane: &Lane) -> Slot {
        let config = self.config.load();
        let destination = lane.destination().and_then(|name| config.destinations.get(name));
        let ticket = self.lanes().started(lane, destination.map(|d| &**d), self.clock.now());
        Slot { board: self.clone(), ticket: Some(ticket) }
    }

    /// Room for an attempt that begins at once, and how many of the lane all nodes together may have in hand.
    pub fn seat(self: &Arc<Self>, lane: &Lane) -> Option<(Slot, Option<usize>)> {
        let config = self.config.load();
        let (ticket, limit) = self.lanes().seat(lane, &config, self.clock.now())?;
        Some((Slot { board: self.clone(), ticket: Some(ticket) }, limit))
    }

    pub fn set_paused(&self, destination: &str, paused: bool) {
        self.lanes().set_paused(destination, paused);
        self.changed.notify_one();
    }

    pub fn set_all_paused(&self, destinations: HashSet<String>) {
        self.lanes().set_all_paused(destinations);
    }

    pub fn refresh(&self) {
        self.reread.store(true, Ordering::SeqCst);
        self.changed.notify_one();
    }

    /// Paused states could not be read. The dispatcher knows and comes again by itself: waking it now would
    /// make it ask a store that fails as fast as it can.
    pub fn reread_later(&self) {
        self.reread.store(true, Ordering::SeqCst);
    }

    /// Whether paused states are to be read again. The answer is given once.
    pub fn take_reread(&self) -> bool {
        self.reread.swap(false, Ordering::SeqCst)
    }

    pub fn tellings(&self) -> u64 {
        self.tellings.load(Ordering::SeqCst)
    }

    /// Something is told to other nodes: from now on, or until now.
    pub fn telling(&self) {
        self.tellings.fetch_add(1, Ordering::SeqCst);
    }

    pub fn set_others(&self, others: u32) {
        self.lanes().set_others(others);
        self.changed.notify_one();
    }

    pub fn view(&self) -> Vec<LaneView> {
        self.lanes().view(&self.config.load(), self.clock.now())
    }

    pub fn failing(&self) -> Vec<Lane> {
        let views = self.view();
        views.into_iter().filter(|v| v.hold.is_some_and(Hold::is_failing)).map(|v| v.lane).collect()
    }

    pub fn flow_now(&self, key: &str) -> FlowNow {
        self.lanes().flow_now(key, self.clock.now())
    }

    pub fn in_flight(&self) -> usize {
        self.lanes().in_flight()
    }
}

/// A slot held by an attempt under way. Dropped without [`Slot::finish`], whatever the reason, it is
/// given back and the destination is none the wiser.
#[derive(Debug)]
pub struct Slot {
    board: Arc<Board>,
    ticket: Option<Ticket>,
}

impl Slot {
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Whether this attempt is to show how its destination is.
    pub fn is_probe(&self) -> bool {
        self.ticket.as_ref().is_some_and(Ticket::is_probe)
    }

    /// Whether it still is, after what other nodes said.
    pub fn may_probe(&self) -> bool {
        self.ticket.as_ref().is_some_and(|ticket| self.board.lanes().may_probe(ticket))
    }

    /// Whether a flow-control key that is not its lane's lets it through now.
    pub fn pass(&mut self, key: &str) -> bool {
        let board = self.board.clone();
        self.ticket.as_mut().is_some_and(|ticket| board.lanes().pass(ticket, key, board.clock.now()))
    }

    /// The attempt ended; what is left to do is to record it.
    pub fn finish(
        mut self,
        delivery: DeliveryId,
        decision: &Decision,
        destination: Option<&Destination>,
    ) -> (Effect, Settling) {
        let board = self.board.clone();
        let mut lanes = board.lanes();
        lanes.settling();
        let told = Some((delivery, decision, destination));
        let ticket = self.ticket.take();
        let effect = ticket.map(|t| lanes.finished(t, told, board.clock.now())).unwrap_or_default();
        drop(lanes);
        board.changed.notify_one();
        (effect, Settling { board })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.board.lanes().finished(ticket, None, self.board.clock.now());
            self.board.changed.notify_one();
        }
    }
}

/// An ended attempt that is being recorded; counts against the worker's slots, no longer against its
/// lane's.
#[derive(Debug)]
pub struct Settling {
    board: Arc<Board>,
}

impl Drop for Settling {
    fn drop(&mut self) {
        self.board.lanes().settled();
        self.board.changed.notify_one();
    }
}
