//! One destination hangs, one refuses, one is fast: nobody waits for another (I10), and nothing is lost
//! of those that had to wait.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{
    gateway::Gateway,
    handler::{Gate, Handler, Reply},
    load::{Stripe, number_of},
};

const SECRET: &str = "whsec_isolation";
const EVENTS: u64 = 300;

fn config(hanging: &Handler, refusing: &Handler, fast: &Handler) -> String {
    // Fewer slots than the hanging destination alone would take.
    format!(
        "[worker]\nslots = 8\n\n[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [[routes]]\nsource = \"shop\"\nto = [\"hanging\", \"refusing\", \"fast\"]\n\
         retry = {{ attempts = 100, initial = \"100ms\", factor = 1.0 }}\n\n\
         [destinations.hanging]\nurl = \"{}\"\ntimeout = \"60s\"\nconcurrency = 64\n\n\
         [destinations.refusing]\nurl = \"{}\"\nbreaker = {{ failures = 10, deliveries = 5, rest = \"100ms\" }}\n\n\
         [destinations.fast]\nurl = \"{}\"\n",
        hanging.url(),
        refusing.url(),
        fast.url()
    )
}

fn numbers(handler: &Handler) -> BTreeSet<u64> {
    handler.received().iter().filter_map(|r| number_of(&r.body)).collect()
}

/// How many deliveries to a destination have not ended.
fn open(status: &Value, destination: &str) -> u64 {
    let depths = status["store"]["depths"].as_array().into_iter().flatten();
    let of_it = depths.filter(|depth| depth["destination"] == destination);
    of_it.map(|depth| depth["pending"].as_u64().unwrap_or(0) + depth["leased"].as_u64().unwrap_or(0)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_and_a_refusing_destination_delay_nobody() {
    let gate = Gate::closed();
    let waiting = gate.clone();
    let hanging = Handler::start(move |_| Reply::After(waiting.clone(), 200)).await;
    let mut refusing = Handler::answering(200).await;
    let fast = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&hanging, &refusing, &fast)).await;
    refusing.stop().await;

    let sender = Stripe::new("shop", SECRET);
    assert_eq!(sender.send(gateway.ingest(), 16, EVENTS).await.answered(200), EVENTS);
    fast.until(usize::try_from(EVENTS).unwrap()).await;
    let all = sender.acknowledged();
    assert_eq!(numbers(&fast), all, "the fast one has everything");
    assert!(!hanging.received().is_empty(), "the hanging one was asked");
    let status = gateway.until("/api/v1/status", |status| open(status, "fast") == 0).await;
    assert_eq!(open(&status, "hanging"), EVENTS, "while none of the hanging one has ended");
    assert_eq!(open(&status, "refusing"), EVENTS, "nor of the refusing one");
    assert!(numbers(&refusing).is_empty());

    gate.open();
    refusing.revive().await;
    gateway.until_drained().await;
    assert_eq!(numbers(&hanging), all, "mended, the hanging one gets what waited");
    assert_eq!(numbers(&refusing), all, "and so does the refusing one");
    let status = gateway.get("/api/v1/status").await;
    assert_eq!(status["store"]["dead_letters"], 0);
}
