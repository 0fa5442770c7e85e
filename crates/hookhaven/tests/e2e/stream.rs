//! The live stream and `hookhaven tail`: who reads misses nothing, whatever becomes of the connection, the gateway or
//! the node that took an event in; and nobody is in the way of anybody's end.

use std::{collections::BTreeSet, sync::Arc};

use hookhaven_load::{
    event::Events,
    faithful::{Faithful, Plan},
    gateway::Admin,
};
use serde_json::Value;

use crate::{
    newcomer::port,
    support::{
        PATIENCE,
        follow::{Reader, Running},
        gateway::Gateway,
        handler::{Handler, Reply},
        sign, soon,
    },
};

const SECRET: &str = "whsec_stream";
const EVENTS: u64 = 1_000;
/// New messages read before a connection is cut; what comes twice is of the last minute, which here is all.
const CUT_AFTER: usize = 230;

fn config(handler: &Handler) -> String {
    format!(
        "\n[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\nretry = {{ attempts = 2, initial = \"10ms\" }}\n\
         [destinations.app]\nurl = \"{}\"\nbreaker = {{ failures = 1000 }}\n",
        handler.url()
    )
}

fn sender(to: &[&Gateway], count: u64) -> Arc<Faithful> {
    let events = Events { run: "stream".into(), secret: SECRET.into(), body_bytes: 512 };
    let plan =
        Plan { events, path: "/webhooks/shop".into(), count, connections: 8, per_second: None, twice_percent: 0 };
    Faithful::new(plan, to.iter().map(|node| node.ingest()).collect())
}

/// Reads, is cut off again and again, comes back to the next node, until it has seen all of them.
async fn sees_everything(nodes: &[&Gateway]) {
    let sending = tokio::spawn(sender(nodes, EVENTS).send());
    let admins: Vec<&Admin> = nodes.iter().map(|node| node.admin()).collect();
    let (mut events, mut delivered, mut dead) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut retried = BTreeSet::new();
    let mut reader = Reader::open(admins[0], "?since=2026-01-01T00:00:00Z", "").await;
    let (mut seen, mut cut_at, mut cuts) = (0, CUT_AFTER, 0);
    let everything = async {
        let ended = |delivered: &BTreeSet<String>, dead: &BTreeSet<String>| (delivered.len() + dead.len()) as u64;
        while events.len() as u64 != EVENTS || ended(&delivered, &dead) != EVENTS || !dead.is_subset(&retried) {
            let Some((kind, said)) = reader.message().await else { panic!("the stream ended") };
            let id = |field: &str| said[field].as_str().expect("an id").to_owned();
            let mut new = |is_new: bool| seen += usize::from(is_new);
            match (&*kind, said["outcome"].as_str()) {
                ("event", _) => new(events.insert(id("id"))),
                ("attempt", Some("delivered")) => new(delivered.insert(id("delivery"))),
                ("attempt", Some("retry")) => new(retried.insert(id("delivery"))),
                ("attempt", _) => {}
                ("dead_letter", _) => new(dead.insert(id("id"))),
                _ => panic!("{kind} {said}"),
            }
            if seen >= cut_at {
                (cuts, cut_at) = (cuts + 1, seen + CUT_AFTER);
                let cursor = reader.cursor.clone();
                drop(reader);
                reader = Reader::open(admins[cuts % admins.len()], "", &cursor).await;
            }
        }
    };
    let seen_all = tokio::time::timeout(4 * PATIENCE, everything).await;
    soon("the sender's end", sending).await.expect("it does not panic");
    let counts = (events.len(), delivered.len(), dead.len());
    assert!(seen_all.is_ok(), "waited in vain for all: {counts:?}\n{}", nodes[0].log());
    let listed = nodes[0].items("/api/v1/dead-letters?limit=500").await;
    let listed: BTreeSet<String> = listed.iter().map(|d| d["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(dead, listed);
    assert_eq!(nodes[0].keys().await.len() as u64, EVENTS);
    assert!(cuts >= 8 && dead.len() > 50, "{cuts} cuts, {counts:?}");
}

/// Refuses every tenth event, at each try.
async fn handler() -> Handler {
    Handler::start(|received| {
        let number = crate::support::load::number_of(&received.body).unwrap_or_default();
        Reply::Status(if number % 10 == 3 { 500 } else { 200 })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_cut_off_comes_back_to_all() {
    let handler = handler().await;
    let gateway = Gateway::start(&config(&handler)).await;
    sees_everything(&[&gateway]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_several_nodes_sees_what_each_took_in() {
    let handler = handler().await;
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    let database = databases.create().unwrap_or_else(|error| panic!("{error:#}"));
    let mut nodes = ["all", "all"].map(|role| Gateway::node(&database, role, &config(&handler)));
    for node in &mut nodes {
        node.serve().await;
    }
    sees_everything(&[&nodes[0], &nodes[1]]).await;
}

#[tokio::test]
async fn streams_have_a_limit_and_end_with_the_gateway() {
    let handler = Handler::answering(200).await;
    let mut gateway = Gateway::start(&config(&handler)).await;
    let mut readers = Vec::new();
    for _ in 0..hookhaven::api::STREAMS_MAX {
        readers.push(Reader::open(gateway.admin(), "", "").await);
    }
    let refused = gateway.admin().send("GET", "/api/v1/stream", b"").await.expect("an answer");
    let said: Value = serde_json::from_slice(&refused.body).expect("a problem");
    assert_eq!((refused.status, said["code"].as_str()), (503, Some("too_many_streams")));
    drop(readers.pop());
    // Its seat is free once the gateway has noticed.
    let found = hookhaven_load::gateway::poll(PATIENCE, async || {
        let admin = gateway.admin().clone();
        tokio::spawn(async move { Reader::open(&admin, "", "").await }).await.ok()
    });
    readers.push(found.await.expect("a seat"));
    assert!(gateway.terminate().await.success());
    for reader in &mut readers {
        assert_eq!(reader.message().await, None);
    }
}

async fn post(gateway: &Gateway, number: u64) {
    let body = format!(r#"{{"id":"evt_{number}","type":"invoice.paid"}}"#).into_bytes();
    assert_eq!(gateway.post("/webhooks/shop", &sign::stripe(SECRET, &body), &body).await.status, 200);
}

/// Ports that it gets again after a restart.
fn fixed_ports(gateway: &Gateway, config: &str) {
    let data = gateway.data();
    gateway.write_file(&format!(
        "[server]\ningest = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\n[store]\nurl = \"file:{}\"\n{config}",
        port(),
        port(),
        data.display()
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_goes_on_over_a_kill_and_shows_each_thing_once() {
    let handler = Handler::answering(200).await;
    let mut gateway = Gateway::prepare("");
    fixed_ports(&gateway, &config(&handler));
    gateway.serve().await;
    let tail = Running::start(gateway.command(&["tail", "--json", "--since", "1h"]));
    let keys = |lines: &[String]| -> Vec<String> {
        let said = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
        said.filter(|said| said["kind"] == "event").map(|said| said["idempotency_key"].to_string()).collect()
    };
    for number in 0..20 {
        post(&gateway, number).await;
    }
    tail.until("the first events", |lines| keys(lines).len() >= 20).await;
    gateway.restart().await;
    for number in 20..40 {
        post(&gateway, number).await;
    }
    let delivered = |lines: &[String]| lines.iter().filter(|line| line.contains("\"outcome\":\"delivered\"")).count();
    let lines = tail.until("all of it", |lines| keys(lines).len() >= 40 && delivered(lines) >= 40).await;
    assert_eq!(keys(&lines).iter().collect::<BTreeSet<_>>().len(), 40);
    assert!(tail.remarks().contains("Connected again"), "{}", tail.remarks());
    let shown = tail.lines().len();
    assert!(tail.interrupt().await.success());
    assert_eq!((keys(&lines).len(), shown), (40, 80), "each event and each attempt once");

    // For people, and only what failed.
    handler.change(|_| Reply::Status(404));
    let failed = Running::start(gateway.command(&["tail", "--failed", "--destination", "app", "--since", "1h"]));
    post(&gateway, 40).await;
    let lines = failed.until("what failed", |lines| lines.iter().any(|line| line.contains("hookhaven dlq show"))).await;
    assert!(lines.iter().all(|line| line.contains("  app  ")) && lines.iter().any(|line| line.contains("404")));
    assert!(failed.interrupt().await.success());
}

#[tokio::test]
async fn tail_says_what_is_wrong() {
    let gateway = Gateway::start("").await;
    for (arguments, code, said) in [
        (&["tail", "--type", "[a-z]+"][..], 2, "pattern"),
        (&["tail", "--token", "wrong"], 1, "refuses"),
        (&["tail", "--url", "http://127.0.0.1:1"], 1, "127.0.0.1:1"),
    ] {
        let url = format!("http://{}", gateway.admin().address);
        let url = if arguments.contains(&"--url") { vec![] } else { vec!["--url", &*url] };
        let output = gateway.cli(&[arguments, &url].concat()).await;
        let remarks = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {remarks}");
        assert!(remarks.contains(said), "{arguments:?}: {remarks}");
    }
}
