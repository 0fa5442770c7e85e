//! What the API shows of events, deliveries and attempts: the JSON of its answers, written here and
//! read by the command line. Times are RFC 3339 in UTC, durations carry their unit in the name.
//!
//! Views hold no secrets: credentials in headers and URLs are left out here, for every resource.

mod delivery;
mod event;
mod routing;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
pub use hookhaven_core::destination::shown_url;
use hookhaven_core::{DeliveryId, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    delivery::{AttemptView, DeliveryDetail, DeliveryView, LastAttemptView, OrderView, WaitsFor},
    event::{EventDetail, EventView, PartView},
    routing::{FindingView, GoesTo, ListedRoute, RouteView, Routing},
};
use crate::{
    headers::is_sealed,
    seal::{SEAL_BODY, SEALED},
};

/// One page of a list, newest first. `next` goes into `after` for the next one. A page with a `next` may hold fewer
/// items than asked for, or none, where most of the list is not what was asked for; then it says how far it looked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Listing<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
    /// The page ends early, because so much was looked at: everything since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_back_to: Option<Time>,
}

impl<T> Listing<T> {
    /// Everything there is.
    pub fn whole(items: Vec<T>) -> Self {
        Listing { items, next: None, looked_back_to: None }
    }
}

/// Bytes that are mostly text: a string where they are UTF-8, `{"base64": …}` where not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Text {
    Utf8(String),
    Base64 { base64: String },
}

impl Text {
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Text::Utf8(text.to_owned()),
            Err(_) => Text::Base64 { base64: BASE64_STANDARD.encode(bytes) },
        }
    }

    /// The bytes again; empty if the base64 is none.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Text::Utf8(text) => text.clone().into_bytes(),
            Text::Base64 { base64 } => BASE64_STANDARD.decode(base64).unwrap_or_default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeaderView {
    pub name: String,
    pub value: Text,
}

/// Stands in the place of a credential.
pub const REDACTED: &str = "[redacted]";

pub(super) fn headers<N: AsRef<str>>(headers: &[(N, Bytes)]) -> Vec<HeaderView> {
    let value = |name: &str, value: &Bytes| match is_sealed(&name.to_ascii_lowercase()) && name != SEALED {
        true => Text::Utf8(REDACTED.to_owned()),
        false => Text::of(value),
    };
    let shown = headers.iter().filter(|(n, _)| n.as_ref() != SEAL_BODY);
    shown.map(|(n, v)| HeaderView { name: n.as_ref().to_owned(), value: value(n.as_ref(), v) }).collect()
}

/// What became of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayAnswer {
    pub replayed: Vec<ReplayedView>,
    /// New deliveries of an event that had gone nowhere.
    pub routed: Vec<DeliveryId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayedView {
    pub delivery: DeliveryId,
    pub replaced_by: DeliveryId,
    /// It had been replayed before; nothing was done now.
    pub already: bool,
}

/// What became of a bulk act. The counts of what was not done say why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkAnswer {
    pub dry_run: bool,
    /// Dead letters that the request named.
    pub matched: u64,
    pub done: u64,
    /// Replayed or dismissed by somebody else before.
    pub already: u64,
    /// Not ended, or not a dead letter.
    pub refused: u64,
    pub unknown: u64,
    /// By filter: only what died before this was counted or touched. Given as the filter's `until`, it
    /// keeps a second request to what the first one saw.
    pub until: Option<Time>,
    /// There are more: the same request with this as `after` goes on.
    pub next: Option<DeliveryId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_brings_any_bytes_back() {
        for bytes in [&b"plain"[..], b"", b"\xff\xfe", "käse".as_bytes()] {
            let json = serde_json::to_string(&Text::of(bytes)).unwrap();
            let back: Text = serde_json::from_str(&json).unwrap();
            assert_eq!(back.to_bytes(), bytes);
        }
    }

    #[test]
    fn credentials_are_left_out() {
        let shown =
            headers(&[("Authorization", Bytes::from("Bearer s3cret")), ("x-github-event", Bytes::from("push"))]);
        assert_eq!(shown[0].value, Text::Utf8(REDACTED.into()));
        assert_eq!(shown[1].value, Text::Utf8("push".into()));
        let url = "https://user:pass@example.com/hook?token=s3cret#s3cret".parse().unwrap();
        assert_eq!(shown_url(&url), "https://example.com/hook?…");
    }
}
