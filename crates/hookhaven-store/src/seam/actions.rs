//! What is done with stored events and deliveries because somebody asked for it, and what came of that: replays,
//! further deliveries, dismissals, cancelling.

use hookhaven_core::{DeliveryId, EventId};

use super::NewDelivery;

/// What became of a replay of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    New(DeliveryId),
    /// Somebody replayed it before; this is the delivery that replaced it.
    Already(DeliveryId),
    /// It has not ended; there is nothing to replay.
    NotEnded,
    Unknown,
}

/// A replay whose new delivery has an id of the asker's choosing: asked again, it shows whether it was the same asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayAs {
    /// The delivery that ended.
    pub delivery: DeliveryId,
    /// The one to take its place. Nobody else may use this id.
    pub new: DeliveryId,
}

/// A further delivery of a stored event, known by the id that its asker chose.
#[derive(Clone, Debug, PartialEq)]
pub struct Redelivery {
    pub event: EventId,
    pub delivery: NewDelivery,
}

/// What became of a wish for a further delivery of a stored event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivered {
    New,
    /// There is or was a delivery with this id.
    Already,
    /// There is no such event.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dismissed {
    Done,
    /// Not a dead letter: not dead, replaced, or dismissed before.
    NotDeadLetter,
    Unknown,
}

/// What became of a wish to end a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It has ended, cancelled.
    Done,
    /// It is in hand: if that attempt succeeds it is delivered, else it ends cancelled and is not tried again.
    Asked,
    /// It had ended, or somebody had asked before.
    Before,
    Unknown,
}

/// What became of a wish to deliver a stored event to destinations it did not go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// The deliveries made; those to destinations it already had a delivery for are left out.
    Made(Vec<DeliveryId>),
    Unknown,
}
