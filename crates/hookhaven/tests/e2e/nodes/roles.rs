//! What each role does and what it leaves to others, and what nodes know of each other.

use super::*;
use crate::support::{load::stripe_headers, output::stdout};

async fn post(node: &Gateway, number: u32) {
    let body = format!("{{\"id\":\"evt_{number}\",\"type\":\"x\"}}");
    let answer = node.post("/webhooks/shop", &stripe_headers(SECRET, body.as_bytes()), body.as_bytes()).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn an_ingest_node_takes_in_and_a_worker_brings_out() {
    let handler = Handler::answering(200).await;
    let (database, config) = (database(), config(&handler, ""));
    let [ingest] = nodes(&database, ["ingest"], &config).await;
    post(&ingest, 1).await;
    let status = ingest.get("/api/v1/status").await;
    assert_eq!((&status["role"], &status["accepting"]), (&"ingest".into(), &true.into()));
    let [mut worker] = nodes(&database, ["worker"], &config).await;
    handler.until(1).await;
    worker.until("/readyz", |ready| ready["ready"] == true).await;
    assert_eq!(worker.ingest().port(), 0, "a worker does not listen for senders");
    assert_eq!(worker.get("/api/v1/status").await["role"], "worker");
    assert!(!ingest.log().contains("\"message\":\"attempt\""));

    let listed = ingest.until("/api/v1/nodes", |nodes| nodes["items"].as_array().is_some_and(|n| n.len() == 2)).await;
    let of = |role: &str| listed["items"].as_array().unwrap().iter().find(|n| n["role"] == role).unwrap().clone();
    assert_eq!((&of("ingest")["this"], &of("worker")["alive"]), (&true.into(), &true.into()));
    assert_eq!(of("worker")["address"], worker.admin().address.to_string());
    assert_eq!(of("ingest")["config"], of("worker")["config"]);
    let table = stdout(&ingest.ask(&["nodes"]).await);
    assert!(table.contains("ingest") && table.contains("worker") && table.contains("alive"), "{table}");

    assert!(worker.terminate().await.success());
    ingest.until("/api/v1/nodes", |nodes| nodes["items"].as_array().is_some_and(|n| n.len() == 1)).await;
}

#[tokio::test]
async fn a_node_with_another_configuration_is_noticed() {
    let handler = Handler::answering(200).await;
    let (database, config) = (database(), config(&handler, ""));
    let [first, second] = nodes(&database, ["all", "worker"], &config).await;
    let [odd] = nodes(&database, ["worker"], &config.replace("attempts = 9", "attempts = 8")).await;
    for node in [&first, &second, &odd] {
        node.until_logged("another node has another configuration").await;
    }
    let metrics = first.admin().send("GET", "/metrics", b"").await.expect("an answer");
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(metrics.contains("hookhaven_nodes_config_differing 1\n"), "{metrics}");
    assert!(metrics.contains("hookhaven_nodes{role=\"worker\"} 2\n"), "{metrics}");
}

#[tokio::test]
async fn a_pause_on_one_node_holds_on_all() {
    let (handler, other) = (Handler::answering(200).await, Handler::answering(200).await);
    let more = format!("[destinations.other]\nurl = \"{}\"", other.url());
    let (database, config) = (database(), config(&handler, &more).replace("[\"app\"]", "[\"app\", \"other\"]"));
    let [ingest, first, second] = nodes(&database, ["ingest", "worker", "worker"], &config).await;
    ingest.admin().post("/api/v1/destinations/app/pause", &serde_json::json!({})).await.expect("it can be paused");
    for worker in [&first, &second] {
        let paused = |view: &Value| view["state"] == "paused";
        worker.until("/api/v1/destinations/app", paused).await;
    }
    // What goes elsewhere shows that workers looked, again and again, at what waits here too.
    for round in 1..=3 {
        for number in 0..10 {
            post(&ingest, round * 100 + number).await;
        }
        other.until(round as usize * 10).await;
    }
    assert_eq!(handler.received().len(), 0);
    second.admin().post("/api/v1/destinations/app/resume", &serde_json::json!({})).await.expect("it can be resumed");
    handler.until(30).await;
    ingest.until_drained().await;
}

#[tokio::test]
async fn commands_ask_the_database_when_no_gateway_answers_here() {
    let handler = Handler::answering(200).await;
    let (database, config) = (database(), config(&handler, ""));
    let [mut all] = nodes(&database, ["all"], &config).await;
    post(&all, 1).await;
    handler.until(1).await;
    all.until_drained().await;
    assert!(all.terminate().await.success());
    let listed = all.cli(&["events", "list", "--json"]).await;
    assert!(stdout(&listed).contains("evt_1"), "{listed:?}");
    let refused = all.cli(&["doctor"]).await;
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("a database, which has tools of its own"), "{told}");
}
