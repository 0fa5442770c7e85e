//! What to run: every figure and switch of the set-up, each with its reason.
//!
//! Pure arithmetic over the intake and the sender catalogue. Not here: how it is written down (`config`, `report`),
//! what a person should be told about it (`rules`).

mod destination;
pub mod load;
mod ordering;
mod place;
mod retry;
mod route;
mod size;
mod source;
mod types;

use std::time::Duration;

use hookhaven_core::senders::Declaration;

use crate::{Choice, Intake, intake::Once};

pub use self::{
    destination::needed_per_second,
    place::{DATABASE_PER_SECOND, NODE_PER_SECOND, connections_max},
    source::variable,
};

#[derive(Clone, Debug)]
pub struct Design {
    pub mode: Mode,
    /// Whether the honest answer is that they need none of this.
    pub needed: Choice<bool>,
    pub load: Load,
    pub store: Choice<StorePlace>,
    pub nodes: Choice<u32>,
    /// Which of them receive and which work.
    pub roles: Choice<Roles>,
    /// Attempts under way on one node, over all destinations.
    pub slots: Choice<u32>,
    pub retention: Choice<Duration>,
    /// Of dead letters; `None`: until somebody sees to them.
    pub retention_dead: Choice<Option<Duration>>,
    /// Journal and index over the retention, with what stays longer.
    pub disk_bytes: Choice<u64>,
    pub memory_bytes: Choice<u64>,
    /// Where a request is refused with 503 rather than taken: deliveries that wait.
    pub pending_max: Choice<u64>,
    pub hosting: Choice<Hosting>,
    /// In the intake's order.
    pub sources: Vec<SourceDesign>,
    pub destinations: Vec<DestinationDesign>,
    /// In the order of the config file, which decides between them.
    pub routes: Vec<RouteDesign>,
}

/// What kind of report it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Single,
    Several,
    HighVolume,
}

/// Over all senders.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub per_day: u64,
    pub peak_day: u64,
    /// Of an ordinary day, spread evenly.
    pub mean_per_second: f64,
    /// Of the busiest hour of the busiest day.
    pub peak_per_second: f64,
    /// The worst that comes at once.
    pub burst_per_second: f64,
    pub bytes_per_day: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorePlace {
    Embedded,
    Postgres,
}

/// What nodes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roles {
    /// Each receives and works.
    Together { nodes: u32 },
    /// `serve --role ingest` and `serve --role worker`, each scaled by itself.
    Apart { ingest: u32, workers: u32 },
}

/// Where the gateway runs, and roughly what that costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosting {
    /// In words: one virtual machine with 2 cores and 2 GB.
    pub size: String,
    /// In classes, because prices move: `under 10`, `10 to 50`, `50 to 200` … `over 1000` a month, in dollars or euros.
    pub cost: &'static str,
    /// Of one node.
    pub cores: u32,
    pub memory_bytes: u64,
}

#[derive(Clone, Debug)]
pub struct SourceDesign {
    pub name: String,
    /// `None`: to be described as `hmac`.
    pub sender: Option<&'static Declaration>,
    /// Names of environment variables.
    pub secret_variables: Vec<String>,
    pub verify_token_variable: Option<String>,
    /// The file for a secret that the sender makes and posts.
    pub handover: Option<String>,
    pub dedupe_window: Choice<Duration>,
    pub tolerance: Choice<Duration>,
    /// Whether `tolerance` means anything.
    pub signs_time: bool,
    pub body_max_bytes: Choice<u64>,
    /// It signs the URL, or is told one.
    pub needs_public_url: bool,
    pub per_second: SourceLoad,
    /// Requests a second beyond which it hears 429; `None`: no such limit.
    pub rate_per_second: Choice<Option<u32>>,
    /// A share of every limit is kept free for it.
    pub reserved: Choice<bool>,
    /// What is lost when nobody receives for so long.
    pub loss: Choice<Loss>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SourceLoad {
    pub mean: f64,
    pub peak: f64,
    pub burst: f64,
}

/// What a receiver's downtime costs with one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It comes again until then.
    NothingWithin(Duration),
    /// It does not come again, or not for that long: so many events are gone for good with the downtime that was named
    /// (or an hour).
    Events(u64),
    /// It does not say whether it comes again.
    Unknown,
}

#[derive(Clone, Debug)]
pub struct DestinationDesign {
    pub name: String,
    pub source: String,
    pub url: String,
    pub secret_variable: String,
    pub timeout: Choice<Duration>,
    /// Little's law: arrivals a second times seconds each.
    pub concurrency: Choice<u32>,
    /// Attempts a second; `None`: as fast as concurrency lets it.
    pub rate_per_second: Choice<Option<u32>>,
}

#[derive(Clone, Debug)]
pub struct RouteDesign {
    pub source: String,
    /// Types or globs, as they arrive: a team's `pull_request` is `pull_request.*` here.
    pub events: Vec<String>,
    pub to: String,
    pub deadline: Choice<Duration>,
    pub critical: Choice<bool>,
    pub once: Once,
    pub ordering: Choice<OrderingDesign>,
    pub retry: Choice<RetryDesign>,
    /// The sender hears what the handler says.
    pub answers: Choice<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderingDesign {
    None,
    /// Places in the body; empty: the sender's own.
    Latest {
        key: Option<String>,
        version: Option<String>,
    },
    Fifo {
        key: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct RetryDesign {
    pub attempts: u32,
    pub initial: Duration,
    pub factor: f64,
    pub max: Duration,
    /// How long a delivery may be pending at all, also while nothing is tried; `None`: the gateway's own three days.
    pub max_age: Option<Duration>,
}

impl Design {
    /// The same design for the same intake.
    pub fn of(intake: &Intake) -> Design {
        let load = load::of(intake);
        let mode = mode(intake, &load);
        let roles = place::roles(intake, &load);
        let receivers = roles.value.receivers();
        let sources: Vec<SourceDesign> = intake.senders.iter().map(|s| source::of(s, intake, receivers)).collect();
        let destinations: Vec<DestinationDesign> = intake.senders.iter().map(|s| destination::of(s, intake)).collect();
        let routes = intake.senders.iter().flat_map(route::of).collect();
        let nodes = place::nodes(intake, &load, &roles.value);
        let store = place::store(intake, &load, mode, nodes.value);
        let retention = size::retention(intake, &sources);
        let memory_bytes = size::memory(intake, &load, store.value);
        let disk_bytes = size::disk(intake, &load, retention.value);
        Design {
            mode,
            needed: place::needed(intake, &load),
            hosting: place::hosting(intake, &load, store.value, nodes.value, memory_bytes.value, disk_bytes.value),
            slots: size::slots(intake, &destinations, &roles.value),
            pending_max: size::pending_max(intake, &load),
            retention_dead: size::retention_dead(intake),
            disk_bytes,
            memory_bytes,
            load,
            store,
            nodes,
            roles,
            retention,
            sources,
            destinations,
            routes,
        }
    }

    pub fn destination(&self, name: &str) -> Option<&DestinationDesign> {
        self.destinations.iter().find(|destination| destination.name == name)
    }

    pub fn source(&self, name: &str) -> Option<&SourceDesign> {
        self.sources.iter().find(|source| source.name == name)
    }

    pub fn routes_of<'d>(&'d self, source: &'d str) -> impl Iterator<Item = &'d RouteDesign> {
        self.routes.iter().filter(move |route| route.source == source)
    }
}

impl Roles {
    pub fn nodes(&self) -> u32 {
        match self {
            Roles::Together { nodes } => *nodes,
            Roles::Apart { ingest, workers } => ingest + workers,
        }
    }

    /// Nodes that senders post to.
    pub fn receivers(&self) -> u32 {
        match self {
            Roles::Together { nodes } => *nodes,
            Roles::Apart { ingest, .. } => *ingest,
        }
    }

    /// Nodes that make attempts.
    pub fn workers(&self) -> u32 {
        match self {
            Roles::Together { nodes } => *nodes,
            Roles::Apart { workers, .. } => *workers,
        }
    }
}

impl RetryDesign {
    /// From the first attempt to the last, jitter aside.
    pub fn covers(&self) -> Duration {
        (1..self.attempts).map(|failed| self.wait(failed)).sum()
    }

    /// After so many failures, jitter aside.
    fn wait(&self, failed: u32) -> Duration {
        let factor = self.factor.powi(i32::try_from(failed).unwrap_or(i32::MAX) - 1);
        self.initial.mul_f64(factor.min(1e9)).min(self.max)
    }
}

/// From this many a second on, receiving and working are looked at apart.
const HIGH_VOLUME_PER_SECOND: f64 = 500.0;

fn mode(intake: &Intake, load: &Load) -> Mode {
    if load.burst_per_second.max(load.peak_per_second) >= HIGH_VOLUME_PER_SECOND {
        Mode::HighVolume
    } else if intake.senders.len() == 1 {
        Mode::Single
    } else {
        Mode::Several
    }
}
