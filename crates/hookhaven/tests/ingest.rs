//! Ingest over real sockets, with the real senders and the memory store: every answer a sender can get,
//! and what is stored for it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

#[path = "ingest/bodies.rs"]
mod bodies;
#[path = "ingest/novelty.rs"]
mod novelty;
#[path = "ingest/parts.rs"]
mod parts;
mod support;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use hookhaven::config::Config;
use hookhaven_core::{
    DeliveryState, Secret,
    destination::{DestinationState, Rate},
    source::Source,
};
use hookhaven_store::{
    DeliveryFilter, Page,
    clock::{ManualClock, SeededEntropy},
    memory::MemoryStore,
};
use http::StatusCode;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{Gateway, NOW, SENDERS, config, destination, route, secret, source};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|l| l == line), "no line {line:?} in\n{text}");
}

fn edited(edit: impl FnOnce(&mut Config)) -> Config {
    let mut config = config();
    edit(&mut config);
    config
}

/// Writes these bytes and reads the head of the answer, or all until the end.
async fn raw(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    head(&mut stream).await
}

async fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.windows(4).any(|w| w == b"\r\n\r\n") {
        let mut buf = [0; 4096];
        match stream.read(&mut buf).await {
            Ok(n) if n > 0 => text.extend_from_slice(&buf[..n]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn each_sender_s_event_is_stored_once_and_answered_the_same_each_time() {
    let gateway = Gateway::start(config());
    for name in SENDERS {
        let signed = gateway.signed(name, "some.event", "evt_1");
        let first = gateway.post(name, &signed).await;
        let again = gateway.post(name, &signed).await;
        assert_eq!(first.status, StatusCode::OK, "{name} {first:?}");
        assert_eq!(first.visible(), again.visible(), "{name}");
        if name == "twilio" {
            assert_eq!(first.headers["content-type"], "text/xml");
            assert_eq!(first.body, "<Response/>");
        } else {
            assert!(first.body.is_empty(), "{name} {first:?}");
        }
    }
    let stored: BTreeSet<_> = gateway.events().await.iter().map(|e| e.source.to_string()).collect();
    assert_eq!(stored, SENDERS.map(str::to_owned).into());
    assert_eq!(gateway.events().await.len(), SENDERS.len());
    let pending: u64 = gateway.depths().await.iter().map(|d| d.pending).sum();
    assert_eq!(pending, SENDERS.len() as u64);
    let text = gateway.exposition().await;
    has(&text, r#"webhook_received_total{source="stripe",type="some.event"} 2"#);
    has(&text, r#"webhook_duplicate_total{source="stripe"} 1"#);
    has(&text, r#"webhook_queue_depth{source="stripe",destination="billing"} 1"#);
    has(&text, "webhook_received_duration_seconds_count 10");
}

#[tokio::test]
async fn what_is_stored_is_what_was_sent_less_what_is_nobody_s_business() {
    let gateway =
        Gateway::start(edited(|c| c.routes = vec![route("stripe", "invoice.*", &["billing", "archive", "old"])]));
    let mut signed = gateway.signed("stripe", "invoice.paid", "evt_1");
    for (name, value) in [("authorization", "Basic hush"), ("cookie", "hush"), ("x-request-id", "req-7")] {
        signed.headers.push((name.to_owned(), value.to_owned()));
    }
    assert_eq!(gateway.post("stripe", &signed).await.status, 200);
    let row = gateway.events().await.remove(0);
    let event = gateway.store.event(row.id).await.unwrap().unwrap();
    assert_eq!(event.body, signed.body);
    assert_eq!(&*event.idempotency_key, "evt_1");
    assert_eq!((&*event.event_type, event.received_at, event.matched_secret), ("invoice.paid", NOW, Some(0)));
    assert_eq!((&*event.correlation_id, &*event.remote), ("req-7", "127.0.0.1"));
    assert!(event.header("stripe-signature").is_some() && event.header("content-type").is_some());
    for dropped in ["authorization", "cookie", "host", "content-length"] {
        assert_eq!(event.header(dropped), None, "{dropped}");
    }
    let filter = DeliveryFilter { event: Some(row.id), ..DeliveryFilter::default() };
    let deliveries = gateway.store.deliveries(&filter, Page::first(10)).await.unwrap();
    let to: BTreeSet<_> = deliveries.iter().map(|d| d.delivery.lane.as_str().to_owned()).collect();
    assert_eq!(to, ["d:archive".to_owned(), "d:billing".to_owned()].into(), "none for a disabled destination");
    let all_due = deliveries.iter().all(|d| d.delivery.state == DeliveryState::Pending && d.delivery.due_at == NOW);
    assert!(all_due && deliveries.iter().all(|d| &*d.delivery.route == "stripe#1"));
}

#[tokio::test]
async fn an_event_that_no_route_takes_and_a_broken_body_are_stored_all_the_same() {
    let gateway = Gateway::start(edited(|c| c.routes = vec![route("stripe", "invoice.*", &["billing"])]));
    let sender = support::sender("stripe");
    let nested = "[".repeat(10_000);
    for body in [r#"{"id":"evt_9","type":"charge.failed"}"#, r#"{"id":"#, "{}", "\u{feff}null", &nested] {
        let sample = hookhaven_core::sender::Sample {
            id: String::new(),
            event_type: String::new(),
            body: body.as_bytes().to_vec(),
        };
        let signed = sender.sign(&sample, None, &secret("stripe"), NOW).unwrap();
        assert_eq!(gateway.post("stripe", &signed).await.status, 200, "{body:.40}");
    }
    let events = gateway.events().await;
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|e| e.deliveries == 0));
    assert_eq!(events.iter().filter(|e| &*e.event_type == "unknown").count(), 4);
    has(&gateway.exposition().await, r#"webhook_unrouted_total{source="stripe",type="unknown"} 4"#);
}

#[tokio::test]
async fn rejections_are_empty_401s_that_look_alike() {
    let gateway = Gateway::start(edited(|c| {
        let mut closed = source("closed", "stripe");
        closed.allow = vec!["10.0.0.0/8".parse().unwrap()];
        c.sources.insert("closed".into(), Arc::new(closed));
    }));
    let good = gateway.signed("stripe", "invoice.paid", "evt_1");
    let mut tampered = good.clone();
    tampered.body[0] ^= 1;
    let mut unsigned = good.clone();
    unsigned.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("stripe-signature"));
    let foreign = gateway.signed("github", "push", "1");
    let mut answers = vec![
        gateway.post("stripe", &tampered).await,
        gateway.post("stripe", &unsigned).await,
        gateway.post("stripe", &foreign).await,
        gateway.post("closed", &good).await,
    ];
    gateway.clock.advance(Duration::from_secs(301));
    answers.push(gateway.post("stripe", &good).await);
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.body.is_empty());
        assert_eq!(answer.visible(), answers[0].visible());
    }
    assert!(gateway.events().await.is_empty());
    let text = gateway.exposition().await;
    for (source, reason, count) in [
        ("stripe", "signature_mismatch", 1),
        ("stripe", "signature_missing", 2),
        ("stripe", "timestamp_stale", 1),
        ("closed", "address_not_allowed", 1),
    ] {
        has(&text, &format!(r#"webhook_signature_invalid_total{{source="{source}",reason="{reason}"}} {count}"#));
    }
}

#[tokio::test]
async fn either_secret_holds_during_rotation_and_a_new_configuration_counts_at_once() {
    let gateway = Gateway::start(config());
    let old = gateway.signed("stripe", "invoice.paid", "evt_1");
    let rotated = |secrets: Vec<Secret>| {
        edited(|c| {
            let renewed = hookhaven_core::source::Source { secrets, ..source("stripe", "stripe") };
            c.sources.insert("stripe".into(), Arc::new(renewed));
        })
    };
    let (fresh, last) = (Secret::new("whsec_fresh").unwrap(), secret("stripe"));
    gateway.config.store(Arc::new(rotated(vec![fresh.clone(), last])));
    let new = gateway.signed("stripe", "invoice.paid", "evt_2");
    assert_eq!(
        (gateway.post("stripe", &old).await.status, gateway.post("stripe", &new).await.status),
        (StatusCode::OK, StatusCode::OK)
    );
    let matched: Vec<_> = gateway.events().await.iter().map(|e| e.matched_secret).collect();
    assert_eq!(BTreeSet::from_iter(matched), [Some(0), Some(1)].into());
    gateway.config.store(Arc::new(rotated(vec![fresh])));
    assert_eq!(gateway.post("stripe", &old).await.status, 401);
}

#[tokio::test]
async fn requests_that_cannot_be_events_are_told_so_before_anything_is_read() {
    let gateway = Gateway::start(config());
    let good = gateway.signed("stripe", "invoice.paid", "evt_1");
    for (path, status) in [
        ("/webhooks/nobody", 404),
        ("/webhooks/", 404),
        ("/webhooks/stripe/", 404),
        ("/webhooks/stripe/x", 404),
        ("/webhooks/%73tripe", 404),
        ("/", 404),
        ("/webhooks", 404),
    ] {
        let answer = gateway.send("POST", path, &[], good.body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (status, 0), "{path}");
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let answer = gateway.send(method, "/webhooks/stripe", &[], Vec::new()).await;
        assert_eq!((answer.status.as_u16(), &answer.headers["allow"]), (405, &"POST".parse().unwrap()), "{method}");
    }
    let large = b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 65537\r\n\r\n";
    assert!(raw(&gateway, large).await.starts_with("HTTP/1.1 413 "));
    let answer = gateway.send("POST", "/webhooks/stripe", &[("content-type", "text/html")], vec![b'x']).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (415, 0));
    assert!(gateway.events().await.is_empty());
}

#[tokio::test]
async fn a_store_that_cannot_store_is_a_503_before_the_body() {
    let gateway = Gateway::start(config());
    gateway.store.close().await;
    let head = b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n";
    let answer = raw(&gateway, head).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5\r\n"), "{answer}");
}

#[tokio::test]
async fn a_full_store_is_a_503() {
    let clock = ManualClock::at(NOW);
    let entropy = Arc::new(SeededEntropy::new(3));
    let store = Arc::new(MemoryStore::with_pending_max(Arc::new(clock.clone()), entropy, 1));
    let gateway = Gateway::over(config(), clock, store, None);
    assert_eq!(gateway.post("stripe", &gateway.signed("stripe", "a", "evt_1")).await.status, 200);
    let answer = gateway.post("stripe", &gateway.signed("stripe", "a", "evt_2")).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["retry-after"]), (503, &"5".parse().unwrap()));
    assert_eq!(gateway.events().await.len(), 1);
}

#[tokio::test]
async fn a_signed_url_is_the_configured_one_whatever_the_request_says() {
    let gateway = Gateway::start(config());
    let mut signed = gateway.signed("twilio", "message", "SM1");
    signed.headers.push(("x-forwarded-host".into(), "evil.example".into()));
    assert_eq!(gateway.post("twilio", &signed).await.status, 200);
    signed.query = if signed.query.is_empty() { "?a=1".to_owned() } else { format!("{}&a=1", signed.query) };
    assert_eq!(gateway.post("twilio", &signed).await.status, 401, "the query is signed along");
}

#[tokio::test]
async fn slack_s_handshake_is_answered_and_becomes_no_event() {
    let gateway = Gateway::start(config());
    let body = br#"{"type":"url_verification","challenge":"3eZbrw1aB10FEMAGAZd4FyFQ","token":"x"}"#;
    let sample = hookhaven_core::sender::Sample { id: String::new(), event_type: String::new(), body: body.to_vec() };
    let signed = support::sender("slack").sign(&sample, None, &secret("slack"), NOW).unwrap();
    let answer = gateway.post("slack", &signed).await;
    assert_eq!(answer.status, 200);
    assert!(std::str::from_utf8(&answer.body).unwrap().contains("3eZbrw1aB10FEMAGAZd4FyFQ"));
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert!(gateway.events().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_event_two_hundred_times_at_once_is_one_event() {
    let gateway = Arc::new(Gateway::start(config()));
    let signed = Arc::new(gateway.signed("stripe", "invoice.paid", "evt_1"));
    let posts = (0..200).map(|_| {
        let (gateway, signed) = (gateway.clone(), signed.clone());
        tokio::spawn(async move { gateway.post("stripe", &signed).await.status })
    });
    let statuses = join_all(posts).await;
    assert!(statuses.iter().all(|s| matches!(s, Ok(StatusCode::OK))), "{statuses:?}");
    assert_eq!(gateway.events().await.len(), 1);
    assert_eq!(gateway.depths().await[0].pending, 1);
    has(&gateway.exposition().await, r#"webhook_duplicate_total{source="stripe"} 199"#);
}

#[tokio::test]
async fn http2_streams_are_requests_like_any() {
    let gateway = Gateway::start(config());
    let io = TokioIo::new(TcpStream::connect(gateway.addr).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let ask = |n: usize| {
        let signed = gateway.signed("stripe", "invoice.paid", &format!("evt_{n}"));
        let mut request = http::Request::post("http://a/webhooks/stripe");
        for (name, value) in &signed.headers {
            request = request.header(name, value);
        }
        request.body(Full::from(signed.body)).unwrap()
    };
    let answers = join_all((0..50).map(|n| client.send_request(ask(n)))).await;
    assert!(answers.iter().all(|a| a.as_ref().is_ok_and(|a| a.status() == 200)));
    assert_eq!(gateway.events().await.len(), 50);
}

#[tokio::test]
async fn health_is_open_and_other_paths_are_somebody_else_s() {
    let clock = ManualClock::at(NOW);
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(3))));
    let beside = axum::Router::new().route("/v2/x", axum::routing::get(|| async { "published" }));
    let gateway = Gateway::over(config(), clock, store, Some(beside));
    assert_eq!(gateway.send("GET", "/healthz", &[], Vec::new()).await.body, "ok\n");
    assert_eq!(gateway.send("POST", "/healthz", &[], Vec::new()).await.status, 405);
    assert_eq!(gateway.send("GET", "/v2/x", &[], Vec::new()).await.body, "published");
    assert_eq!(gateway.send("GET", "/v2/y", &[], Vec::new()).await.status, 404);
}

#[tokio::test]
async fn a_destination_that_is_paused_waits_and_a_disabled_one_gets_nothing() {
    let gateway = Gateway::start(edited(|c| {
        c.destinations.insert("billing".into(), Arc::new(destination("billing", DestinationState::Paused)));
    }));
    gateway.post("stripe", &gateway.signed("stripe", "a", "evt_1")).await;
    gateway.config.store(Arc::new(edited(|c| {
        c.destinations.insert("billing".into(), Arc::new(destination("billing", DestinationState::Disabled)));
    })));
    gateway.post("stripe", &gateway.signed("stripe", "a", "evt_2")).await;
    let deliveries: Vec<_> =
        gateway.events().await.iter().map(|e| (e.idempotency_key.to_string(), e.deliveries)).collect();
    assert_eq!(BTreeSet::from_iter(deliveries), [("evt_1".to_owned(), 1), ("evt_2".to_owned(), 0)].into());
}

#[tokio::test]
async fn a_source_over_its_rate_is_asked_to_come_later_before_its_body_is_read() {
    let rate = Rate { count: 3.try_into().unwrap(), per: Duration::from_secs(60) };
    let gateway = Gateway::start(edited(|c| {
        let limited = Source { rate: Some(rate), ..source("stripe", "stripe") };
        c.sources.insert("stripe".into(), Arc::new(limited));
    }));
    for n in 0..3 {
        let signed = gateway.signed("stripe", "a.b", &format!("evt_{n}"));
        assert_eq!(gateway.post("stripe", &signed).await.status, 200);
    }
    let declared = b"POST /webhooks/stripe HTTP/1.1\r\nhost: h\r\ncontent-length: 900\r\n\r\n";
    let told = raw(&gateway, declared).await.to_ascii_lowercase();
    assert!(told.starts_with("http/1.1 429 ") && told.contains("\r\nretry-after: 20\r\n"), "{told}");
    // Nobody else is slowed down, and a moment later there is room for one.
    assert_eq!(gateway.post("github", &gateway.signed("github", "push", "1")).await.status, 200);
    gateway.clock.advance(Duration::from_secs(20));
    let signed = gateway.signed("stripe", "a.b", "evt_9");
    assert_eq!(gateway.post("stripe", &signed).await.status, 200);
    assert_eq!(gateway.post("stripe", &signed).await.status, 429);
    has(&gateway.exposition().await, r#"webhook_refused_total{source="stripe",reason="rate_exceeded"} 2"#);
    assert_eq!(gateway.events().await.len(), 5);
}

#[tokio::test]
async fn a_reserved_source_has_room_where_the_others_have_none() {
    let clock = ManualClock::at(NOW);
    let store = MemoryStore::with_pending_max(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1)), 10);
    let config = edited(|c| {
        let reserved = Source { reserved: true, ..source("github", "github") };
        c.sources.insert("github".into(), Arc::new(reserved));
    });
    let gateway = Gateway::over(config, clock, Arc::new(store), None);
    let post = async |name: &str, n: usize| {
        let signed = gateway.signed(name, "some.event", &format!("evt_{n}"));
        gateway.post(name, &signed).await
    };
    for n in 0..8 {
        assert_eq!(post("stripe", n).await.status, 200);
    }
    // A fifth of ten is kept.
    let refused = post("stripe", 8).await;
    assert_eq!((refused.status.as_u16(), &refused.headers["retry-after"]), (503, &"5".parse().unwrap()));
    for n in 0..2 {
        assert_eq!(post("github", n).await.status, 200);
    }
    assert_eq!(post("github", 2).await.status, 503);
}
