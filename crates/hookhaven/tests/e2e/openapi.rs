//! The admin API is as it describes itself: schemathesis reads the description of a running gateway that holds some of
//! everything, and tries every operation with what is right by it and with what is wrong. On both stores.
//!
//! Not here: what is tried and what is left out, which is `tests-clients/admin_api.py`'s.

use std::{process::Output, time::Duration};

use serde_json::json;
use tokio::process::Command;

use crate::support::{
    gateway::Gateway,
    handler::{Handler, Reply},
    output::well,
    publisher::{self, Publisher},
    script::script,
    sign,
};

const SECRET: &str = "whsec_the_right_one";
/// How long it may take: a quarter of a minute, on a machine that does nothing else.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(1_200);

/// Events that are delivered, die, wait, and go nowhere.
fn config(handler: &Handler) -> String {
    let url = handler.url();
    format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\
         [destinations.fine]\nurl = \"{url}/fine\"\n[destinations.broken]\nurl = \"{url}/broken\"\n\
         [destinations.asleep]\nurl = \"{url}/asleep\"\nstate = \"paused\"\n\
         [[routes]]\nsource = \"shop\"\nevents = [\"invoice.*\"]\nto = [\"fine\", \"asleep\"]\n\
         [[routes]]\nsource = \"shop\"\nevents = [\"charge.*\"]\nto = [\"broken\"]\nordering = \"fifo\"\n\
         retry = {{ attempts = 1 }}\n[alerts.channels.hook]\nwebhook = \"{url}/alerts\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n{}",
        publisher::CONFIG
    )
}

async fn handler() -> Handler {
    Handler::start(|received| match received.path.as_str() {
        "/hook/broken" => Reply::Status(500),
        _ => Reply::Status(200),
    })
    .await
}

/// Some of everything that the API lists.
async fn fill(gateway: &Gateway) {
    for number in 0..30 {
        let kind = ["invoice.paid", "charge.failed", "customer.created"][number % 3];
        let body = format!("{{\"id\":\"evt_{number}\",\"object\":\"event\",\"type\":\"{kind}\"}}");
        let secret = if number % 10 == 9 { "whsec_a_wrong_one" } else { SECRET };
        gateway.post("/webhooks/shop", &sign::stripe(secret, body.as_bytes()), body.as_bytes()).await;
    }
    publish(&Publisher(gateway.ingest())).await;
    let silence = json!({ "rule": "*", "for": "2h" });
    gateway.admin().post("/api/v1/alerts/silences", &silence).await.unwrap_or_else(|error| panic!("{error:#}"));
    gateway.until("/api/v1/dead-letters", |list| !list["items"][0].is_null()).await;
    gateway.until("/api/v1/deliveries?state=delivered", |list| !list["items"][0].is_null()).await;
    gateway.until("/api/v1/rejected", |list| !list["items"][0].is_null()).await;
}

/// Enough of everything that publishers make that some of it is deleted and some is left.
async fn publish(publisher: &Publisher) {
    let to = "https://a.example/x";
    for number in 0..24 {
        let endpoints = json!({ "endpoints": [{ "url": to }] }).to_string();
        publisher.ask("POST", &format!("/v2/topics/group-{number}/endpoints"), &[], endpoints.as_bytes()).await;
        let schedule = [("Upstash-Cron", "0 0 1 1 *"), ("Upstash-Schedule-Id", &*format!("schedule-{number}"))];
        publisher.ask("POST", &format!("/v2/schedules/{to}"), &schedule, b"{}").await;
        let delay = ("Upstash-Delay", "1h");
        publisher.ask("POST", &format!("/v2/enqueue/queue-{number}/{to}"), &[delay], b"{}").await;
        let key = format!("key-{number}");
        let flow = [delay, ("Upstash-Flow-Control-Key", &*key), ("Upstash-Flow-Control-Value", "rate=10")];
        publisher.publish(to, &flow, b"{}").await;
    }
}

async fn tried(gateway: &Gateway) {
    fill(gateway).await;
    let mut command = script(".venv/bin/python", "admin_api.py");
    command
        .env("HOOKHAVEN_URL", format!("http://{}", gateway.admin().address))
        .env("HOOKHAVEN_ADMIN_TOKEN", &gateway.admin().token);
    let ran = tokio::time::timeout(SCRIPT_PATIENCE, command.output()).await;
    let Output { status, stdout, stderr } =
        ran.expect("schemathesis ends").expect("it runs: cargo xtask test installs it");
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{}\n{err}\n{out}\n{status}", gateway.log());
    assert!(out.contains("No issues found"), "{out}");
}

#[tokio::test]
async fn schemathesis_finds_nothing_that_is_not_described() {
    let handler = handler().await;
    tried(&Gateway::start(&config(&handler)).await).await;
}

#[tokio::test]
async fn schemathesis_finds_nothing_on_postgres_either() {
    let handler = handler().await;
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    let database = databases.create().unwrap_or_else(|error| panic!("{error:#}"));
    let mut node = Gateway::node(&database, "all", &config(&handler));
    node.serve().await;
    tried(&node).await;
}

#[tokio::test]
async fn the_command_prints_what_a_gateway_serves() {
    let gateway = Gateway::start("").await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
    let printed = well(&["openapi"], command.arg("openapi").output().await.expect("the binary runs"));
    let printed: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(printed, gateway.get("/api/v1/openapi.json").await);
}
