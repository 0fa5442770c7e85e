//! A delivery: the durable duty to get one event to one destination. Pending or leased until it is
//! delivered, dead or cancelled; those three are final (I7). The way back is a replay: a new delivery
//! linked from the one it replaces (I8).

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    id::{DeliveryId, EventId},
    retry::RetryPolicy,
    time::Time,
};

/// What a delivery waits in, fixed when it is accepted: its queue, else its flow-control key, else
/// its destination. Text of the form `d:billing`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(Arc<str>);

impl Lane {
    pub fn of_destination(name: &str) -> Self {
        Lane(format!("d:{name}").into())
    }

    /// From its stored text.
    pub fn from_text(text: &str) -> Self {
        Lane(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The configured destination whose lane this is.
    pub fn destination(&self) -> Option<&str> {
        self.0.strip_prefix("d:")
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Pending,
    Leased,
    Delivered,
    Dead,
    Cancelled,
}

impl DeliveryState {
    pub fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Dead | Self::Cancelled)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Leased => "leased",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a delivery ended dead or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The retry policy's attempts are used up.
    Exhausted,
    /// The handler said not to try again.
    Aborted,
    /// The route's `max_age` passed while it could not be attempted.
    Expired,
    /// Five attempts in a row were lost with the node that made them.
    Lost,
    /// The stored event could not be read back.
    Damaged,
    /// A person cancelled it.
    Cancelled,
}

impl EndReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Aborted => "aborted",
            Self::Expired => "expired",
            Self::Lost => "lost",
            Self::Damaged => "damaged",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The delivery policy, kept as it was when the event was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub retry: RetryPolicy,
    /// How soon after it is due an attempt should begin; orders lanes against each other.
    pub deadline: Duration,
    /// Ends the delivery dead when it is older than this and could not be attempted.
    pub max_age: Duration,
    pub critical: bool,
}

/// One delivery, whole, as the store gives it to those who ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub event: EventId,
    pub source: Arc<str>,
    pub event_type: Arc<str>,
    pub destination: Arc<str>,
    pub lane: Lane,
    /// Name of the route that asked for it.
    pub route: Arc<str>,
    pub policy: Arc<Policy>,
    pub accepted_at: Time,
    /// When the next attempt is due; meaningless once final.
    pub due_at: Time,
    /// Attempts that counted against the retry policy so far.
    pub attempts: u32,
    /// Attempts made in all, lost ones too.
    pub tries: u32,
    /// Attempts lost in a row.
    pub lost: u32,
    pub state: DeliveryState,
    pub ended_at: Option<Time>,
    pub end_reason: Option<EndReason>,
    /// The dead delivery that this one replays.
    pub replaces: Option<DeliveryId>,
    pub replaced_by: Option<DeliveryId>,
    pub dismissed_at: Option<Time>,
}

impl Delivery {
    /// A dead delivery neither replaced nor dismissed.
    pub fn is_dead_letter(&self) -> bool {
        self.state == DeliveryState::Dead && self.replaced_by.is_none() && self.dismissed_at.is_none()
    }
}
