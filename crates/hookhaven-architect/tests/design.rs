//! The figures of a design at their edges, and what each of them depends on.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    path::Path,
    time::Duration,
};

use hookhaven_architect::{
    Choice, Design, Intake,
    design::{Loss, Mode, OrderingDesign, Roles, RouteDesign, StorePlace},
    intake::{self, Given, Host, Once, OrderKind, State, Trouble},
};
use hookhaven_core::glob;

const S: fn(u64) -> Duration = Duration::from_secs;

fn read(text: &str) -> Intake {
    let read = intake::read(Path::new("intake.toml"), text, &Given::default());
    let problems: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
    read.intake.unwrap_or_else(|| panic!("{problems:?} {:?}\n{text}", read.missing))
}

/// One sender, with what is said of it.
struct Said<'a> {
    sender: &'a str,
    volume: &'a str,
    processing: &'a str,
    once: &'a str,
    latency: &'a str,
    more: &'a str,
}

const SAID: Said<'static> = Said {
    sender: "stripe",
    volume: "1000",
    processing: "{ does = \"update the database\", takes = \"200ms\" }",
    once: "\"must\"",
    latency: "\"30s\"",
    more: "",
};

impl Said<'_> {
    fn intake(&self) -> Intake {
        let Said { sender, volume, processing, once, latency, more } = self;
        let (tables, infrastructure) = more.split_once("infrastructure:").unwrap_or((more, ""));
        read(&format!(
            "senders = [\"{sender}\"]\n[volume]\n{sender} = {volume}\n[processing]\n{sender} = {processing}\n[idempotency]\n\
             {sender} = {once}\n[latency]\n{sender} = {latency}\n{tables}\n[infrastructure]\nstack = [\"node\"]\n\
             hosting = \"one virtual machine\"\n{infrastructure}\n[existing]\nstate = \"nothing yet\"\n"
        ))
    }

    fn design(&self) -> Design {
        Design::of(&self.intake())
    }
}

#[test]
fn zero_volume_is_a_small_set_up_without_nonsense_in_its_sentences() {
    let design = Said { volume: "0", ..SAID }.design();
    assert_eq!((design.store.value, design.nodes.value, design.mode), (StorePlace::Embedded, 1, Mode::Single));
    assert_eq!((design.destinations[0].concurrency.value, design.destinations[0].rate_per_second.value), (4, Some(10)));
    assert_eq!(design.hosting.value.cost, "under 10");
    assert!(
        choices(&design, &types(&[&design])).values().all(|(text, _)| !text.contains("NaN") && !text.contains("inf"))
    );
}

#[test]
fn five_thousand_a_second_are_one_nodes_work_and_more_are_parted() {
    let burst = |events: u64| format!("{{ per_day = 20000000, burst = {{ events = {events}, within = \"1m\" }} }}");
    let one = Said { volume: &burst(300_000), ..SAID }.design();
    assert_eq!((one.mode, one.store.value), (Mode::HighVolume, StorePlace::Embedded));
    assert_eq!(one.roles.value, Roles::Together { nodes: 1 });
    assert_eq!(one.sources[0].rate_per_second.value, Some(10_000));
    let more = Said { volume: &burst(600_000), ..SAID }.design();
    assert_eq!((more.store.value, more.roles.value), (StorePlace::Postgres, Roles::Apart { ingest: 2, workers: 2 }));
    assert_eq!(more.nodes.value, 4);
    let asked = Said { volume: &burst(300_000), more: "infrastructure:nodes = 3", ..SAID }.design();
    assert_eq!(asked.roles.value, Roles::Apart { ingest: 2, workers: 2 });
    let calm = Said { more: "infrastructure:nodes = 3", ..SAID }.design();
    assert_eq!((calm.roles.value, calm.store.value), (Roles::Together { nodes: 3 }, StorePlace::Postgres));
}

#[test]
fn a_burst_that_was_said_is_the_worst_and_nothing_overflows() {
    let said =
        Said { volume: "{ per_day = 300000000, burst = { events = 1500000, within = \"5m\" } }", ..SAID }.design();
    assert!(said.load.peak_per_second <= 5_000.0 && said.load.peak_per_second >= 300e6 / 86_400.0);
    let senders: Vec<String> = (0..64).map(|n| format!("s{n}")).collect();
    let table = |value: &str| senders.iter().map(|s| format!("{s} = {value}\n")).collect::<String>();
    let huge = read(&format!(
        "senders = {senders:?}\n[volume]\n{}[processing]\n{}[idempotency]\n{}[latency]\n{}[infrastructure]\nstack = []\n\
         hosting = \"kubernetes\"\n[existing]\nstate = \"nothing yet\"\n",
        table("{ per_day = 10000000000, burst = { events = 10000000000, within = \"1s\" }, body = \"60MiB\" }"),
        table("{ does = \"x\", takes = \"1d\" }"),
        table("\"must\""),
        table("\"100ms\""),
    ));
    let design = Design::of(&huge);
    assert_eq!((design.nodes.value, design.slots.value), (64, 40_000));
    assert!(design.roles.why.contains("a set-up for each group of senders"), "{}", design.roles.why);
    assert_eq!(design.destinations[0].concurrency.value, 10_000);
}

#[test]
fn a_handler_of_five_minutes_gets_its_time_and_is_told_better() {
    let of = |takes: &str| {
        let processing = format!("{{ does = \"build\", takes = \"{takes}\" }}");
        Said {
            processing: &processing,
            volume: "{ per_day = 1000, burst = { events = 120, within = \"1m\" } }",
            ..SAID
        }
        .design()
    };
    let timeout = |takes| of(takes).destinations[0].timeout.clone();
    assert_eq!([timeout("1ms").value, timeout("2s").value, timeout("4s").value], [S(10), S(10), S(16)]);
    assert_eq!([timeout("20s").value, timeout("40s").value, timeout("5m").value], [S(60), S(80), S(600)]);
    assert!(timeout("5m").why.contains("answer at once"));
    assert_eq!(timeout("1h").value, S(60));
    // 120 in a minute, to be done within 30 s more: 1.33 a second, 300 s each.
    assert_eq!(of("5m").destinations[0].concurrency.value, 600);
    assert_eq!(of("5m").slots.value, 1_200);
}

#[test]
fn a_deadline_leaves_the_handler_its_time() {
    let of = |latency: &str| Said { latency, ..SAID }.design().routes[0].deadline.clone();
    assert_eq!([of("\"30s\"").value, of("\"1s\"").value], [S(30), Duration::from_millis(800)]);
    assert_eq!(of("\"100ms\"").value, Duration::from_millis(100));
    assert!(of("\"100ms\"").why.contains("cannot be held"));
    assert_eq!(of("\"30d\"").value, S(86_400), "the most that a route takes");
}

#[test]
fn ids_are_remembered_as_long_as_they_may_come_again_and_equal_bodies_only_for_minutes() {
    let window = |sender: &str| Said { sender, ..SAID }.design().sources[0].dedupe_window.value.as_secs() / 60;
    let days = |days: u64| days * 1_440;
    assert_eq!(window("stripe"), days(31), "resent by hand for 30 days");
    assert_eq!(window("github"), days(7));
    assert_eq!(window("docusign"), days(16), "comes again for 15");
    assert_eq!(window("nobody-knows"), days(7));
    assert_eq!([window("plaid"), window("dropbox")], [10, 10], "no id and no time in the body");
}

#[test]
fn a_downtime_costs_what_comes_no_more() {
    let loss = |sender: &str, downtime: &str| {
        let more = format!("infrastructure:downtime = \"{downtime}\"");
        Said { sender, volume: "{ per_day = 2400, peak_day = 2400 }", more: &more, ..SAID }.design().sources[0]
            .loss
            .value
    };
    assert_eq!(loss("github", "1h"), Loss::Events(480), "a fifth of the day in its busiest hour");
    assert_eq!(loss("github", "1d"), Loss::Events(2_400));
    assert_eq!(loss("github", "3d"), Loss::Events(7_200));
    assert_eq!(loss("stripe", "1d"), Loss::NothingWithin(S(3 * 86_400)));
    assert_eq!(loss("stripe", "4d"), Loss::Events(2_400), "a day longer than it comes again");
    assert!(matches!(loss("slack", "1h"), Loss::Events(n) if n > 400));
    assert_eq!(loss("nobody-knows", "1h"), Loss::Unknown);
}

#[test]
fn only_what_comes_again_is_shed_and_what_does_not_is_kept_room_for() {
    let volume = "{ per_day = 5000000, burst = { events = 30000, within = \"1m\" } }";
    let of = |sender: &str| {
        let source = Said { sender, volume, ..SAID }.design().sources[0].clone();
        (source.rate_per_second.value, source.reserved.value)
    };
    assert_eq!(of("stripe"), (Some(1_000), false));
    assert_eq!(of("github"), (None, true));
    assert_eq!(of("twilio"), (None, true), "once, and only when no connection could be made");
    assert_eq!(of("nobody-knows"), (None, false));
    assert_eq!(Said { ..SAID }.design().sources[0].rate_per_second.value, None, "too little to shed");
}

#[test]
fn order_is_kept_where_it_can_be_and_no_retry_outlasts_its_parking() {
    let of = |sender: &str, order: &str| {
        let more = format!("[ordering]\n{sender} = {order}");
        Said { sender, more: &more, ..SAID }.design().routes[0].clone()
    };
    let strict = of("stripe", "{ mode = \"strict\" }");
    assert_eq!(strict.ordering.value, OrderingDesign::Fifo { key: None });
    assert!(strict.retry.value.covers() < S(3_600), "{:?}", strict.retry.value.covers());
    let unknown = of("nobody-knows", "{ mode = \"strict\" }");
    assert_eq!(unknown.ordering.value, OrderingDesign::None);
    assert!(unknown.ordering.why.contains("ordering.nobody-knows = {"));
    let keyed = of("nobody-knows", "{ mode = \"strict\", key = \"json:/account\" }");
    assert_eq!(keyed.ordering.value, OrderingDesign::Fifo { key: Some("json:/account".to_owned()) });
    let wished = of("stripe", "\"created before updated, ideally\"");
    assert_eq!(wished.ordering.value, OrderingDesign::None);
    assert!(wished.ordering.why.starts_with("Stripe promises no order"));
}

#[test]
fn the_handler_answers_only_where_somebody_waits_for_the_answer_itself() {
    let answers = "{ does = \"answer the user\", takes = \"200ms\" }";
    let of = |sender: &str, events: &str| -> Vec<(String, bool)> {
        let more = if events.is_empty() { String::new() } else { format!("[events]\n{sender} = [{events}]") };
        let design = Said { sender, processing: answers, more: &more, ..SAID }.design();
        design.routes.iter().map(|r| (r.events.join(" "), r.answers.value)).collect()
    };
    assert_eq!(of("slack", "\"app_mention\", \"message.im\""), [("app_mention message".to_owned(), false)]);
    assert_eq!(
        of("slack", "\"/deploy\", \"app_mention\""),
        [("/deploy".to_owned(), true), ("app_mention".to_owned(), false)]
    );
    assert_eq!(of("discord", ""), [("*".to_owned(), true)]);
    let twilio = ["message.received", "call.ringing call.in-progress", "*"].map(str::to_owned);
    assert_eq!(of("twilio", ""), twilio.into_iter().zip([true, true, false]).collect::<Vec<_>>());
    assert_eq!(of("stripe", ""), [("*".to_owned(), false)]);
}

#[test]
fn patterns_stand_behind_what_is_named_and_take_what_was_said_of_them() {
    let more = "[events]\nstripe = [\"invoice.paid\", \"invoice.sent\", \"charge.*\", \"charge.dispute.created\"]";
    let latency = "{ default = \"5m\", \"invoice.*\" = \"10s\" }";
    let design = Said { more, latency, once: "\"nice\"", ..SAID }.design();
    let routes: Vec<_> = design.routes.iter().map(|r| (r.events.clone(), r.deadline.value)).collect();
    assert_eq!(routes, [(vec!["invoice.*".to_owned()], S(10)), (vec!["charge.*".to_owned()], S(300))]);
    let critical = Said { more: "[events]\nstripe = [\"charge.*\", \"invoice.*\"]", ..SAID }.design();
    assert_eq!(critical.routes.iter().map(|r| r.critical.value).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_place_that_forgets_its_disk_gets_a_database() {
    let mut intake = SAID.intake();
    intake.infrastructure.host = Host::Platform;
    intake.infrastructure.hosting = "fly".to_owned();
    assert_eq!(Design::of(&intake).store.value, StorePlace::Embedded);
    intake.infrastructure.hosting = "Heroku".to_owned();
    let design = Design::of(&intake);
    assert_eq!((design.store.value, design.nodes.value), (StorePlace::Postgres, 1));
}

#[test]
fn what_is_bought_has_room_for_what_may_wait() {
    let of = |per_day: u64| Said { volume: &per_day.to_string(), ..SAID }.design();
    assert_eq!(
        of(20_000).hosting.value.size,
        "one machine with 1 core and 1 GB, always on, and a disk of 5.6 GB that outlives it"
    );
    let large = of(2_000_000);
    assert!(large.memory_bytes.value > 900_000_000 && large.hosting.value.size.contains("2 cores and 4 GB"));
    let apart = Said { more: "infrastructure:nodes = 2", ..SAID }.design();
    assert_eq!([of(20_000).hosting.value.cost, apart.hosting.value.cost], ["under 10", "10 to 50"]);
    assert_eq!(of(20_000).pending_max.value, 2_000_000);
    assert_eq!(of(5_000_000).pending_max.value, 10_000_000);
    let full = of(100_000_000);
    assert_eq!(full.pending_max.value, 20_000_000);
    assert!(full.pending_max.why.contains("4.8 hours"), "{}", full.pending_max.why);
}

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
