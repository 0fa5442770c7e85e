//! Why a set-up is as it is: every choice with the answers behind it, each of those as it was written.
//!
//! Not here: how that is laid out (`hookhaven architect --explain`, the report), what is chosen (`design`).

use std::time::Duration;

use crate::{
    Choice, Intake, Plan,
    design::{
        DestinationDesign, Hosting, Loss, Mode, OrderingDesign, RetryDesign, Roles, RouteDesign, SourceDesign,
        StorePlace,
    },
    words::{bytes, count, list, span},
};

/// A choice as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What was chosen: `sources.stripe.dedupe_window`.
    pub of: String,
    pub value: String,
    pub why: String,
    /// The answers behind it; none where it holds for every team.
    pub answers: Vec<Behind>,
}

/// An answer that something rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    pub path: String,
    /// As written, or what was taken for it.
    pub value: String,
}

/// Every choice, in the order of the config file.
pub fn choices(plan: &Plan) -> Vec<Explained> {
    let design = &plan.design;
    let mut all = Of { intake: &plan.intake, within: String::new(), all: Vec::new() };
    all.one("needed", &design.needed, yes_no);
    all.one("store", &design.store, |store| store_in_words(*store).to_owned());
    all.one("nodes", &design.nodes, u32::to_string);
    all.one("roles", &design.roles, roles_in_words);
    all.one("slots", &design.slots, u32::to_string);
    all.one("hosting", &design.hosting, hosting_in_words);
    all.one("retention", &design.retention, in_words);
    all.one("retention_dead", &design.retention_dead, |length| {
        length.as_ref().map_or("until somebody sees to them".to_owned(), in_words)
    });
    all.one("disk", &design.disk_bytes, |n| bytes(*n));
    all.one("memory", &design.memory_bytes, |n| bytes(*n));
    all.one("pending_max", &design.pending_max, |n| count(*n));
    for source in &design.sources {
        all.source(source);
    }
    for destination in &design.destinations {
        all.destination(destination);
    }
    for route in &design.routes {
        all.route(route);
    }
    all.all
}

/// The answers by their paths, as they were written; what nobody said, as it was assumed.
pub fn behind(intake: &Intake, paths: &[String]) -> Vec<Behind> {
    let value = |path: &String| {
        let said = intake.answers.by_path.get(path);
        let assumed = || intake.assumed.iter().find(|assumed| assumed.path == *path);
        match (said, assumed()) {
            (Some(said), _) => said.clone(),
            (None, Some(assumed)) => format!("(not said; {} was taken)", assumed.value),
            (None, None) => "(not said)".to_owned(),
        }
    };
    paths.iter().map(|path| Behind { path: path.clone(), value: value(path) }).collect()
}

pub fn mode_in_words(mode: Mode) -> &'static str {
    match mode {
        Mode::Single => "single sender",
        Mode::Several => "several senders",
        Mode::HighVolume => "high volume",
    }
}

pub fn store_in_words(store: StorePlace) -> &'static str {
    match store {
        StorePlace::Embedded => "embedded",
        StorePlace::Postgres => "PostgreSQL",
    }
}

fn hosting_in_words(hosting: &Hosting) -> String {
    format!("{}; {} a month", hosting.size, hosting.cost)
}

fn roles_in_words(roles: &Roles) -> String {
    match roles {
        Roles::Together { nodes: 1 } => "1 that does everything".to_owned(),
        Roles::Together { nodes } => format!("{nodes} that do everything"),
        Roles::Apart { ingest, workers } => format!("{ingest} that receive and {workers} that work"),
    }
}

fn yes_no(is: &bool) -> String {
    if *is { "yes" } else { "no" }.to_owned()
}

fn in_words(length: &Duration) -> String {
    span(*length)
}

struct Of<'p> {
    intake: &'p Intake,
    /// What the choices that follow are of, with a point at its end.
    within: String,
    all: Vec<Explained>,
}

impl Of<'_> {
    fn one<T>(&mut self, name: &str, choice: &Choice<T>, shown: impl FnOnce(&T) -> String) {
        self.all.push(Explained {
            of: format!("{}{name}", self.within),
            value: shown(&choice.value),
            why: choice.why.clone(),
            answers: behind(self.intake, &choice.answers),
        });
    }

    fn source(&mut self, source: &SourceDesign) {
        self.within = format!("sources.{}.", source.name);
        self.one("dedupe_window", &source.dedupe_window, in_words);
        self.one("tolerance", &source.tolerance, in_words);
        self.one("body_max", &source.body_max_bytes, |n| bytes(*n));
        self.one("rate", &source.rate_per_second, |rate| {
            rate.map_or("no limit".to_owned(), |rate| format!("{rate}/s"))
        });
        self.one("reserved", &source.reserved, yes_no);
        self.one("loss", &source.loss, |loss| match loss {
            Loss::NothingWithin(length) => format!("nothing within {}", span(*length)),
            Loss::Events(1) => "1 event".to_owned(),
            Loss::Events(events) => format!("{} events", count(*events)),
            Loss::Unknown => "not known".to_owned(),
        });
    }

    fn destination(&mut self, destination: &DestinationDesign) {
        self.within = format!("destinations.{}.", destination.name);
        self.one("timeout", &destination.timeout, in_words);
        self.one("concurrency", &destination.concurrency, u32::to_string);
        self.one("rate", &destination.rate_per_second, |rate| match rate {
            Some(rate) => format!("{rate}/s"),
            None => "as fast as it answers".to_owned(),
        });
    }

    fn route(&mut self, route: &RouteDesign) {
        self.within = format!("routes.{}[{}].", route.source, list(&route.events));
        self.one("deadline", &route.deadline, in_words);
        self.one("critical", &route.critical, yes_no);
        self.one("ordering", &route.ordering, ordering_in_words);
        self.one("retry", &route.retry, retry_in_words);
        self.one("answers", &route.answers, yes_no);
    }
}

fn ordering_in_words(ordering: &OrderingDesign) -> String {
    let by = |key: &Option<String>| key.as_ref().map_or(String::new(), |key| format!(" by {key}"));
    match ordering {
        OrderingDesign::None => "none".to_owned(),
        OrderingDesign::Latest { key, .. } => format!("latest{}", by(key)),
        OrderingDesign::Fifo { key } => format!("fifo{}", by(key)),
    }
}

fn retry_in_words(retry: &RetryDesign) -> String {
    let until = retry.max_age.map_or(String::new(), |max_age| format!(", for {} at most", span(max_age)));
    format!("{} attempts, {} to {} apart{until}", retry.attempts, span(retry.initial), span(retry.max))
}
