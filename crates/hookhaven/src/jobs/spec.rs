//! What a job is asked to do: an act, on what a filter names, with a bound in time. Fixed once it is stored.

use std::fmt;

use hookhaven_core::{
    ErrorClass, EventId, GroupId, JobId, Time,
    destination::{DestinationState, Rate},
    event::{ALERTS, ANSWERS, PUBLISHED},
    glob::Glob,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::{Config, size, suggest};

/// What is done to each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobAct)]
pub enum Act {
    /// A new delivery with a fresh budget; with `to`, of the event, to that destination.
    Replay,
    /// Dead letters are taken off the list.
    Dismiss,
    /// What has not ended ends, cancelled.
    Cancel,
    /// Nothing is left to do: what has not ended is cancelled, dead letters are dismissed. History stays.
    Delete,
}

/// What a job walks through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobOf)]
pub enum Of {
    DeadLetters,
    /// Those that have not ended; for `delete` dead letters too.
    Deliveries,
    /// Events, and of each the deliveries that were delivered or died; with `to` the event itself.
    Events,
}

/// Which of them; all set fields must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobFilter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// A pattern in which `*` stands for any run of characters.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Dead letters with this root cause: an id of `/dead-letters/groups`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// Dead letters: died; deliveries: accepted; events: received. At or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobOrder)]
pub struct Order {
    pub act: Act,
    /// Dead letters to replay and dismiss, deliveries to cancel and delete, unless it says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Of>,
    #[serde(default)]
    pub filter: JobFilter,
    /// Replay to this destination instead of where they went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// At most so many in so long, e.g. `50/s`; without, as fast as the store does beside its other work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// Replay one, and go on once it is delivered.
    #[serde(default)]
    pub one_first: bool,
    /// With `to`: handlers get an idempotency key that they do not know yet.
    #[serde(default)]
    pub new_key: bool,
    /// Count, and end.
    #[serde(default)]
    pub dry_run: bool,
    /// Count, then wait for somebody to say go (`resume`), an hour at most.
    #[serde(default)]
    pub ask: bool,
}

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub id: JobId,
    /// What came later is not touched.
    pub asked_at: Time,
    /// The asker's idempotency key.
    pub key: Option<String>,
    pub order: Order,
}

/// What is wrong with an order, and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadJob(pub String);

fn bad<T>(what: impl Into<String>) -> Result<T, BadJob> {
    Err(BadJob(what.into()))
}

impl Order {
    /// On everything, where it went, at once.
    pub fn new(act: Act) -> Self {
        Order {
            act,
            of: None,
            filter: JobFilter::default(),
            to: None,
            rate: None,
            one_first: false,
            new_key: false,
            dry_run: false,
            ask: false,
        }
    }

    pub fn of(&self) -> Of {
        self.of.unwrap_or(match self.act {
            Act::Replay | Act::Dismiss => Of::DeadLetters,
            Act::Cancel | Act::Delete => Of::Deliveries,
        })
    }

    pub fn pace(&self) -> Option<Rate> {
        self.rate.as_deref().and_then(size::parse_rate)
    }

    pub fn class(&self) -> Option<ErrorClass> {
        self.filter.class.as_deref().and_then(ErrorClass::parse)
    }

    /// What it does, in a few words. They hold what people and senders wrote.
    pub fn words(&self) -> String {
        let JobFilter { event, source, destination, event_type, class, group, since, until } = &self.filter;
        let parts = [
            ("of", event.map(|id| id.to_string())),
            ("of", source.clone()),
            ("like", event_type.clone()),
            ("at", destination.clone()),
            ("failed by", class.clone()),
            ("in", group.map(|id| id.to_string())),
            ("since", since.map(|at| at.to_string())),
            ("before", until.map(|at| at.to_string())),
            ("to", self.to.clone()),
            ("at most", self.rate.clone()),
        ];
        let parts = parts.into_iter().filter_map(|(word, value)| Some(format!(" {word} {}", value?)));
        format!("{} {}{}", self.act, self.noun(2), parts.collect::<String>())
    }

    /// What it is about, of so many.
    pub fn noun(&self, n: u64) -> &'static str {
        let (one, many) = match self.of() {
            Of::DeadLetters => ("dead letter", "dead letters"),
            Of::Events if self.to.is_some() => ("event", "events"),
            Of::Deliveries | Of::Events => ("delivery", "deliveries"),
        };
        if n == 1 { one } else { many }
    }

    /// Whether it can be done as it stands.
    pub fn check(&self, config: &Config) -> Result<(), BadJob> {
        let fits = match self.act {
            Act::Replay => matches!(self.of(), Of::DeadLetters | Of::Events),
            Act::Dismiss => self.of() == Of::DeadLetters,
            Act::Cancel | Act::Delete => self.of() == Of::Deliveries,
        };
        if !fits {
            return bad(
                "replay is of dead_letters or events, dismiss of dead_letters, cancel and delete of deliveries",
            );
        }
        if self.act != Act::Replay && (self.to.is_some() || self.one_first) {
            return bad("to and one_first go with replay");
        }
        if self.new_key && self.to.is_none() {
            return bad("new_key goes with to: a replay to where it went keeps the key, so that nothing is done twice");
        }
        if let Some(rate) = self.rate.as_ref().filter(|_| self.pace().is_none()) {
            return bad(format!("{rate:?} is not a rate; write {}", size::RATE_EXAMPLES));
        }
        self.to.as_deref().map_or(Ok(()), |to| check_destination(to, config))?;
        self.check_filter()
    }

    fn check_filter(&self) -> Result<(), BadJob> {
        let JobFilter { event: _, source, destination, event_type, class, group, since, until } = &self.filter;
        if let Some(Err(error)) = event_type.as_deref().map(Glob::parse) {
            return bad(format!("type: {error}"));
        }
        if let Some(class) = class.as_ref().filter(|_| self.class().is_none()) {
            let known: Vec<_> = ErrorClass::ALL.iter().map(|c| c.as_str()).collect();
            return bad(format!("class {class:?} is none of {}", known.join(", ")));
        }
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return bad(format!("since {since} is not before until {until}"));
        }
        if group.is_some() && self.of() != Of::DeadLetters {
            return bad("group goes with dead letters only");
        }
        if self.of() == Of::Events && class.is_some() {
            return bad("class goes with dead letters and deliveries, not with events");
        }
        if self.of() == Of::Events && self.to.is_some() && destination.is_some() {
            return bad("say either to (where events go now) or destination (whose deliveries are replayed)");
        }
        if self.to.is_some() && source.as_deref().is_some_and(|s| [PUBLISHED, ANSWERS, ALERTS].contains(&s)) {
            return bad(
                "published messages, answers and alerts carry their own address; they cannot go to a destination",
            );
        }
        Ok(())
    }
}

fn check_destination(to: &str, config: &Config) -> Result<(), BadJob> {
    match config.destinations.get(to) {
        None => {
            let mend = suggest::mend(to, config.destinations.keys().map(|name| &**name), "destinations");
            bad(format!("there is no destination {to:?}; {mend}"))
        }
        Some(destination) if destination.state == DestinationState::Disabled => {
            bad(format!("the destination {to:?} is disabled in the configuration"))
        }
        Some(_) => Ok(()),
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Act::Replay => "replay",
            Act::Dismiss => "dismiss",
            Act::Cancel => "cancel",
            Act::Delete => "delete",
        })
    }
}
