//! Where a command looks for the gateway, and what it says when there is none.

use std::sync::Arc;

use axum::{Router, routing::get};
use hookhaven_store::clock::{ManualClock, SeededEntropy};

use super::{nobody, run, serve};
use crate::{
    api::fixture::{START, Scene, config},
    cli::{client::Client, settings::Settings},
    config::{Config, Place, Store},
};

async fn find(settings: &Settings) -> anyhow::Result<Client> {
    Client::find(settings, Arc::new(ManualClock::at(START)), Arc::new(SeededEntropy::new(1))).await
}

#[tokio::test]
async fn a_running_gateway_is_asked() {
    let scene = Scene::new();
    scene.accept("github", "push", b"{}").await;
    let served = serve(scene.router.clone()).await;
    let client = find(&Settings::for_tests(&served.url, false, None, config())).await.unwrap();
    assert!(run(&client, &scene, "events list", None).await.done().contains("push"));
}

#[tokio::test]
async fn without_one_the_data_directory_answers() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { store: Store { place: Place::Memory, ..Store::default() }, ..config() };
    let settings = Settings::for_tests(&nobody().await, false, Some(dir.path().into()), config);
    let client = find(&settings).await.unwrap();
    let scene = Scene::new();
    let out = run(&client, &scene, "destinations pause billing", None).await.done();
    assert_eq!(out, "billing is paused; 0 events waiting.\n");
    assert!(run(&client, &scene, "destinations list", None).await.done().contains("paused by operator"));
    client.close().await;
}

#[tokio::test]
async fn without_either_it_says_so_and_how_to_start_one() {
    let dir = tempfile::tempdir().unwrap();
    let url = nobody().await;
    let gone = dir.path().join("gone");
    let error = find(&Settings::for_tests(&url, false, Some(gone.clone()), config())).await.err().unwrap();
    let want =
        format!("no gateway at {url} and no data directory {}; start one with `hookhaven serve`", gone.display());
    assert!(error.to_string().starts_with(&want), "{error:#}");
    assert!(!gone.exists(), "looking makes nothing");
}

#[tokio::test]
async fn an_address_given_by_hand_is_the_only_one_tried() {
    let dir = tempfile::tempdir().unwrap();
    let url = nobody().await;
    let error = find(&Settings::for_tests(&url, true, Some(dir.path().into()), config())).await.err().unwrap();
    assert!(format!("{error:#}").contains(&url), "{error:#}");
}

#[tokio::test]
async fn something_else_that_answers_is_no_gateway() {
    let scene = Scene::new();
    let other = Router::new().fallback(get(|| async { "<html>hello</html>" }));
    let served = serve(other).await;
    let client = find(&Settings::for_tests(&served.url, false, None, config())).await.unwrap();
    let error = run(&client, &scene, "events list", None).await.code.unwrap_err();
    assert!(error.to_string().contains("not as a gateway"), "{error:#}");
}
