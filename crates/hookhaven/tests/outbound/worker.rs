//! The worker's promises, one test each.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use hookhaven::worker::{Drained, Hold, PAUSED_KIND};
use hookhaven_core::{
    DeliveryState, EndReason, ErrorClass, Secret, Time, breaker::BreakerState, destination::Rate, sign,
};
use hookhaven_store::{
    CatalogEntry, SessionId, Store, StoreError,
    clock::Clock,
    faulty::{Faulty, Verb, When},
};
use tokio::sync::Semaphore;

use crate::{
    handler::{Handler, answer, hang, refusing, status},
    rig::{self, Rig, START, Told, accept, config, destination},
    soon, until,
};

fn at(s: u64) -> Time {
    START.plus(Duration::from_secs(s))
}

#[tokio::test]
async fn four_failures_then_success_is_delivered_at_the_fifth_attempt() {
    let handler = Handler::start(|n| if n < 4 { answer(500, "x-why: db\r\n", "sorry") } else { status(200) }).await;
    let mut rig = Rig::start(config([destination("billing", &handler.url())]));
    let delivery = rig.accept("billing").await;
    for wait_s in [5, 25, 125, 625] {
        assert_eq!(rig.outcome().await, ("billing".into(), "retry", ErrorClass::Http5xx));
        let due = rig.row(delivery).await.delivery.due_at;
        let wait = due.since(rig.clock.now());
        let least = Duration::from_secs(wait_s);
        assert!(wait >= least && wait <= least.mul_f64(1.1), "{wait:?}");
        // It sleeps until exactly then.
        until(|| rig.clock.next_wake() == Some(due)).await;
        rig.advance_to(due);
    }
    assert_eq!(rig.outcome().await, ("billing".into(), "delivered", ErrorClass::Ok));
    assert_eq!(rig.state(delivery).await, DeliveryState::Delivered);
    let attempts = rig.attempts(delivery).await;
    let numbers: Vec<_> = attempts.iter().map(|a| (a.number, a.status)).collect();
    assert_eq!(numbers, [(1, Some(500)), (2, Some(500)), (3, Some(500)), (4, Some(500)), (5, Some(200))]);
    assert_eq!(attempts[0].next_attempt_at, Some(attempts[1].started_at));
    assert_eq!(
        (&*attempts[0].error, &attempts[0].response_excerpt[..]),
        ("answered 500 Internal Server Error", &b"sorry"[..])
    );
    assert!(attempts[0].response_headers.iter().any(|(n, v)| &**n == "x-why" && v == "db"));
    assert_eq!(&*attempts[4].error, "");
}

#[tokio::test]
async fn five_failures_end_a_delivery_dead() {
    let handler = Handler::start(|_| status(404)).await;
    let mut rig = Rig::start(config([destination("billing", &handler.url())]));
    let delivery = rig.accept("billing").await;
    for _ in 0..4 {
        assert_eq!(rig.outcome().await.1, "retry");
        rig.advance_to(rig.row(delivery).await.delivery.due_at);
    }
    assert_eq!(rig.outcome().await, ("billing".into(), "dead", ErrorClass::Http4xx));
    let row = rig.row(delivery).await;
    assert!(row.delivery.is_dead_letter());
    assert_eq!(row.delivery.end_reason, Some(EndReason::Exhausted));
}

#[tokio::test]
async fn a_handler_can_end_a_delivery_at_once() {
    let handler = Handler::start(|_| answer(489, "Upstash-NonRetryable-Error: true\r\n", "")).await;
    let mut rig = Rig::start(config([destination("billing", &handler.url())]));
    let delivery = rig.accept("billing").await;
    assert_eq!(rig.outcome().await.1, "dead");
    assert_eq!(rig.row(delivery).await.delivery.end_reason, Some(EndReason::Aborted));
}

#[tokio::test]
async fn each_attempt_carries_the_event_as_it_came_signed_afresh() {
    let mut handler = Handler::start(|n| status(if n == 0 { 503 } else { 200 })).await;
    let mut billing = destination("billing", &handler.url());
    billing.secrets =
        ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "old secret"].into_iter().filter_map(Secret::new).collect();
    let secrets = billing.secrets.clone();
    let mut rig = Rig::start(config([billing]));
    let delivery = rig.accept("billing").await;
    let event = rig.row(delivery).await.delivery.event.to_string();
    for attempt in 1..=2 {
        let seen = handler.next().await;
        assert_eq!(seen.body, b"{ \"n\":  1 }\n");
        let now = rig.clock.now();
        let signed = sign::sign(&event, now, &seen.body, &secrets).unwrap();
        for (name, value) in [
            ("content-type", "application/json"),
            ("hookhaven-event-id", &event),
            ("hookhaven-event-type", "invoice.paid"),
            ("hookhaven-source", "stripe"),
            ("hookhaven-attempt", &attempt.to_string()),
            ("hookhaven-received-at", &START.to_string()),
            ("hookhaven-correlation-id", "c-1"),
            ("webhook-id", &event),
            ("webhook-timestamp", &now.as_s().to_string()),
            ("webhook-signature", &signed.signature),
        ] {
            assert_eq!(seen.header(name), Some(value), "{name}");
        }
        assert!(seen.header("user-agent").is_some_and(|v| v.starts_with("Hookhaven/")));
        rig.outcome().await;
        rig.advance_to(rig.row(delivery).await.delivery.due_at);
    }
}

#[tokio::test]
async fn retry_after_holds_the_destination_a_minute_and_the_delivery_longer() {
    let handler = Handler::start(|n| if n == 0 { answer(503, "retry-after: 90\r\n", "") } else { status(200) }).await;
    let mut rig = Rig::start(config([destination("billing", &handler.url())]));
    let first = rig.accept("billing").await;
    assert_eq!(rig.outcome().await.1, "retry");
    let second = rig.accept("billing").await;
    assert_eq!(rig.lane("billing").unwrap().hold, Some(Hold::RetryAfter(at(60))));
    assert_eq!(rig.row(first).await.delivery.due_at, at(90));
    until(|| rig.clock.next_wake() == Some(at(60))).await;
    rig.advance_to(at(60));
    assert_eq!(rig.outcome().await.1, "delivered");
    assert_eq!(rig.attempts(second).await[0].started_at, at(60));
    rig.advance_to(at(90));
    assert_eq!(rig.outcome().await.1, "delivered");
    assert_eq!(rig.attempts(first).await[1].started_at, at(90));
}

#[tokio::test]
async fn three_deliveries_answered_410_pause_the_destination() {
    let handler = Handler::start(|n| status(if n < 3 { 410 } else { 200 })).await;
    let mut billing = destination("billing", &handler.url());
    billing.concurrency = NonZeroU32::MIN;
    let mut rig = Rig::start(config([billing]));
    let mut deliveries = Vec::new();
    for _ in 0..4 {
        deliveries.push(rig.accept("billing").await);
    }
    for _ in 0..3 {
        assert_eq!(rig.outcome().await.1, "retry");
    }
    until(|| rig.lane("billing").unwrap().hold == Some(Hold::Paused)).await;
    let entries = rig.store.catalog(PAUSED_KIND).await.unwrap();
    assert_eq!((entries.len(), &*entries[0].name), (1, "billing"));
    let value: serde_json::Value = serde_json::from_slice(&entries[0].value).unwrap();
    assert_eq!(value["by"], "410");
    rig.clock.advance(Duration::from_secs(3_600));
    for delivery in &deliveries {
        assert_eq!(rig.state(*delivery).await, DeliveryState::Pending);
    }
    // Undone, everything goes on; the hour does not count against the deadline.
    rig.worker.set_paused("billing", false);
    for _ in 0..4 {
        assert_eq!(
            rig.told().await,
            Told::Attempt { destination: "billing".into(), outcome: "delivered", class: ErrorClass::Ok }
        );
    }
}

#[tokio::test]
async fn a_success_between_keeps_a_destination_with_410s_going() {
    let handler = Handler::start(|n| status(if n % 3 == 2 { 200 } else { 410 })).await;
    let mut billing = destination("billing", &handler.url());
    billing.concurrency = NonZeroU32::MIN;
    let mut rig = Rig::start(config([billing]));
    for _ in 0..9 {
        rig.accept("billing").await;
        rig.outcome().await;
    }
    assert_eq!(rig.lane("billing").unwrap().hold, None);
    assert!(rig.store.catalog(PAUSED_KIND).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_breaker_opens_rests_probes_and_drains() {
    let address = refusing().await;
    let mut rig = Rig::start(config([destination("billing", &format!("http://{address}/"))]));
    let mut deliveries = Vec::new();
    for _ in 0..10 {
        deliveries.push(rig.accept("billing").await);
    }
    let mut attempts = 0;
    loop {
        match rig.told().await {
            Told::Attempt { outcome: "retry", class: ErrorClass::Connect, .. } => attempts += 1,
            Told::Breaker { open: true, .. } => break,
            other => panic!("{other:?}"),
        }
    }
    while attempts < 10 {
        assert_eq!(rig.outcome().await.1, "retry");
        attempts += 1;
    }
    // Retries fall due, and none is spent.
    assert_eq!(rig.lane("billing").unwrap().hold, Some(Hold::Breaker(Some(at(30)))));
    assert_eq!(rig.worker.failing_lanes().len(), 1);
    until(|| rig.clock.next_wake() == Some(at(30))).await;
    rig.advance_to(at(29));
    let mut handler = Handler::on(address, 0, |_| status(200)).await;
    rig.advance_to(at(30));
    handler.next().await;
    until(|| rig.lane("billing").unwrap().breaker == BreakerState::HalfOpen).await;
    assert_eq!(rig.lane("billing").unwrap().in_flight, 1);
    handler.gate.add_permits(1);
    assert_eq!(rig.told().await, Told::Breaker { destination: "billing".into(), open: false });
    assert_eq!(rig.outcome().await.1, "delivered");
    // With the ramp, one more goes out now, not nine.
    handler.next().await;
    assert_eq!(rig.lane("billing").unwrap().in_flight, 1);
    handler.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    for _ in 0..9 {
        assert_eq!(rig.outcome().await.1, "delivered");
    }
}

#[tokio::test]
async fn one_poison_event_does_not_open_the_breaker() {
    let handler = Handler::start(|_| status(500)).await;
    let mut rig = Rig::start(config([destination("billing", &handler.url())]));
    for _ in 0..4 {
        let delivery = rig.accept("billing").await;
        for _ in 0..5 {
            let told = rig.told().await;
            assert!(matches!(told, Told::Attempt { .. }), "{told:?}");
            rig.advance_to(rig.row(delivery).await.delivery.due_at);
        }
    }
    assert_eq!(rig.lane("billing").unwrap().breaker, BreakerState::Closed);
}

#[tokio::test]
async fn hanging_and_refusing_destinations_do_not_delay_a_fast_one() {
    let (mut hanging, fast) = (Handler::start(|_| hang()).await, Handler::start(|_| status(200)).await);
    let refusing = format!("http://{}/", refusing().await);
    let mut hangs = destination("hangs", &hanging.url());
    hangs.concurrency = NonZeroU32::new(1_000).unwrap();
    let mut rig = Rig::start(config([hangs, destination("refuses", &refusing), destination("fast", &fast.url())]));
    // 20 each, and the bad ones first: more than there are slots (16).
    for name in ["hangs", "refuses"] {
        for _ in 0..20 {
            rig.accept(name).await;
        }
    }
    for _ in 0..8 {
        hanging.next().await;
    }
    rig.clock.advance(Duration::from_secs(2));
    for _ in 0..200 {
        rig.accept("fast").await;
    }
    let mut delivered = 0;
    while delivered < 200 {
        delivered += usize::from(rig.outcome().await == ("fast".into(), "delivered", ErrorClass::Ok));
    }
    // Half of the slots, and they still hang.
    assert_eq!(rig.lane("hangs").unwrap().in_flight, 8);
    assert!(hanging.seen.try_recv().is_err());
}

#[tokio::test]
async fn the_rate_is_kept() {
    let handler = Handler::start(|_| status(200)).await;
    let mut billing = destination("billing", &handler.url());
    billing.rate = Some(Rate { count: NonZeroU32::new(2).unwrap(), per: Duration::from_secs(1) });
    let mut rig = Rig::start(config([billing]));
    let mut deliveries = Vec::new();
    for _ in 0..4 {
        deliveries.push(rig.accept("billing").await);
    }
    for n in 0..4 {
        assert_eq!(rig.outcome().await.1, "delivered");
        if n < 3 {
            until(|| rig.clock.next_wake().is_some_and(|at| at < rig::START.plus(Duration::from_secs(60)))).await;
            rig.advance_to(rig.clock.next_wake().unwrap());
        }
    }
    let mut started = Vec::new();
    for delivery in deliveries {
        started.push(rig.attempts(delivery).await[0].started_at);
    }
    started.sort();
    let gaps: Vec<_> = started.windows(2).map(|w| w[1].since(w[0])).collect();
    assert!(gaps.iter().all(|g| *g >= Duration::from_millis(500)), "{gaps:?}");
    assert!(started[3].since(started[0]) < Duration::from_millis(1_501), "{gaps:?}");
}

#[tokio::test]
async fn a_lost_session_aborts_its_attempts_and_the_deliveries_go_on() {
    let mut handler = Handler::start(|n| if n == 0 { hang() } else { status(200) }).await;
    let mut config = config([destination("billing", &handler.url())]);
    config.worker.session_ttl = Duration::from_secs(30);
    let mut rig = Rig::start(config);
    let delivery = rig.accept("billing").await;
    handler.next().await;
    // As if the process had been stopped for a minute.
    rig.clock.advance(Duration::from_secs(60));
    until(|| rig.worker.in_flight() == 0).await;
    assert_eq!(rig.store.release_lapsed().await, Ok(1));
    let due = rig.row(delivery).await.delivery.due_at;
    rig.advance_to(due);
    assert_eq!(rig.outcome().await.1, "delivered");
    let classes: Vec<_> = rig.attempts(delivery).await.iter().map(|a| a.class).collect();
    assert_eq!(classes, [ErrorClass::Lost, ErrorClass::Ok]);
}

#[tokio::test]
async fn a_lease_that_was_lost_settles_nothing() {
    let mut handler = Handler::gated(|_| status(200)).await;
    let mut billing = destination("billing", &handler.url());
    // Its lane is full, so nothing is claimed that would betray the loss before the answer comes.
    billing.concurrency = NonZeroU32::MIN;
    let mut rig = Rig::start(config([billing]));
    let delivery = rig.accept("billing").await;
    handler.next().await;
    for id in 0..16 {
        rig.store.close_session(SessionId(id)).await.unwrap();
    }
    handler.gate.add_permits(1);
    assert_eq!(rig.told().await, Told::LeaseLost);
    assert!(rig.attempts(delivery).await.is_empty());
    // The next renewal is hours away; the doubt brings a new session now.
    rig.clock.advance(Duration::from_secs(1));
    handler.next().await;
    handler.gate.add_permits(1);
    assert_eq!(rig.outcome().await.1, "delivered");
    assert_eq!(rig.attempts(delivery).await.len(), 1);
}

#[tokio::test]
async fn a_session_is_renewed_while_an_attempt_takes_long() {
    let mut handler = Handler::gated(|_| status(200)).await;
    let mut config = config([destination("billing", &handler.url())]);
    config.worker.session_ttl = Duration::from_secs(30);
    let mut rig = Rig::start(config);
    rig.accept("billing").await;
    handler.next().await;
    for n in 1..=12 {
        until(|| rig.clock.next_wake() == Some(at(10 * n))).await;
        rig.advance_to(at(10 * n));
    }
    until(|| rig.clock.next_wake() == Some(at(130))).await;
    handler.gate.add_permits(1);
    assert_eq!(
        rig.told().await,
        Told::Attempt { destination: "billing".into(), outcome: "delivered", class: ErrorClass::Ok }
    );
}

#[tokio::test]
async fn a_drain_lets_attempts_finish() {
    let mut handler = Handler::gated(|_| status(200)).await;
    let mut billing = destination("billing", &handler.url());
    billing.concurrency = NonZeroU32::MIN;
    let rig = Rig::start(config([billing]));
    let (first, second) = (rig.accept("billing").await, rig.accept("billing").await);
    handler.next().await;
    let worker = rig.worker.clone();
    let drain = tokio::spawn(async move { worker.drain(Duration::from_secs(20)).await });
    until(|| rig.clock.next_wake().is_some_and(|wake| wake == at(20))).await;
    handler.gate.add_permits(2);
    assert_eq!(soon(drain).await.unwrap(), Drained { aborted: 0 });
    assert_eq!(rig.state(first).await, DeliveryState::Delivered);
    // Nothing new was begun, and the session is closed.
    assert_eq!(rig.state(second).await, DeliveryState::Pending);
    assert_eq!(rig.store.stats().await.unwrap().sessions, 0);
}

#[tokio::test]
async fn a_drain_ends_in_time_whatever_hangs() {
    let mut handler = Handler::start(|_| hang()).await;
    let mut rig = Rig::start(config([destination("billing", &handler.url())]));
    let delivery = rig.accept("billing").await;
    handler.next().await;
    let worker = rig.worker.clone();
    let drain = tokio::spawn(async move { worker.drain(Duration::from_secs(20)).await });
    until(|| rig.clock.next_wake().is_some_and(|wake| wake == at(20))).await;
    rig.advance_to(at(20));
    assert_eq!(soon(drain).await.unwrap(), Drained { aborted: 1 });
    assert_eq!(rig.state(delivery).await, DeliveryState::Pending);
    assert!(rig.attempts(delivery).await.is_empty() && rig.nothing_told());
}

#[tokio::test]
async fn what_was_paused_before_the_start_stays_paused() {
    let handler = Handler::start(|_| status(200)).await;
    let (clock, store) = rig::store();
    let entry = CatalogEntry { kind: PAUSED_KIND.into(), name: "billing".into(), value: b"{}".to_vec() };
    store.put_catalog(entry).await.unwrap();
    let paused = accept(&*store, &clock, "billing", 101).await;
    accept(&*store, &clock, "other", 102).await;
    let config = config([destination("billing", &handler.url()), destination("other", &handler.url())]);
    let mut rig = Rig::on(clock, store, config);
    assert_eq!(rig.outcome().await.0, "other");
    assert_eq!(rig.lane("billing").unwrap().hold, Some(Hold::Paused));
    // Somebody deletes the entry and says so.
    rig.store.delete_catalog(PAUSED_KIND, "billing").await.unwrap();
    rig.worker.refresh();
    assert_eq!(rig.outcome().await.0, "billing");
    assert_eq!(rig.state(paused).await, DeliveryState::Delivered);
}

#[tokio::test]
async fn deliveries_wait_for_a_destination_that_left_the_config() {
    let handler = Handler::start(|_| status(200)).await;
    let mut rig = Rig::start(config([]));
    let delivery = rig.accept("billing").await;
    until(|| rig.lane("billing").is_some_and(|lane| lane.hold == Some(Hold::Gone))).await;
    rig.config.store(config([destination("billing", &handler.url())]).into());
    rig.worker.refresh();
    assert_eq!(rig.outcome().await.1, "delivered");
    assert_eq!(rig.state(delivery).await, DeliveryState::Delivered);
}

#[tokio::test]
async fn an_attempt_after_its_deadline_is_counted() {
    let mut handler = Handler::gated(|_| status(200)).await;
    let mut billing = destination("billing", &handler.url());
    billing.concurrency = NonZeroU32::MIN;
    let mut rig = Rig::start(config([billing]));
    rig.accept("billing").await;
    handler.next().await;
    rig.accept("billing").await;
    rig.clock.advance(Duration::from_secs(31));
    handler.gate.add_permits(2);
    assert_eq!(rig.outcome().await.1, "delivered");
    assert_eq!(rig.told().await, Told::DeadlineMissed);
    assert_eq!(rig.outcome().await.1, "delivered");
}

#[tokio::test]
async fn a_store_that_cannot_tell_what_is_paused_is_asked_again_after_a_second() {
    let handler = Handler::start(|_| status(200)).await;
    let (clock, store) = rig::store();
    let front = Arc::new(Faulty::over(store.clone()));
    front.fail(Verb::Catalog, When::Before, StoreError::Unavailable("opening".into()), 100);
    let mut rig = Rig::over(clock, store, front.clone(), config([destination("billing", &handler.url())]));
    rig.accept("billing").await;
    let again = at(1);
    until(|| rig.clock.next_wake() == Some(again)).await;
    assert!(rig.nothing_told());
    front.mend();
    rig.advance_to(again);
    assert_eq!(rig.outcome().await.1, "delivered");
}
