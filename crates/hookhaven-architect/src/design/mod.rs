//! What to run: every figure and switch of the set-up, each with its reason.
//!
//! Pure arithmetic over the intake and the sender catalogue. Not here: how it is written down (`config`, `report`),
//! what a person should be told about it (`rules`).

mod destination;
pub mod load;
mod place;
mod route;
mod source;

use std::time::Duration;

use hookhaven_core::senders::Declaration;

use crate::{Choice, Intake, intake::Once};

#[derive(Clone, Debug)]
pub struct Design {
    pub mode: Mode,
    /// Whether the honest answer is that they need none of this.
    pub needed: Choice<bool>,
    pub load: Load,
    pub store: Choice<StorePlace>,
    pub nodes: Choice<u32>,
    pub retention: Choice<Duration>,
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

/// Where the gateway runs, and roughly what that costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosting {
    /// In words: one virtual machine with 2 cores and 2 GB.
    pub size: String,
    /// In classes, because prices move: `under 10`, `10 to 50`, `50 to 200`, `over 200` a month, in dollars or euros.
    pub cost: &'static str,
}

#[derive(Clone, Debug)]
pub struct SourceDesign {
    pub name: String,
    /// `None`: to be described as `hmac`.
    pub sender: Option<&'static Declaration>,
    /// Names of environment variables.
    pub secret_variables: Vec<String>,
    pub verify_token_variable: Option<String>,
    pub dedupe_window: Choice<Duration>,
    pub tolerance: Choice<Duration>,
    pub body_max_bytes: Choice<u64>,
    /// It signs the URL, or is told one.
    pub needs_public_url: bool,
    pub per_second: SourceLoad,
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
    /// It does not come again: so many events are gone for good with the downtime that was named (or an hour).
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
    /// Types or globs.
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
}

impl Design {
    /// The same design for the same intake.
    pub fn of(intake: &Intake) -> Design {
        let load = load::of(intake);
        let sources: Vec<SourceDesign> = intake.senders.iter().map(|s| source::of(s, intake)).collect();
        let destinations = intake.senders.iter().map(|s| destination::of(s, intake)).collect();
        let routes = intake.senders.iter().flat_map(route::of).collect();
        let nodes = place::nodes(intake, &load);
        let store = place::store(intake, &load, nodes.value);
        let retention = place::retention(intake, &sources);
        let pending_max = place::pending_max(&load);
        Design {
            mode: mode(intake, &load),
            needed: place::needed(intake, &load),
            disk_bytes: place::disk(&load, retention.value),
            memory_bytes: place::memory(&load),
            hosting: place::hosting(intake, &load, store.value, nodes.value),
            load,
            store,
            nodes,
            retention,
            pending_max,
            sources,
            destinations,
            routes,
        }
    }

    pub fn source(&self, name: &str) -> Option<&SourceDesign> {
        self.sources.iter().find(|source| source.name == name)
    }

    pub fn routes_of<'d>(&'d self, source: &'d str) -> impl Iterator<Item = &'d RouteDesign> {
        self.routes.iter().filter(move |route| route.source == source)
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
