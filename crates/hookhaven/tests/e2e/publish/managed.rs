//! What publishers make, managed through the admin API of a running gateway: a pause there holds a queue and a key, a
//! resume lets them go, deleting cancels; and it is all there after a restart. On both stores.

use serde_json::{Value, json};

use crate::support::{
    gateway::Gateway,
    handler::Handler,
    publisher::{CONFIG, Publisher},
};

async fn act(gateway: &Gateway, path: &str) -> Value {
    gateway.admin().post(&format!("/api/v1/{path}"), &json!({})).await.unwrap_or_else(|error| panic!("{error:#}"))
}

/// What the message with this id has come to.
async fn until_delivered(gateway: &Gateway, message: &str) {
    gateway.until(&format!("/api/v1/messages/{message}"), |message| message["state"] == "delivered").await;
}

async fn is_managed(mut gateway: Gateway) {
    let handler = Handler::answering(200).await;
    gateway.serve().await;
    let publisher = Publisher(gateway.ingest());
    let to = handler.url();
    let endpoints = json!({ "endpoints": [{ "url": to, "name": "one" }, { "url": to, "name": "two" }] }).to_string();
    publisher.ask("POST", "/v2/topics/both/endpoints", &[], endpoints.as_bytes()).await;
    let schedule = [("Upstash-Cron", "0 0 1 1 *"), ("Upstash-Schedule-Id", "yearly")];
    publisher.ask("POST", "/v2/schedules/both", &schedule, b"{}").await;

    // A queue and a key that people hold back begin nothing, over a restart too.
    publisher.ask("POST", "/v2/queues", &[], br#"{"queueName":"line","parallelism":1}"#).await;
    let flow = [("Upstash-Flow-Control-Key", "a/b"), ("Upstash-Flow-Control-Value", "parallelism=1")];
    until_delivered(&gateway, &publisher.publish(&to, &flow, b"first").await).await;
    assert_eq!(act(&gateway, "queues/line/pause").await["paused"], true);
    assert_eq!(act(&gateway, "flow-control/a%2Fb/pause").await["paused"], true);
    assert_eq!(act(&gateway, "schedules/yearly/pause").await["next_at"], json!([]));
    let queued = publisher.ask("POST", &format!("/v2/enqueue/line/{to}"), &[], b"queued").await;
    let queued = crate::support::publisher::id(&queued);
    let limited = publisher.publish(&to, &flow, b"limited").await;
    gateway.restart().await;
    let publisher = Publisher(gateway.ingest());
    until_delivered(&gateway, &publisher.publish(&to, &[("Upstash-Label", "past")], b"past them").await).await;
    for (path, waits) in [("queues/line", &queued), ("flow-control/a%2Fb", &limited)] {
        let held = gateway.get(&format!("/api/v1/{path}")).await;
        assert_eq!((&held["paused"], &held["waiting"]), (&json!(true), &json!(1)), "{held}");
        assert_eq!(gateway.get(&format!("/api/v1/messages/{waits}")).await["state"], "pending");
    }
    assert_eq!(gateway.get("/api/v1/schedules/yearly").await["paused"], true);
    act(&gateway, "queues/line/resume").await;
    act(&gateway, "flow-control/a%2Fb/resume").await;
    act(&gateway, "flow-control/a%2Fb/reset").await;
    until_delivered(&gateway, &queued).await;
    until_delivered(&gateway, &limited).await;

    // Each is found by what it went through.
    let group = publisher.ask("POST", "/v2/publish/both", &[], b"both").await;
    for (query, count) in [("group=both", 2), ("queue=line", 1), ("flow_control=a/b", 2), ("label=past", 1), ("", 6)] {
        assert_eq!(gateway.items(&format!("/api/v1/messages?{query}")).await.len(), count, "{query}");
    }
    assert!(group.as_array().is_some_and(|messages| messages.len() == 2), "{group}");

    // Deleting takes along what waits.
    let delayed = publisher.ask("POST", &format!("/v2/enqueue/line/{to}"), &[("Upstash-Delay", "1h")], b"later").await;
    for (path, wanted) in [("queues/line", 1), ("schedules/yearly", 0), ("url-groups/both", 0)] {
        let answer = gateway.admin().send("DELETE", &format!("/api/v1/{path}"), b"").await.expect("an answer");
        assert_eq!(answer.status, 200, "{path}");
        let deleted: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(deleted["cancelled"].as_u64().unwrap_or(0), wanted, "{path}: {deleted}");
        let answer = gateway.admin().send("GET", &format!("/api/v1/{path}"), b"").await.expect("an answer");
        assert_eq!(answer.status, 404, "{path}");
    }
    let delayed = crate::support::publisher::id(&delayed);
    assert_eq!(gateway.get(&format!("/api/v1/messages/{delayed}")).await["state"], "cancelled");
}

#[tokio::test]
async fn what_publishers_made_is_managed() {
    is_managed(Gateway::prepare(CONFIG)).await;
}

#[tokio::test]
async fn what_publishers_made_is_managed_on_postgres() {
    let database = hookhaven_testbed::shared().expect("a server").create().expect("a database");
    is_managed(Gateway::node(&database, "all", &format!("[worker]\nsession_ttl = \"5s\"\n{CONFIG}"))).await;
}
