//! What alerts, worker and API know of each other: how an event is told to a channel, and what this node sees just
//! now. Which alerts there are, everybody reads in the store.

use std::fmt;

use async_trait::async_trait;
use hookhaven_core::{
    ErrorClass, Event, Phases, Time,
    alert::{Episode, Silence},
};
use hookhaven_store::{Store, StoreError};

use crate::egress::{Failure, Sent};

/// Catalog kind of what all nodes know of alerts; the name is rule and scope with `/` between.
pub const ALERT_KIND: &str = "alert";
/// Catalog kind of silences; the name is the silence's id.
pub const SILENCE_KIND: &str = "alert-silence";
/// Catalog kind of what a node has counted; the name is the node's id.
pub const FIGURES_KIND: &str = "alert-figures";

/// What the delivery's destination is called, so that no configured destination is meant.
const CHANNEL: &str = "channel:";

/// Tells channels: what the worker sees of them.
#[async_trait]
pub trait Teller: Send + Sync + fmt::Debug {
    /// Tells one event to one channel, once. Everything that can go wrong is in the answer; a channel that is not
    /// there is refused.
    async fn tell(&self, destination: &str, event: &Event, now: Time) -> Sent;
}

/// What the API sees of the alerts of the running gateway.
#[async_trait]
pub trait Desk: Send + Sync + fmt::Debug {
    fn look(&self) -> Look;

    /// Tells a channel that nothing is wrong. `None`: there is no such channel.
    async fn trial(&self, channel: &str) -> Option<Sent>;
}

/// What this node saw when it last looked at the figures.
#[derive(Clone, Debug, Default)]
pub struct Look {
    pub at: Option<Time>,
    /// Of every rule and scope whose condition holds.
    pub holding: Vec<Holding>,
    /// What the store could not take yet.
    pub unsaved: Vec<Episode>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    pub rule: String,
    pub scope: String,
    pub value: f64,
    pub since: Time,
}

/// No channel is known here: for whoever runs a worker and tells nobody anything.
#[derive(Clone, Copy, Debug)]
pub struct NoChannels;

#[async_trait]
impl Teller for NoChannels {
    async fn tell(&self, destination: &str, _: &Event, _: Time) -> Sent {
        no_channel(destination)
    }
}

/// What a delivery to a channel is for.
pub fn destination_of(channel: &str) -> String {
    format!("{CHANNEL}{channel}")
}

/// The channel that a delivery is for.
pub fn channel_of(destination: &str) -> Option<&str> {
    destination.strip_prefix(CHANNEL)
}

pub fn no_channel(destination: &str) -> Sent {
    let name = channel_of(destination).unwrap_or(destination);
    failed(ErrorClass::Refused, format!("there is no [alerts.channels.{name}] in the config file"))
}

/// Nothing was sent.
pub fn failed(class: ErrorClass, error: String) -> Sent {
    let failure = Failure { class, error, status: None };
    Sent { result: Err(failure), phases: Phases::default(), duration: std::time::Duration::ZERO }
}

/// All silences that are not over, oldest first.
///
/// # Errors
/// The store cannot be asked.
pub async fn silences(store: &dyn Store, now: Time) -> Result<Vec<Silence>, StoreError> {
    let entries = store.catalog(SILENCE_KIND).await?;
    // One that cannot be read is of another version, whose nodes go by it.
    let mut all: Vec<Silence> = entries.iter().filter_map(|entry| serde_json::from_slice(&entry.value).ok()).collect();
    all.retain(|silence| now < silence.until);
    all.sort_by_key(|silence| silence.at);
    Ok(all)
}
