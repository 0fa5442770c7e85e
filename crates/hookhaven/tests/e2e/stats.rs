//! Figures over time: what nodes counted is added up, and is there after they have ended.

use serde_json::Value;

use crate::support::{
    gateway::Gateway,
    handler::{Handler, Reply},
    output::well,
    sign,
};

const SECRET: &str = "whsec_stats";

fn config(handler: &Handler) -> String {
    format!(
        "\n[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\nretry = {{ attempts = 1 }}\n[destinations.app]\nurl = \"{}\"\n",
        handler.url()
    )
}

async fn post(gateway: &Gateway, number: u64, secret: &str) -> u16 {
    let body = format!(r#"{{"id":"evt_{number}","type":"invoice.paid"}}"#).into_bytes();
    gateway.post("/webhooks/shop", &sign::stripe(secret, &body), &body).await.status
}

/// The figure of the whole span.
async fn overall(gateway: &Gateway, metric: &str, more: &str) -> Value {
    let view = gateway.get(&format!("/api/v1/stats?metric={metric}{more}")).await;
    view["series"][0]["overall"].clone()
}

/// Events 0..6 at the first of them and 6..10 at the last, one of them twice, one forged, two refused by the handler.
async fn count_over_an_end(nodes: &mut [Gateway]) {
    let last = nodes.len() - 1;
    for number in 0..10 {
        let node = if number < 6 { &nodes[0] } else { &nodes[last] };
        assert_eq!(post(node, number, SECRET).await, 200);
    }
    assert_eq!(post(&nodes[last], 3, SECRET).await, 200);
    assert_eq!(post(&nodes[0], 11, "whsec_of_somebody_else").await, 401);
    nodes[0].until_drained().await;
    // Each writes down what it has when it ends.
    for node in nodes.iter_mut() {
        assert!(node.terminate().await.success());
    }
    nodes[0].serve().await;
    let node = &nodes[0];
    for (metric, want) in [
        ("received", 11.0),
        ("duplicates", 1.0),
        ("rejected", 1.0),
        ("attempts", 10.0),
        ("delivered", 8.0),
        ("dead", 2.0),
    ] {
        assert_eq!(overall(node, metric, "").await, Value::from(want), "{metric}");
        assert_eq!(overall(node, metric, "&source=nobody").await, Value::from(0.0), "{metric}");
    }
    assert_eq!(overall(node, "delivered", "&destination=app").await, Value::from(8.0));
    for metric in ["answer_p50_ms", "answer_p99_ms", "end_to_end_p95_ms"] {
        assert!(overall(node, metric, "").await.as_f64().is_some_and(|ms| ms > 0.0 && ms < 60_000.0), "{metric}");
    }
    let said = well(&["stats"], node.ask(&["stats", "--since", "1h", "--source", "shop"]).await);
    let received = said.lines().find(|line| line.starts_with("received")).unwrap_or_else(|| panic!("{said}"));
    assert!(received.contains("11") && received.contains('█'), "{said}");
}

async fn handler() -> Handler {
    Handler::start(|received| {
        let refused = [&b"evt_4"[..], b"evt_7"].iter().any(|id| received.body.windows(5).any(|bytes| bytes == *id));
        Reply::Status(if refused { 404 } else { 200 })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_survive_a_restart() {
    let handler = handler().await;
    count_over_an_end(&mut [Gateway::start(&config(&handler)).await]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_nodes_add_up() {
    let handler = handler().await;
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    let database = databases.create().unwrap_or_else(|error| panic!("{error:#}"));
    let mut nodes = ["all", "all"].map(|role| Gateway::node(&database, role, &config(&handler)));
    for node in &mut nodes {
        node.serve().await;
    }
    count_over_an_end(&mut nodes).await;
}
