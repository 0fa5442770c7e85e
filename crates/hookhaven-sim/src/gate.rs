//! The gate of a node: everything the node asks of the world outside its own memory goes through it.
//! Closed, the node stands still as a process does whose machine swaps or whose container is frozen, and
//! goes on later as if nothing had been. Dead, it never does.

use hookhaven_core::Time;
use hookhaven_store::clock::{Clock, Sleep};

use crate::{clock::SimClock, signal::Signal};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    Alive,
    Frozen,
    Dead,
}

/// Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Signal<Pulse>);

impl Gate {
    pub fn open() -> Self {
        Gate(Signal::new(Pulse::Alive))
    }

    pub fn pulse(&self) -> Pulse {
        self.0.get()
    }

    /// The dead stay dead.
    pub fn set(&self, pulse: Pulse) {
        if self.pulse() != Pulse::Dead {
            self.0.set(pulse);
        }
    }

    /// Goes on when the node lives; for a dead one never.
    pub async fn pass(&self) {
        self.0.is(Pulse::Alive).await;
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
