//! A job whose node is killed goes on at another, and makes nothing twice.

use serde_json::json;

use super::*;
use crate::{
    jobs::{all, post, replays_by_event},
    support::handler::Reply,
};

const COUNT: u64 = 2_000;

/// A sender that sends nothing twice: that would replay what is dead.
fn once(to: &Gateway, count: u64) -> Arc<Faithful> {
    let events = Events { run: "nodes".into(), secret: SECRET.into(), body_bytes: 2_048 };
    let plan =
        Plan { events, path: "/webhooks/shop".into(), count, connections: 16, per_second: None, twice_percent: 0 };
    Faithful::new(plan, vec![to.ingest()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_goes_on_when_the_runner_is_killed() {
    let handler = Handler::answering(400).await;
    let (database, config) = (database(), config(&handler, "concurrency = 64").replace("attempts = 9", "attempts = 1"));
    let [ingest, first, second] = nodes(&database, ["ingest", "worker", "worker"], &config).await;
    let sender = once(&ingest, COUNT);
    soon("the sender's end", tokio::spawn(sender.clone().send())).await.expect("the sender does not panic");
    ingest.until_drained().await;
    handler.change(|_| Reply::Status(200));
    let failed = handler.received().len();
    // Nothing is being attempted when the node is killed, so whatever comes twice was made twice.
    post(&ingest, "/api/v1/destinations/app/pause", json!({})).await;
    for worker in [&first, &second] {
        worker.until("/api/v1/destinations/app", |view| view["state"] == "paused").await;
    }

    // Asked of a node that runs none, a worker takes it up.
    let order = json!({"act": "replay", "rate": "250/s", "filter": {"type": "*"}});
    let job = post(&ingest, "/api/v1/jobs", order).await["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/jobs/{job}");
    let running = ingest.until(&path, |job| job["done"].as_u64() >= Some(200)).await;
    let runner = running["runner"].as_str().expect("somebody runs it").to_owned();
    let id_of = async |node: &Gateway| {
        let listed = node.items("/api/v1/nodes").await;
        listed.iter().find(|n| n["this"] == true).expect("itself")["id"].as_str().expect("an id").to_owned()
    };
    let (mut doomed, other) = if id_of(&first).await == runner { (first, second) } else { (second, first) };
    doomed.kill().await;
    let taken = ingest.until(&path, |job| job["runner"] != json!(runner)).await;
    assert_eq!(taken["runner"], id_of(&other).await);
    let ended = ingest.until(&path, |job| !job["ended_at"].is_null()).await;
    assert_eq!(
        (&ended["state"], &ended["matched"], &ended["done"]),
        (&"done".into(), &COUNT.into(), &COUNT.into()),
        "{ended:#}"
    );
    let replays = replays_by_event(&ingest).await;
    assert_eq!((replays.len() as u64, replays.values().all(|n| *n == 1)), (COUNT, true));
    assert!(all(&ingest, "/api/v1/dead-letters").await.is_empty());

    post(&ingest, "/api/v1/destinations/app/resume", json!({})).await;
    ingest.until_drained().await;
    let received = handler.received();
    let delivered = deliveries(&received[failed..]);
    assert!(delivered.len() as u64 == COUNT && delivered.values().all(|n| *n == 1), "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_elsewhere_once_though_two_nodes_are_asked() {
    let (handler, staging) = (Handler::answering(200).await, Handler::answering(200).await);
    let more = format!("[destinations.staging]\nurl = \"{}\"", staging.url());
    let (database, config) = (database(), config(&handler, &more));
    let [first, second] = nodes(&database, ["all", "all"], &config).await;
    let sender = sender(&[&first], 300);
    soon("the sender's end", tokio::spawn(sender.clone().send())).await.expect("the sender does not panic");
    first.until_drained().await;
    let order = json!({"act": "replay", "of": "events", "to": "staging"});
    let job = post(&second, "/api/v1/jobs", order).await["id"].as_str().expect("an id").to_owned();
    first.until(&format!("/api/v1/jobs/{job}"), |job| job["state"] == "done").await;
    first.until_drained().await;
    let received = deliveries(&staging.received());
    assert!(received.len() == 300 && received.values().all(|n| *n == 1), "each once");
}
