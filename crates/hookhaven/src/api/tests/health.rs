//! Probes and metrics.

use std::time::Duration;

use axum::body::Body;
use hookhaven_store::Store;
use http::{StatusCode, header};
use serde_json::json;

use crate::api::fixture::Scene;

const NO_TOKEN: (&str, &str) = ("-authorization", "");

#[tokio::test]
async fn probes_need_no_token() {
    let scene = Scene::new();
    let got = scene.send("GET", "/healthz", &[NO_TOKEN, ("host", "10.9.9.9")], Body::empty()).await;
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, &b"ok\n"[..]));
    let got = scene.send("GET", "/readyz", &[NO_TOKEN], Body::empty()).await;
    assert_eq!((got.status, &got.json()["ready"]), (StatusCode::OK, &json!(true)));
}

#[tokio::test]
async fn it_is_unready_when_it_cannot_accept_and_says_why() {
    let scene = Scene::new();
    *scene.signals.draining.lock().unwrap() = Some("it is shutting down".into());
    scene.store.close().await;
    let got = scene.send("GET", "/readyz", &[NO_TOKEN], Body::empty()).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
    let reasons = got.json()["reasons"].to_string();
    assert!(reasons.contains("the store is closed") && reasons.contains("shutting down"), "{reasons}");
    // A page of another site learns nothing but the state.
    let got = scene.send("GET", "/readyz", &[NO_TOKEN, ("host", "evil.example")], Body::empty()).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(got.json(), json!({"ready": false}));
}

#[tokio::test]
async fn a_refused_config_is_told_and_does_not_make_it_unready() {
    let scene = Scene::new();
    scene.signals.reload.lock().unwrap().error = Some("hookhaven.toml:3:1: unknown key".into());
    let got = scene.send("GET", "/readyz", &[NO_TOKEN], Body::empty()).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(got.json()["config"]["error"], "hookhaven.toml:3:1: unknown key");
    assert_eq!(scene.get("/api/v1/status").await.json()["config"]["error"], "hookhaven.toml:3:1: unknown key");
}

#[tokio::test]
async fn metrics_are_rendered_as_open_metrics() {
    let got = Scene::new().get("/metrics").await;
    assert!(got.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("application/openmetrics-text"));
    assert!(got.body.ends_with(b"# EOF\n"));
}

#[tokio::test]
async fn the_status_counts_what_waits_and_what_died() {
    let scene = Scene::new();
    scene.accept("stripe", "payment.failed", b"{}").await;
    scene.kill("billing").await;
    scene.accept("stripe", "invoice.paid", b"{}").await;
    scene.clock.advance(Duration::from_secs(60));
    let status = scene.get("/api/v1/status").await.json();
    assert_eq!((&status["store"]["pending"], &status["store"]["dead_letters"]), (&json!(1), &json!(1)));
    assert_eq!(status["store"]["dead_letters_critical"], 1);
    assert_eq!(status["uptime_ms"], 60_002);
    assert_eq!((&status["sources"], &status["routes"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn a_worker_is_ready_when_it_can_claim_whatever_the_store_would_take() {
    let scene = Scene::new();
    let mut config = (**scene.config.load()).clone();
    config.server.role = crate::config::Role::Worker;
    scene.config.store(std::sync::Arc::new(config));
    scene.store.close().await;
    let got = scene.send("GET", "/readyz", &[NO_TOKEN], Body::empty()).await;
    assert_eq!((got.status, &got.json()["ready"]), (StatusCode::OK, &json!(true)));
    *scene.signals.idle.lock().unwrap() = Some("there is no session".into());
    let got = scene.send("GET", "/readyz", &[NO_TOKEN], Body::empty()).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(got.json()["reasons"], json!(["there is no session"]));
}
