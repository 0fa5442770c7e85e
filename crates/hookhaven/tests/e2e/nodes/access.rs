//! Tokens, disabled destinations and the audit log over several nodes.

use serde_json::json;

use super::*;
use crate::support::{PATIENCE, sign};

async fn status(node: &Gateway, token: &str) -> u16 {
    let mut admin = node.admin().clone();
    admin.token = token.to_owned();
    admin.send("GET", "/api/v1/status", b"").await.expect("an answer").status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_made_on_one_node_opens_all_and_revoked_on_one_opens_none() {
    let handler = Handler::answering(200).await;
    let (database, config) = (database(), config(&handler, ""));
    let [first, second] = nodes(&database, ["all", "all"], &config).await;
    let made = first.admin().post("/api/v1/tokens", &json!({ "name": "ci", "scopes": ["read"] })).await;
    let token = made.expect("a token")["token"].as_str().expect("it is shown").to_owned();
    assert_eq!(status(&second, &token).await, 200, "at once, before anybody told of it");
    assert_eq!(second.admin().send("DELETE", "/api/v1/tokens/ci", b"").await.expect("it ends").status, 200);
    assert_eq!(status(&second, &token).await, 401);
    let heard = hookhaven_load::gateway::poll(PATIENCE, async || (status(&first, &token).await == 401).then_some(()));
    assert!(heard.await.is_some(), "the other node hears of it");
    for node in [&first, &second] {
        let audit = node.items("/api/v1/audit").await;
        let actions: Vec<_> = audit.iter().filter_map(|entry| entry["action"].as_str()).collect();
        assert_eq!(actions, ["tokens.delete", "tokens.create"], "both nodes' entries stand in one log");
    }
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    let kept = databases.sql_at(&database, "SELECT kind, name, encode(value, 'escape') FROM hookhaven.catalog");
    let kept = kept.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(kept.contains("tokens.create") && !kept.contains(&token[3..]), "{kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_disabled_on_one_node_gets_nothing_new_from_any() {
    let handler = Handler::answering(200).await;
    let (database, config) = (database(), config(&handler, ""));
    let [worker, ingest] = nodes(&database, ["worker", "ingest"], &config).await;
    let route = "/api/v1/routes";
    worker.admin().post("/api/v1/destinations/app/disable", &json!({ "reason": "gone" })).await.expect("disabled");
    ingest.until(route, |routes| routes["items"][0]["state"] == "disabled").await;
    let post = async |id: &str| {
        let body = format!(r#"{{"id":"{id}","type":"invoice.paid"}}"#).into_bytes();
        assert_eq!(ingest.post("/webhooks/shop", &sign::stripe(SECRET, &body), &body).await.status, 200);
    };
    post("evt_off").await;
    ingest.admin().post("/api/v1/destinations/app/enable", &json!({})).await.expect("enabled");
    post("evt_on").await;
    worker.until_drained().await;
    assert_eq!(worker.items("/api/v1/events").await.len(), 2);
    assert_eq!(worker.items("/api/v1/deliveries").await.len(), 1);
    handler.until(1).await;
}
