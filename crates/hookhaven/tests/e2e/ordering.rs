//! Order under chaos: many keys with many versions in random order, duplicates, failing handlers, a killed node. A
//! `fifo` route never overtakes within a key; a `latest` route never delivers an older version after a newer one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use hookhaven_load::client::{Connection, post};
use serde_json::json;

use crate::support::{
    chance::Chance,
    gateway::Gateway,
    handler::{Handler, Received, Reply},
    sign,
};

const KEYS: usize = 50;
const VERSIONS: usize = 200;
const POSTERS: usize = 8;
const SECRET: &str = "whsec_the_right_one";

/// By key: versions in the order in which they were accepted.
type Arrivals = BTreeMap<usize, Vec<usize>>;
/// By key: each attempt in the order of arrival, with its version, and whether it succeeded.
type Attempts = Arc<Mutex<BTreeMap<usize, Vec<(usize, bool)>>>>;

/// Both modes over the same events; retries come at once and do not end.
fn config(fifo: &Handler, latest: &Handler) -> String {
    let retry = "retry = { attempts = 100, initial = \"1ms\", factor = 1.0, max = \"1ms\" }";
    format!(
        "\n[worker]\nsession_ttl = \"5s\"\n[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\
         [[routes]]\nsource = \"shop\"\nto = [\"line\"]\nordering = \"fifo\"\n{retry}\n\
         [[routes]]\nsource = \"shop\"\nevents = [\"updated\"]\nto = [\"state\"]\n\
         ordering = {{ mode = \"latest\", version = \"json:/data/object/v\" }}\n{retry}\n\
         [destinations.line]\nurl = \"{}\"\nconcurrency = 64\nbreaker = {{ failures = 1000 }}\n\
         [destinations.state]\nurl = \"{}\"\nconcurrency = 64\nbreaker = {{ failures = 1000 }}\n",
        fifo.url(),
        latest.url()
    )
}

fn body(key: usize, version: usize) -> Vec<u8> {
    json!({ "id": format!("evt_{key}_{version}"), "type": "updated",
            "data": { "object": { "id": format!("key_{key}"), "v": version } } })
    .to_string()
    .into_bytes()
}

fn key_and_version(received: &Received) -> (usize, usize) {
    let event: serde_json::Value = serde_json::from_slice(&received.body).expect("an event of ours");
    let object = &event["data"]["object"];
    let key = object["id"].as_str().and_then(|id| id.strip_prefix("key_")?.parse().ok());
    let version = object["v"].as_u64().and_then(|v| usize::try_from(v).ok());
    (key.expect("a key"), version.expect("a version"))
}

/// A handler of which one attempt in five fails, as good as at random.
async fn moody() -> (Handler, Attempts) {
    let attempts = Attempts::default();
    let note = attempts.clone();
    let handler = Handler::start(move |received| {
        let (key, version) = key_and_version(received);
        let fails = (received.number * 2_654_435_761) % 97 < 19;
        note.lock().expect("not poisoned").entry(key).or_default().push((version, !fails));
        Reply::Status(if fails { 500 } else { 200 })
    })
    .await;
    (handler, attempts)
}

/// Posts these versions of the poster's keys, each after the one before was answered, to any of the nodes; one in ten
/// is sent once more.
async fn post_all(to: Vec<std::net::SocketAddr>, keys: Vec<(usize, Vec<usize>)>, chance: Chance) {
    let mut nodes = Vec::new();
    for address in to {
        nodes.push(Connection::open(address).await.expect("the node listens"));
    }
    let mut left: Vec<(usize, std::vec::IntoIter<usize>)> = keys.into_iter().map(|(k, v)| (k, v.into_iter())).collect();
    while !left.is_empty() {
        let n = usize::try_from(chance.below(left.len() as u64)).expect("it is small");
        let Some(version) = left[n].1.next() else {
            left.swap_remove(n);
            continue;
        };
        let body = body(left[n].0, version);
        for _ in 0..if chance.below(10) == 0 { 2 } else { 1 } {
            let node = usize::try_from(chance.below(nodes.len() as u64)).expect("it is small");
            let request = post("hooks.example.test", "/webhooks/shop", &sign::stripe(SECRET, &body), &body);
            let answer = nodes[node].exchange(&request).await.expect("an answer");
            assert_eq!(answer.status, 200);
        }
    }
}

/// Each key's versions from `from` to `to` of its random order, by several posters at once.
async fn arrive(nodes: &[&Gateway], arrivals: &Arrivals, part: std::ops::Range<usize>, chance: &Chance) {
    let mut posters = tokio::task::JoinSet::new();
    for poster in 0..POSTERS {
        let of_poster = arrivals.iter().filter(|(key, _)| *key % POSTERS == poster);
        let keys = of_poster.map(|(key, versions)| (*key, versions[part.clone()].to_vec())).collect();
        let to = nodes.iter().map(|node| node.ingest()).collect();
        posters.spawn(post_all(to, keys, Chance::of(chance.below(u64::MAX))));
    }
    while let Some(ended) = posters.join_next().await {
        ended.expect("a poster does not panic");
    }
}

fn shuffled(chance: &Chance) -> Arrivals {
    let one = |key| {
        let mut versions: Vec<usize> = (1..=VERSIONS).collect();
        for n in (1..VERSIONS).rev() {
            versions.swap(n, usize::try_from(chance.below(n as u64 + 1)).expect("it is small"));
        }
        (key, versions)
    };
    (0..KEYS).map(one).collect()
}

async fn holds_its_order(mut nodes: Vec<Gateway>, handlers: [(Handler, Attempts); 2]) {
    let (_, chance) = Chance::new();
    let arrivals = shuffled(&chance);
    for node in &mut nodes {
        node.serve().await;
    }
    let [(fifo, fifo_attempts), (_latest, latest_attempts)] = handlers;
    arrive(&nodes.iter().collect::<Vec<_>>(), &arrivals, 0..VERSIONS / 2, &chance).await;
    fifo.until(KEYS * VERSIONS / 10).await;
    let last = nodes.last_mut().expect("there is a node");
    last.kill().await;
    last.serve().await;
    arrive(&nodes.iter().collect::<Vec<_>>(), &arrivals, VERSIONS / 2..VERSIONS, &chance).await;
    // One after the other takes its time: patience is for each step of it.
    for attempts in (KEYS * VERSIONS / 10..KEYS * VERSIONS).step_by(200) {
        fifo.until(attempts).await;
    }
    nodes[0].until_drained().await;

    let attempts = fifo_attempts.lock().expect("not poisoned");
    for (key, versions) in &arrivals {
        let place = |version: usize| versions.iter().position(|v| *v == version).expect("it was sent");
        let attempted: Vec<usize> = attempts[key].iter().map(|(version, _)| place(*version)).collect();
        assert!(attempted.is_sorted(), "key {key}: one overtook another");
        let mut delivered: Vec<usize> =
            attempts[key].iter().filter(|(_, ok)| *ok).map(|(version, _)| place(*version)).collect();
        delivered.dedup();
        assert_eq!(delivered, (0..VERSIONS).collect::<Vec<_>>(), "key {key}");
    }
    let attempts = latest_attempts.lock().expect("not poisoned");
    for key in 0..KEYS {
        let attempted: Vec<usize> = attempts[&key].iter().map(|(version, _)| *version).collect();
        assert!(attempted.is_sorted(), "key {key}: an older version after a newer one: {attempted:?}");
        assert_eq!(attempts[&key].last(), Some(&(VERSIONS, true)), "key {key} ends with the newest");
    }
    let all: usize = attempts.values().map(Vec::len).sum();
    assert!(all < KEYS * VERSIONS, "nothing was superseded: {all} attempts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_holds_over_duplicates_failures_and_a_kill() {
    let handlers = [moody().await, moody().await];
    let gateway = Gateway::prepare(&config(&handlers[0].0, &handlers[1].0));
    holds_its_order(vec![gateway], handlers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_holds_with_two_nodes_on_postgres() {
    let handlers = [moody().await, moody().await];
    let database = hookhaven_testbed::shared().expect("a server").create().expect("a database");
    let node = || Gateway::node(&database, "all", &config(&handlers[0].0, &handlers[1].0));
    holds_its_order(vec![node(), node()], handlers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_fails_keeps_itself_back_and_says_so() {
    let stuck =
        Handler::start(|received| Reply::Status(if key_and_version(received).0 == 0 { 500 } else { 200 })).await;
    let config = format!(
        "\n[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\
         [[routes]]\nsource = \"shop\"\nto = [\"line\"]\nordering = \"fifo\"\nretry = {{ initial = \"10m\" }}\n\
         [destinations.line]\nurl = \"{}\"\n",
        stuck.url()
    );
    let gateway = Gateway::start(&config).await;
    for version in 1..=2 {
        for key in 0..3 {
            let body = body(key, version);
            let answer = gateway.post("/webhooks/shop", &sign::stripe(SECRET, &body), &body).await;
            assert_eq!(answer.status, 200);
        }
    }
    // Of the key that fails one attempt, of the others two each.
    stuck.until(5).await;
    gateway.until("/api/v1/status", |status| status.pointer("/store/pending") == Some(&2.into())).await;
    let pending = gateway.items("/api/v1/deliveries?state=pending").await;
    let [waiting, first] = &pending[..] else { panic!("{pending:?}") };
    let shown = gateway.get(&format!("/api/v1/deliveries/{}", waiting["id"].as_str().expect("an id"))).await;
    assert_eq!(shown["ordering"]["key"], "shop/key_0");
    assert_eq!(shown["ordering"]["waits_for"]["behind"], first["id"]);
    let event = waiting["event"].as_str().expect("an id");
    let told = String::from_utf8(gateway.ask(&["why", event]).await.stdout).expect("text");
    assert!(told.contains("of the same ordering key (shop/key_0) go first"), "{told}");
    let shown = String::from_utf8(gateway.ask(&["events", "show", event]).await.stdout).expect("text");
    assert!(shown.contains("fifo by shop/key_0; kept back by dlv_"), "{shown}");
    let metrics = gateway.admin().send("GET", "/metrics", b"").await.expect("metrics");
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(metrics.contains("webhook_ordering_kept_back{destination=\"line\"} 1"), "{metrics}");
}
