//! One case for each way that receivers of webhooks are known to fail; the README's table names them.
//! `failure_mode_signature_bypass` and `failure_mode_sender_authentication` stand in `signatures`.

use std::collections::BTreeSet;

use hookhaven_load::{client::Answer, now::unix_s};

use crate::support::{
    gateway::Gateway,
    handler::{Gate, Handler, Reply},
    sign,
};

const SECRET: &str = "whsec_failure";

/// One Stripe source whose events all go to the handler; `route` and `destination` are further lines of
/// each.
fn config(handler: &Handler, route: &str, destination: &str) -> String {
    format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\n{route}\n\n\
         [destinations.app]\nurl = \"{}\"\n{destination}\n",
        handler.url()
    )
}

fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"invoice.paid"}}"#)
}

/// Sends it as Stripe would, signed now.
async fn send(gateway: &Gateway, body: &str) -> Answer {
    gateway.post("/webhooks/shop", &sign::stripe(SECRET, body.as_bytes()), body.as_bytes()).await
}

async fn acknowledged(gateway: &Gateway, body: &str) {
    let answer = send(gateway, body).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{body}");
}

/// Waits until exactly so many deliveries are in that state.
async fn until_count(gateway: &Gateway, path: &str, count: usize) {
    gateway.until(path, |page| page["items"].as_array().is_some_and(|items| items.len() == count)).await;
}

fn ids(handler: &Handler) -> BTreeSet<String> {
    let id = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).expect("JSON")["id"].to_string();
    handler.received().iter().map(|received| id(&received.body).replace('"', "")).collect()
}

#[tokio::test]
async fn failure_mode_replay() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler, "", "")).await;
    let (body, at_s) = (event("evt_captured"), unix_s());
    let captured = sign::stripe_at(SECRET, body.as_bytes(), at_s);
    for _ in 0..3 {
        let answer = gateway.post("/webhooks/shop", &captured, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "within the tolerance it cannot be told from the sender's own retry");
    }
    handler.until(1).await;

    // Later, and with the time put forward: the time is signed along.
    let stale = sign::stripe_at(SECRET, body.as_bytes(), at_s - 301);
    let mut put_forward = stale.clone();
    let signature = &mut put_forward.last_mut().expect("the signature comes last").1;
    *signature = signature.replace(&(at_s - 301).to_string(), &at_s.to_string());
    for (what, headers) in [("stale", stale), ("put forward", put_forward)] {
        let answer = gateway.post("/webhooks/shop", &headers, body.as_bytes()).await;
        assert_eq!((answer.status, answer.body.len()), (401, 0), "{what}");
    }
    gateway.until_drained().await;
    assert_eq!(gateway.items("/api/v1/events").await.len(), 1);
    assert_eq!(handler.received().len(), 1, "the handler got it once");
}

#[tokio::test]
async fn failure_mode_slow_handler() {
    let gate = Gate::closed();
    let waiting = gate.clone();
    let handler = Handler::start(move |_| Reply::After(waiting.clone(), 200)).await;
    let gateway = Gateway::start(&config(&handler, "", "timeout = \"60s\"")).await;

    acknowledged(&gateway, &event("evt_slow")).await;
    handler.until(1).await;
    // The handler has the event and does not answer; the sender is impatient and sends it again.
    for _ in 0..5 {
        acknowledged(&gateway, &event("evt_slow")).await;
    }
    acknowledged(&gateway, &event("evt_other")).await;
    handler.until(2).await;
    assert_eq!(gateway.items("/api/v1/deliveries?state=delivered").await.len(), 0, "it has not answered yet");
    gate.open();
    gateway.until_drained().await;
    assert_eq!(gateway.items("/api/v1/deliveries?state=delivered").await.len(), 2);
    assert_eq!(gateway.items("/api/v1/events").await.len(), 2);
    assert_eq!(handler.received().len(), 2, "each once");
}

#[tokio::test]
async fn failure_mode_out_of_order() {
    // The first to arrive fails until all the others are through: if they waited for it, nothing would end.
    const EVENTS: [(&str, i64); 4] =
        [("evt_3", 1_700_000_003), ("evt_1", 1_700_000_001), ("evt_4", 1_700_000_004), ("evt_2", 1_700_000_002)];
    let others = std::sync::Mutex::new(BTreeSet::new());
    let handler = Handler::start(move |received| {
        let mut others = others.lock().expect("no panic");
        let first = received.body.windows(5).any(|window| window == b"evt_3");
        if !first {
            others.insert(received.header("webhook-id").to_owned());
        }
        Reply::Status(if first && others.len() < EVENTS.len() - 1 { 500 } else { 200 })
    })
    .await;
    let retry = "retry = { attempts = 100, initial = \"50ms\", factor = 1.0 }";
    let gateway = Gateway::start(&config(&handler, retry, "concurrency = 1")).await;
    acknowledged(&gateway, &body_of(EVENTS[0])).await;
    handler.until(1).await; // it has failed once when the others come
    for event in &EVENTS[1..] {
        acknowledged(&gateway, &body_of(*event)).await;
    }
    gateway.until_drained().await;
    assert_eq!(gateway.items("/api/v1/deliveries?state=delivered").await.len(), EVENTS.len(), "all are delivered");

    // What a handler can put them in order by, whatever the order they came in.
    let mut latest = handler.received();
    latest.sort_by_key(|received| received.header("hookhaven-occurred-at").to_owned());
    latest.dedup_by_key(|received| received.header("webhook-id").to_owned());
    let bodies: Vec<_> = latest.iter().map(|received| String::from_utf8_lossy(&received.body).into_owned()).collect();
    let mut in_order = EVENTS;
    in_order.sort_by_key(|(_, at_s)| *at_s);
    assert_eq!(bodies, in_order.map(body_of));
    for received in latest {
        let ours = ["event-id", "event-type", "source", "attempt", "received-at", "occurred-at"];
        for name in ours.map(|name| format!("hookhaven-{name}")) {
            assert_ne!(received.header(&name), "", "{name}");
        }
    }
}

fn body_of((id, created): (&str, i64)) -> String {
    format!(r#"{{"id":"{id}","type":"invoice.paid","created":{created}}}"#)
}

#[tokio::test]
async fn failure_mode_duplicates() {
    // Its answer got lost twice; the sender sends it again as well, each time signed anew.
    let handler = Handler::start(|received| if received.number < 3 { Reply::Cut } else { Reply::Status(200) }).await;
    let retry = "retry = { attempts = 5, initial = \"1ms\", factor = 1.0 }";
    let gateway = Gateway::start(&config(&handler, retry, "")).await;
    for second in 0..5 {
        let body = event("evt_again");
        let headers = sign::stripe_at(SECRET, body.as_bytes(), unix_s() - second);
        assert_eq!(gateway.post("/webhooks/shop", &headers, body.as_bytes()).await.status, 200);
    }
    gateway.until_drained().await;
    acknowledged(&gateway, &event("evt_again")).await;
    gateway.until_drained().await;

    let received = handler.received();
    assert_eq!(received.len(), 3, "two that failed and one that did not");
    let keys: BTreeSet<_> = received.iter().map(|attempt| attempt.header("webhook-id")).collect();
    assert_eq!(keys.len(), 1, "the same id on every attempt, to handle it once by");
    let attempts: Vec<_> = received.iter().map(|attempt| attempt.header("hookhaven-attempt")).collect();
    assert_eq!(attempts, ["1", "2", "3"]);
    assert_eq!(gateway.items("/api/v1/events").await.len(), 1);
    assert_eq!(gateway.items("/api/v1/deliveries").await.len(), 1);
}

#[tokio::test]
async fn failure_mode_crash() {
    // Between the answer and the first attempt, and in the middle of an attempt.
    let handler = Handler::start(|_| Reply::Hang).await;
    let mut gateway = Gateway::start(&config(&handler, "", "concurrency = 1\ntimeout = \"60s\"")).await;
    let all: BTreeSet<_> = (0..20).map(|n| format!("evt_{n}")).collect();
    for id in &all {
        acknowledged(&gateway, &event(id)).await;
    }
    handler.until(1).await;
    gateway.kill().await;
    assert_eq!(ids(&handler).len(), 1, "the others were never attempted");

    handler.change(|_| Reply::Status(200));
    gateway.serve().await;
    gateway.until_drained().await;
    assert_eq!(ids(&handler), all, "everything acknowledged is delivered after the crash");
    assert_eq!(gateway.items("/api/v1/deliveries?state=delivered").await.len(), all.len());
}

#[tokio::test]
async fn failure_mode_handler_down() {
    let mut handler = Handler::answering(200).await;
    handler.stop().await;

    // Down for shorter than the retries last: nobody has to do anything.
    let patient = "retry = { attempts = 100, initial = \"50ms\", factor = 1.0 }";
    let mut gateway = Gateway::start(&config(&handler, patient, "")).await;
    for id in ["evt_1", "evt_2", "evt_3"] {
        acknowledged(&gateway, &event(id)).await;
    }
    until_count(&gateway, "/api/v1/deliveries?class=connect", 3).await;
    handler.revive().await;
    gateway.until_drained().await;
    assert_eq!(ids(&handler).len(), 3, "everything arrives");

    // Down for longer: dead letters, which stay until somebody acts.
    handler.stop().await;
    gateway.configure(&config(&handler, "retry = { attempts = 2, initial = \"1ms\" }", ""));
    assert!(gateway.terminate().await.success());
    gateway.serve().await;
    for id in ["evt_4", "evt_5", "evt_6"] {
        acknowledged(&gateway, &event(id)).await;
    }
    until_count(&gateway, "/api/v1/dead-letters", 3).await;
    gateway.restart().await;
    handler.revive().await;
    let dead = gateway.items("/api/v1/dead-letters").await;
    assert_eq!(dead.len(), 3, "they are kept");

    // One is named by a person, one comes again from its sender, the rest goes by filter.
    let newest = dead[0]["id"].as_str().expect("an id");
    let output = gateway.ask(&["dlq", "replay", newest]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    handler.until(4).await;
    acknowledged(&gateway, &event("evt_4")).await;
    handler.until(5).await;
    let output = gateway.ask(&["dlq", "replay", "--destination", "app", "--class", "connect", "--yes"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1 dead letter replayed.\n");
    gateway.until_drained().await;
    assert_eq!(ids(&handler).len(), 6);
    assert_eq!(handler.received().len(), 6, "each once");
    assert_eq!(gateway.items("/api/v1/dead-letters").await.len(), 0);
}
