//! Schedules on a clock that the test moves: each tick once, whoever restarts and however many nodes there are.

use std::{sync::Arc, time::Duration};

use hookhaven_core::Time;
use hookhaven_load::gateway::poll;
use hookhaven_store::{
    clock::{ManualClock, SeededEntropy},
    postgres::{PostgresOptions, PostgresStore},
};

use crate::support::{
    PATIENCE,
    clocked::{Clocked, START},
    handler::Handler,
    publisher::{CONFIG, Publisher},
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY_MINUTES: usize = 24 * 60;

fn config() -> String {
    // So that moving the clock by hours does not end the session.
    format!("[worker]\nsession_ttl = \"1h\"\n\n{CONFIG}")
}

fn publisher(node: &Clocked) -> Publisher {
    Publisher(node.gateway().ingest_addr.expect("it takes requests in"))
}

/// Makes a schedule, and answers its id.
async fn schedule(node: &Clocked, cron: &str, url: &str) -> String {
    let answer = publisher(node).ask("POST", &format!("/v2/schedules/{url}"), &[("Upstash-Cron", cron)], b"tick").await;
    answer["scheduleId"].as_str().expect("an id").to_owned()
}

/// The first full minute after the start.
fn first_tick() -> Time {
    Time::from_s(START.as_s() - START.as_s() % 60 + 60)
}

/// Moves on to so many ticks from now on, and waits for each run.
async fn ticks(clock: &ManualClock, handler: &Handler, next: &mut Time, count: usize) {
    use hookhaven_store::clock::Clock as _;
    for _ in 0..count {
        clock.advance(next.since(clock.now()));
        handler.until(runs(*next)).await;
        *next = next.plus(MINUTE);
    }
}

/// How many runs there are once this tick has run.
fn runs(tick: Time) -> usize {
    usize::try_from(tick.since(first_tick()).as_secs() / 60).expect("a small number") + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_minute_of_a_day_once_over_restarts() {
    let handler = Handler::answering(200).await;
    let mut node = Clocked::start(&config()).await;
    schedule(&node, "* * * * *", &handler.url()).await;
    let mut next = first_tick();
    let clock = node.clock.clone();
    for _ in 0..6 {
        ticks(&clock, &handler, &mut next, DAY_MINUTES / 6).await;
        node.restart().await;
    }
    assert_eq!(handler.received().len(), DAY_MINUTES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_minute_of_a_day_once_on_two_nodes_that_restart() {
    let handler = Handler::answering(200).await;
    let database = hookhaven_testbed::shared().expect("a server").create().expect("a database");
    let mut nodes = [Clocked::prepare("", &config()), Clocked::prepare("", &config())];
    let clock = nodes[0].clock.clone();
    for (node, seed) in nodes.iter_mut().zip([1, 2]) {
        node.clock = clock.clone();
        serve(node, &database, seed).await;
    }
    schedule(&nodes[0], "* * * * *", &handler.url()).await;
    let mut next = first_tick();
    for round in 0..6_u64 {
        ticks(&clock, &handler, &mut next, DAY_MINUTES / 6).await;
        let node = &mut nodes[usize::try_from(round % 2).expect("a small number")];
        node.stop().await;
        serve(node, &database, 10 + round).await;
    }
    // Whoever would run a tick a second time would do so before the next one.
    ticks(&clock, &handler, &mut next, 1).await;
    assert_eq!(handler.received().len(), DAY_MINUTES + 1);
}

async fn serve(node: &mut Clocked, database: &str, seed: u64) {
    let options = PostgresOptions {
        clock: Some(Arc::new(node.clock.clone())),
        answer_timeout: Duration::from_secs(120),
        ..PostgresOptions::new(database.to_owned(), Arc::new(SeededEntropy::new(seed)))
    };
    let store = PostgresStore::open(options).await.expect("the store opens");
    node.serve_on(Arc::new(store)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_ticks_missed_while_it_was_down_one_runs() {
    let handler = Handler::answering(200).await;
    let mut node = Clocked::start(&config()).await;
    let id = schedule(&node, "*/5 * * * *", &handler.url()).await;
    node.stop().await;
    node.clock.advance(Duration::from_secs(3_600));
    node.serve().await;
    let run = handler.nth(1).await;
    assert_eq!((run.header("upstash-schedule-id"), &run.body[..]), (&*id, &b"tick"[..]));
    node.restart().await;
    node.clock.advance(5 * MINUTE);
    handler.until(2).await;
    let listed = publisher(&node).get(&format!("/v2/schedules/{id}")).await;
    assert!(listed["nextScheduleTime"].as_i64() > listed["lastScheduleTime"].as_i64(), "{listed}");
    assert_eq!(handler.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_schedule_drops_its_ticks() {
    let handler = Handler::answering(200).await;
    let node = Clocked::start(&config()).await;
    let id = schedule(&node, "* * * * *", &handler.url()).await;
    publisher(&node).ask("PATCH", &format!("/v2/schedules/{id}/pause"), &[], b"").await;
    node.clock.advance(10 * MINUTE);
    publisher(&node).ask("PATCH", &format!("/v2/schedules/{id}/resume"), &[], b"").await;
    node.clock.advance(MINUTE);
    handler.until(1).await;
    node.clock.advance(MINUTE);
    handler.until(2).await;
    assert_eq!(handler.received().len(), 2);
}

/// New York leaves daylight saving time on 1 November 2026 at 06:00 UTC, and began it on 8 March at 07:00.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_keeps_its_own_time_over_the_change() {
    let cases = [
        ("2026-10-31T12:00:00Z", ["2026-11-01T09:00:00Z", "2026-11-02T09:00:00Z"]),
        ("2026-03-07T12:00:00Z", ["2026-03-08T08:00:00Z", "2026-03-09T08:00:00Z"]),
    ];
    for (from, runs) in cases {
        let [from, first, second] = [from, runs[0], runs[1]].map(|text| {
            let at: jiff::Timestamp = text.parse().expect("a time");
            Time::from_s(at.as_second())
        });
        let handler = Handler::answering(200).await;
        let mut node = Clocked::prepare("", &config());
        node.clock = ManualClock::at(from);
        node.serve().await;
        let id = schedule(&node, "CRON_TZ=America/New_York 0 4 * * *", &handler.url()).await;
        for (number, run) in (1..).zip([first, second]) {
            let announced = poll(PATIENCE, async || {
                let listed = publisher(&node).get(&format!("/v2/schedules/{id}")).await;
                (listed["nextScheduleTime"].as_i64() == Some(run.as_ms())).then_some(())
            });
            announced.await.unwrap_or_else(|| panic!("run {number} is not at {run}"));
            node.advance_to(run);
            handler.until(number).await;
        }
        assert_eq!(handler.received().len(), 2);
    }
}
