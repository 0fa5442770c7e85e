//! A configured destination: the address of one of the team's handlers, its limits and its secrets.
//! Looked up at each attempt, so that a changed address or secret counts at once.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use crate::secret::Secret;

#[derive(Clone, Debug, PartialEq)]
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
