//! URL groups: a message for each endpoint, none lost by a crash.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::support::{
    gateway::Gateway,
    handler::{Handler, Reply},
    publisher::{CONFIG, Publisher},
};

const ENDPOINTS: usize = 3;
const BATCH: usize = 100;
const BATCHES: usize = 100;

/// What each message's attempts were for: endpoint and body, which never change.
type Seen = Arc<Mutex<BTreeMap<String, BTreeSet<(String, Vec<u8>)>>>>;

async fn survives_a_kill(mut gateway: Gateway) {
    let seen = Seen::default();
    let note = seen.clone();
    let handler = Handler::start(move |received| {
        let message = received.header("upstash-message-id").to_owned();
        let what = (received.path.clone(), received.body.to_vec());
        note.lock().expect("not poisoned").entry(message).or_default().insert(what);
        // One in ten fails the first time, so that there are second attempts.
        let fails = received.header("upstash-retried") == "0" && received.number.is_multiple_of(10);
        Reply::Status(if fails { 500 } else { 200 })
    })
    .await;
    gateway.serve().await;
    let publisher = Publisher(gateway.ingest());
    let endpoints: Vec<Value> =
        (0..ENDPOINTS).map(|n| json!({ "name": format!("e{n}"), "url": format!("{}/{n}", handler.url()) })).collect();
    let group = json!({ "endpoints": endpoints }).to_string();
    publisher.ask("POST", "/v2/topics/all/endpoints", &[], group.as_bytes()).await;

    let mut ids = BTreeSet::new();
    for batch in 0..BATCHES {
        if batch == BATCHES / 2 {
            gateway.kill().await;
            gateway.serve().await;
        }
        let entry = |n: usize| {
            let headers = json!({ "Upstash-Retry-Delay": "1" });
            json!({ "destination": "all", "headers": headers, "body": format!("{}", batch * BATCH + n) })
        };
        let batch = Value::Array((0..BATCH).map(entry).collect()).to_string();
        let answer = Publisher(gateway.ingest()).ask("POST", "/v2/batch", &[], batch.as_bytes()).await;
        for messages in answer.as_array().expect("a list") {
            let messages = messages.as_array().expect("a message for each endpoint");
            assert_eq!(messages.len(), ENDPOINTS);
            ids.extend(messages.iter().map(crate::support::publisher::id));
        }
    }
    assert_eq!(ids.len(), BATCHES * BATCH * ENDPOINTS);
    gateway.until_drained().await;
    let seen = seen.lock().expect("not poisoned");
    let lost: Vec<_> = ids.iter().filter(|id| !seen.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} were never delivered: {lost:?}", lost.len(), ids.len());
    let mixed: Vec<_> = seen.iter().filter(|(_, what)| what.len() > 1).collect();
    assert!(mixed.is_empty(), "an id stood for several things: {mixed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_loses_nothing() {
    survives_a_kill(Gateway::prepare(CONFIG)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_loses_nothing_on_postgres() {
    let database = hookhaven_testbed::shared().expect("a server").create().expect("a database");
    survives_a_kill(Gateway::node(&database, "all", &format!("[worker]\nsession_ttl = \"5s\"\n{CONFIG}"))).await;
}
