//! What the worlds of the embedded store's tests have in common. How events are kept, attempted and damaged is
//! each world's own.

use bytes::Bytes;
use hookhaven_core::{Event, EventId, Time};
use hookhaven_store::clock::Entropy;

/// An event of Stripe's, received now.
pub fn event(now: Time, entropy: &dyn Entropy, key: &str, body: impl Into<Bytes>) -> Event {
    Event {
        digest: None,
        part: None,
        id: EventId::mint(now, entropy.id_bytes()),
        source: "stripe".into(),
        event_type: "invoice.paid".into(),
        idempotency_key: key.into(),
        received_at: now,
        occurred_at: None,
        correlation_id: "c".into(),
        matched_secret: Some(0),
        remote: "".into(),
        headers: vec![],
        body: body.into(),
    }
}
