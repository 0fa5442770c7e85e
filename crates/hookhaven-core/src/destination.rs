//! A configured destination: the address of one of the team's handlers, its limits and its secrets.
//! Looked up at each attempt, so that a changed address or secret counts at once.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use crate::secret::Secret;

#[derive(Clone, PartialEq)]
pub struct Destination {
    pub name: Arc<str>,
    pub url: url::Url,
    /// Total for one attempt: connect, request, headers and the bounded read of the body.
    pub timeout: Duration,
    /// Attempts in flight at once.
    pub concurrency: NonZeroU32,
    pub rate: Option<Rate>,
    /// Sign each attempt, Standard Webhooks style: the first is current, all of them sign.
    pub secrets: Vec<Secret>,
    pub breaker: BreakerPolicy,
    /// As the config file says; a person's pause is kept in the store and comes on top.
    pub state: DestinationState,
}

/// With the URL as it may be shown (I6).
impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("name", &self.name)
            .field("url", &shown_url(&self.url))
            .field("timeout", &self.timeout)
            .field("concurrency", &self.concurrency)
            .field("rate", &self.rate)
            .field("secrets", &self.secrets)
            .field("breaker", &self.breaker)
            .field("state", &self.state)
            .finish()
    }
}

/// A URL as it may be shown: without user, password, query and fragment, where credentials stand.
pub fn shown_url(url: &url::Url) -> String {
    let mut shown = url.clone();
    let query = shown.query().is_some();
    shown.set_query(None);
    shown.set_fragment(None);
    // Both fail only for URLs that cannot have them.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    if query { format!("{shown}?…") } else { shown.to_string() }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationState {
    Active,
    /// Events are accepted, deliveries wait.
    Paused,
    /// New events make no delivery here.
    Disabled,
}

/// At most `count` attempts started per `per`, e.g. `200/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: NonZeroU32,
    pub per: Duration,
}

/// When a destination is given a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row (network, timeout, 429, 5xx) that open it.
    pub failures: NonZeroU32,
    /// How many different deliveries they must belong to: one poison event never opens it.
    pub deliveries: NonZeroU32,
    /// How long until the first probe.
    pub rest: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        BreakerPolicy {
            failures: NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN),
            deliveries: NonZeroU32::new(5).unwrap_or(NonZeroU32::MIN),
            rest: Duration::from_secs(30),
        }
    }
}
