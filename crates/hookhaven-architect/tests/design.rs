//! The figures of a design at their edges: what is asked of each node, source and destination.
//!
//! Not here: its routes (`routes`), what each figure depends on (`depends`).

#![allow(clippy::unwrap_used)]

#[path = "common/said.rs"]
mod said;

use std::time::Duration;

use hookhaven_architect::{
    Design, Plan,
    design::{Loss, Mode, Roles, StorePlace},
    explain,
    intake::Host,
};
use said::{S, SAID, Said, read};

#[test]
fn zero_volume_is_a_small_set_up_without_nonsense_in_its_sentences() {
    let plan = Plan::of(Said { volume: "0", ..SAID }.intake());
    let design = &plan.design;
    assert_eq!((design.store.value, design.nodes.value, design.mode), (StorePlace::Embedded, 1, Mode::Single));
    assert_eq!((design.destinations[0].concurrency.value, design.destinations[0].rate_per_second.value), (4, Some(10)));
    assert_eq!(design.hosting.value.cost, "under 10");
    for choice in explain::choices(&plan) {
        let said = format!("{} {}", choice.value, choice.why);
        assert!(!said.contains("NaN") && !said.contains("inf"), "{}: {said}", choice.of);
    }
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
    assert!(calm.store.why.contains("up to 39 connections") && !calm.store.why.contains("max_connections"));
    let many = Said { more: "infrastructure:nodes = 10", ..SAID }.design();
    assert!(many.store.why.contains("set its max_connections to 140"), "{}", many.store.why);
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
    let burst = "{ per_day = 2400, burst = { events = 2000, within = \"1h\" } }";
    let half = Said { sender: "github", volume: burst, more: "infrastructure:downtime = \"30m\"", ..SAID }.design();
    assert_eq!(half.sources[0].loss.value, Loss::Events(1_000), "half of the worst burst falls into it");
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
    let two = Said { volume, more: "infrastructure:nodes = 2", ..SAID }.design();
    assert_eq!(two.sources[0].rate_per_second.value, Some(500), "each node counts for itself");
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
