//! Alerts over several nodes: figures are of all of them, and what all of them find is told once.

use crate::support::{handler::Handler, sign};

use super::*;

const FORGED: usize = 500;

fn told(pager: &Handler) -> Vec<Value> {
    pager.received().iter().map(|said| serde_json::from_slice(&said.body).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_bad_signatures_over_two_nodes_is_one_page() {
    let (handler, pager) = (Handler::answering(200).await, Handler::answering(202).await);
    let (database, config) = (database(), config(&handler, ""));
    let alerts = format!(
        "[alerts]\nevery = \"1s\"\n[alerts.rules.invalid_signatures]\nwindow = \"15s\"\nclear = \"3s\"\n\
         [alerts.channels.pager]\npagerduty = \"R0UTING\"\nurl = \"{}\"\n",
        pager.url()
    );
    let nodes = nodes(&database, ["all", "all"], &format!("{config}{alerts}")).await;
    for node in &nodes {
        // Whose figures count is who was heard of.
        let both = hookhaven_load::gateway::poll(crate::support::PATIENCE, async || {
            let metrics = node.admin().send("GET", "/metrics", b"").await.ok()?;
            String::from_utf8_lossy(&metrics.body).contains("hookhaven_nodes{role=\"all\"} 2").then_some(())
        });
        both.await.expect("each has heard of the other");
    }
    for number in 0..FORGED {
        let body = format!("{{\"id\":\"evt_{number}\"}}");
        let headers = sign::stripe("another", body.as_bytes());
        let answer = nodes[number % 2].post("/webhooks/shop", &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 401);
    }
    pager.until(2).await;
    let said = told(&pager);
    let of = |said: &Value| (said["event_action"].clone(), said["dedup_key"].clone());
    let thread = Value::from("hookhaven/invalid_signatures/shop/1");
    assert_eq!(of(&said[0]), ("trigger".into(), thread.clone()));
    assert_eq!(of(&said[1]), ("resolve".into(), thread));
    assert_eq!(said[1]["payload"]["custom_details"]["peak"], FORGED as f64, "of both together");
    for node in &nodes {
        node.until("/api/v1/alerts", |alerts| {
            alerts["items"].as_array().is_some_and(|items| items.len() == 1 && items[0]["state"] == "ended")
        })
        .await;
        // Each has looked once more since.
        let looked = node.get("/api/v1/alerts").await["looked_at"].clone();
        let forged = sign::stripe("another", b"{}");
        assert_eq!(node.post("/webhooks/shop", &forged, b"{}").await.status, 401);
        node.until("/api/v1/alerts", |alerts| alerts["looked_at"] != looked).await;
    }
    assert_eq!(pager.received().len(), 2, "{:#?}", told(&pager));
}
