//! A team's answers, as the rest works with them: read, checked, with what was not said filled in and marked as
//! assumed.
//!
//! [`Answers`] are what a file (or a person at a terminal) said so far; [`Intake`] is what they come to once nothing
//! that matters is missing. Free text is read for what it means and kept as it was written, so that the report can
//! say how it was understood. Not here: what follows from any of it (`design`, `rules`).

pub mod names;
mod phrase;
mod questions;
mod read;
mod senders;
mod tables;
mod template;
mod text;
mod typed;
mod types;
mod understood;
mod values;
mod written;

use std::{collections::BTreeMap, time::Duration};

use hookhaven_core::senders::Declaration;

pub use questions::{Kind, Question};
pub use read::{FILE_BYTES_MAX, Given, Read, read, read_with_defaults};
pub use senders::SENDERS_MAX;
pub use template::template;
pub use values::{EVENTS_MAX, TEXT_CHARS_MAX};
pub use written::whole;

/// An intake with every key, each with a comment: what `hookhaven architect --example` prints.
pub const EXAMPLE: &str = include_str!("example.toml");

/// What has been said so far, by path (`volume.stripe.per_day`), as written.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    pub by_path: BTreeMap<String, String>,
}

/// Everything a team told, whole.
#[derive(Clone, Debug)]
pub struct Intake {
    /// In the order they were named in; the first is the main one. At least one.
    pub senders: Vec<SenderAnswers>,
    pub planned: Vec<Planned>,
    pub infrastructure: Infrastructure,
    pub existing: Existing,
    pub requirements: Requirements,
    /// As written, by path: what `--explain` shows.
    pub answers: Answers,
    /// What nobody said and was taken for granted, in the order of the questions.
    pub assumed: Vec<Assumed>,
    /// How free text was read, in the order of the questions.
    pub understood: Vec<Understood>,
}

/// A text in somebody's own words, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understood {
    pub path: String,
    /// As written, on one line.
    pub text: String,
    /// What it was taken to mean.
    pub taken_for: String,
    /// How to say it so that nothing has to be read from words.
    pub outright: String,
}

/// An answer that was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumed {
    pub path: String,
    pub value: String,
    pub why: String,
}

/// What one sender sends, and what it is for.
#[derive(Clone, Debug)]
pub struct SenderAnswers {
    /// As written; the name of its source, too.
    pub name: String,
    /// `None`: the catalogue does not know it, and it becomes a source with sender `hmac` to be described.
    pub sender: Option<&'static Declaration>,
    /// Event types or globs, as they were named; empty if nobody said, or said every one.
    pub events: Vec<String>,
    pub volume: Volume,
    pub processing: Processing,
    /// What must not happen twice.
    pub once: PerType<Once>,
    pub ordering: PerType<OrderWish>,
    /// How soon after it arrived an event should have been handled.
    pub latency: PerType<Duration>,
}

/// One answer for all types of a sender, and others for some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerType<T> {
    pub all: T,
    /// Event types or globs, in the order they were named in.
    pub some: Vec<(String, T)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// Events on an ordinary day.
    pub per_day: u64,
    /// On the busiest; the same where nobody said.
    pub peak_day: u64,
    pub burst: Option<Burst>,
    /// Of a usual body.
    pub body_bytes: u64,
}

/// The worst that comes at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    pub events: u64,
    pub within: Duration,
}

/// What a team's handler does with the events.
#[derive(Clone, Debug, PartialEq)]
pub struct Processing {
    pub text: String,
    /// Read from the text, or said outright.
    pub effects: Vec<Effect>,
    /// How long it takes for one event.
    pub takes: Duration,
    /// Somebody waits for what the handler answers, within this answer or soon after.
    pub answers_user: bool,
}

/// What is done to the world, and how well it bears being done twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// A row is written: twice is harmless if it is an UPSERT.
    Database,
    Mail,
    /// A charge, a refund, a payout.
    Money,
    /// A build, a deployment, another job.
    Build,
    /// Something is said to a person: a chat message, an SMS.
    Message,
    /// Goods, access, a licence.
    Fulfilment,
    /// Analytics, logs: twice is a wrong figure.
    Record,
    /// Another API is called.
    Call,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Once {
    /// It may happen twice.
    Free,
    /// Better not.
    Nice,
    /// It must not.
    Must,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderWish {
    pub kind: OrderKind,
    /// Only the newest state counts: what was overtaken need not be handled any more. Never so where it
    /// is strict.
    pub newest: bool,
    /// As written; empty if nobody said.
    pub text: String,
    /// What is ordered against each other, as a place in the body (`json:/data/object/customer`), if they said.
    pub key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderKind {
    None,
    /// Would be good.
    Wished,
    /// Each after the one before.
    Strict,
}

/// A sender that is to come.
#[derive(Clone, Debug)]
pub struct Planned {
    pub name: String,
    pub sender: Option<&'static Declaration>,
    pub in_months: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct Infrastructure {
    /// As written: `node 20`, `fastify`, `postgres`.
    pub stack: Vec<String>,
    /// As written.
    pub hosting: String,
    /// Read from `hosting`, `stack` and what was said outright.
    pub host: Host,
    /// Skeletons are written for these; several only if they were named.
    pub frameworks: Vec<Framework>,
    /// Whether a PostgreSQL is there already.
    pub has_postgres: bool,
    /// Where senders reach it, if it is known.
    pub public_url: Option<String>,
    /// Where its handlers will be reached, without a path.
    pub handler_url: String,
    /// Whether something stands in front of it; `None`: nobody said.
    pub proxy: Option<String>,
    /// Set by whoever pays: nodes that there have to be at least.
    pub nodes_min: u32,
    /// How long the receiver is down at most, in one go.
    pub downtime: Option<Duration>,
    /// Where people want to be told: `slack`, `pagerduty`, `email`, `webhook`.
    pub alert_channels: Vec<String>,
}

/// Where things run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    Serverless,
    /// One machine or a few, virtual or not.
    Machine,
    Containers,
    Kubernetes,
    /// Somebody else runs containers for them.
    Platform,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framework {
    Fastify,
    Express,
    Next,
    FastApi,
    Django,
    Axum,
    Go,
}

#[derive(Clone, Debug)]
pub struct Existing {
    /// As written.
    pub state: String,
    pub kind: State,
    /// As written.
    pub incidents: Vec<String>,
    /// Read from the incidents, or said outright.
    pub troubles: Vec<Trouble>,
    /// Whether signatures are verified today; `None`: nobody said.
    pub verifies: Option<bool>,
}

/// What a team has today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Nothing,
    /// It works before it answers.
    Synchronous,
    /// It stores or queues and then answers.
    Queued,
    /// Queue, retries, dead letters, idempotency, alerts: all of it.
    Mature,
    /// A hosted service does it for them.
    Hosted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    TimedOut,
    Twice,
    Lost,
    OutOfOrder,
    BadSignature,
    LeakedSecret,
    Overload,
}

#[derive(Clone, Debug, Default)]
pub struct Requirements {
    /// `None`: nobody said.
    pub retention: Option<Duration>,
    /// Law or contract looks at it: payments, health, personal data; as written.
    pub regulated: Option<String>,
    /// A month for everything, as they said it, in their money.
    pub budget_per_month: Option<u64>,
}

impl<T> PerType<T> {
    pub fn all(all: T) -> Self {
        PerType { all, some: Vec::new() }
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.all).chain(self.some.iter().map(|(_, value)| value))
    }
}

impl Answers {
    /// As written, or that nobody said.
    pub fn of(&self, path: &str) -> &str {
        self.by_path.get(path).map_or("(not said)", String::as_str)
    }
}

impl SenderAnswers {
    /// For people: who it is, or the source's own name where it was given one, or where the sender may be anybody.
    pub fn title(&self) -> &str {
        let called = self.sender.filter(|sender| sender.name == self.name && !sender.title.starts_with("Any"));
        called.map_or(&self.name, |sender| sender.title)
    }

    /// A path under one of the intake's tables: `volume.stripe`.
    pub fn path(&self, table: &str) -> String {
        format!("{table}.{}", self.name)
    }
}
