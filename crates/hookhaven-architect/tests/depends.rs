//! What each choice of a design depends on: one answer is changed in every intake, and only choices that name it may
//! come out otherwise.
//!
//! Not here: the same of findings and files, for answers as they are written (`laws`).

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    path::Path,
    time::Duration,
};

use hookhaven_architect::{
    Choice, Design, Intake,
    design::RouteDesign,
    intake::{self, Effect, Given, Host, Once, OrderKind, State, Trouble},
};
use hookhaven_core::glob;

const S: fn(u64) -> Duration = Duration::from_secs;

/// A type for each pattern of the routes of some designs.
fn types(designs: &[&Design]) -> BTreeSet<(String, String)> {
    let routes = designs.iter().flat_map(|design| &design.routes);
    routes.flat_map(|r| r.events.iter().map(|glob| (r.source.clone(), glob.replace('*', "x")))).collect()
}

/// Every choice of a design by name: value and sentence, and the answers that it names. Of routes, for those types.
fn choices(design: &Design, types: &BTreeSet<(String, String)>) -> BTreeMap<String, (String, Vec<String>)> {
    let mut all = BTreeMap::new();
    let mut add = |name: String, (text, answers): (String, Vec<String>)| {
        assert!(all.insert(name.clone(), (text, answers)).is_none(), "{name} is there twice");
    };
    fn shown<T: Debug>(choice: &Choice<T>) -> (String, Vec<String>) {
        (format!("{:?} {}", choice.value, choice.why), choice.answers.clone())
    }
    add("needed".into(), shown(&design.needed));
    add("store".into(), shown(&design.store));
    add("nodes".into(), shown(&design.nodes));
    add("roles".into(), shown(&design.roles));
    add("slots".into(), shown(&design.slots));
    add("retention".into(), shown(&design.retention));
    add("retention_dead".into(), shown(&design.retention_dead));
    add("disk".into(), shown(&design.disk_bytes));
    add("memory".into(), shown(&design.memory_bytes));
    add("pending_max".into(), shown(&design.pending_max));
    add("hosting".into(), shown(&design.hosting));
    for s in &design.sources {
        add(format!("{}.window", s.name), shown(&s.dedupe_window));
        add(format!("{}.tolerance", s.name), shown(&s.tolerance));
        add(format!("{}.body_max", s.name), shown(&s.body_max_bytes));
        add(format!("{}.rate", s.name), shown(&s.rate_per_second));
        add(format!("{}.reserved", s.name), shown(&s.reserved));
        add(format!("{}.loss", s.name), shown(&s.loss));
    }
    for d in &design.destinations {
        add(format!("{}.timeout", d.name), shown(&d.timeout));
        add(format!("{}.concurrency", d.name), shown(&d.concurrency));
        add(format!("{}.rate", d.name), shown(&d.rate_per_second));
    }
    for (source, event_type) in types {
        // As the gateway goes by it: the first that matches.
        let takes = |r: &&RouteDesign| r.source == *source && r.events.iter().any(|g| glob::matches(g, event_type));
        let Some(r) = design.routes.iter().find(takes) else { continue };
        let name = format!("{source} {event_type}");
        add(format!("{name} deadline"), shown(&r.deadline));
        add(format!("{name} critical"), shown(&r.critical));
        add(format!("{name} ordering"), shown(&r.ordering));
        add(format!("{name} retry"), shown(&r.retry));
        add(format!("{name} answers"), shown(&r.answers));
    }
    all
}

type Change = (String, Box<dyn Fn(&mut Intake)>);

/// One answer changed, each with its path.
fn changes(intake: &Intake) -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    let mut add = |path: String, change: Box<dyn Fn(&mut Intake)>| all.push((path, change));
    for (n, sender) in intake.senders.iter().enumerate() {
        add(sender.path("volume"), Box::new(move |i| i.senders[n].volume.per_day *= 1_000));
        add(sender.path("volume"), Box::new(move |i| i.senders[n].volume.body_bytes = 40 << 20));
        add(
            sender.path("volume"),
            Box::new(move |i| {
                let volume = &mut i.senders[n].volume;
                (volume.per_day, volume.peak_day, volume.burst) = (0, 0, None);
            }),
        );
        add(sender.path("processing"), Box::new(move |i| i.senders[n].processing.takes = S(300)));
        add(sender.path("processing"), Box::new(move |i| i.senders[n].processing.answers_user ^= true));
        for once in [Once::Must, Once::Free] {
            add(sender.path("idempotency"), Box::new(move |i| i.senders[n].once.all = once));
        }
        for ms in [100, 3_000, 3_600_000] {
            add(sender.path("latency"), Box::new(move |i| i.senders[n].latency.all = Duration::from_millis(ms)));
        }
        for kind in [OrderKind::Strict, OrderKind::Wished, OrderKind::None] {
            add(sender.path("ordering"), Box::new(move |i| i.senders[n].ordering.all.kind = kind));
        }
        add(sender.path("ordering"), Box::new(move |i| i.senders[n].ordering.all.newest = true));
        add(sender.path("processing"), Box::new(move |i| i.senders[n].processing.effects = vec![Effect::Database]));
    }
    add("infrastructure.nodes".into(), Box::new(|i| i.infrastructure.nodes_min = 5));
    add("infrastructure.downtime".into(), Box::new(|i| i.infrastructure.downtime = Some(S(7 * 86_400))));
    for host in [Host::Platform, Host::Serverless, Host::Kubernetes] {
        add("infrastructure.host".into(), Box::new(move |i| i.infrastructure.host = host));
    }
    add("infrastructure.hosting".into(), Box::new(|i| i.infrastructure.hosting = "heroku".into()));
    add("infrastructure.stack".into(), Box::new(|i| i.infrastructure.has_postgres ^= true));
    add("infrastructure.proxy".into(), Box::new(|i| i.infrastructure.proxy = Some("a CDN".into())));
    add("infrastructure.alerts".into(), Box::new(|i| i.infrastructure.alert_channels = vec!["email".into()]));
    add("infrastructure.handler_url".into(), Box::new(|i| i.infrastructure.handler_url = "http://app:1".into()));
    add("existing.kind".into(), Box::new(|i| i.existing.kind = State::Mature));
    add("existing.incidents".into(), Box::new(|i| i.existing.troubles = vec![Trouble::Lost]));
    add("requirements.retention".into(), Box::new(|i| i.requirements.retention = Some(S(86_400))));
    add("requirements.regulated".into(), Box::new(|i| i.requirements.regulated = Some("law".into())));
    all
}

#[test]
fn changing_one_answer_changes_only_choices_that_name_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intakes");
    let mut changed = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let given = Given::default();
        let Some(intake) = intake::read(&path, &std::fs::read_to_string(&path).unwrap(), &given).intake else {
            continue;
        };
        let design = Design::of(&intake);
        for (answer, change) in changes(&intake) {
            let mut other = intake.clone();
            change(&mut other);
            let other = Design::of(&other);
            let types = types(&[&design, &other]);
            let (before, after) = (choices(&design, &types), choices(&other, &types));
            for name in before.keys().chain(after.keys()) {
                let (was, is) = (before.get(name), after.get(name));
                if was.map(|w| &w.0) == is.map(|i| &i.0) {
                    continue;
                }
                let named = was.into_iter().chain(is).any(|(_, answers)| answers.contains(&answer));
                assert!(named, "{}: {answer} changed {name}\n{was:?}\n{is:?}", path.display());
                changed.insert(answer.split('.').take(2).collect::<Vec<_>>().join("."));
            }
        }
    }
    for answer in ["volume.stripe", "latency.stripe", "infrastructure.nodes", "requirements.retention"] {
        assert!(changed.contains(answer), "{answer} changed nothing anywhere");
    }
}
