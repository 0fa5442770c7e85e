//! What people try out on a running gateway: a handler with a test request, a source with a sample; and what it says of its
//! configuration, of deploys, of what it marked by itself.

use serde_json::{Value, json};

use crate::support::{
    gateway::Gateway,
    handler::{Handler, Reply, refusing},
    output::{items, stdout, well},
    soon,
};

const WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn config(url: &str, of_destination: &str) -> String {
    format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"whsec_the_right_one\"]\n\
         [sources.news]\nsender = \"sendgrid\"\nsecrets = [\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/\
         7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==\"]\n\
         [destinations.app]\nurl = \"{url}\"\nsecret = \"{WHSEC}\"\n{of_destination}\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\n"
    )
}

async fn post(gateway: &Gateway, path: &str, body: &Value) -> (u16, Value) {
    let answer = gateway.admin().send("POST", path, body.to_string().as_bytes()).await.expect("an answer");
    (answer.status, serde_json::from_slice(&answer.body).expect("JSON"))
}

/// Signs as attempts are, and leaves no event behind, whatever holds the destination back.
#[tokio::test]
async fn a_handler_is_tried_past_pause_and_queue_and_nothing_is_kept_of_it() {
    let handler = Handler::start(|_| Reply::says("text/plain", "thanks")).await;
    let gateway = Gateway::start(&config(&handler.url(), "")).await;
    post(&gateway, "/api/v1/destinations/app/pause", &json!({})).await;
    let (status, trial) = post(&gateway, "/api/v1/destinations/app/test", &json!({})).await;
    assert_eq!((status, &trial["ok"], &trial["response_excerpt"]), (200, &json!(true), &json!("thanks")), "{trial}");
    assert!(trial["phases"]["connect_us"].is_u64() && trial["duration_us"].is_u64(), "{trial}");
    let received = handler.received();
    assert_eq!(received.len(), 1);
    let request = &received[0];
    assert_eq!((request.header("hookhaven-test"), request.header("hookhaven-event-type")), ("true", "hookhaven.test"));
    assert_eq!(request.header("webhook-id"), trial["webhook_id"].as_str().expect("an id"));
    assert!(request.header("webhook-signature").starts_with("v1,"));
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!((&body["type"], &body["destination"]), (&json!("hookhaven.test"), &json!("app")));
    assert!(gateway.items("/api/v1/events").await.is_empty() && gateway.items("/api/v1/deliveries").await.is_empty());
    let said = gateway.ask(&["destinations", "test", "app"]).await;
    assert!(well(&["test"], said).starts_with("200  http://127.0.0.1:"));
    let audit = gateway.get("/api/v1/audit?action=destinations.test").await;
    assert_eq!(items(&audit).len(), 2);
}

#[tokio::test]
async fn a_handler_that_is_away_is_said_to_be_so_with_the_mend() {
    let gone = refusing();
    let gateway = Gateway::start(&config(&format!("http://{}/", gone.address), "")).await;
    let (status, trial) = post(&gateway, "/api/v1/destinations/app/test", &json!({})).await;
    assert_eq!((status, &trial["ok"], &trial["class"]), (200, &json!(false), &json!("connect")), "{trial}");
    assert!(trial["mend"].as_str().is_some_and(|mend| mend.contains("start the handler")), "{trial}");
    let said = gateway.ask(&["destinations", "test", "app"]).await;
    assert_eq!(said.status.code(), Some(1));
    assert!(stdout(&said).contains("start the handler"), "{said:?}");
}

#[tokio::test]
async fn a_sample_takes_the_way_of_every_event() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler.url(), "")).await;
    let (status, sample) = post(&gateway, "/api/v1/sources/shop/sample", &json!({ "type": "invoice.paid" })).await;
    assert_eq!((status, &sample["ok"], &sample["duplicate"]), (200, &json!(true), &json!(false)), "{sample}");
    assert_eq!(sample["delivery_count"], 1);
    soon("the sample's delivery", handler.until(1)).await;
    let event = gateway.get(&format!("/api/v1/events/{}", sample["event"].as_str().expect("an event"))).await;
    assert_eq!((&event["type"], &event["idempotency_key"]), (&json!("invoice.paid"), &sample["idempotency_key"]));
    let source = gateway.get("/api/v1/sources/shop").await;
    assert_eq!((&source["types"][0]["type"], &source["url_is_public"]), (&json!("invoice.paid"), &json!(true)));
    assert!(source["setup"]["paste"].as_str().is_some_and(|text| !text.is_empty()), "{source}");
    let (status, refused) = post(&gateway, "/api/v1/sources/news/sample", &json!({})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("cannot_sign")), "{refused}");
}

#[tokio::test]
async fn a_config_that_changed_or_broke_says_how_and_is_marked_on_the_charts() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler.url(), "")).await;
    let marks = async || gateway.items("/api/v1/marks").await;
    let started = gateway.until("/api/v1/marks", |page| !items(page).is_empty()).await;
    assert_eq!(items(&started)[0]["kind"], "start");
    well(&["mark"], gateway.ask(&["mark", "billing v42"]).await);
    assert_eq!((&marks().await[0]["kind"], &marks().await[0]["text"]), (&json!("deploy"), &json!("billing v42")));
    assert_eq!(gateway.get("/api/v1/config").await["differences"], json!([]));

    let changed = config(&handler.url(), "timeout = \"7s\"\n");
    gateway.configure(&format!("{changed}[worker]\nslots = 9\n[net]\nallow = [\"10.0.0.0/8\"]\n"));
    gateway.reload().await;
    let shown = gateway.until("/api/v1/config", |shown| shown["differences"] != json!([])).await;
    let want = json!([{ "key": "worker.slots", "in_force": null, "in_file": "9", "why": "next_start" }]);
    assert_eq!(shown["differences"], want, "what can change has, what cannot is told");
    let marked = gateway.until("/api/v1/marks", |page| items(page)[0]["kind"] == "config").await;
    assert_eq!(items(&marked)[0]["text"], "config changed: destinations changed app");

    gateway.configure(&config(&handler.url(), "").replace("secret =", "secrett ="));
    gateway.reload().await;
    let shown = gateway.until("/api/v1/config", |shown| shown["reload"]["error"].is_string()).await;
    let told = shown["differences"].to_string();
    assert!(told.contains("destinations.app.secrett") && told.contains("refused"), "{told}");
    assert!(!shown.to_string().contains(WHSEC) && !shown.to_string().contains("whsec_the_right_one"));
}
