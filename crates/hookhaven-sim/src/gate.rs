//! The gate of a node: everything the node asks of the world outside its own memory goes through it.
//! Closed, the node stands still as a process does whose machine swaps or whose container is frozen, and
//! goes on later as if nothing had been. Dead, it never does.

use hookhaven_core::Time;
use hookhaven_store::clock::{Clock, Sleep};
use tokio::sync::watch;

use crate::clock::SimClock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    Alive,
    Frozen,
    Dead,
}

/// Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<Pulse>);

impl Gate {
    pub fn open() -> Self {
        Gate(watch::Sender::new(Pulse::Alive))
    }

    pub fn pulse(&self) -> Pulse {
        *self.0.borrow()
    }

    /// The dead stay dead.
    pub fn set(&self, pulse: Pulse) {
        self.0.send_if_modified(|now| {
            let changes = *now != Pulse::Dead && *now != pulse;
            if changes {
                *now = pulse;
            }
            changes
        });
    }

    /// Goes on when the node lives; for a dead one never.
    pub async fn pass(&self) {
        // We hold a sender ourselves, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|pulse| *pulse == Pulse::Alive).await;
    }
}

/// The clock as one node sees it: it cannot act on a time that comes while it is frozen.
#[derive(Clone, Debug)]
pub struct NodeClock {
    pub clock: SimClock,
    pub gate: Gate,
}

impl Clock for NodeClock {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn sleep_until(&self, at: Time) -> Sleep {
        let node = self.clone();
        Box::pin(async move {
            node.clock.sleep_until(at).await;
            node.gate.pass().await;
        })
    }
}
