//! Somebody looks at everything while events come in: lists with every filter, and a search that finds what was
//! sent; on each store. How fast that is, is the bench's question (`cargo xtask bench operate`).

use serde_json::Value;

use crate::support::{
    gateway::Gateway,
    handler::Handler,
    load::{Stripe, stripe_headers},
    output::well,
};

const SECRET: &str = "whsec_operate";
const EVENTS: u64 = 300;

fn config(handler: &Handler) -> String {
    format!(
        "[sources.stripe]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n[[routes]]\nsource = \"stripe\"\n\
         to = [\"sink\"]\n\n[destinations.sink]\nurl = \"{}\"\n",
        handler.url()
    )
}

async fn look_while_events_come_in(gateway: &Gateway) {
    let body = br#"{"id":"evt_planted","type":"invoice.paid","note":"The Planted One"}"#;
    let planted = gateway.post("/webhooks/stripe", &stripe_headers(SECRET, body), body).await;
    assert_eq!(planted.status, 200);
    let load = Stripe::new("stripe", SECRET);
    let (report, asked) = tokio::join!(load.send(gateway.ingest(), 4, EVENTS), look(gateway));
    assert_eq!((report.answered(200), asked), (EVENTS, 4 * LISTS.len()));
    let text = gateway.ask(&["events", "search", "the planted one", "--json"]).await;
    let text = well(&["events", "search"], text);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let [hit, end] = &lines[..] else { panic!("{text}") };
    assert_eq!(hit["hit"]["event"]["idempotency_key"], "evt_planted");
    assert_eq!((&end["end"]["scanned_events"], &end["end"]["whole"]), (&(EVENTS + 1).into(), &true.into()));
}

const LISTS: [&str; 14] = [
    "events",
    "events?source=stripe&type=invoice.*",
    "events?key=evt_planted",
    "events?state=delivered&destination=sink",
    "events?unrouted=true",
    "deliveries?type=payment_intent.*&state=pending",
    "deliveries?destination=sink&status=200",
    "deliveries?route=stripe%231",
    "deliveries?key=evt_planted",
    "deliveries?since=2026-01-01T00:00:00Z&class=ok",
    "dead-letters?source=stripe&status=503",
    "rejected?source=stripe",
    "search?text=planted",
    "search?text=nothing%20of%20the%20kind&type=invoice.*",
];

async fn look(gateway: &Gateway) -> usize {
    let mut asked = 0;
    for list in LISTS.iter().cycle().take(4 * LISTS.len()) {
        let answer = gateway.admin().send("GET", &format!("/api/v1/{list}"), &[]).await.expect("an answer");
        assert_eq!(answer.status, 200, "{list}: {}", String::from_utf8_lossy(&answer.body));
        asked += 1;
    }
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_searches_answer_while_events_come_in() {
    let handler = Handler::answering(200).await;
    look_while_events_come_in(&Gateway::start(&config(&handler)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_searches_answer_while_events_come_in_on_postgres() {
    let handler = Handler::answering(200).await;
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    let database = databases.create().expect("a database");
    let mut gateway = Gateway::node(&database, "all", &config(&handler));
    gateway.serve().await;
    look_while_events_come_in(&gateway).await;
}
