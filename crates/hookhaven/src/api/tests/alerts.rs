//! Alerts over the API, where no gateway runs.

use hookhaven_core::alert::{Kind, Rule, Severity, Told};
use hookhaven_store::{CatalogEntry, Store};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    alerting::ALERT_KIND,
    api::fixture::{START, Scene},
};

async fn fire(scene: &Scene, rule: &str, scope: &str) {
    let rule = Rule::defaults().into_iter().find(|known| &*known.name == rule).unwrap();
    let told = Told { kind: Kind::Fired, at: START, value: 12.0, event: None };
    let episode = json!({
        "rule": rule.name, "scope": scope, "severity": rule.severity, "number": 3, "fired_at": START,
        "value": 12.0, "peak": 40.0, "threshold": rule.threshold, "told": 1, "tellings": [told],
    });
    let value = serde_json::to_vec(&episode).unwrap();
    let entry = CatalogEntry { kind: ALERT_KIND.to_owned(), name: format!("{}/{scope}", rule.name), value };
    scene.store.put_catalog(entry).await.unwrap();
}

#[tokio::test]
async fn what_fires_is_listed_pages_first_with_what_to_do() {
    let scene = Scene::new();
    fire(&scene, "breaker_open", "mail").await;
    fire(&scene, "invalid_signatures", "stripe").await;
    let all = scene.get("/api/v1/alerts").await.json();
    let items = all["items"].as_array().unwrap();
    let rules: Vec<_> = items.iter().map(|item| item["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["invalid_signatures", "breaker_open"]);
    assert_eq!(items[0]["severity"], json!(Severity::Page));
    assert_eq!(items[0]["text"], "12 invalid signatures of stripe in the last 1m (page above 10)");
    assert_eq!(items[0]["command"], "hookhaven rejected list --source stripe");
    assert_eq!((&all["looked_at"], &items[0]["tellings"][0]["kind"]), (&Value::Null, &json!("fired")));
    let one = scene.get("/api/v1/alerts?rule=breaker_open&state=firing").await.json();
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    assert_eq!(scene.get("/api/v1/alerts?state=ended").await.json()["items"], json!([]));
    assert_eq!(scene.get("/api/v1/alerts?rul=x").await.code(), "bad_query");
    assert_eq!(scene.get("/api/v1/alerts?state=off").await.code(), "bad_query");
}

#[tokio::test]
async fn a_silence_is_one_for_each_rule_and_scope_and_can_be_taken_away() {
    let scene = Scene::new();
    let silence = async |body: Value| scene.post("/api/v1/alerts/silences", body).await;
    let first = silence(json!({ "rule": "queue_deep", "scope": "mail", "for": "1h", "reason": "x" })).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let again = silence(json!({ "rule": "queue_deep", "scope": "mail", "for": "2h" })).await;
    assert_eq!(first.json()["id"], again.json()["id"]);
    let other = silence(json!({ "rule": "queue_deep", "for": "2h" })).await;
    assert_ne!(other.json()["id"], again.json()["id"]);
    let listed = scene.get("/api/v1/alerts/silences").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    for wrong in [
        json!({ "rule": "queue_dep", "for": "1h" }),
        json!({ "rule": "queue_deep" }),
        json!({ "rule": "queue_deep", "for": "1h", "until": START }),
        json!({ "rule": "queue_deep", "until": START }),
        json!({ "rule": "queue_deep", "for": "soon" }),
        json!({ "rule": "queue_deep", "for": "400d" }),
        json!({ "rule": "queue_deep", "for": "1h", "reason": "x".repeat(501) }),
        json!({ "for": "1h" }),
    ] {
        assert_eq!(silence(wrong.clone()).await.code(), "bad_body", "{wrong}");
    }
    let path = format!("/api/v1/alerts/silences/{}", again.json()["id"].as_str().unwrap());
    let gone = scene.send("DELETE", &path, &[], axum::body::Body::empty()).await;
    assert_eq!(gone.json(), again.json());
    let before = scene.send("DELETE", &path, &[], axum::body::Body::empty()).await;
    assert_eq!(before.code(), "silence_not_found");
}

#[tokio::test]
async fn rules_are_listed_and_no_channel_is_told_where_no_gateway_runs() {
    let scene = Scene::new();
    let rules = scene.get("/api/v1/alerts/rules").await.json();
    assert_eq!(rules["items"].as_array().unwrap().len(), Rule::defaults().len());
    assert_eq!(rules["items"][0]["window"], "1m");
    assert_eq!(scene.get("/api/v1/alerts/channels").await.json()["items"], json!([]));
    assert_eq!(scene.post("/api/v1/alerts/channels/ops/test", json!({})).await.code(), "no_gateway");
}
