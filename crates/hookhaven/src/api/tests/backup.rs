//! A backup asked for over the API: begun at once, watched, one at a time.

use std::sync::Arc;

use hookhaven_store::{
    Store,
    faulty::{Faulty, Verb, When},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::api::fixture::Scene;

/// Asks until it runs no more.
async fn ended(scene: &Scene) -> Value {
    loop {
        let view = scene.get("/api/v1/backup").await.json();
        if view["state"] != "running" {
            return view;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_store_without_a_disk_says_so() {
    let scene = Scene::new();
    assert_eq!(scene.get("/api/v1/backup").await.json()["state"], "none");
    let begun = scene.post("/api/v1/backup", json!({ "dir": "/nowhere" })).await;
    assert_eq!((begun.status, &begun.json()["state"]), (StatusCode::ACCEPTED, &json!("running")));
    let view = ended(&scene).await;
    assert_eq!((&view["state"], &view["problem"]["code"]), (&json!("failed"), &json!("store_refused")));
    assert_eq!(view["problem"]["status"], 409);
    assert_eq!(scene.post("/api/v1/backup", json!({ "folder": "/x" })).await.code(), "bad_body");
}

#[tokio::test]
async fn one_at_a_time() {
    let mut scene = Scene::new();
    let faulty = Arc::new(Faulty::over(scene.store.clone()));
    let held = faulty.hold(Verb::Backup, When::Before);
    scene.router = scene.router_over(faulty as Arc<dyn Store>);
    scene.post("/api/v1/backup", json!({ "dir": "/first" })).await;
    held.reached(1).await;
    let second = scene.post("/api/v1/backup", json!({ "dir": "/second" })).await;
    assert_eq!(second.code(), "backup_running");
    assert!(second.json()["detail"].as_str().unwrap().contains("/first"));
    held.release();
    assert_eq!(ended(&scene).await["dir"], "/first");
    scene.post("/api/v1/backup", json!({ "dir": "/second" })).await;
    assert_eq!(ended(&scene).await["dir"], "/second");
}
