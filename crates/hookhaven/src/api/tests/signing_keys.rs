//! The signing keys of published messages, shown and rotated.

use std::sync::Arc;

use hookhaven_core::Secret;
use http::StatusCode;
use serde_json::json;

use crate::{
    api::fixture::Scene,
    config::{Config, Publish},
    publish::keys,
};

const PATH: &str = "/api/v1/publish/keys";

#[tokio::test]
async fn they_are_shown_and_rotated_where_the_store_keeps_them() {
    let scene = Scene::new();
    assert_eq!(scene.get(PATH).await.code(), "no_signing_keys");
    let made = keys::find_or_make(&*scene.store, &Publish::default(), &*scene.entropy).await.unwrap().keys;
    let text = |key: &Secret| String::from_utf8(key.expose().to_vec()).unwrap();
    let before = scene.get(PATH).await.json();
    assert_eq!(before, json!({ "current": text(&made.current), "next": text(&made.next), "configured": false }));

    assert_eq!(scene.get(&format!("{PATH}/rotate")).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let after = scene.post(&format!("{PATH}/rotate"), json!(null)).await.json();
    assert_eq!(after["current"], before["next"]);
    assert_ne!(after["next"], before["next"]);
    assert_eq!(scene.get(PATH).await.json(), after);
}

#[tokio::test]
async fn those_of_the_configuration_are_rotated_there() {
    let scene = Scene::new();
    let [current, next] = ["a", "b"].map(|letter| Secret::new(letter.repeat(32)));
    let publish = Publish { current_signing_key: current, next_signing_key: next, ..Publish::default() };
    scene.config.store(Arc::new(Config { publish, ..Config::clone(&scene.config.load()) }));
    let shown = scene.get(PATH).await.json();
    assert_eq!(shown, json!({ "current": "a".repeat(32), "next": "b".repeat(32), "configured": true }));
    assert_eq!(scene.post(&format!("{PATH}/rotate"), json!(null)).await.code(), "keys_from_config");
}

#[tokio::test]
async fn a_rotation_that_names_the_key_is_made_once_however_often_it_is_asked_for() {
    let scene = Scene::new();
    let before = scene.post("/api/v1/publish/keys/rotate", json!({})).await.json();
    let named = json!({ "next": before["next"] });
    let first = scene.post("/api/v1/publish/keys/rotate", named.clone()).await.json();
    assert_eq!(first["current"], before["next"]);
    let again = scene.post("/api/v1/publish/keys/rotate", named.clone()).await.json();
    assert_eq!(again, first);
    scene.post("/api/v1/publish/keys/rotate", json!({})).await;
    let late = scene.post("/api/v1/publish/keys/rotate", named).await;
    assert_eq!(late.code(), "signing_keys_changed");
}
