//! Records: what happened, in the order it happened. The journal is a list of them, and the state of
//! the store is a function of that list.

use std::sync::Arc;

use hookhaven_core::{
    Attempt, Delivery, DeliveryId, DeliveryState, EndReason, Event, EventId, Lane, Order, Policy, Time,
};

use crate::{
    history::KeyDigest,
    position::Position,
    seam::{CatalogEntry, NewDelivery},
};

/// One thing that happened. Whole or not at all: a record is one frame of the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// An event with its key and its deliveries.
    Accepted {
        event: Arc<Event>,
        key_until: Time,
        deliveries: Vec<NewDelivery>,
    },
    /// An attempt and the delivery's new state.
    Settled(SettledRecord),
    /// A new delivery of a stored event, which lies at `event_at`. `replaces` is the ended one it is
    /// linked from; `None` when the event had none for that destination.
    Redelivered {
        at: Time,
        event: EventId,
        source: Arc<str>,
        event_type: Arc<str>,
        event_at: Position,
        replaces: Option<DeliveryId>,
        delivery: NewDelivery,
    },
    Dismissed {
        at: Time,
        delivery: DeliveryId,
    },
    /// Somebody wants the end of a delivery that is in hand.
    CancelAsked {
        at: Time,
        delivery: DeliveryId,
    },
    CatalogPut {
        at: Time,
        entry: CatalogEntry,
    },
    CatalogDeleted {
        at: Time,
        kind: String,
        name: String,
    },
    /// An event that outlives the segment it lay in, with all that became of it. From here on this is
    /// its place.
    Carried(Box<CarriedRecord>),
    /// Keys inside their window whose events do not outlive their segment.
    CarriedKeys {
        at: Time,
        keys: Vec<CarriedKey>,
    },
    /// Whatever still lies in segments up to this one has gone.
    Removed(RemovedRecord),
}

/// An event as it stood when it was carried.
#[derive(Clone, Debug, PartialEq)]
pub struct CarriedRecord {
    pub at: Time,
    pub event: Arc<Event>,
    /// `None` when the window of its key had passed: the key may be another event's by now.
    pub key_until: Option<Time>,
    /// All its deliveries.
    pub deliveries: Vec<CarriedDelivery>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CarriedDelivery {
    /// Never `Leased`: a lease is no record.
    pub delivery: Delivery,
    /// First to last, those left out that could not be read.
    pub attempts: Vec<Arc<Attempt>>,
}

impl CarriedDelivery {
    pub fn new(mut delivery: Delivery, attempts: Vec<Arc<Attempt>>) -> Self {
        if delivery.state == DeliveryState::Leased {
            delivery.state = DeliveryState::Pending;
        }
        CarriedDelivery { delivery, attempts }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarriedKey {
    pub digest: KeyDigest,
    pub event: EventId,
    pub until: Time,
    /// Of the event's body, if known.
    pub body: Option<[u8; 16]>,
}

/// The end of segments, written when everything in them that lives was carried and before they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedRecord {
    pub at: Time,
    /// The last segment that goes.
    pub upto: u32,
    /// No event that goes has an id below or above these.
    pub first_event: EventId,
    pub last_event: EventId,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SettledRecord {
    pub at: Time,
    pub delivery: DeliveryId,
    /// `None` when it ended without one (expired).
    pub attempt: Option<Arc<Attempt>>,
    pub to: SettledTo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettledTo {
    Delivered,
    Retry {
        due_at: Time,
    },
    /// The attempt was lost with its node: costs no retry; `lost` in a row so far.
    Lost {
        due_at: Time,
        lost: u32,
    },
    Dead(EndReason),
    Cancelled,
    /// Overtaken by a newer version.
    Superseded,
}

/// Everything that fixes a delivery when it is made; shared by `Accepted` and `Redelivered`.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryBirth {
    pub id: DeliveryId,
    pub event: EventId,
    pub source: Arc<str>,
    pub event_type: Arc<str>,
    pub destination: Arc<str>,
    pub lane: Lane,
    pub route: Arc<str>,
    pub policy: Arc<Policy>,
    pub accepted_at: Time,
    pub due_at: Time,
    pub replaces: Option<DeliveryId>,
    pub order: Option<Arc<Order>>,
}
