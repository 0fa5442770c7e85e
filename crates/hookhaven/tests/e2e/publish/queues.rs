//! Queues: first in, first out, whatever fails and whoever restarts.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{
    gateway::Gateway,
    handler::{Handler, Reply},
    publisher::{CONFIG, Publisher},
};

const MESSAGES: usize = 1_000;

/// Every attempt in the order of arrival: the message's number, and whether it succeeded.
type Attempts = Arc<Mutex<Vec<(usize, bool)>>>;

async fn failing_at_random() -> (Handler, Attempts) {
    let attempts = Attempts::default();
    let note = attempts.clone();
    let handler = Handler::start(move |received| {
        let number = String::from_utf8_lossy(&received.body).parse().expect("a number");
        // As good as random, and the same in every run: a third of the attempts fail, some several times.
        let fails = (received.number * 2_654_435_761) % 97 < 32;
        note.lock().expect("not poisoned").push((number, !fails));
        Reply::Status(if fails { 500 } else { 200 })
    })
    .await;
    (handler, attempts)
}

async fn keeps_order(mut gateway: Gateway) {
    let (handler, attempts) = failing_at_random().await;
    gateway.serve().await;
    let queue = json!({ "queueName": "line", "parallelism": 1 }).to_string();
    Publisher(gateway.ingest()).ask("POST", "/v2/queues", &[], queue.as_bytes()).await;
    for chunk in (0..MESSAGES).collect::<Vec<_>>().chunks(50) {
        let headers = json!({ "Upstash-Retries": "50", "Upstash-Retry-Delay": "1" });
        let entry = |n: &usize| json!({ "destination": handler.url(), "queue": "line", "headers": headers, "body": n.to_string() });
        let batch = Value::Array(chunk.iter().map(entry).collect()).to_string();
        Publisher(gateway.ingest()).ask("POST", "/v2/batch", &[], batch.as_bytes()).await;
    }
    handler.until(MESSAGES / 3).await;
    gateway.kill().await;
    gateway.serve().await;
    // One after the other takes its time: patience is for each step of it.
    for attempts in (MESSAGES / 2..MESSAGES + MESSAGES / 3).step_by(100) {
        handler.until(attempts).await;
    }
    gateway.until_drained().await;
    let lag = Publisher(gateway.ingest()).get("/v2/queues/line").await;
    assert_eq!(lag["lag"], 0);

    let attempts = attempts.lock().expect("not poisoned");
    let order: Vec<usize> = attempts.iter().map(|(number, _)| *number).collect();
    assert!(order.is_sorted(), "a message was attempted before an earlier one had ended");
    let mut delivered: Vec<usize> = attempts.iter().filter(|(_, ok)| *ok).map(|(number, _)| *number).collect();
    delivered.dedup();
    assert_eq!(delivered, (0..MESSAGES).collect::<Vec<_>>());
    assert!(attempts.len() > MESSAGES, "some attempts failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_holds_over_failures_and_a_kill() {
    keeps_order(Gateway::prepare(CONFIG)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_holds_over_failures_and_a_kill_on_postgres() {
    let database = hookhaven_testbed::shared().expect("a server").create().expect("a database");
    keeps_order(Gateway::node(&database, "all", &format!("[worker]\nsession_ttl = \"5s\"\n{CONFIG}"))).await;
}
