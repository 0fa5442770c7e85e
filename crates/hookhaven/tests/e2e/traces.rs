//! Traces: one event is one trace, from its sender through request, store and each attempt to the handler, whatever
//! happens in between; and a collector that is slow, hangs or is away costs spans and nothing else.

use crate::support::{
    collector::{Collector, Seen},
    gateway::Gateway,
    handler::{Handler, Received, Reply},
    load::{Stripe, stripe_headers},
    publisher::{CONFIG as PUBLISH, Publisher},
};

const SECRET: &str = "whsec_of_the_source";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SENDER_SPAN: &str = "00f067aa0ba902b7";
/// Header names of a trace's place: theirs, and ours in the store.
const PARENT: &str = "traceparent";
const KEPT: &str = "hookhaven-traceparent";

fn config(handler: &Handler, retry: &str) -> String {
    format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n[destinations.app]\nurl = \"{}\"\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\n{retry}\n",
        handler.url()
    )
}

async fn post(gateway: &Gateway, id: &str, secret: &str, more: &[(&str, &str)]) -> u16 {
    let body = format!("{{\"id\":\"{id}\",\"type\":\"invoice.paid\"}}");
    let mut headers = stripe_headers(secret, body.as_bytes());
    headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    gateway.post("/webhooks/shop", &headers, body.as_bytes()).await.status
}

fn sampled() -> String {
    format!("00-{TRACE}-{SENDER_SPAN}-01")
}

fn one<'s>(spans: &'s [Seen], name: &str) -> &'s Seen {
    let mut named = spans.iter().filter(|span| span.name() == name);
    let one = named.next().unwrap_or_else(|| panic!("no {name} in {spans:#?}"));
    assert!(named.next().is_none(), "more than one {name}");
    one
}

fn attempts(spans: &[Seen]) -> Vec<&Seen> {
    spans.iter().filter(|span| span.name() == "deliver").collect()
}

/// Each request that a handler got is the attempt's span of the same number.
fn joined(attempts: &[&Seen], received: &[Received]) {
    for attempt in attempts {
        let told = format!("00-{}-{}-01", attempt.trace, attempt.id);
        let number = attempt.get("hookhaven.attempt");
        let found = received.iter().find(|r| r.header(PARENT) == told);
        let found = found.unwrap_or_else(|| panic!("attempt {number} was not told {told}"));
        assert_eq!(found.header("hookhaven-attempt"), number);
    }
}

#[tokio::test]
async fn an_event_is_one_trace_from_its_sender_to_its_handler_over_a_kill() {
    let (collector, handler) = (Collector::start().await, Handler::answering(500).await);
    let retry = "retry = { attempts = 100, initial = \"200ms\", factor = 1.0 }";
    let telemetry =
        collector.config("service_name = \"hooks\"\nheaders = { Authorization = \"Bearer of-the-collector\" }");
    let mut gateway = Gateway::start(&(config(&handler, retry) + &telemetry)).await;
    let told = [(PARENT, &*sampled()), ("tracestate", "vendor=x"), (KEPT, "00-1-2-01")];
    assert_eq!(post(&gateway, "evt_1", SECRET, &told).await, 200);
    let before = collector.until("an attempt's span", |spans| !attempts(spans).is_empty()).await;
    gateway.kill().await;
    handler.change(|_| Reply::Status(200));
    gateway.serve().await;
    let delivered = |spans: &[Seen]| spans.iter().any(|span| span.get("hookhaven.outcome") == "delivered");
    let spans = collector.until("the delivered attempt", delivered).await;

    assert!(spans.iter().all(|span| (&*span.trace, &*span.service) == (TRACE, "hooks")), "{spans:#?}");
    let request = one(&spans, "request");
    assert_eq!((&*request.parent, request.span.kind, request.failed()), (SENDER_SPAN, 2, false));
    for (name, value) in [
        ("hookhaven.source", "shop"),
        ("hookhaven.sender", "stripe"),
        ("hookhaven.event_type", "invoice.paid"),
        ("hookhaven.status", "queued"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(request.get(name), value, "{name}");
    }
    let stored = one(&spans, "store.accept");
    assert_eq!(stored.parent, request.id);
    let (outer, inner) = (&request.span, &stored.span);
    assert!(outer.start_time_unix_nano <= inner.start_time_unix_nano);
    assert!(inner.end_time_unix_nano <= outer.end_time_unix_nano);

    let all = attempts(&spans);
    assert!(all.len() > attempts(&before).len(), "one more was made after the restart");
    for attempt in &all {
        assert_eq!((&*attempt.parent, attempt.span.kind), (&*request.id, 3));
        assert_eq!(attempt.get("hookhaven.event_id"), request.get("hookhaven.event_id"));
        assert_eq!(attempt.get("hookhaven.destination"), "app");
        assert!(attempt.get("hookhaven.delivery_id").starts_with("dlv_"));
        let succeeded = attempt.get("hookhaven.outcome") == "delivered";
        assert_eq!(attempt.get("http.response.status_code"), if succeeded { "200" } else { "500" });
        assert_eq!(attempt.failed(), !succeeded);
    }
    joined(&all, &handler.received());
    let waits = spans.iter().filter(|span| span.name() == "wait").collect::<Vec<_>>();
    assert!(all.iter().all(|attempt| waits.iter().any(|wait| wait.parent == attempt.id)), "{spans:#?}");
    assert!(spans.iter().any(|span| span.name() == "connect" && span.parent == all[0].id));

    for received in handler.received() {
        assert_eq!((received.header("tracestate"), received.header(KEPT)), ("vendor=x", ""));
    }
    for export in collector.handler.received() {
        assert_eq!(export.header("authorization"), "Bearer of-the-collector");
    }
    gateway.until_logged("\"outcome\":\"delivered\"").await;
    let log = gateway.log();
    let mine = log.lines().filter(|l| l.contains("\"message\":\"request\"") || l.contains("\"message\":\"attempt\""));
    assert!(mine.into_iter().all(|line| line.contains(&format!("\"trace_id\":\"{TRACE}\""))), "{log}");
    assert!(!log.contains("of-the-collector"));
}

#[tokio::test]
async fn an_event_without_a_sender_s_trace_begins_one_and_a_refusal_is_seen_too() {
    let (collector, handler) = (Collector::start().await, Handler::answering(200).await);
    let gateway = Gateway::start(&(config(&handler, "") + &collector.config(""))).await;
    assert_eq!(post(&gateway, "evt_1", SECRET, &[(PARENT, "00-no-trace-01")]).await, 200);
    let spans = collector.until("the attempt", |spans| !attempts(spans).is_empty()).await;
    let request = one(&spans, "request");
    assert_eq!((request.parent.as_str(), request.trace.len()), ("", 32));
    assert!(spans.iter().all(|span| span.trace == request.trace));
    joined(&attempts(&spans), &handler.received());

    assert_eq!(post(&gateway, "evt_2", "whsec_of_somebody_else", &[(PARENT, &sampled())]).await, 401);
    assert_eq!(gateway.post("/webhooks/nobody", &[(PARENT.into(), sampled())], b"{}").await.status, 404);
    assert_eq!(post(&gateway, "evt_3", SECRET, &[(PARENT, &sampled())]).await, 200);
    let known = |spans: &[Seen]| spans.iter().filter(|span| span.name() == "deliver").count() == 2;
    let spans = collector.until("the last attempt", known).await;
    let requests: Vec<_> = spans.iter().filter(|s| s.trace == TRACE && s.name() == "request").collect();
    let said: Vec<_> = requests.iter().map(|s| (s.get("hookhaven.status"), s.get("hookhaven.reason"))).collect();
    let of = |status: &str, reason: &str| (status.to_owned(), reason.to_owned());
    assert_eq!(said, [of("rejected", "signature_mismatch"), of("queued", "")], "nothing of who is not configured");
}

#[tokio::test]
async fn what_is_not_sampled_is_not_exported_and_handlers_are_told_so() {
    let (collector, handler) = (Collector::start().await, Handler::answering(200).await);
    let gateway = Gateway::start(&(config(&handler, "") + &collector.config("sample = 0.0"))).await;
    assert_eq!(post(&gateway, "evt_1", SECRET, &[]).await, 200);
    let own = handler.nth(1).await.header(PARENT).to_owned();
    assert!(own.len() == 55 && own.ends_with("-00"), "{own}");
    assert_eq!(post(&gateway, "evt_2", SECRET, &[(PARENT, &format!("00-{TRACE}-{SENDER_SPAN}-00"))]).await, 200);
    let theirs = handler.nth(2).await.header(PARENT).to_owned();
    assert!(theirs.starts_with(&format!("00-{TRACE}-")) && theirs.ends_with("-00"), "{theirs}");
    // A sender's yes counts; and whatever came before it would have been exported before.
    let other = "0af7651916cd43dd8448eb211c80319c";
    assert_eq!(post(&gateway, "evt_3", SECRET, &[(PARENT, &format!("00-{other}-{SENDER_SPAN}-01"))]).await, 200);
    let spans = collector.until("the attempt", |spans| !attempts(spans).is_empty()).await;
    assert!(spans.iter().all(|span| span.trace == other), "{spans:#?}");
}

#[tokio::test]
async fn without_a_collector_nothing_is_added_and_the_sender_s_trace_passes_through() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler, "")).await;
    assert_eq!(post(&gateway, "evt_1", SECRET, &[(PARENT, &sampled()), ("tracestate", "a=1")]).await, 200);
    let received = handler.nth(1).await;
    assert_eq!((received.header(PARENT), received.header("tracestate")), (&*sampled(), "a=1"));
    assert_eq!(post(&gateway, "evt_2", SECRET, &[]).await, 200);
    assert_eq!(handler.nth(2).await.header(PARENT), "");
    gateway.until_drained().await;
    let stored = gateway.get(&format!("/api/v1/events/{}", received.header("hookhaven-event-id"))).await;
    assert!(!stored.to_string().contains(KEPT) && !gateway.log().contains("trace_id"), "{stored}");
}

#[tokio::test]
async fn a_publisher_s_trace_goes_on_to_the_destination_and_its_callback() {
    let (collector, handler) = (Collector::start().await, Handler::answering(200).await);
    let gateway = Gateway::start(&(PUBLISH.to_owned() + &collector.config(""))).await;
    let publisher = Publisher(gateway.ingest());
    let callback = format!("http://{}/callback", handler.address);
    let id = publisher.publish(&handler.url(), &[(PARENT, &sampled()), ("Upstash-Callback", &callback)], b"{}").await;
    let spans = collector.until("message and callback", |spans| attempts(spans).len() == 2).await;
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    let request = one(&spans, "request");
    assert_eq!((&*request.parent, &*request.get("hookhaven.source")), (SENDER_SPAN, "publish"));
    assert_eq!(request.get("http.response.status_code"), "200");
    assert_eq!(one(&spans, "store.accept").parent, request.id);
    let (message, callback) = (attempts(&spans)[0], attempts(&spans)[1]);
    assert_eq!((&message.parent, &callback.parent), (&request.id, &message.id), "one follows from the other");
    for (attempt, received) in attempts(&spans).into_iter().zip(handler.received()) {
        assert_eq!(received.header(PARENT), format!("00-{TRACE}-{}-01", attempt.id));
        assert_eq!(received.header(KEPT), "");
    }
    // QStash's clients compare what they are shown; nothing of ours stands among it.
    assert_eq!(publisher.get(&format!("/v2/messages/{id}")).await["header"].get("Traceparent"), None);

    let forwarded = format!("00-{TRACE}-1111111111111111-01");
    publisher.publish(&handler.url(), &[("Upstash-Forward-Traceparent", &forwarded)], b"{}").await;
    assert_eq!(handler.nth(3).await.header(PARENT), forwarded, "what is forwarded arrives as it was");
    let spans = collector.until("the third attempt", |spans| attempts(spans).len() == 3).await;
    assert_eq!(attempts(&spans)[2].trace, TRACE);
}

#[tokio::test]
async fn a_collector_that_hangs_costs_spans_and_nothing_else() {
    let collector = Collector::doing(|_| Reply::Hang).await;
    let handler = Handler::answering(200).await;
    let telemetry = collector.config("queue_max = 16\nbatch_max = 8");
    let mut gateway = Gateway::start(&(config(&handler, "") + &telemetry)).await;
    let load = Stripe::new("shop", SECRET);
    load.send(gateway.ingest(), 8, 300).await;
    assert_eq!(load.acknowledged().len(), 300);
    gateway.until_drained().await;
    assert_eq!(handler.received().len(), 300);
    let metrics = gateway.admin().send("GET", "/metrics", b"").await.expect("metrics");
    let dropped = fate(&String::from_utf8_lossy(&metrics.body), "queue_full");
    // At least request, store and attempt of each, but for what waits or is under way.
    assert!(dropped >= 3.0 * 300.0 - (16.0 + 8.0), "{dropped}");
    assert!(gateway.terminate().await.success());
}

#[tokio::test]
async fn a_collector_that_was_away_gets_what_waited() {
    let mut collector = Collector::start().await;
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&(config(&handler, "") + &collector.config(""))).await;
    collector.handler.stop().await;
    assert_eq!(post(&gateway, "evt_1", SECRET, &[(PARENT, &sampled())]).await, 200);
    handler.until(1).await;
    collector.handler.revive().await;
    let spans = collector.until("the attempt", |spans| !attempts(spans).is_empty()).await;
    assert_eq!(one(&spans, "request").trace, TRACE);
}

#[tokio::test]
async fn what_is_left_goes_out_when_it_stops() {
    let (collector, handler) = (Collector::start().await, Handler::answering(200).await);
    let telemetry = collector.config("").replace("10ms", "1m");
    let mut gateway = Gateway::start(&(config(&handler, "") + &telemetry)).await;
    assert_eq!(post(&gateway, "evt_1", SECRET, &[(PARENT, &sampled())]).await, 200);
    handler.until(1).await;
    gateway.until_drained().await;
    assert!(collector.spans().is_empty(), "they wait for others to go with");
    assert!(gateway.terminate().await.success());
    let spans = collector.spans();
    assert_eq!((attempts(&spans).len(), one(&spans, "request").trace.as_str()), (1, TRACE));
}

fn fate(metrics: &str, fate: &str) -> f64 {
    let start = format!("hookhaven_trace_spans_total{{fate=\"{fate}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or_default()
}
