//! Events and deliveries, listed and shown.

use std::time::Duration;

use hookhaven_core::{ErrorClass, Time};
use hookhaven_store::{Next, clock::Clock};
use http::header;
use serde_json::json;

use crate::api::fixture::{START, Scene};

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let scene = Scene::new();
    let mut all = Vec::new();
    for _ in 0..7 {
        all.insert(0, scene.accept("stripe", "payment.failed", b"{}").await.to_string());
    }
    for list in ["events", "deliveries"] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let got = scene.get(&format!("/api/v1/{list}?limit=3{after}")).await;
            assert!(got.ids().len() <= 3);
            seen.extend(got.ids());
            match got.json()["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 7, "{list}");
        assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice");
        if list == "events" {
            assert_eq!(seen, all);
        }
    }
    // A page that is just full is the last one.
    let got = scene.get("/api/v1/events?limit=7").await.json();
    assert_eq!(got["next"], json!(null));
}

#[tokio::test]
async fn events_are_found_by_each_filter() {
    let scene = Scene::new();
    let paid = scene.accept("stripe", "payment.paid", b"{}").await.to_string();
    let middle = scene.clock.now();
    let push = scene.accept("github", "push", b"{}").await.to_string();
    let key = format!("key-{}", middle.as_us());
    for (query, want) in [
        ("source=stripe".to_owned(), vec![&paid]),
        ("type=push".to_owned(), vec![&push]),
        (format!("key={key}"), vec![&paid]),
        ("unrouted=true".to_owned(), vec![&push]),
        (format!("until={}", middle.plus(Duration::from_micros(1))), vec![&paid]),
        (format!("since={}", middle.plus(Duration::from_micros(1))), vec![&push]),
        ("source=stripe&type=push".to_owned(), vec![]),
        (String::new(), vec![&push, &paid]),
    ] {
        let got = scene.get(&format!("/api/v1/events?{query}")).await;
        assert_eq!(got.ids().iter().collect::<Vec<_>>(), want, "{query}");
    }
}

#[tokio::test]
async fn deliveries_and_dead_letters_are_found_by_each_filter() {
    let scene = Scene::new();
    let event = scene.accept("stripe", "payment.failed", b"{}").await;
    scene.kill("billing").await;
    scene.accept("stripe", "invoice.paid", b"{}").await;
    let dead = scene.get("/api/v1/dead-letters").await.ids();
    assert_eq!(dead.len(), 1);
    for (path, n) in [
        ("deliveries?state=dead", 1),
        ("deliveries?state=pending", 1),
        ("deliveries?destination=mail", 1),
        ("deliveries?source=github", 0),
        ("deliveries?class=http_5xx", 1),
        ("deliveries?class=timeout", 0),
        (&format!("deliveries?event={event}"), 1),
        ("dead-letters?source=stripe&destination=billing&type=payment.failed&class=http_5xx", 1),
        ("dead-letters?destination=mail", 0),
        (&format!("dead-letters?event={event}"), 1),
        (&format!("dead-letters?since={}", Time::from_s(START.as_s() + 60)), 0),
    ] {
        assert_eq!(scene.get(&format!("/api/v1/{path}")).await.ids().len(), n, "{path}");
    }
}

#[tokio::test]
async fn what_is_misspelt_or_out_of_bounds_is_refused() {
    let scene = Scene::new();
    for path in [
        "events?surce=stripe",
        "events?limit=0",
        "events?limit=501",
        "events?limit=many",
        "events?since=yesterday",
        "events?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        "events?after=dlv_00000000000000000000000000",
        "deliveries?state=died",
        "deliveries?class=http_500",
        "dead-letters?unrouted=true",
    ] {
        assert_eq!(scene.get(&format!("/api/v1/{path}")).await.code(), "bad_query", "{path}");
    }
    for path in ["events/evt_1", "deliveries/evt_00000000000000000000000000", "events/%ff"] {
        assert_eq!(scene.get(&format!("/api/v1/{path}")).await.code(), "bad_id", "{path}");
    }
    let none = "evt_00000000000000000000000000";
    assert_eq!(scene.get(&format!("/api/v1/events/{none}")).await.code(), "event_not_found");
    assert_eq!(scene.get(&format!("/api/v1/events/{none}/body")).await.code(), "event_not_found");
    let none = "dlv_00000000000000000000000000";
    assert_eq!(scene.get(&format!("/api/v1/deliveries/{none}")).await.code(), "delivery_not_found");
}

#[tokio::test]
async fn an_event_is_shown_with_all_that_became_of_it() {
    let scene = Scene::new();
    let id = scene.accept("stripe", "payment.failed", b"{}").await;
    scene.settle("billing", ErrorClass::Timeout, None, Next::Retry { due_at: scene.clock.now() }).await;
    scene.kill("billing").await;
    let got = scene.get(&format!("/api/v1/events/{id}")).await.json();
    assert_eq!((&got["type"], &got["routing"]["sender"]), (&json!("payment.failed"), &json!("test-sender")));
    assert_eq!(got["headers"][0], json!({"name": "content-type", "value": "application/json"}));
    assert_eq!(got["headers"][1]["value"], "[redacted]");
    let delivery = &got["deliveries"][0];
    assert_eq!((&delivery["state"], &delivery["end_reason"]), (&json!("dead"), &json!("exhausted")));
    assert_eq!((&delivery["dead_letter"], &delivery["critical"]), (&json!(true), &json!(true)));
    let attempts = delivery["attempts"].as_array().unwrap();
    let classes: Vec<_> = attempts.iter().map(|a| a["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["timeout", "http_5xx"]);
    assert!(attempts[1]["response_excerpt"]["base64"].is_string(), "bytes that are no text come as base64");
    assert_eq!(got["routing"]["goes_to"][0]["destination"], "billing");
}

#[tokio::test]
async fn the_body_is_the_bytes_and_never_a_page() {
    let scene = Scene::new();
    let body = b"<script>\xff\x00</script>";
    let id = scene.accept("github", "push", body).await;
    let got = scene.get(&format!("/api/v1/events/{id}/body")).await;
    assert_eq!(got.body, &body[..]);
    assert_eq!(got.headers[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(got.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(got.headers[header::CONTENT_DISPOSITION], "attachment");
}
