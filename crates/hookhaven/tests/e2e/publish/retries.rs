//! A message whose destination fails: QStash's schedule, the dead letter queue, callbacks, the way back.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use hookhaven_core::Time;
use hookhaven_load::gateway::poll;
use serde_json::Value;

use crate::support::{
    PATIENCE,
    clocked::Clocked,
    handler::{Handler, Reply},
    publisher::{CONFIG, Publisher},
};

async fn gateway() -> (Clocked, Publisher) {
    // So that moving the clock by hours does not end the session.
    let gateway = Clocked::start(&format!("[worker]\nsession_ttl = \"1h\"\n\n{CONFIG}")).await;
    let publisher = Publisher(gateway.gateway().ingest_addr.expect("it takes requests in"));
    (gateway, publisher)
}

/// The states of a message so far, first to last.
async fn states(publisher: Publisher, message: &str) -> Vec<String> {
    let log = publisher.get(&format!("/v2/logs?messageId={message}&count=1000")).await;
    let events = log["events"].as_array().expect("a list");
    events.iter().rev().map(|entry| entry["state"].as_str().expect("a state").to_owned()).collect()
}

/// When the next retry is planned for, once so many attempts were recorded.
async fn next_delivery(publisher: Publisher, message: &str, retries: usize) -> Time {
    let planned = poll(PATIENCE, async || {
        let log = publisher.get(&format!("/v2/logs?messageId={message}&state=RETRY")).await;
        let entries = log["events"].as_array().expect("a list").clone();
        (entries.len() >= retries).then(|| entries[0]["nextDeliveryTime"].as_i64().expect("a time"))
    });
    Time::from_ms(planned.await.unwrap_or_else(|| panic!("retry {retries} was not planned")))
}

async fn dead_letters(publisher: Publisher, count: usize) -> Vec<Value> {
    let found = poll(PATIENCE, async || {
        let listed = publisher.get("/v2/dlq").await["messages"].as_array().expect("a list").clone();
        (listed.len() == count).then_some(listed)
    });
    found.await.unwrap_or_else(|| panic!("there never were {count} dead letters"))
}

/// Every retry falls due so long after the attempt before it, to the millisecond, and not a moment earlier.
async fn retried_after(gateway: &Clocked, publisher: Publisher, handler: &Handler, message: &str, waits: &[Duration]) {
    for (retries, wait) in (1..).zip(waits) {
        let due = next_delivery(publisher, message, retries).await;
        let planned = due.since(gateway.now());
        assert!(planned.abs_diff(*wait) < Duration::from_millis(1), "retry {retries} after {planned:?}, not {wait:?}");
        assert_eq!(handler.received().len(), retries);
        gateway.advance_to(due.plus(Duration::from_millis(1)));
        handler.until(retries + 1).await;
    }
}

#[tokio::test]
async fn four_attempts_then_the_dead_letter_queue_and_back() {
    let handler = Handler::start(|_| Reply::Full { status: 500, headers: vec![], body: "broken".into() }).await;
    let told = Handler::answering(200).await;
    let (gateway, publisher) = gateway().await;
    let callback = told.url();
    let headers = [
        ("Upstash-Retries", "3"),
        ("Upstash-Failure-Callback", &*callback),
        ("Content-Type", "application/json"),
        ("Upstash-Forward-X-Mine", "kept"),
    ];
    let message = publisher.publish(&handler.url(), &headers, b"{\"n\":1}").await;
    handler.until(1).await;
    let backoff: Vec<_> = (1..=3).map(|n| Duration::from_secs_f64((2.5 * f64::from(n)).exp())).collect();
    retried_after(&gateway, publisher, &handler, &message, &backoff).await;

    let letter = dead_letters(publisher, 1).await.remove(0);
    assert_eq!(letter["messageId"], *message);
    assert_eq!((letter["responseStatus"].as_u64(), letter["responseBody"].as_str()), (Some(500), Some("broken")));
    let expected = [
        "CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "ERROR", "RETRY", "ACTIVE",
        "ERROR", "FAILED",
    ];
    assert_eq!(states(publisher, &message).await, expected);
    for (retried, received) in handler.received().iter().enumerate() {
        assert_eq!(received.header("upstash-retried"), retried.to_string());
        assert_eq!(received.header("upstash-message-id"), message);
        assert_eq!((received.header("webhook-id"), received.header("x-mine")), (&*message, "kept"));
    }
    let body: Value = serde_json::from_slice(&told.nth(1).await.body).expect("JSON");
    assert_eq!((&body["sourceMessageId"], &body["dlqId"]), (&Value::from(&*message), &letter["dlqId"]));
    assert_eq!((&body["status"], &body["retried"], &body["maxRetries"]), (&500.into(), &3.into(), &3.into()));
    assert_eq!(body["body"], STANDARD.encode("broken"));
    assert_eq!(body["sourceBody"], STANDARD.encode("{\"n\":1}"));

    handler.change(|_| Reply::Status(200));
    let dlq_id = letter["dlqId"].as_str().expect("an id").to_owned();
    let answer = publisher.ask("POST", &format!("/v2/dlq/retry?dlqIds={dlq_id}"), &[], b"").await;
    let fresh = answer["responses"][0]["messageId"].as_str().expect("an id").to_owned();
    assert_ne!(fresh, message);
    assert!(publisher.get("/v2/dlq").await["messages"].as_array().expect("a list").is_empty());
    let received = handler.nth(5).await;
    assert_eq!((received.header("upstash-message-id"), received.header("upstash-retried")), (&*fresh, "0"));
    assert_eq!((received.header("x-mine"), &received.body[..]), ("kept", &b"{\"n\":1}"[..]));
    // Once is once.
    assert_eq!(publisher.call("POST", &format!("/v2/dlq/retry?dlqIds={dlq_id}"), &[], b"").await.status, 404);
    assert_eq!((told.received().len(), handler.received().len()), (1, 5));
}

#[tokio::test]
async fn an_expression_says_when_it_is_tried_again() {
    let handler = Handler::answering(503).await;
    let (gateway, publisher) = gateway().await;
    let headers = [
        ("Upstash-Retries", "3"),
        ("Upstash-Retry-Delay", "pow(2, retried) * 1000"),
        ("Upstash-Forward-Authorization", "Bearer of-the-destination"),
        ("Upstash-Forward-X-Trace", "a, b"),
    ];
    let message = publisher.publish(&handler.url(), &headers, b"body").await;
    handler.until(1).await;
    let waits = [1, 2, 4].map(Duration::from_secs);
    retried_after(&gateway, publisher, &handler, &message, &waits).await;
    for received in handler.received() {
        assert_eq!(received.header("authorization"), "Bearer of-the-destination");
        assert_eq!(received.header("x-trace"), "a, b");
        assert!(received.headers.keys().all(|name| !name.as_str().starts_with("upstash-forward")));
    }
    dead_letters(publisher, 1).await;
}

#[tokio::test]
async fn a_hint_of_the_destination_replaces_the_wait() {
    let handler = Handler::start(|_| Reply::Full {
        status: 429,
        headers: vec![("retry-after", "7".into())],
        body: String::new(),
    })
    .await;
    let (gateway, publisher) = gateway().await;
    let message = publisher.publish(&handler.url(), &[("Upstash-Retries", "1")], b"").await;
    handler.until(1).await;
    retried_after(&gateway, publisher, &handler, &message, &[Duration::from_secs(7)]).await;
}
