//! What operators see: metrics with the names and labels that are documented, one log line a request and
//! one an attempt, an id to follow a request by, health; and what nobody may see there: bodies, secrets.

mod metrics;

use std::collections::BTreeSet;

use hookhaven_load::client::{Answer, Connection, request};
use serde_json::{Map, Value};

use crate::support::{
    gateway::Gateway,
    handler::{Handler, Received, Reply},
    load::stripe_headers,
    soon,
};

/// Each stands somewhere where only its owner may see it.
const SOURCE_SECRET: &str = "whsec_canary_of_the_source";
const DESTINATION_SECRET: &str = "whsec_Y2FuYXJ5IG9mIHRoZSBkZXN0aW5hdGlvbiE=";
const URL_QUERY: &str = "canary-of-the-query";
const CREDENTIAL: &str = "canary-of-the-sender";
const BODY: &str = "canary-of-the-body";
const HANDLER_BODY: &str = "canary-of-the-handler";

/// A request's fields in the log, beside the time, level and message that each line has.
const REQUEST: [&str; 7] = ["sender", "source", "event_id", "event_type", "status", "duration_ms", "correlation_id"];
/// An attempt's; `http_status` and `next_attempt_at` only where there is one.
const ATTEMPT: [&str; 13] = [
    "delivery_id",
    "event_id",
    "source",
    "event_type",
    "destination",
    "attempt",
    "outcome",
    "error_class",
    "error",
    "http_status",
    "duration_ms",
    "next_attempt_at",
    "correlation_id",
];

/// The lines of the log with this message.
fn lines(log: &str, message: &str) -> Vec<Map<String, Value>> {
    let read = |line: &str| match serde_json::from_str(line) {
        Ok(Value::Object(line)) => line,
        _ => panic!("{line:?} is no structured line"),
    };
    log.lines().map(read).filter(|line| line["message"] == message).collect()
}

struct Scene {
    gateway: Gateway,
    good: Handler,
    /// Answers 500 to everything, and says what it should not.
    bad: Handler,
}

impl Scene {
    async fn start() -> Self {
        let good = Handler::answering(200).await;
        let bad = Handler::start(|_| Reply::Full {
            status: 500,
            headers: vec![("x-note", HANDLER_BODY.into())],
            body: format!("{HANDLER_BODY}\n\u{1b}[2J"),
        });
        let bad = bad.await;
        let gateway = Gateway::start(&config(&good, &bad)).await;
        Scene { gateway, good, bad }
    }

    async fn send(&self, id: &str, event_type: &str, more: &[(&str, &str)]) -> Answer {
        let body = format!("{{\"id\":\"{id}\",\"type\":\"{event_type}\",\"note\":\"{BODY}\"}}");
        let mut headers = stripe_headers(SOURCE_SECRET, body.as_bytes());
        headers.push(("authorization".into(), format!("Bearer {CREDENTIAL}")));
        headers.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        self.gateway.post("/webhooks/shop", &headers, body.as_bytes()).await
    }

    async fn metrics(&self) -> String {
        let answer = self.gateway.admin().send("GET", "/metrics", b"").await.expect("metrics");
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).expect("the exposition is UTF-8")
    }

    /// Some of everything: delivered, duplicate, unrouted, refused, retried, dead.
    async fn traffic(&self) {
        for (id, event_type) in
            [("evt_1", "good.one"), ("evt_1", "good.one"), ("evt_2", "nobody.wants"), ("evt_3", "bad.one")]
        {
            assert_eq!(self.send(id, event_type, &[]).await.status, 200);
        }
        let forged = self.gateway.post("/webhooks/shop", &stripe_headers("whsec_wrong", b"{}"), BODY.as_bytes()).await;
        assert_eq!(forged.status, 401);
        assert_eq!(self.gateway.post("/webhooks/no%1b%5b2Jbody", &[], BODY.as_bytes()).await.status, 404);
        self.good.until(1).await;
        // Dead after its second attempt; and one that waits for its next.
        self.gateway.until("/api/v1/status", |status| status["store"]["dead_letters"] == 1).await;
        assert_eq!(self.send("evt_4", "late.one", &[]).await.status, 200);
        self.bad.until(3).await;
        self.gateway.until("/api/v1/deliveries?destination=late", |page| page["items"][0]["attempt_count"] == 1).await;
    }
}

fn config(good: &Handler, bad: &Handler) -> String {
    let (good, bad) = (good.address, bad.address);
    format!(
        r#"[limits]
metric_types_max = 20

[sources.shop]
sender = "stripe"
secrets = ["{SOURCE_SECRET}"]

[[routes]]
source = "shop"
events = ["good.*"]
to = ["good"]
deadline = "0s"

[[routes]]
source = "shop"
events = ["bad.*"]
to = ["bad"]
critical = true
retry = {{ attempts = 2, initial = "1ms" }}

[[routes]]
source = "shop"
events = ["late.*"]
to = ["late"]
retry = {{ attempts = 2, initial = "1h" }}

[destinations.good]
url = "http://{good}/hook?key={URL_QUERY}"
secret = "{DESTINATION_SECRET}"

[destinations.bad]
url = "http://{bad}/hook"

[destinations.late]
url = "http://{bad}/hook"
breaker = {{ failures = 1, deliveries = 1, rest = "1h" }}
"#
    )
}

#[tokio::test]
async fn one_line_a_request_and_one_an_attempt() {
    let scene = Scene::start().await;
    scene.traffic().await;
    let mut gateway = scene.gateway;
    assert!(gateway.terminate().await.success()); // the log is whole after the end
    let log = gateway.log();

    let requests = lines(&log, "request");
    let statuses: Vec<_> = requests.iter().map(|line| line["status"].as_str().unwrap_or_default()).collect();
    assert_eq!(
        statuses,
        [
            "queued",
            "duplicate",
            "unrouted",
            "queued",
            "rejected:signature_mismatch",
            "rejected:unknown_source",
            "queued"
        ]
    );
    assert_eq!(fields(&requests[0]), BTreeSet::from(REQUEST));
    assert_eq!((&requests[0]["sender"], &requests[0]["source"]), (&"stripe".into(), &"shop".into()));
    assert_eq!(requests[0]["event_id"], requests[1]["event_id"], "a duplicate names the first event");
    assert!(requests[0]["duration_ms"].is_number());
    for line in &requests {
        assert!(fields(line).is_subset(&BTreeSet::from(REQUEST)), "{line:?}");
    }

    let attempts = lines(&log, "attempt");
    let told: BTreeSet<_> = attempts.iter().map(|line| (text(line, "destination"), text(line, "outcome"))).collect();
    assert_eq!(told, BTreeSet::from([("good", "delivered"), ("bad", "retry"), ("bad", "dead"), ("late", "retry")]));
    assert_eq!(attempts.len(), 4, "one line an attempt");
    for line in &attempts {
        let mut wanted = BTreeSet::from(ATTEMPT);
        if text(line, "outcome") != "retry" {
            wanted.remove("next_attempt_at");
        }
        assert_eq!(fields(line), wanted, "{line:?}");
        assert!(line["http_status"].is_number() && line["attempt"].is_number() && line["duration_ms"].is_number());
        let request = requests.iter().find(|request| request.get("event_id") == line.get("event_id"));
        assert_eq!(request.unwrap()["correlation_id"], line["correlation_id"]);
    }
}

fn fields(line: &Map<String, Value>) -> BTreeSet<&str> {
    line.keys().map(String::as_str).filter(|name| !["time", "level", "message"].contains(name)).collect()
}

fn text<'a>(line: &'a Map<String, Value>, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_default()
}

#[tokio::test]
async fn secrets_are_nowhere_and_bodies_not_in_the_signals() {
    let scene = Scene::start().await;
    scene.traffic().await;
    // A type that a terminal would obey, and that would break a line.
    assert_eq!(scene.send("evt_5", r"good.\u001b[2J\n\u009b1mfo\u202erged", &[]).await.status, 200);
    scene.good.until(2).await;
    let metrics = scene.metrics().await;

    let mut answers = Vec::new();
    let mut paths: Vec<String> = ["status", "events", "deliveries", "dead-letters", "destinations", "nothing-here"]
        .map(|p| format!("/api/v1/{p}"))
        .into();
    for list in ["events", "deliveries"] {
        let page = scene.gateway.get(&format!("/api/v1/{list}")).await;
        let items = page["items"].as_array().expect("a list");
        assert!(!items.is_empty(), "{list}");
        paths.extend(items.iter().map(|item| format!("/api/v1/{list}/{}", item["id"].as_str().expect("an id"))));
    }
    paths.extend(["/readyz".into(), "/healthz".into()]);
    for path in paths {
        let answer = scene.gateway.admin().send("GET", &path, b"").await.expect("an answer");
        answers.push(format!("{path}: {:?} {}", answer.headers, String::from_utf8_lossy(&answer.body)));
    }
    let check = scene.gateway.cli(&["check", "--offline"]).await;
    answers.push(String::from_utf8_lossy(&[check.stdout, check.stderr].concat()).into_owned());

    let token = scene.gateway.admin().token.clone();
    let mut gateway = scene.gateway;
    assert!(gateway.terminate().await.success());
    let log = gateway.log();
    let bare = DESTINATION_SECRET.trim_start_matches("whsec_");
    let secrets = [SOURCE_SECRET, DESTINATION_SECRET, bare, URL_QUERY, CREDENTIAL, token.as_str()];
    for secret in secrets {
        for (place, text) in
            [("log", &log), ("metrics", &metrics)].into_iter().chain(answers.iter().map(|a| ("API", a)))
        {
            assert!(!text.contains(secret), "{secret} stands in the {place}: {text}");
        }
    }
    for body in [BODY, HANDLER_BODY] {
        for (place, text) in [("log", &log), ("metrics", &metrics)] {
            assert!(!text.contains(body), "{body} stands in the {place}: {text}");
        }
    }
    let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!log.contains(raw), "a control character stands in the log: {log:?}");
    assert!(lines(&log, "request").iter().any(|line| text(line, "event_type").starts_with("good.")));
}

#[tokio::test]
async fn a_request_can_be_followed_by_its_correlation_id() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let scene = Scene::start().await;
    let long = "x".repeat(200);
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
    let cases: [Case<'_>; 6] = [
        (&[("x-request-id", "req-7/8")], Some("req-7/8")),
        (&[("traceparent", &traceparent)], Some(TRACE)),
        (&[("x-request-id", "has blank"), ("traceparent", &traceparent)], Some(TRACE)),
        (&[("x-request-id", &long)], None),
        (&[("x-request-id", "a"), ("x-request-id", "b")], None),
        (&[("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01")], None),
    ];
    for (n, (headers, kept)) in cases.iter().enumerate() {
        assert_eq!(scene.send(&format!("evt_c{n}"), "good.one", headers).await.status, 200);
        let attempt: Received = scene.good.nth(n + 1).await;
        let id = attempt.header("hookhaven-correlation-id");
        match kept {
            Some(kept) => assert_eq!(id, *kept, "{headers:?}"),
            None => assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{headers:?}: {id}"),
        }
        assert!(headers.iter().all(|(_, value)| kept.is_some() || *value != id), "{headers:?}");
        let event = attempt.header("hookhaven-event-id");
        let stored = scene.gateway.get(&format!("/api/v1/events/{event}")).await;
        assert_eq!(stored["correlation_id"], id);
    }
}

#[tokio::test]
async fn health_is_open_and_the_rest_wants_a_token_and_a_name_of_ours() {
    let scene = Scene::start().await;
    let admin = scene.gateway.admin().clone();
    let ask = async |host: &str, path: &str, headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let bytes = request("GET", host, path, &headers, b"");
        let exchange = async { Connection::open(admin.address).await?.exchange(&bytes).await };
        soon("an answer", exchange).await.expect("an answer")
    };
    let (ours, bearer) = (admin.address.to_string(), format!("Bearer {}", admin.token));
    let token = ("authorization", bearer.as_str());
    for (path, open) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 401),
        ("/api/v1/status", 401),
        ("/api/v1/none", 401),
        ("/", 303),
        ("/none", 303),
    ] {
        assert_eq!(ask(&ours, path, &[]).await.status, open, "{path} without a token");
    }
    for wrong in ["Bearer", "Bearer ", "Bearer x", "Basic x", &bearer[..bearer.len() - 1], &format!("{bearer}x")] {
        assert_eq!(ask(&ours, "/metrics", &[("authorization", wrong)]).await.status, 401, "{wrong}");
    }
    let localhost = format!("localhost:{}", admin.address.port());
    for (host, status) in [
        (ours.as_str(), 200),
        (&localhost, 200),
        ("evil.test", 421),
        ("127.0.0.1.evil.test", 421),
        ("user@127.0.0.1", 421),
        ("", 421),
    ] {
        assert_eq!(ask(host, "/metrics", &[token]).await.status, status, "Host: {host}");
        assert_eq!(ask(host, "/healthz", &[]).await.status, 200, "Host: {host}");
    }
    for (origin, status) in [
        (format!("http://{ours}"), 200),
        ("http://evil.test".into(), 403),
        ("null".into(), 403),
        (format!("http://{ours}.evil.test"), 403),
        ("http://127.0.0.1:1".into(), 403),
    ] {
        assert_eq!(ask(&ours, "/metrics", &[token, ("origin", &origin)]).await.status, status, "Origin: {origin}");
    }
    let twice = format!("GET /metrics HTTP/1.1\r\nhost: {ours}\r\nhost: evil.test\r\nauthorization: {bearer}\r\n\r\n");
    let exchange = async { Connection::open(admin.address).await?.exchange(twice.as_bytes()).await };
    assert_eq!(soon("an answer", exchange).await.expect("an answer").status, 421, "two hosts");
}
