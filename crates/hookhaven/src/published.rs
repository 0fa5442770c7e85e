//! What the worker must know of published messages, and `publish` tells it: whether a lane may give out work, what
//! an attempt sends, what follows from it. The words of the publishing API stay there, and leases, lanes and
//! settlements in the worker; neither knows the other.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use hookhaven_core::{Attempt, Delivery, Event, Lane, Time, destination::Rate};
use hookhaven_store::{Follow, Next};

use crate::egress::Outbound;

/// The side of publishing that the worker sees. Answers at once: it is asked on the path of every claim.
pub trait Published: Send + Sync + fmt::Debug {
    /// Whether people hold this lane back.
    fn is_paused(&self, lane: &Lane) -> bool;

    /// What a flow-control key allows.
    fn flow(&self, key: &str) -> FlowLimits;

    /// A message about to be attempted.
    fn message(&self, delivery: &Delivery, event: &Arc<Event>) -> Box<dyn Message>;
}

/// What a flow-control key allows, over all lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowLimits {
    /// Attempts in flight at once.
    pub parallelism: Option<NonZeroU32>,
    /// Attempts started in a period that begins with its first.
    pub rate: Option<Rate>,
    /// Held back by people.
    pub paused: bool,
    /// How often people began the count anew.
    pub resets: u64,
}

/// How a flow-control key stands on this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowNow {
    pub in_flight: u32,
    /// Attempts started in the period that runs.
    pub count: u32,
    pub period_began_at: Option<Time>,
}

/// One message, for one attempt.
pub trait Message: Send + Sync {
    /// The flow-control key it is under, if any.
    fn flow_key(&self) -> Option<&str>;

    /// What is sent: the same but for the signature, whatever the attempt.
    fn outbound(&self, retried: u32, now: Time, random: [u8; 10]) -> Outbound;

    /// The wait before the retry that comes after `retried` ones, if not the policy's.
    fn wait(&self, retried: u32) -> Option<Duration>;

    /// The events that follow from an attempt, to be stored with its settlement. `mint` makes ten random bytes.
    fn follows(&self, attempt: &Attempt, next: Next, now: Time, mint: &mut dyn FnMut() -> [u8; 10]) -> Vec<Follow>;
}
