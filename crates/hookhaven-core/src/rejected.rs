//! A rejected request: what arrived at a source and was refused because nothing proved that it is the sender's. Kept
//! for a while, so that somebody can find out why, mend it and release it.
//!
//! Its headers may hold credentials (some senders show their secret instead of signing), so nothing of them is in
//! `Debug`, and whoever shows them masks. Not here: where it is kept (the store's `quarantine`), why it was refused
//! (`diagnosis`).

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::{id::RejectedId, sender::Rejection, time::Time};

/// Of a body, so much is kept. What was longer can be looked at and not released.
pub const BODY_KEPT_BYTES_MAX: usize = 64 << 10;

/// One request, as received but for the end of a long body.
#[derive(Clone, PartialEq, Eq)]
pub struct Rejected {
    pub id: RejectedId,
    pub received_at: Time,
    /// The source that it was posted to.
    pub source: Arc<str>,
    pub reason: Rejection,
    pub method: Method,
    /// Path and query, as received.
    pub target: Arc<str>,
    /// All of them, in the order received; names in lower case.
    pub headers: Vec<(Arc<str>, Bytes)>,
    /// At most [`BODY_KEPT_BYTES_MAX`].
    pub body: Bytes,
    /// How long the body was.
    pub body_bytes: u64,
    /// The peer's address.
    pub remote: Arc<str>,
}

impl Rejected {
    /// Whether the whole body was kept, so that the signature can be tried again.
    pub fn is_whole(&self) -> bool {
        self.body.len() as u64 == self.body_bytes
    }

    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The headers as senders read them. One that HTTP would not allow is left out.
    pub fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(&**name), HeaderValue::from_bytes(value)) {
                map.append(name, value);
            }
        }
        map
    }
}

/// Without target, headers and body, where credentials may stand (I6).
impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("id", &self.id)
            .field("received_at", &self.received_at)
            .field("source", &self.source)
            .field("reason", &self.reason)
            .field("body_bytes", &self.body_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected() -> Rejected {
        Rejected {
            id: RejectedId::from_bytes([1; 16]),
            received_at: Time::EPOCH,
            source: "shop".into(),
            reason: Rejection::SignatureMismatch,
            method: Method::POST,
            target: "/webhooks/shop?token=canary-1".into(),
            headers: vec![
                ("authorization".into(), "Bearer canary-2".into()),
                ("x-two".into(), "a".into()),
                ("x-two".into(), "b".into()),
            ],
            body: "canary-3".into(),
            body_bytes: 8,
            remote: "203.0.113.7".into(),
        }
    }

    #[test]
    fn nothing_that_may_be_a_credential_is_in_debug() {
        assert!(!format!("{:?}", rejected()).contains("canary"));
    }

    #[test]
    fn path_query_and_repeated_headers_are_read_as_they_came() {
        let it = rejected();
        assert_eq!((it.path(), it.query()), ("/webhooks/shop", Some("token=canary-1")));
        assert_eq!(it.header_map().get_all("x-two").iter().count(), 2);
        assert!(it.is_whole() && !Rejected { body_bytes: 9, ..it }.is_whole());
    }
}
