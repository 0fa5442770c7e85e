//! A request that one node took and attempts that others make are one trace.

use crate::support::{collector::Collector, handler::Handler, handler::Reply, sign};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_on_other_nodes_join_the_request_s_trace() {
    let collector = Collector::start().await;
    let handler = Handler::start(|received| Reply::Status(if received.number == 1 { 500 } else { 200 })).await;
    let (database, config) = (database(), config(&handler, "") + &collector.config(""));
    let [ingest, worker] = nodes(&database, ["ingest", "worker"], &config).await;
    let body = br#"{"id":"evt_1","type":"invoice.paid"}"#;
    assert_eq!(ingest.post("/webhooks/shop", &sign::stripe(SECRET, body), body).await.status, 200);
    let both = |spans: &[crate::support::collector::Seen]| spans.iter().filter(|s| s.name() == "deliver").count() == 2;
    let spans = collector.until("both attempts", both).await;
    let request = spans.iter().find(|span| span.name() == "request").expect("the request's span");
    for attempt in spans.iter().filter(|span| span.name() == "deliver") {
        assert_eq!((&attempt.trace, &attempt.parent), (&request.trace, &request.id));
        assert_ne!(attempt.instance, request.instance, "it is another node's");
    }
    let stored = spans.iter().find(|span| span.name() == "store.accept").expect("the store's span");
    assert_eq!((&stored.parent, &stored.instance), (&request.id, &request.instance));
    worker.until_drained().await;
}
