//! What becomes of an event whose handler fails: retries on their schedule, holds, pauses, the breaker,
//! death, and the ways back. Real sockets and the embedded store, on a clock that the tests move.

use std::time::Duration;

use hookhaven::api::Breaker;
use hookhaven_core::Time;
use http::StatusCode;

use crate::support::{
    clocked::{Clocked, SECRET, START},
    handler::{Gate, Handler, Reply},
};

/// A source routed to `billing`, with further lines for destination and route.
fn config(handler: &Handler, destination: &str, route: &str) -> String {
    // So that moving the clock by minutes does not end the session.
    format!("[worker]\nsession_ttl = \"1h\"\n\n{}", plain(handler, destination, route))
}

fn plain(handler: &Handler, destination: &str, route: &str) -> String {
    format!(
        "[sources.stripe]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [destinations.billing]\nurl = \"{}\"\nsecret = \"{SECRET}\"\n{destination}\n\n\
         [[routes]]\nsource = \"stripe\"\nto = [\"billing\"]\n{route}\n",
        handler.url()
    )
}

fn at(s: u64) -> Time {
    START.plus(Duration::from_secs(s))
}

fn failing(status: u16) -> impl Fn(&crate::support::handler::Received) -> Reply + Send + Sync + 'static {
    move |_| Reply::Status(status)
}

fn with_header(status: u16, name: &'static str, value: &str) -> Reply {
    Reply::Full { status, headers: vec![(name, value.to_owned())], body: String::new() }
}

#[tokio::test]
async fn four_failures_and_a_success_keep_to_the_schedule() {
    let handler = Handler::start(|received| Reply::Status(if received.number < 5 { 500 } else { 200 })).await;
    let gateway = Clocked::start(&config(&handler, "", "")).await;
    gateway.accept("stripe", 1).await;
    let delivery = gateway.delivery_of(1).await;
    let mut jittered = 0;
    for (failed, wait_s) in (1..).zip([5, 25, 125, 625]) {
        let detail = gateway.attempted(delivery, failed).await;
        let due = detail.delivery.due_at.expect("it is tried again");
        let (wait, least) = (due.since(gateway.now()), Duration::from_secs(wait_s));
        assert!(wait >= least && wait <= least.mul_f64(1.1), "{wait:?} after failure {failed}");
        jittered += usize::from(wait > least);
        // Not a moment earlier, and then at once.
        gateway.rest_until(due).await;
        assert_eq!(handler.received().len(), failed as usize);
        gateway.advance_to(due);
    }
    assert!(jittered > 0, "retries of many events must not fall on one moment");
    let detail = gateway.until_state(delivery, "delivered").await;
    assert_eq!(detail.attempts.len(), 5);
    for (attempt, received) in detail.attempts.iter().zip(handler.received()) {
        assert_eq!(received.header("hookhaven-attempt"), attempt.number.to_string());
        assert_eq!(received.header("webhook-timestamp"), attempt.started_at.as_s().to_string());
        assert_eq!(attempt.status, Some(if attempt.number < 5 { 500 } else { 200 }));
    }
    for pair in detail.attempts.windows(2) {
        assert_eq!(pair[0].next_attempt_at, Some(pair[1].started_at), "what was said is what was done");
    }
}

#[tokio::test]
async fn five_failures_are_a_dead_letter_and_a_person_replays_it_once() {
    let handler = Handler::answering(500).await;
    let gateway = Clocked::start(&config(&handler, "", "")).await;
    gateway.accept("stripe", 1).await;
    let delivery = gateway.delivery_of(1).await;
    let dead = gateway.exhaust(delivery).await;
    assert_eq!((dead.delivery.end_reason.as_deref(), dead.attempts.len()), (Some("exhausted"), 5));
    let id = delivery.to_string();
    assert!(gateway.says(&["dlq", "list"]).await.contains(&id));

    handler.change(failing(200));
    gateway.says(&["dlq", "replay", &id]).await;
    let fresh = gateway.replays_of(delivery).await;
    assert_eq!(fresh.len(), 1);
    assert_eq!(gateway.until_state(fresh[0], "delivered").await.attempts.len(), 1);
    assert_eq!(handler.received().len(), 6);
    assert!(!gateway.says(&["dlq", "list"]).await.contains(&id));
    // Once is once, whoever asks again.
    gateway.cli(&["dlq", "replay", &id]).await;
    gateway.accept("stripe", 1).await;
    assert_eq!(gateway.deliveries().await.len(), 2);
}

#[tokio::test]
async fn the_senders_redelivery_of_a_dead_event_delivers_it_once() {
    let handler = Handler::answering(500).await;
    let gateway = Clocked::start(&config(&handler, "", "")).await;
    gateway.accept("stripe", 1).await;
    let delivery = gateway.delivery_of(1).await;
    // While it still has attempts left, a redelivery is only a duplicate.
    gateway.attempted(delivery, 1).await;
    gateway.accept("stripe", 1).await;
    assert_eq!(gateway.deliveries().await.len(), 1);
    gateway.exhaust(delivery).await;

    handler.change(failing(200));
    gateway.accept("stripe", 1).await;
    let fresh = gateway.replays_of(delivery).await;
    assert_eq!(fresh.len(), 1);
    gateway.until_state(fresh[0], "delivered").await;
    gateway.accept("stripe", 1).await;
    assert_eq!(gateway.deliveries().await.len(), 2);
    assert_eq!((gateway.events().await.len(), handler.received().len()), (1, 6));
}

#[tokio::test]
async fn retry_after_holds_the_whole_destination_for_a_minute_at_most() {
    let date = |at: Time| {
        let at = jiff::Timestamp::from_second(at.as_s()).expect("a date");
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).expect("a date that can be written")
    };
    for (status, hint, hold_s, own_s) in [
        (429, "30".to_owned(), 30, 30),
        (503, date(at(45)), 45, 45),
        (503, "600".to_owned(), 60, 600),
        (429, date(at(86_000)), 60, 86_000),
    ] {
        let first = with_header(status, "retry-after", &hint);
        let handler = Handler::start(move |r| if r.number == 1 { first.clone() } else { Reply::Status(200) }).await;
        let gateway = Clocked::start(&config(&handler, "", "deadline = \"50s\"")).await;
        gateway.accept("stripe", 1).await;
        let asked = gateway.delivery_of(1).await;
        let detail = gateway.attempted(asked, 1).await;
        assert_eq!(detail.delivery.due_at, Some(at(own_s)), "{status}, retry-after: {hint}");
        assert_eq!(gateway.destination("billing").await.hold_until, Some(at(hold_s)));
        // Another event waits with it, and goes out when the hold is over.
        gateway.accept("stripe", 2).await;
        gateway.rest_until(at(hold_s)).await;
        assert_eq!(handler.received().len(), 1);
        gateway.advance_to(at(hold_s));
        let other = gateway.until_state(gateway.delivery_of(2).await, "delivered").await;
        assert_eq!(other.attempts[0].started_at, at(hold_s));
        // A wait that the destination asked for is none that a person did.
        let missed = gateway.metric("webhook_deadline_missed_total", "billing").await;
        assert_eq!(missed, if hold_s > 50 { 1.0 } else { 0.0 });
    }
}

#[tokio::test]
async fn three_deliveries_that_are_gone_pause_the_destination_until_it_is_resumed() {
    let handler = Handler::answering(410).await;
    let gateway = Clocked::start(&config(&handler, "", "retry = { attempts = 1 }")).await;
    // With one attempt each, all but the one that tips the balance and those after it die.
    for number in 1..=3 {
        gateway.accept("stripe", number).await;
        gateway.attempted(gateway.delivery_of(number).await, 1).await;
    }
    let paused = gateway.until_destination("billing", |d| d.state == "paused").await;
    assert_eq!(paused.paused.map(|p| p.by).as_deref(), Some("410"));
    for (number, state) in [(1, "dead"), (2, "dead"), (3, "pending")] {
        let detail = gateway.delivery(gateway.delivery_of(number).await).await;
        assert_eq!((detail.delivery.state.as_str(), detail.attempts.len()), (state, 1));
    }
    gateway.accept("stripe", 4).await;

    handler.change(failing(200));
    gateway.says(&["destinations", "resume", "billing"]).await;
    gateway.until_state(gateway.delivery_of(4).await, "delivered").await;
    let third = gateway.delivery_of(3).await;
    gateway.advance_to(gateway.delivery(third).await.delivery.due_at.expect("it is tried again"));
    gateway.until_state(third, "delivered").await;
    assert_eq!(gateway.destination("billing").await.state, "active");
}

#[tokio::test]
async fn one_event_that_is_gone_pauses_nothing() {
    let handler = Handler::answering(410).await;
    let gateway = Clocked::start(&config(&handler, "", "")).await;
    gateway.accept("stripe", 1).await;
    let dead = gateway.exhaust(gateway.delivery_of(1).await).await;
    assert_eq!((dead.attempts.len(), dead.delivery.state.as_str()), (5, "dead"));
    assert_eq!(gateway.destination("billing").await.state, "active");
}

#[tokio::test]
async fn a_handler_can_refuse_an_event_for_good() {
    let handler = Handler::start(|received| match received.number {
        1 => with_header(400, "webhook-delivery", "abort-message"),
        2 => with_header(489, "Upstash-NonRetryable-Error", "true"),
        3 => Reply::Status(489),
        _ => with_header(500, "Upstash-NonRetryable-Error", "true"),
    })
    .await;
    let gateway = Clocked::start(&config(&handler, "", "")).await;
    for (number, end) in [(1, Some("aborted")), (2, Some("aborted")), (3, None), (4, None)] {
        gateway.accept("stripe", number).await;
        let detail = gateway.attempted(gateway.delivery_of(number).await, 1).await;
        assert_eq!(detail.delivery.end_reason.as_deref(), end, "answer {number}");
        assert_eq!(detail.delivery.state, if end.is_some() { "dead" } else { "pending" });
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let elsewhere = Handler::answering(200).await;
    for status in [StatusCode::MOVED_PERMANENTLY, StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT] {
        let reply = with_header(status.as_u16(), "location", &elsewhere.url());
        let handler = Handler::start(move |_| reply.clone()).await;
        let gateway = Clocked::start(&config(&handler, "", "")).await;
        gateway.accept("stripe", 1).await;
        let detail = gateway.attempted(gateway.delivery_of(1).await, 1).await;
        assert_eq!((detail.attempts[0].status, detail.attempts[0].class.as_str()), (Some(status.as_u16()), "http_3xx"));
        assert_eq!((detail.delivery.state.as_str(), handler.received().len()), ("pending", 1));
    }
    assert_eq!(elsewhere.received().len(), 0);
}

#[tokio::test]
async fn a_paused_destination_gets_nothing_and_its_deadlines_are_not_counted() {
    let (handler, other) = (Handler::answering(200).await, Handler::answering(200).await);
    let second = format!(
        "\n[sources.audit]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [destinations.archive]\nurl = \"{}\"\n\n[[routes]]\nsource = \"audit\"\nto = [\"archive\"]\n",
        other.url()
    );
    let gateway = Clocked::start(&(config(&handler, "", "deadline = \"10s\"") + &second)).await;
    gateway.says(&["destinations", "pause", "billing"]).await;
    gateway.accept("stripe", 1).await;
    let waiting = gateway.delivery_of(1).await;
    gateway.advance_to(at(1_200));
    // What another destination gets shows that the worker has looked.
    gateway.accept("audit", 2).await;
    other.until(1).await;
    assert_eq!((handler.received().len(), gateway.delivery(waiting).await.delivery.state.as_str()), (0, "pending"));

    gateway.says(&["destinations", "resume", "billing"]).await;
    let detail = gateway.until_state(waiting, "delivered").await;
    assert_eq!(detail.attempts[0].started_at, at(1_200));
    assert_eq!(gateway.metric("webhook_deadline_missed_total", "billing").await, 0.0);
}

#[tokio::test]
async fn the_breaker_rests_probes_and_lets_the_backlog_through() {
    let handler = Handler::answering(500).await;
    let breaker = "breaker = { failures = 2, deliveries = 2, rest = \"30s\" }";
    let gateway = Clocked::start(&config(&handler, breaker, "")).await;
    for number in 1..=2 {
        gateway.accept("stripe", number).await;
    }
    let open = gateway.until_destination("billing", |d| d.breaker == Breaker::Open).await;
    assert_eq!(open.hold_until, Some(at(30)));
    assert_eq!(gateway.metric("webhook_breaker_open", "billing").await, 1.0);
    gateway.accept("stripe", 3).await;
    // The retries fall due at 5 s; not one is spent.
    gateway.rest_until(at(30)).await;
    assert_eq!(handler.received().len(), 2);

    // One probe, and while it is out nothing else. It fails: a longer rest.
    let gate = Gate::closed();
    handler.change({
        let gate = gate.clone();
        move |_| Reply::After(gate.clone(), 500)
    });
    gateway.advance_to(at(30));
    handler.until(3).await;
    let probing = gateway.destination("billing").await;
    assert_eq!((probing.breaker, probing.in_flight), (Breaker::Probing, 1));
    gate.open();
    let again = gateway.until_destination("billing", |d| d.breaker == Breaker::Open).await;
    assert_eq!(again.hold_until, Some(at(90)));
    gateway.rest_until(at(90)).await;
    assert_eq!(handler.received().len(), 3);

    handler.change(failing(200));
    gateway.advance_to(at(90));
    for delivery in gateway.deliveries().await {
        gateway.until_state(delivery.id, "delivered").await;
    }
    assert_eq!(gateway.destination("billing").await.breaker, Breaker::Closed);
    assert_eq!(gateway.metric("webhook_breaker_open", "billing").await, 0.0);
}

#[tokio::test]
async fn what_grows_too_old_while_the_breaker_is_open_ends_dead() {
    let handler = Handler::answering(500).await;
    let breaker = "breaker = { failures = 2, deliveries = 2, rest = \"6h\" }";
    let gateway = Clocked::start(&config(&handler, breaker, "max_age = \"10m\"")).await;
    for number in 1..=2 {
        gateway.accept("stripe", number).await;
    }
    gateway.until_destination("billing", |d| d.breaker == Breaker::Open).await;
    let old = [gateway.delivery_of(1).await, gateway.delivery_of(2).await];
    for delivery in old {
        gateway.attempted(delivery, 1).await;
    }
    gateway.advance_to(at(599));
    // A younger one stays.
    gateway.accept("stripe", 3).await;
    gateway.advance_to(at(660));
    for delivery in old {
        let dead = gateway.until_state(delivery, "dead").await;
        assert_eq!((dead.delivery.end_reason.as_deref(), dead.attempts.len()), (Some("expired"), 1));
        assert!(gateway.says(&["dlq", "list"]).await.contains(&delivery.to_string()));
    }
    assert_eq!(gateway.delivery(gateway.delivery_of(3).await).await.delivery.state, "pending");
    assert_eq!(handler.received().len(), 2);
}

#[tokio::test]
async fn an_attempt_whose_session_lapsed_is_recorded_as_lost_and_made_again() {
    let handler = Handler::start(|r| if r.number == 1 { Reply::Hang } else { Reply::Status(200) }).await;
    let gateway = Clocked::start(&plain(&handler, "timeout = \"60s\"", "")).await;
    gateway.accept("stripe", 1).await;
    handler.until(1).await;
    // As if the machine had slept for a minute.
    gateway.advance_to(at(60));
    let detail = gateway.until_state(gateway.delivery_of(1).await, "delivered").await;
    let told: Vec<_> = detail.attempts.iter().map(|a| (a.number, a.class.as_str(), a.started_at)).collect();
    assert_eq!(told, [(1, "lost", at(60)), (2, "ok", at(60))]);
    // A lost attempt costs none of the policy's.
    assert_eq!(detail.delivery.attempt_count, 1);
    let ids: Vec<_> = handler.received().iter().map(|r| r.header("webhook-id").to_owned()).collect();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
}
