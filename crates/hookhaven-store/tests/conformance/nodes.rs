//! Nodes: who tells of itself is listed, with what it has in hand.

use std::time::Duration;

use hookhaven_store::{NodeReport, NodeRow, clock::Clock};

use crate::bench::*;

pub async fn nodes_are_listed_as_they_told_of_themselves(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    assert_eq!(store.nodes().await.unwrap(), []);
    accept(&store, event("k", clock.now(), &["billing"])).await;
    let session = store.open_session(TTL).await.unwrap();
    claim_one(&store, session, "billing").await;
    let report = |id: &str, hash: &str| NodeReport {
        id: id.into(),
        role: "worker".into(),
        version: "0.1.0".into(),
        config_hash: hash.into(),
        address: "10.0.0.9:8081".into(),
        session: None,
        started_at: start(),
    };
    let busy = NodeReport { session: Some(session), ..report("a", "1") };
    store.report_node(report("b", "1")).await.unwrap();
    store.report_node(report("a", "0")).await.unwrap();
    clock.advance(Duration::from_secs(5));
    store.report_node(busy.clone()).await.unwrap();
    let row = |report, seen_at, leases| NodeRow { report, seen_at, leases };
    let both = [row(busy, clock.now(), 1), row(report("b", "1"), start(), 0)];
    assert_eq!(store.nodes().await.unwrap(), both);
    store.forget_node("a").await.unwrap();
    assert_eq!(store.nodes().await.unwrap(), both[1..]);
    clock.advance(Duration::from_secs(24 * 3_600));
    store.report_node(report("c", "1")).await.unwrap();
    let left: Vec<_> = store.nodes().await.unwrap().into_iter().map(|node| node.report.id).collect();
    assert_eq!(left, ["c"]);
}
