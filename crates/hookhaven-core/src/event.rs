//! An event: what a verified request (or a publish) became. Stored once, immutable; its bytes are
//! kept and delivered exactly as they came (guarantee I5).

use std::{fmt, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

use crate::{id::EventId, time::Time};

/// Event type of a body that names none.
pub const UNKNOWN_TYPE: &str = "unknown";
/// Source of the events that were published to us: no configured source has this name.
pub const PUBLISHED: &str = "publish";
/// Source of the events that bring a handler's late answer to a sender: no configured source can have this name.
pub const ANSWERS: &str = "_answers";
/// Source of the events that tell people of alerts: no configured source can have this name. They count nowhere: not in
/// figures, dead letters or analysis.
pub const ALERTS: &str = "_alerts";

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
    /// Of an event that came with others in one request.
    pub part: Option<Part>,
    /// What tells its bytes from others'; of events that senders posted.
    pub digest: Option<BodyDigest>,
}

/// An event's place in the request that it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub number: u32,
    /// How many events the request held.
    pub of: u32,
    /// The body of the request; the event's own is a piece of it. `None` where it is not kept any more.
    pub whole: Option<Bytes>,
}

/// The first 16 bytes of the SHA-256 of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    pub bytes: [u8; 16],
    /// The sender signs the body and not the id: the same bytes under another id are noticed.
    pub watched: bool,
}

impl BodyDigest {
    /// The key of an event that has an unsigned id in common with an earlier one, and other bytes.
    pub fn own_key(&self, key: &str) -> String {
        format!("{key} body:{}", hex::encode(self.bytes))
    }

    pub fn of(body: &[u8], watched: bool) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest(&SHA256, body).as_ref()[..16]);
        BodyDigest { bytes, watched }
    }
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
            digest: None,
            part: None,
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
