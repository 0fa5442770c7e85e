//! Rightly signed and odd: what no route takes, what is no JSON, has no id, is too deep, too long, too
//! large a number. Each is answered as usual, stored, listed, and delivered to the byte where a route
//! takes it; and the worker goes on.

use serde_json::Value;

use crate::support::{gateway::Gateway, handler::Handler, sign};

const SECRET: &str = "whsec_odd";
/// Stripe's limit where the source sets none.
const BODY_BYTES_MAX: usize = 1 << 20;

const ROUTED: [&str; 9] = ["unknown", "no.id", "deep", "huge", "n", "b", "c", "long", "fine*"];

/// What is expected of an odd body, posted as Stripe would.
struct Odd {
    what: &'static str,
    body: Vec<u8>,
    event_type: &'static str,
    /// `None` for a hash of the body.
    key: Option<&'static str>,
}

fn odd(what: &'static str, body: impl Into<Vec<u8>>, event_type: &'static str, key: Option<&'static str>) -> Odd {
    Odd { what, body: body.into(), event_type, key }
}

fn all() -> Vec<Odd> {
    let deep = |n: usize, open: &str, close: &str| open.repeat(n) + "1" + &close.repeat(n);
    let mut longest = br#"{"id":"evt_long","type":"long","data":""#.to_vec();
    longest.resize(BODY_BYTES_MAX - 2, b'x');
    longest.extend(br#""}"#);
    let digits = "9".repeat(400);
    vec![
        odd(
            "a type no route takes",
            r#"{"id":"evt_unrouted","type":"nobody.wants"}"#,
            "nobody.wants",
            Some("evt_unrouted"),
        ),
        odd("broken JSON", r#"{"id":"evt_broken","type":"brok"#, "unknown", None),
        odd("no JSON at all", "id=evt_form&type=form", "unknown", None),
        odd("no id", r#"{"type":"no.id"}"#, "no.id", None),
        odd("no type", r#"{"id":"evt_untyped"}"#, "unknown", Some("evt_untyped")),
        odd("id and type of the wrong kind", r#"{"id":{"a":1},"type":[true]}"#, "unknown", None),
        odd(
            "arrays 10,000 deep",
            format!(r#"{{"id":"evt_deep","data":{},"type":"deep"}}"#, deep(10_000, "[", "]")),
            "deep",
            Some("evt_deep"),
        ),
        odd(
            "objects 10,000 deep",
            format!(r#"{{"id":"evt_deeper","data":{},"type":"deep"}}"#, deep(10_000, r#"{"a":"#, "}")),
            "deep",
            Some("evt_deeper"),
        ),
        odd("10,000 deep and never closed", "[".repeat(10_000), "unknown", None),
        odd("an empty object", "{}", "unknown", None),
        odd("null", "null", "unknown", None),
        odd("white space", " ", "unknown", None),
        odd("not UTF-8", &b"{\"id\":\"evt_\xff\xfe\",\"type\":\"latin\",\"x\":\"\xc3\x28\"}"[..], "unknown", None),
        odd("NUL bytes", &b"\0\0{\"id\":\"evt_nul\"}\0"[..], "unknown", None),
        odd(
            "huge numbers",
            format!(r#"{{"id":"evt_huge","type":"huge","created":{digits},"a":-1e999999,"b":{digits}.{digits}}}"#),
            "huge",
            Some("evt_huge"),
        ),
        odd("a number for an id", r#"{"id":18446744073709551616,"type":"n"}"#, "n", Some("18446744073709551616")),
        odd("keys twice", r#"{"id":"evt_a","type":"a","id":"evt_b","type":"b"}"#, "b", Some("evt_b")),
        odd("an id of control characters", "{\"id\":\"\\u0000\\u001b[2J\",\"type\":\"c\"}", "c", None),
        odd("a body of 1 MiB", longest, "long", Some("evt_long")),
    ]
}

fn config(handler: &Handler) -> String {
    format!(
        "[sources.odd]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [destinations.app]\nurl = \"{}\"\n\n\
         [[routes]]\nsource = \"odd\"\nevents = {ROUTED:?}\nto = [\"app\"]\n",
        handler.url()
    )
}

async fn listed(gateway: &Gateway, arguments: &[&str]) -> Vec<Value> {
    let output = gateway.ask(&[&["events", "list", "--json"], arguments].concat()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listing: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    listing["items"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn odd_events_are_answered_stored_listed_and_delivered_and_the_worker_goes_on() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler)).await;
    let mut delivered = 0;
    for Odd { what, body, event_type, key } in all() {
        let answer = gateway.post("/webhooks/odd", &sign::stripe(SECRET, &body), &body).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{what}");

        let newest = listed(&gateway, &["--limit", "1"]).await.remove(0);
        assert_eq!(newest["type"], event_type, "{what}");
        let stored_key = newest["idempotency_key"].as_str().unwrap_or_default();
        match key {
            Some(key) => assert_eq!(stored_key, key, "{what}"),
            None => assert!(stored_key.starts_with("sha256:"), "{what}: {stored_key}"),
        }
        assert_eq!(newest["body_bytes"], body.len(), "{what}");
        let id = newest["id"].as_str().expect("an id");
        let kept = gateway.ask(&["events", "show", id, "--body"]).await.stdout;
        assert!(kept == body, "{what}: the body is kept to the byte");

        let unrouted = listed(&gateway, &["--unrouted"]).await.iter().any(|event| event["id"] == id);
        assert_eq!(unrouted, event_type == "nobody.wants", "{what}: --unrouted");
        if !unrouted {
            delivered += 1;
            let attempt = handler.nth(delivered).await;
            assert!(attempt.body == body, "{what}: delivered to the byte");
            assert_eq!(attempt.header("hookhaven-event-id"), id, "{what}");
        }
    }
    let table = gateway.ask(&["events", "list", "--unrouted"]).await;
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("nobody.wants") && table.contains("unrouted"), "{table}");

    let body = br#"{"id":"evt_fine","type":"fine"}"#;
    let answer = gateway.post("/webhooks/odd", &sign::stripe(SECRET, body), body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(handler.nth(delivered + 1).await.body, &body[..], "the worker goes on");
    gateway.until_drained().await;
    assert_eq!(handler.received().len(), delivered + 1, "each once");
    assert!(!gateway.log().contains("panic"), "{}", gateway.log());
}

#[tokio::test]
async fn one_byte_over_the_limit_is_refused_and_nothing_is_kept() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler)).await;
    let body = vec![b' '; BODY_BYTES_MAX + 1];
    let answer = gateway.post("/webhooks/odd", &sign::stripe(SECRET, &body), &body).await;
    assert_eq!((answer.status, answer.body.len()), (413, 0));
    assert_eq!(listed(&gateway, &[]).await.len(), 0);
}

#[tokio::test]
async fn githubs_largest_event_is_taken() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler).replace("\"stripe\"", "\"github\"")).await;
    let mut body = br#"{"data":""#.to_vec();
    body.resize((25 << 20) - 2, b'x');
    body.extend(br#""}"#);
    let answer = gateway.post("/webhooks/odd", &sign::github(SECRET, Some("fine"), Some("d-1"), &body), &body).await;
    assert_eq!(answer.status, 200);
    assert!(handler.nth(1).await.body == body, "delivered to the byte");
}

/// GitHub's id and type are headers: they may be missing too, and the event is none the less GitHub's.
#[tokio::test]
async fn github_without_its_headers() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler).replace("\"stripe\"", "\"github\"")).await;
    let body = br#"{"action":"opened"}"#;
    for (event, id, event_type) in [(None, Some("d-1"), "unknown"), (Some("fine"), None, "fine.opened")] {
        let answer = gateway.post("/webhooks/odd", &sign::github(SECRET, event, id, body), body).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        let newest = listed(&gateway, &["--limit", "1"]).await.remove(0);
        assert_eq!(newest["type"], event_type);
        let key = newest["idempotency_key"].as_str().unwrap_or_default().to_owned();
        assert!(id.map_or(key.starts_with("sha256:"), |id| key == id), "{key}");
    }
    handler.until(2).await;
}
