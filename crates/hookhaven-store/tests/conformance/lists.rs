//! Lists, filters, counts: what people look at.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, DeliveryState, EndReason, ErrorClass};
use hookhaven_store::{DeliveryFilter, EventFilter, Next, Page, Replayed, Store, clock::Clock};

use crate::bench::*;

const DAY: Duration = Duration::from_secs(24 * 3_600);

pub async fn events_page_newest_first(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let mut sent = Vec::new();
    for n in 0..25 {
        let new = event(&format!("k{n}"), clock.now(), &["billing"]);
        sent.push(new.event.id);
        accept(&store, new).await;
        clock.advance(Duration::from_millis(3));
    }
    sent.reverse();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let rows = store.events(&EventFilter::default(), Page { after, limit: 10, oldest_first: false }).await.unwrap();
        after = rows.last().map(|row| row.id);
        if rows.is_empty() {
            break;
        }
        seen.extend(rows.iter().map(|row| row.id));
    }
    assert_eq!(seen, sent);
}

pub async fn filters_hold(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let early = clock.now();
    accept(&store, event("a", early, &["billing"])).await;
    clock.advance(Duration::from_secs(60));
    let mut other = event("b", clock.now(), &["log"]);
    (other.event.source, other.event.event_type) = ("github".into(), "push".into());
    accept(&store, other).await;

    let keys = |filter: EventFilter| {
        let store = store.clone();
        async move {
            let rows = store.events(&filter, Page::first(10)).await.unwrap();
            rows.iter().map(|row| row.idempotency_key.to_string()).collect::<Vec<_>>()
        }
    };
    let all = EventFilter::default();
    assert_eq!(keys(all.clone()).await, ["b", "a"]);
    assert_eq!(keys(EventFilter { source: Some("github".into()), ..all.clone() }).await, ["b"]);
    assert_eq!(keys(EventFilter { event_type: Some("invoice.paid".into()), ..all.clone() }).await, ["a"]);
    assert_eq!(keys(EventFilter { idempotency_key: Some("b".into()), ..all.clone() }).await, ["b"]);
    assert_eq!(keys(EventFilter { since: Some(clock.now()), ..all.clone() }).await, ["b"]);
    assert_eq!(keys(EventFilter { until: Some(clock.now()), ..all }).await, ["a"]);

    let found = |filter: DeliveryFilter| {
        let store = store.clone();
        async move { store.deliveries(&filter, Page::first(10)).await.unwrap().len() }
    };
    let all = DeliveryFilter::default();
    assert_eq!(found(all.clone()).await, 2);
    assert_eq!(found(DeliveryFilter { destination: Some("log".into()), ..all.clone() }).await, 1);
    assert_eq!(found(DeliveryFilter { event_type: Some("push".into()), ..all.clone() }).await, 1);
    assert_eq!(found(DeliveryFilter { source: Some("nobody".into()), ..all.clone() }).await, 0);
    assert_eq!(found(DeliveryFilter { state: Some(DeliveryState::Pending), ..all.clone() }).await, 2);
    assert_eq!(found(DeliveryFilter { state: Some(DeliveryState::Delivered), ..all.clone() }).await, 0);
    assert_eq!(found(DeliveryFilter { since: Some(clock.now()), ..all.clone() }).await, 1);
    assert_eq!(found(DeliveryFilter { until: Some(clock.now()), ..all }).await, 1);
}

pub async fn deliveries_show_their_last_attempt(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    accept(&store, event("k", clock.now(), &["billing"])).await;
    let all = DeliveryFilter::default();
    assert_eq!(store.deliveries(&all, Page::first(10)).await.unwrap()[0].last, None);
    let session = store.open_session(TTL).await.unwrap();
    for class in [ErrorClass::Timeout, ErrorClass::Http5xx] {
        let leased = claim_one(&store, session, "billing").await;
        let next = Next::Retry { due_at: clock.now() };
        settle(&store, session, &leased, class, next, clock.now()).await;
        let row = store.deliveries(&all, Page::first(10)).await.unwrap().remove(0);
        assert_eq!(row.last.unwrap().class, class);
    }
    let of_class = |class| DeliveryFilter { class: Some(class), ..DeliveryFilter::default() };
    assert_eq!(store.deliveries(&of_class(ErrorClass::Timeout), Page::first(10)).await.unwrap().len(), 0);
    assert_eq!(store.deliveries(&of_class(ErrorClass::Http5xx), Page::first(10)).await.unwrap().len(), 1);
}

pub async fn many_are_read_as_each_alone(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let began = clock.now();
    let (_, old) = dead(&store, "old", began).await;
    clock.advance(3 * DAY);
    let now = clock.now();
    // A late one of an old event.
    let Replayed::New(late) = store.replay(&[old]).await.unwrap()[0] else { panic!("not replayed") };
    let untried = event("untried", now, &["audit"]);
    let waiting = untried.deliveries[0].id;
    accept(&store, untried).await;
    for n in 0..20 {
        accept(&store, event(&format!("k{n}"), now, &["log"])).await;
    }
    let session = store.open_session(TTL).await.unwrap();
    let again = claim_one(&store, session, "billing").await;
    assert_eq!(again.delivery.id, late);
    settle(&store, session, &again, ErrorClass::Connect, Next::Dead(EndReason::Exhausted), now).await;
    // Twice each, and many at once.
    let mut ids = Vec::new();
    for (class, next) in
        [(ErrorClass::Timeout, Next::Retry { due_at: now }), (ErrorClass::Http5xx, Next::Dead(EndReason::Exhausted))]
    {
        let leased = claim(&store, session, "log", 20).await;
        ids = leased.iter().map(|leased| leased.delivery.id).collect();
        let settled = leased.iter().map(|leased| settlement(leased, class, next, now)).collect();
        store.settle(session, settled).await.unwrap();
    }
    ids.extend([old, late, waiting, DeliveryId::from_bytes([9; 16]), old]);

    let check = async |store: &Arc<dyn Store>| {
        let tried = store.tried(&ids).await.unwrap();
        assert_eq!(tried.len(), ids.len());
        for (id, tried) in ids.iter().zip(tried) {
            let (row, attempt) = tried.map(|tried| (tried.row, tried.attempt)).unzip();
            assert_eq!(row, store.delivery(*id).await.unwrap());
            assert_eq!(attempt.flatten(), store.attempts(*id).await.unwrap().pop());
        }
        let last = store.tried(&ids[..1]).await.unwrap().remove(0).unwrap().attempt.unwrap();
        assert_eq!((last.number, last.class), (2, ErrorClass::Http5xx));
        let last = store.tried(&[late]).await.unwrap().remove(0).unwrap().attempt.unwrap();
        assert_eq!((last.delivery, last.class), (late, ErrorClass::Connect));
        assert_eq!(store.tried(&[]).await.unwrap(), []);
    };
    check(&store).await;
    if let Some(store) = bench.reopen(store).await {
        check(&store).await;
    }
}

pub async fn counts_follow(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    for n in 0..5 {
        accept(&store, event(&format!("k{n}"), clock.now(), &["billing"])).await;
    }
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim(&store, session, "billing", 2).await;
    clock.advance(Duration::from_secs(3));
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.pending, stats.depths[0].pending, stats.depths[0].leased), (5, 3, 2));
    assert_eq!(stats.oldest_due, [("billing".into(), start())]);
    settle(&store, session, &leased[0], ErrorClass::Ok, Next::Delivered, clock.now()).await;
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.pending, stats.depths[0].pending, stats.depths[0].leased), (4, 3, 1));
    assert_eq!((&*stats.depths[0].source, &*stats.depths[0].destination), ("stripe", "billing"));
}

pub async fn reads_see_earlier_writes(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    for n in 0..50 {
        let new = event(&format!("k{n}"), now, &["billing"]);
        let (id, delivery) = (new.event.id, new.deliveries[0].id);
        accept(&store, new).await;
        assert!(store.event(id).await.unwrap().is_some());
        assert!(store.delivery(delivery).await.unwrap().is_some());
        let filter = EventFilter { idempotency_key: Some(format!("k{n}")), ..EventFilter::default() };
        assert_eq!(store.events(&filter, Page::first(10)).await.unwrap().len(), 1);
    }
}
