//! A delivery: the durable duty to get one event to one destination. Pending or leased until it is
//! delivered, dead or cancelled; those three are final (I7). The way back is a replay: a new delivery
//! linked from the one it replaces (I8).

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    event::PUBLISHED,
    id::{DeliveryId, EventId},
    ordering::Order,
    retry::RetryPolicy,
    time::Time,
};

/// What a delivery waits in, fixed when it is accepted: its queue, else its flow-control key, else
/// its destination. Text of the form `d:billing`, `q:mails`, `q:mails/dlv_…`, `f:key`, `u:https://…` or, of alerts, `a:ops`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(Arc<str>);

/// Longer addresses are told apart by a digest.
const URL_BYTES_MAX: usize = 200;

impl Lane {
    pub fn of_destination(name: &str) -> Self {
        Lane(format!("d:{name}").into())
    }

    /// Of a queue. A name has no `/` in it.
    pub fn of_queue(name: &str) -> Self {
        Lane(format!("q:{name}").into())
    }

    /// Beside a queue: for what must be over before the slot of `holder`, a delivery of that queue, is free.
    /// `None` if this is no queue.
    pub fn beside(&self, holder: DeliveryId) -> Option<Self> {
        self.is_queue().then(|| Lane(format!("{}/{holder}", self.0).into()))
    }

    /// Of a flow-control key.
    pub fn of_flow(key: &str) -> Self {
        Lane(format!("f:{key}").into())
    }

    /// Of a published destination: one URL, not its host.
    pub fn of_url(url: &str) -> Self {
        if url.len() <= URL_BYTES_MAX {
            return Lane(format!("u:{url}").into());
        }
        let digest = digest(&SHA256, url.as_bytes());
        let shown: String = url.chars().take(URL_BYTES_MAX / 4).collect();
        Lane(format!("u:{shown}…{}", hex::encode(&digest.as_ref()[..16])).into())
    }

    /// Of a channel that alerts are told to.
    pub fn of_channel(name: &str) -> Self {
        Lane(format!("a:{name}").into())
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

    /// Whether of this lane only so many deliveries may be begun and not over.
    pub fn is_queue(&self) -> bool {
        self.queue().is_some() && self.holder().is_none()
    }

    /// The name of the queue that this lane is, or is beside.
    pub fn queue(&self) -> Option<&str> {
        let name = self.0.strip_prefix("q:")?;
        Some(name.split_once('/').map_or(name, |(name, _)| name))
    }

    /// In a lane beside a queue: whose slot there is kept.
    pub fn holder(&self) -> Option<DeliveryId> {
        self.0.strip_prefix("q:")?.split_once('/')?.1.parse().ok()
    }

    /// The flow-control key whose lane this is.
    pub fn flow(&self) -> Option<&str> {
        self.0.strip_prefix("f:")
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a delivery stands; `delivered`, `dead` and `cancelled` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
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
    /// It would have parked its ordering key for longer than it may.
    Parked,
    /// A newer version of the same ordering key has overtaken it.
    Superseded,
}

impl EndReason {
    pub const ALL: [EndReason; 8] = [
        Self::Exhausted,
        Self::Aborted,
        Self::Expired,
        Self::Lost,
        Self::Damaged,
        Self::Cancelled,
        Self::Parked,
        Self::Superseded,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Aborted => "aborted",
            Self::Expired => "expired",
            Self::Lost => "lost",
            Self::Damaged => "damaged",
            Self::Cancelled => "cancelled",
            Self::Parked => "parked",
            Self::Superseded => "superseded",
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
    /// When somebody asked for its end while it was in hand.
    pub cancel_asked_at: Option<Time>,
    /// Its place among those of its ordering key; `None`: it goes whenever it is due.
    pub order: Option<Arc<Order>>,
}

impl Delivery {
    /// It has just ended: if it died in a `fifo` line, it may park it.
    pub fn park(&mut self) {
        if let (DeliveryState::Dead, Some(reason), Some(at), Some(order)) =
            (self.state, self.end_reason, self.ended_at, &mut self.order)
        {
            Arc::make_mut(order).die(reason, at);
        }
    }

    /// A dead delivery neither replaced nor dismissed.
    pub fn is_dead_letter(&self) -> bool {
        self.state == DeliveryState::Dead && self.replaced_by.is_none() && self.dismissed_at.is_none()
    }
}

/// What all addresses of published messages count under; no destination of the config file may have this name.
pub const PUBLISHED_ADDRESSES: &str = "published";

/// What a destination counts under in metrics and totals: published addresses are too many to be told apart.
pub fn counted_as<'a>(source: &str, destination: &'a Arc<str>) -> &'a Arc<str> {
    static ADDRESSES: LazyLock<Arc<str>> = LazyLock::new(|| PUBLISHED_ADDRESSES.into());
    if source == PUBLISHED { &ADDRESSES } else { destination }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_says_what_it_is() {
        let id = DeliveryId::from_bytes([7; 16]);
        let queue = Lane::of_queue("mails");
        let beside = queue.beside(id).unwrap();
        assert!(queue.is_queue() && !beside.is_queue());
        assert_eq!((queue.queue(), beside.queue()), (Some("mails"), Some("mails")));
        assert_eq!((queue.holder(), beside.holder()), (None, Some(id)));
        assert_eq!(beside.beside(id), None);
        assert_eq!(Lane::of_flow("a/b").flow(), Some("a/b"));
        assert_eq!(Lane::of_destination("q:x").queue(), None);
    }

    #[test]
    fn long_addresses_are_short_lanes_of_their_own() {
        let long = |end: &str| Lane::of_url(&format!("https://h/{}{end}", "x".repeat(5_000)));
        assert!(long("a").as_str().len() < 300);
        assert_ne!(long("a"), long("b"));
        assert_eq!(Lane::of_url("https://h/").as_str(), "u:https://h/");
    }
}
