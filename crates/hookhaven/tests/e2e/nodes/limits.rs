//! Limits of a destination hold over all nodes: how many attempts at once, and how it is rested.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::support::handler::{Gate, Reply};

const COUNT: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrency_is_exact_over_all_workers() {
    let gates: Arc<Vec<Gate>> = Arc::new((0..=COUNT).map(|_| Gate::closed()).collect());
    let at = gates.clone();
    let handler = Handler::start(move |r| Reply::After(at[r.number.min(COUNT as usize)].clone(), 200)).await;
    let (database, config) = (database(), config(&handler, "concurrency = 3"));
    let [ingest, ..] = &nodes(&database, ["ingest", "worker", "worker", "worker"], &config).await;
    soon("the sender's end", sender(&[ingest], COUNT).send()).await;
    for n in 1..=COUNT as usize {
        // As many as may be, and then one more for each that ends.
        handler.until((n + 2).min(COUNT as usize)).await;
        assert_eq!(handler.received().len(), (n + 2).min(COUNT as usize), "with {} ended", n - 1);
        gates[n].open();
    }
    all_stored_once_and_delivered(ingest, &handler, COUNT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_breaker_that_one_worker_opens_rests_all_and_one_probe_closes_it() {
    let handler = Handler::answering(500).await;
    let breaker = "breaker = { failures = 5, deliveries = 3, rest = \"2s\" }";
    let (database, config) = (database(), config(&handler, breaker));
    let config =
        config.replace("attempts = 9, initial = \"100ms\"", "attempts = 99, initial = \"100ms\", max = \"1s\"");
    let nodes = nodes(&database, ["ingest", "worker", "worker"], &config).await;
    let [ingest, first, second] = &nodes;
    let sending = tokio::spawn(sender(&[ingest], 40).send());
    for node in [ingest, first, second] {
        node.until("/api/v1/destinations/app", |view| view["breaker"] == "open").await;
    }
    soon("the sender's end", sending).await.expect("it ends");
    for worker in [first, second] {
        worker.until("/api/v1/destinations/app", |view| view["in_flight"] == 0).await;
    }

    // From here on each request is a probe; it hangs until we have looked.
    let (gate, probes) = (Gate::closed(), Arc::new(AtomicUsize::new(0)));
    let (shut, count) = (gate.clone(), probes.clone());
    handler.change(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Reply::After(shut.clone(), 200)
    });
    let mut probing = None;
    while probing.is_none() {
        for worker in [first, second] {
            let view = worker.get("/api/v1/destinations/app").await;
            if view["in_flight"] == 1 && probes.load(Ordering::SeqCst) == 1 {
                probing = Some(worker.pid());
            }
        }
    }
    let other = if probing == Some(first.pid()) { second } else { first };
    // It asks again and again, and is given nothing: its renewals of the session go on, its attempts stay.
    let before = other.get("/api/v1/nodes").await["items"].clone();
    other.until("/api/v1/nodes", |nodes| nodes["items"] != before).await;
    assert_eq!(probes.load(Ordering::SeqCst), 1, "one probe in all");
    gate.open();
    for worker in [first, second] {
        worker.until("/api/v1/destinations/app", |view| view["breaker"] == "closed").await;
    }
    all_stored_once_and_delivered(ingest, &handler, 40).await;
}
