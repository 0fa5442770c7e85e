//! Several nodes on one PostgreSQL: real processes, killed and cut off, behave as one gateway.

mod access;
mod alerts;
mod asked;
mod check;
mod idle;
mod jobs;
mod kills;
mod limits;
mod outage;
mod pooler;
mod rejected;
mod roles;
mod traces;
mod upgrade;

use std::{collections::BTreeMap, sync::Arc};

use hookhaven_load::{
    event::Events,
    faithful::{Faithful, Plan},
};
use serde_json::Value;

use crate::support::{
    gateway::Gateway,
    handler::{Handler, Received},
    load::number_of,
    soon,
};

const SECRET: &str = "whsec_the_right_one";

/// A database of the test's own on the server that tests share.
fn database() -> String {
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    databases.create().unwrap_or_else(|error| panic!("{error:#}"))
}

/// One source, one route, one destination; leases lapse as soon as may be.
fn config(handler: &Handler, destination: &str) -> String {
    format!(
        "\n[worker]\nsession_ttl = \"5s\"\n[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\nretry = {{ attempts = 9, initial = \"100ms\" }}\n\
         [destinations.app]\nurl = \"{}\"\n{destination}\n",
        handler.url()
    )
}

/// Nodes of these roles, started.
async fn nodes<const N: usize>(database: &str, roles: [&str; N], config: &str) -> [Gateway; N] {
    let mut nodes = roles.map(|role| Gateway::node(database, role, config));
    for node in &mut nodes {
        node.serve().await;
    }
    nodes
}

/// A sender of so many events to these nodes, one in twenty twice.
fn sender(to: &[&Gateway], count: u64) -> Arc<Faithful> {
    let events = Events { run: "nodes".into(), secret: SECRET.into(), body_bytes: 2_048 };
    let plan =
        Plan { events, path: "/webhooks/shop".into(), count, connections: 16, per_second: None, twice_percent: 5 };
    Faithful::new(plan, to.iter().map(|node| node.ingest()).collect())
}

async fn until_acknowledged(sender: &Faithful, count: u64) {
    let mut acknowledged = sender.acknowledged();
    soon("acknowledged events", acknowledged.wait_for(|n| *n >= count)).await.expect("the sender is there");
}

/// By the number in the body, how often each event was delivered.
fn deliveries(received: &[Received]) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for number in received.iter().filter_map(|r| number_of(&r.body)) {
        *counts.entry(number).or_insert(0) += 1;
    }
    counts
}

/// Every event is in the store once, and every delivery ended delivered.
async fn all_stored_once_and_delivered(node: &Gateway, handler: &Handler, count: u64) {
    node.until_drained().await;
    let keys = node.keys().await;
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!((keys.len() as u64, distinct.len() as u64), (count, count), "each event once");
    let delivered = deliveries(&handler.received());
    let missing: Vec<_> = (0..count).filter(|number| !delivered.contains_key(number)).collect();
    assert!(missing.is_empty(), "never delivered: {missing:?}\n{}", node.log());
    let dead = node.items("/api/v1/dead-letters").await;
    assert!(dead.is_empty(), "{dead:?}");
}
