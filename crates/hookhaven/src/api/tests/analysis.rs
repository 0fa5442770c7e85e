//! What stands out, as the API tells it.

use std::time::Duration;

use hookhaven_core::ErrorClass;
use hookhaven_store::{Next, clock::Clock};

use crate::api::fixture::Scene;

/// Deliveries to `billing` that go well, then some that get 503.
async fn since_then(scene: &Scene, fine: usize, failed: usize) {
    for _ in 0..fine {
        scene.accept("stripe", "payment.paid", b"{\"secret\":\"b0dy\"}").await;
        scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
        scene.clock.advance(Duration::from_secs(60));
    }
    for _ in 0..failed {
        scene.accept("stripe", "payment.paid", b"{\"secret\":\"b0dy\"}").await;
        scene.kill("billing").await;
        scene.clock.advance(Duration::from_secs(60));
    }
}

#[tokio::test]
async fn what_stands_out_is_told_with_its_figures() {
    let scene = Scene::new();
    since_then(&scene, 40, 20).await;
    let got = scene.get("/api/v1/analysis").await;
    let view = got.json();
    assert_eq!(view["attempt_count"], 60, "{view:#}");
    assert_eq!((&view["failure_count"], &view["sampled"]), (&20.into(), &serde_json::Value::Null));
    let findings = view["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{view:#}");
    assert_eq!(findings[0]["cause"], "server_errors");
    assert_eq!(findings[0]["destination"], "billing");
    assert_eq!((&findings[0]["failure_count"], &findings[0]["attempt_count"]), (&20.into(), &20.into()));
    assert!(findings[0]["since"].is_string() && findings[0]["until"].is_null());
    assert_eq!(findings[0]["examples"].as_array().unwrap().len(), 3);
    let text = String::from_utf8(got.body.to_vec()).unwrap();
    for hidden in ["s3cret", "hunter2", "b0dy", "down for"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
}

#[tokio::test]
async fn attempts_before_the_span_and_of_others_are_left_out() {
    let scene = Scene::new();
    since_then(&scene, 5, 30).await;
    scene.accept("stripe", "invoice.paid", b"{}").await;
    scene.settle("mail", ErrorClass::Ok, Some(200), Next::Delivered).await;
    let since = scene.clock.now().minus(Duration::from_secs(630));
    let count = |view: serde_json::Value| view["attempt_count"].as_u64().unwrap();
    assert_eq!(count(scene.get("/api/v1/analysis").await.json()), 36);
    assert_eq!(count(scene.get(&format!("/api/v1/analysis?since={since}")).await.json()), 11);
    let view = scene.get("/api/v1/analysis?destination=mail").await.json();
    assert_eq!(view["headline"], "Nothing stands out: of the attempts, 0 of 1 (0%) failed.");
}

#[tokio::test]
async fn a_span_that_can_hold_nothing_is_refused() {
    let scene = Scene::new();
    for query in ["since=2099-01-01T00:00:00Z", "since=yesterday", "sinse=2026-01-01T00:00:00Z"] {
        assert_eq!(scene.get(&format!("/api/v1/analysis?{query}")).await.code(), "bad_query");
    }
    assert_eq!(scene.get("/api/v1/analysis").await.json()["headline"], "No attempt was made.");
}
