//! Acting on many dead letters.

use http::StatusCode;
use serde_json::json;

use crate::api::fixture::Scene;

#[tokio::test]
async fn a_dry_run_counts_and_touches_nothing() {
    let scene = Scene::new();
    for _ in 0..3 {
        scene.accept("stripe", "payment.failed", b"{}").await;
    }
    scene.kill("billing").await;
    let body = json!({"filter": {"destination": "billing"}, "dry_run": true});
    for act in ["replay", "dismiss"] {
        let got = scene.post(&format!("/api/v1/dead-letters/{act}"), body.clone()).await.json();
        assert_eq!((&got["matched"], &got["done"], &got["dry_run"]), (&json!(3), &json!(0), &json!(true)));
    }
    assert_eq!(scene.get("/api/v1/dead-letters").await.ids().len(), 3);
}

#[tokio::test]
async fn a_filter_takes_what_it_names_over_pages_and_nothing_else() {
    let scene = Scene::new();
    for _ in 0..700 {
        scene.accept("stripe", "payment.failed", b"{}").await;
    }
    scene.accept("stripe", "invoice.paid", b"{}").await;
    assert_eq!(scene.kill("billing").await + scene.kill("mail").await, 701);
    let filter = json!({"filter": {"type": "payment.failed", "class": "http_5xx", "source": "stripe"}});
    let got = scene.post("/api/v1/dead-letters/replay", filter.clone()).await.json();
    assert_eq!((&got["matched"], &got["done"]), (&json!(700), &json!(700)));
    assert_eq!(got["next"], json!(null));
    let left = scene.get("/api/v1/dead-letters").await.json();
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    assert_eq!(left["items"][0]["type"], "invoice.paid");
    let again = scene.post("/api/v1/dead-letters/replay", filter).await.json();
    assert_eq!(again["matched"], 0);
}

#[tokio::test]
async fn what_died_after_it_was_counted_stays() {
    let scene = Scene::new();
    scene.accept("stripe", "payment.failed", b"{}").await;
    scene.kill("billing").await;
    let counted = json!({"filter": {}, "dry_run": true});
    let until = scene.post("/api/v1/dead-letters/dismiss", counted).await.json()["until"].clone();
    scene.accept("stripe", "payment.failed", b"{}").await;
    scene.kill("billing").await;
    let got = scene.post("/api/v1/dead-letters/dismiss", json!({"filter": {"until": until}})).await.json();
    assert_eq!(got["done"], 1);
    assert_eq!(scene.get("/api/v1/dead-letters").await.ids().len(), 1);
}

#[tokio::test]
async fn ids_are_taken_one_by_one_and_each_is_accounted_for() {
    let scene = Scene::new();
    scene.accept("stripe", "payment.failed", b"{}").await;
    scene.accept("stripe", "payment.failed", b"{}").await;
    scene.kill("billing").await;
    scene.accept("stripe", "invoice.paid", b"{}").await;
    let dead = scene.get("/api/v1/dead-letters").await.ids();
    let waiting = scene.get("/api/v1/deliveries?destination=mail").await.ids();
    let unknown = "dlv_00000000000000000000000000";
    let ids = json!({"ids": [dead[0], waiting[0], unknown]});
    let got = scene.post("/api/v1/dead-letters/dismiss", ids.clone()).await.json();
    assert_eq!((&got["done"], &got["refused"], &got["unknown"]), (&json!(1), &json!(1), &json!(1)));
    let again = scene.post("/api/v1/dead-letters/dismiss", ids).await.json();
    assert_eq!((&again["done"], &again["already"]), (&json!(0), &json!(1)));
    assert_eq!(scene.get("/api/v1/dead-letters").await.ids(), [dead[1].clone()]);
}

#[tokio::test]
async fn a_selection_must_be_said_and_spelt_right() {
    let scene = Scene::new();
    scene.accept("stripe", "payment.failed", b"{}").await;
    scene.kill("billing").await;
    for body in [
        json!({}),
        json!({"ids": [], "filter": {}}),
        json!({"filter": {"destinaton": "billing"}}),
        json!({"filter": {"class": "http_500"}}),
        json!({"filter": {"since": "yesterday"}}),
        json!({"ids": ["evt_00000000000000000000000000"]}),
        json!({"ids": [], "after": "dlv_00000000000000000000000000"}),
        json!([]),
    ] {
        let got = scene.post("/api/v1/dead-letters/dismiss", body.clone()).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(scene.get("/api/v1/dead-letters").await.ids().len(), 1);
}
