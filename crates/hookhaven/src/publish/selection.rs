//! Which messages, dead letters or log entries a call means: by ids, by filters, or all of them. From the
//! query (the JS client) and from a JSON body (the Python client).
//!
//! A call without any selection means everything, so a parameter that is not understood is an error: a typo
//! must not cancel all that waits.

mod read;

use hookhaven_core::Time;
use http::Uri;

pub use self::read::{from_json, from_query};
use super::message::Message;

/// What is selected from; each takes other parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `DELETE /v2/messages`
    Messages,
    /// `/v2/dlq` and what follows
    DeadLetters,
    /// `/v2/events`, `/v2/logs`
    Logs,
}

/// All that is set must hold; several values of one field are alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Explicit ids, unparsed: unknown ones are skipped, and none at all selects nothing.
    pub ids: Option<Vec<String>>,
    /// One message's dead letter or log entries.
    pub message: Option<String>,
    pub urls: Vec<String>,
    pub hosts: Vec<String>,
    pub paths: Vec<String>,
    pub groups: Vec<String>,
    pub queues: Vec<String>,
    pub schedules: Vec<String>,
    pub labels: Vec<String>,
    pub flow_keys: Vec<String>,
    pub callers: Vec<String>,
    pub statuses: Vec<u16>,
    pub states: Vec<String>,
    /// Inclusive.
    pub from: Option<Time>,
    /// Inclusive, to the millisecond.
    pub until: Option<Time>,
    pub count: Option<usize>,
    pub cursor: Option<String>,
    /// Asked for explicitly; what is first by default depends on the list.
    pub oldest_first: Option<bool>,
}

impl Selection {
    /// Whether a message is meant, by everything but ids, times, states and statuses.
    pub fn matches(&self, message: &Message) -> bool {
        let settings = &message.settings;
        one_of(&self.urls, Some(&*message.url))
            && (self.hosts.is_empty() || hosts(&message.url).iter().any(|host| one_of(&self.hosts, Some(host))))
            && (self.paths.is_empty() || one_of(&self.paths, path(&message.url).as_deref()))
            && one_of(&self.groups, message.group.as_deref())
            && one_of(&self.queues, message.queue.as_deref())
            && one_of(&self.schedules, message.schedule.as_deref())
            && (self.labels.is_empty() || settings.labels.iter().any(|label| self.labels.contains(label)))
            && one_of(&self.flow_keys, settings.flow.as_ref().map(|flow| &*flow.key))
            && one_of(&self.callers, message.caller.as_deref())
            && self.message.as_ref().is_none_or(|id| *id == message.id)
    }

    /// Whether a delivery alone tells whether it is meant, so that no event has to be read.
    pub fn is_about_deliveries(&self) -> bool {
        let about_events = [&self.schedules, &self.labels, &self.flow_keys, &self.callers];
        about_events.into_iter().all(Vec::is_empty)
    }

    /// Whether a time lies within the dates.
    pub fn covers(&self, at: Time) -> bool {
        let until = self.until.is_none_or(|until| at.as_ms() <= until.as_ms());
        until && self.from.is_none_or(|from| at.as_ms() >= from.as_ms())
    }

    pub fn status(&self, status: u16) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }

    pub fn state(&self, state: &str) -> bool {
        self.states.is_empty() || self.states.iter().any(|wanted| wanted == state)
    }

    /// The first millisecond after the last one meant.
    pub fn before(&self) -> Option<Time> {
        self.until.map(|until| Time::from_ms(until.as_ms().saturating_add(1)).min(Time::MAX))
    }

    /// Whether it names nothing in particular.
    pub fn is_everything(&self) -> bool {
        let plain = Selection { count: self.count, cursor: self.cursor.clone(), ..Selection::default() };
        *self == Selection { oldest_first: self.oldest_first, ..plain }
    }
}

fn one_of(wanted: &[String], value: Option<&str>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
}

/// Of an address, with its port and without.
fn hosts(url: &str) -> Vec<String> {
    let Ok(uri) = url.parse::<Uri>() else { return Vec::new() };
    let Some(host) = uri.host().map(str::to_ascii_lowercase) else { return Vec::new() };
    let with_port = uri.port().map(|port| format!("{host}:{port}"));
    [Some(host), with_port].into_iter().flatten().collect()
}

fn path(url: &str) -> Option<String> {
    url.parse::<Uri>().ok().map(|uri| uri.path().to_owned())
}

#[cfg(test)]
mod tests;
