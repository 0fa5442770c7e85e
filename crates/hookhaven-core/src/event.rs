//! An event: what a verified request (or a publish) became. Stored once, immutable; its bytes are
//! kept and delivered exactly as they came (guarantee I5).

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::{id::EventId, time::Time};

/// Event type of a body that names none.
pub const UNKNOWN_TYPE: &str = "unknown";
/// Source of the events that were published to us: no configured source has this name.
pub const PUBLISHED: &str = "publish";

/// One stored event.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    /// Name of the source it came in by; `publish` for published ones.
    pub source: Arc<str>,
    /// The sender's word for what happened, or [`UNKNOWN_TYPE`].
    pub event_type: Arc<str>,
    /// What makes two requests the same event within the source.
    pub idempotency_key: Arc<str>,
    pub received_at: Time,
    /// When it happened, by the sender's own account.
    pub occurred_at: Option<Time>,
    /// The caller's `X-Request-Id` or trace id if well formed, else ours.
    pub correlation_id: Arc<str>,
    /// Position in the source's list of secrets of the one that matched; `None` if unverified.
    pub matched_secret: Option<u8>,
    /// Address of the peer, as text; empty if unknown.
    pub remote: Arc<str>,
    /// The useful request headers, in order, lower-case names, values as received. Bounded by ingest.
    pub headers: Vec<(Arc<str>, Bytes)>,
    pub body: Bytes,
}

impl Event {
    /// Whether it was published, and not posted to a source.
    pub fn is_published(&self) -> bool {
        &*self.source == PUBLISHED
    }

    /// First value of a header, by lower-case name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| &**n == name).map(|(_, v)| &v[..])
    }
}

/// Without the body, which is the customer's.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("event_type", &self.event_type)
            .field("received_at", &self.received_at)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! An event for tests of what routes look at.

    use super::*;

    pub(crate) fn event_with(headers: &[(&str, &str)], body: &[u8]) -> Event {
        Event {
            id: EventId::from_bytes([1; 16]),
            source: "stripe".into(),
            event_type: "invoice.paid".into(),
            idempotency_key: "key".into(),
            received_at: Time::EPOCH,
            occurred_at: None,
            correlation_id: "c".into(),
            matched_secret: None,
            remote: "".into(),
            headers: headers.iter().map(|(n, v)| (Arc::from(*n), Bytes::copy_from_slice(v.as_bytes()))).collect(),
            body: Bytes::copy_from_slice(body),
        }
    }
}
