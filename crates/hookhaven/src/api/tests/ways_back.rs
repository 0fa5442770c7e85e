//! Replays, and destinations paused and resumed.

use hookhaven_store::Store;
use http::{StatusCode, header};
use serde_json::json;

use crate::api::fixture::{Scene, route};

#[tokio::test]
async fn a_delivery_is_replayed_once() {
    let scene = Scene::new();
    scene.accept("stripe", "payment.failed", b"{}").await;
    let id = scene.get("/api/v1/deliveries").await.ids().remove(0);
    let path = format!("/api/v1/deliveries/{id}/replay");
    assert_eq!(scene.post(&path, json!({})).await.code(), "not_ended");
    scene.kill("billing").await;
    let first = scene.post(&path, json!({})).await.json();
    let again = scene.post(&path, json!({})).await.json();
    assert_eq!((&first["replayed"][0]["already"], &again["replayed"][0]["already"]), (&json!(false), &json!(true)));
    assert_eq!(first["replayed"][0]["replaced_by"], again["replayed"][0]["replaced_by"]);
    assert_eq!(scene.get("/api/v1/deliveries").await.ids().len(), 2);
    let unknown = "/api/v1/deliveries/dlv_00000000000000000000000000/replay";
    assert_eq!(scene.post(unknown, json!({})).await.code(), "delivery_not_found");
}

#[tokio::test]
async fn an_event_has_its_dead_letters_replayed() {
    let scene = Scene::new();
    let id = scene.accept("stripe", "payment.failed", b"{}").await;
    let path = format!("/api/v1/events/{id}/replay");
    assert_eq!(scene.post(&path, json!({})).await.code(), "nothing_to_replay");
    scene.kill("billing").await;
    assert_eq!(scene.post(&path, json!({})).await.json()["replayed"].as_array().unwrap().len(), 1);
    assert_eq!(scene.get("/api/v1/dead-letters").await.ids().len(), 0);
}

#[tokio::test]
async fn an_unrouted_event_goes_where_the_config_sends_it_now() {
    let scene = Scene::new();
    let id = scene.accept("github", "push", b"{}").await;
    let path = format!("/api/v1/events/{id}/replay");
    assert_eq!(scene.post(&path, json!({})).await.code(), "no_route");

    let mut config = (**scene.config.load()).clone();
    config.routes.push(route("github#1", "github", "push", "old", false));
    scene.config.store(config.clone().into());
    assert_eq!(scene.post(&path, json!({})).await.code(), "no_route", "disabled destinations get nothing new");

    config.routes.push(route("github#2", "github", "*", "mail", false));
    scene.config.store(config.into());
    assert_eq!(scene.post(&path, json!({})).await.json()["routed"].as_array().unwrap().len(), 1);
    let made = scene.get(&format!("/api/v1/deliveries?event={id}")).await.json();
    assert_eq!((&made["items"][0]["destination"], &made["items"][0]["route"]), (&json!("mail"), &json!("github#2")));
    assert_eq!(scene.post(&path, json!({})).await.code(), "nothing_to_replay");
}

#[tokio::test]
async fn destinations_tell_their_state_and_what_waits() {
    let scene = Scene::new();
    scene.accept("stripe", "payment.failed", b"{}").await;
    scene.kill("billing").await;
    scene.accept("stripe", "invoice.paid", b"{}").await;
    let got = scene.get("/api/v1/destinations").await.json();
    let of = |name: &str| got["items"].as_array().unwrap().iter().find(|d| d["name"] == name).unwrap().clone();
    assert_eq!((&of("billing")["dead_letters"], &of("billing")["depth"]), (&json!(1), &json!(0)));
    assert_eq!((&of("mail")["depth"], &of("mail")["breaker"]), (&json!(1), &json!("open")));
    assert_eq!((&of("mail")["in_flight"], &of("old")["state"]), (&json!(2), &json!("disabled")));
    assert_eq!(of("billing")["url"], "http://127.0.0.1:3000/billing?…");

    // Gone from the file, it is listed for as long as something waits there.
    let mut config = (**scene.config.load()).clone();
    config.destinations.remove("mail");
    config.destinations.remove("old");
    scene.config.store(config.into());
    let got = scene.get("/api/v1/destinations").await.json();
    let states: Vec<_> = got["items"].as_array().unwrap().iter().map(|d| (&d["name"], &d["state"])).collect();
    assert_eq!(states, [(&json!("billing"), &json!("active")), (&json!("mail"), &json!("missing"))]);
}

#[tokio::test]
async fn a_person_pauses_and_resumes() {
    let scene = Scene::new();
    let paused = scene.post("/api/v1/destinations/billing/pause", json!({"reason": "deploy"})).await.json();
    assert_eq!((&paused["state"], &paused["configured"]), (&json!("paused"), &json!("active")));
    assert_eq!((&paused["paused"]["by"], &paused["paused"]["reason"]), (&json!("operator"), &json!("deploy")));
    assert_eq!(scene.store.catalog("destination-paused").await.unwrap().len(), 1);
    let resumed = scene.post("/api/v1/destinations/billing/resume", json!({})).await.json();
    assert_eq!((&resumed["state"], &resumed["paused"]), (&json!("active"), &json!(null)));
    assert_eq!(*scene.signals.changed.lock().unwrap(), ["billing", "billing"]);
    for act in ["pause", "resume"] {
        let got = scene.post(&format!("/api/v1/destinations/none/{act}"), json!({})).await;
        assert_eq!(got.code(), "destination_not_found");
    }
    let got = scene.post("/api/v1/destinations/old/resume", json!({})).await;
    assert_eq!(got.code(), "state_from_config");
}

#[tokio::test]
async fn a_closed_store_is_a_503_that_says_when_to_come_again() {
    let scene = Scene::new();
    scene.store.close().await;
    for path in ["/api/v1/events", "/api/v1/deliveries", "/api/v1/destinations", "/api/v1/status"] {
        let got = scene.get(path).await;
        assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(got.code(), "store_unavailable");
        assert!(got.headers.contains_key(header::RETRY_AFTER));
    }
}
