//! What workers ask with and are told: sessions, lanes with due work, deliveries in hand, what becomes of them.

use std::sync::Arc;

use hookhaven_core::{Attempt, Delivery, DeliveryId, EndReason, Event, Lane, Time};

use super::NewEvent;

/// A node's session: a number that never repeats, so that a stale holder cannot settle (I3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Whether a session still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    Live,
    /// It lapsed: its leases are gone, its attempts must be aborted, a new session opened.
    Lapsed,
}

/// A lane that has room, for a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRoom {
    pub lane: Lane,
    /// How many of it this claim may take.
    pub room: usize,
    /// How many of it may be leased at any time, to all nodes together; `None`: any number.
    pub limit: Option<usize>,
}

/// A lane with work that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneDue {
    pub lane: Lane,
    /// When its head fell due.
    pub due_at: Time,
}

/// What could be claimed now, and when to look again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Lanes with due work, earliest head first.
    pub lanes: Vec<LaneDue>,
    /// When the next delivery that is not due yet will be, over all lanes not skipped.
    pub next_due: Option<Time>,
}

/// A delivery in hand: the right to attempt it once.
#[derive(Clone, Debug)]
pub struct Leased {
    pub delivery: Delivery,
    /// Makes a settle by an earlier holder a no-op.
    pub fence: u64,
    /// Number of the attempt to be made, from 1, lost ones counted.
    pub attempt_number: u32,
    /// The event, or why it could not be read back.
    pub event: Result<Arc<Event>, String>,
}

/// What becomes of a leased delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    pub delivery: DeliveryId,
    pub fence: u64,
    /// The attempt to be recorded. `None` only with `Next::Release`.
    pub attempt: Option<Attempt>,
    pub next: Next,
    /// Stored in the same commit, if the lease is still ours. Their keys are not looked at.
    pub follows: Vec<Follow>,
}

/// An event that follows from a settlement.
#[derive(Clone, Debug, PartialEq)]
pub struct Follow {
    pub event: NewEvent,
    /// Left out if the settlement ends the delivery cancelled.
    pub unless_cancelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Delivered,
    /// The attempt counted; try again then.
    ///
    /// One in a `fifo` line that would then have parked it for too long dies instead, `parked`; one that a newer
    /// version has overtaken is over, `superseded`.
    Retry {
        due_at: Time,
    },
    Dead(EndReason),
    /// Nothing was attempted: back to the lane as it was.
    Release,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// The lease was no longer ours; nothing was changed. A normal value (I3).
    LeaseLost,
}
