//! Bulk work on a running gateway: killed in the middle, paced, ended, tried with one first; and replays to another
//! destination.

use std::collections::{BTreeMap, BTreeSet};

use hookhaven_load::gateway::poll;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    gateway::Gateway,
    handler::{Handler, Reply},
    load::{Stripe, number_of},
    output::stdout,
};

const SECRET: &str = "whsec_the_right_one";

fn config(handler: &Handler, more: &str) -> String {
    format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\nretry = {{ attempts = 1 }}\n\
         [destinations.app]\nurl = \"{}\"\nconcurrency = 64\n{more}",
        handler.url()
    )
}

/// So many dead letters, whose handler works again and gets nothing until told so.
async fn dead_letters(gateway: &Gateway, handler: &Handler, count: u64) {
    let load = Stripe::new("shop", SECRET);
    load.send(gateway.ingest(), 16, count).await;
    assert_eq!(load.acknowledged().len() as u64, count);
    gateway.until_drained().await;
    handler.change(|_| Reply::Status(200));
}

pub async fn post(gateway: &Gateway, path: &str, body: Value) -> Value {
    gateway.admin().post(path, &body).await.unwrap_or_else(|error| panic!("{error:#}\n{}", gateway.log()))
}

async fn until(gateway: &Gateway, job: &str, holds: impl Fn(&Value) -> bool) -> Value {
    gateway.until(&format!("/api/v1/jobs/{job}"), holds).await
}

/// All that a list holds.
pub async fn all(gateway: &Gateway, path: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let mut page = gateway.get(&format!("{path}?limit=500{after}")).await;
        if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
            all.extend(items);
        }
        match &page["next"] {
            Value::String(next) => after = format!("&after={next}"),
            _ => return all,
        }
    }
}

/// By event, how many deliveries it has that replace another.
pub async fn replays_by_event(gateway: &Gateway) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for delivery in all(gateway, "/api/v1/deliveries").await {
        let replays = usize::from(!delivery["replaces"].is_null());
        *counts.entry(delivery["event"].as_str().unwrap_or_default().to_owned()).or_insert(0) += replays;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_replay_that_is_killed_in_the_middle_replays_each_once() {
    const COUNT: u64 = 3_000;
    let handler = Handler::answering(400).await;
    let mut gateway = Gateway::start(&config(&handler, "")).await;
    dead_letters(&gateway, &handler, COUNT).await;
    let failed = handler.received().len();
    // Nothing is being attempted when it is killed, so whatever comes twice was made twice.
    post(&gateway, "/api/v1/destinations/app/pause", json!({})).await;
    let order = json!({"act": "replay", "rate": "1500/s", "filter": {"source": "shop"}});
    let job = post(&gateway, "/api/v1/jobs", order).await["id"].as_str().expect("an id").to_owned();
    for part in [400, 1_200] {
        let state = until(&gateway, &job, |job| job["done"].as_u64() >= Some(part)).await;
        assert_eq!(state["state"], "running", "it was over before it could be killed: {state:#}");
        gateway.restart().await;
    }
    let ended = until(&gateway, &job, |job| !job["ended_at"].is_null()).await;
    assert_eq!(
        (&ended["state"], &ended["matched"], &ended["done"]),
        (&"done".into(), &COUNT.into(), &COUNT.into()),
        "{ended:#}"
    );
    let replays = replays_by_event(&gateway).await;
    assert_eq!((replays.len() as u64, replays.values().all(|n| *n == 1)), (COUNT, true));
    assert!(gateway.items("/api/v1/dead-letters").await.is_empty());

    post(&gateway, "/api/v1/destinations/app/resume", json!({})).await;
    gateway.until_drained().await;
    let received = handler.received();
    let delivered: BTreeSet<_> = received[failed..].iter().filter_map(|r| number_of(&r.body)).collect();
    assert_eq!((received.len() - failed, delivered.len() as u64), (COUNT as usize, COUNT), "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_held_to_its_pace_watched_and_ended() {
    let handler = Handler::answering(400).await;
    let gateway = Gateway::start(&config(&handler, "")).await;
    dead_letters(&gateway, &handler, 600).await;
    let dry = gateway.ask(&["dlq", "replay", "--all", "--dry-run"]).await;
    assert_eq!(stdout(&dry), "600 dead letters would be touched.\n");
    let begun = gateway.ask(&["dlq", "replay", "--all", "--rate", "40/s", "--yes", "--detach"]).await;
    let job = stdout(&begun).trim().to_owned();
    until(&gateway, &job, |job| job["done"].as_u64() >= Some(8)).await;
    let cancelled = gateway.ask(&["jobs", "cancel", &job]).await;
    assert!(stdout(&cancelled).contains("ends after the step it is in"), "{cancelled:?}");
    let ended = until(&gateway, &job, |job| job["state"] == "cancelled").await;
    let done = ended["done"].as_u64().expect("a number");
    assert!((8..600).contains(&done), "{ended:#}");
    let left = all(&gateway, "/api/v1/dead-letters").await.len() as u64;
    assert_eq!(left + done, 600, "what was not replayed is a dead letter still");
    let watched = gateway.ask(&["jobs", "watch", &job]).await;
    assert_eq!(watched.status.code(), Some(1));
    let dismissed = gateway.ask(&["dlq", "dismiss", "--type", "*", "--yes", "--json"]).await;
    let report: Value = serde_json::from_str(&stdout(&dismissed)).expect("JSON");
    assert_eq!((&report["state"], &report["done"]), (&"done".into(), &left.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_first_that_fails_stops_and_shows_why() {
    let handler = Handler::answering(400).await;
    let gateway = Gateway::start(&config(&handler, "")).await;
    dead_letters(&gateway, &handler, 20).await;
    handler.change(|_| Reply::Status(422));
    let stopped = gateway.ask(&["dlq", "replay", "--all", "--one-first", "--yes"]).await;
    let told = String::from_utf8_lossy(&stopped.stderr).into_owned();
    assert_eq!(stopped.status.code(), Some(1));
    assert!(told.contains("The job is failed") && told.contains("answered 422"), "{told}");
    assert_eq!(handler.received().len(), 21, "one was tried");
    handler.change(|_| Reply::Status(200));
    let fine = gateway.ask(&["dlq", "replay", "--all", "--one-first", "--yes"]).await;
    assert_eq!(stdout(&fine), "20 dead letters replayed.\n");
    gateway.until_drained().await;
    assert!(gateway.items("/api/v1/dead-letters").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_replayed_to_another_destination_and_compared() {
    let (handler, staging) = (Handler::answering(200).await, Handler::answering(200).await);
    // The policy of what goes there is that of the first route there, whatever that takes.
    let more = format!(
        "[destinations.staging]\nurl = \"{}\"\n[[routes]]\nsource = \"shop\"\nevents = [\"nothing.of.the.kind\"]\n\
         to = [\"staging\"]\nretry = {{ attempts = 1 }}\n",
        staging.url()
    );
    let gateway = Gateway::start(&config(&handler, &more)).await;
    let load = Stripe::new("shop", SECRET);
    load.send(gateway.ingest(), 4, 12).await;
    gateway.until_drained().await;
    // One of them is not what it was.
    staging.change(|received| Reply::Status(if number_of(&received.body) == Some(3) { 418 } else { 200 }));
    let line = ["replay", "--since", "1h", "--source", "shop", "--to", "staging", "--rate", "200/s", "--yes", "--json"];
    let ran = gateway.ask(&line).await;
    let report: Value = serde_json::from_str(&stdout_of(&ran)).expect("JSON");
    assert_eq!(ran.status.code(), Some(1), "one of them failed");
    assert_eq!(
        (&report["delivered"], &report["failed"], &report["pending"], &report["differing_count"]),
        (&11.into(), &1.into(), &0.into(), &1.into()),
        "{report:#}"
    );
    assert_eq!(report["differing"][0]["original_statuses"], json!([200]));
    assert_eq!(report["differing"][0]["status"], 418);
    let job = report["job"]["id"].as_str().expect("an id");
    let keys: BTreeSet<String> = handler.received().iter().map(|r| r.header("webhook-id").to_owned()).collect();
    for received in staging.received() {
        assert!(keys.contains(received.header("webhook-id")), "the same idempotency key");
        assert_eq!(received.header("hookhaven-replay"), job);
    }
    assert_eq!(handler.received().len(), 12, "nothing went where it had been");

    staging.change(|_| Reply::Status(200));
    let line = ["replay", "--all", "--to", "staging", "--new-key", "--yes", "--check", "true"];
    let ran = gateway.ask(&line).await;
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    assert_eq!(stdout(&ran), "12 events replayed.\n12 delivered, 0 failed, 0 still to come.\n");
    let new: Vec<_> = staging.received()[12..].iter().map(|r| r.header("webhook-id").to_owned()).collect();
    assert!(new.len() == 12 && new.iter().all(|key| !keys.contains(key)), "{new:?}");
    let event = gateway.items("/api/v1/events").await[0]["id"].as_str().expect("an id").to_owned();
    let story = stdout(&gateway.ask(&["why", &event]).await);
    assert!(story.contains("made to replay the event, by job_"), "{story}");
}

fn stdout_of(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_gateways_dead_letters_are_replayed_by_the_command_itself() {
    let handler = Handler::answering(400).await;
    let mut gateway = Gateway::start(&config(&handler, "")).await;
    dead_letters(&gateway, &handler, 300).await;
    assert!(gateway.terminate().await.success());
    let replayed = gateway.cli(&["dlq", "replay", "--all", "--yes"]).await;
    assert_eq!(stdout(&replayed), "300 dead letters replayed.\n");
    gateway.serve().await;
    gateway.until_drained().await;
    let done = poll(PATIENCE, async || (handler.received().len() == 600).then_some(())).await;
    assert!(done.is_some(), "{} attempts", handler.received().len());
}
