//! What the rules ask of the past: things that left the live state because they ended or were indexed.
//! The memory store answers from maps, the embedded store from its index.
//!
//! Answers may lag behind the live state; the rules consult the live state first.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use hookhaven_core::{Delivery, DeliveryId, Event, EventId, LineId, Time, Version};

use crate::{position::Position, seam::StoreError};

/// Sixteen bytes that stand for an idempotency key within its source: a truncated SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(pub [u8; 16]);

impl KeyDigest {
    /// Stands for the bytes of an event within its source, whatever its id.
    pub fn of_bytes(source: &str, body: &[u8; 16]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(source.as_bytes());
        context.update(&[0, 0]);
        context.update(body);
        KeyDigest::first_of(context)
    }

    pub fn of(source: &str, key: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(source.as_bytes());
        context.update(&[0]);
        context.update(key.as_bytes());
        KeyDigest::first_of(context)
    }

    fn first_of(context: Context) -> Self {
        let mut digest = [0; 16];
        digest.copy_from_slice(&context.finish().as_ref()[..16]);
        KeyDigest(digest)
    }
}

/// Who holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHeld {
    pub event: EventId,
    /// Of the event's body, if known.
    pub body: Option<[u8; 16]>,
}

/// The keys that an event holds from its acceptance on: that of its id, and that of its bytes if they are watched.
pub fn keys_of(event: &Event) -> impl Iterator<Item = (KeyDigest, KeyHeld)> + use<> {
    let of_id = KeyDigest::of(&event.source, &event.idempotency_key);
    let of_bytes = event.digest.filter(|d| d.watched).map(|d| KeyDigest::of_bytes(&event.source, &d.bytes));
    let id = event.id;
    let body = event.digest.map(|d| d.bytes);
    std::iter::once((of_id, KeyHeld { event: id, body }))
        .chain(of_bytes.map(|key| (key, KeyHeld { event: id, body: None })))
}

/// A delivery that has ended, with the place of its event.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    pub delivery: Delivery,
    pub event_at: Position,
}

/// A stored event, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastEvent {
    pub source: Arc<str>,
    pub event_type: Arc<str>,
    pub event_at: Position,
}

pub trait History {
    /// The event that holds this key at `now`, if its window has not passed.
    fn key(&self, key: KeyDigest, now: Time) -> Result<Option<KeyHeld>, StoreError>;

    /// The newest version that a line has had, as long as its event is kept.
    fn newest(&self, line: LineId) -> Result<Option<Version>, StoreError>;

    /// A delivery, whatever its state.
    fn delivery(&self, id: DeliveryId) -> Result<Option<Past>, StoreError>;

    /// Dead deliveries of an event, neither replaced nor dismissed.
    fn dead_letters_of(&self, event: EventId) -> Result<Vec<Past>, StoreError>;

    fn event(&self, id: EventId) -> Result<Option<PastEvent>, StoreError>;

    /// Destinations that the event has or had a delivery for.
    fn destinations_of(&self, event: EventId) -> Result<Vec<Arc<str>>, StoreError>;
}
