//! Retention: what is over goes, what is not stays whole, and nobody can tell where it lies.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, DeliveryState, EndReason, ErrorClass, EventId, Time};
use hookhaven_store::{
    Accepted, CatalogEntry, DeliveryFilter, Dismissed, EventFilter, Next, Page, Replayed, Retained, Retention, Routed,
    Settled, Store, StoreError, clock::Clock,
};

use crate::bench::*;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Lets go of everything older than a day, until there is no more.
async fn retain(store: &Arc<dyn Store>, now: Time, dead_before: Option<Time>) -> Retained {
    let mut all = Retained::default();
    loop {
        let step = store.retain(Retention { before: now.minus(DAY), dead_before }).await.unwrap();
        all.segments += step.segments;
        all.events += step.events;
        all.carried += step.carried;
        all.dismissed += step.dismissed;
        all.keys += step.keys;
        if !step.more {
            return all;
        }
    }
}

/// An event whose only delivery, to `billing`, was delivered.
async fn delivered(store: &Arc<dyn Store>, key: &str, now: Time) -> (EventId, DeliveryId) {
    let new = event(key, now, &["billing"]);
    let (id, delivery) = (new.event.id, new.deliveries[0].id);
    accept(store, new).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(store, session, "billing").await;
    assert_eq!(settle(store, session, &leased, ErrorClass::Ok, Next::Delivered, now).await, Settled::Done);
    store.close_session(session).await.unwrap();
    (id, delivery)
}

async fn keys(store: &Arc<dyn Store>) -> Vec<String> {
    let rows = store.events(&EventFilter::default(), Page::first(1_000)).await.unwrap();
    let mut keys: Vec<_> = rows.into_iter().map(|row| row.idempotency_key.to_string()).collect();
    keys.sort();
    keys
}

/// Twice the same, so that what was once is shown to be, too, after a restart.
async fn reopened(bench: &dyn Bench, store: Arc<dyn Store>) -> Arc<dyn Store> {
    if bench.survives() { bench.reopen(store).await.unwrap() } else { store }
}

pub async fn what_is_over_goes(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let mut gone = vec![];
    for n in 0..30 {
        gone.push(delivered(&store, &format!("old {n}"), clock.now()).await);
    }
    accept(&store, event("unrouted", clock.now(), &[])).await;
    assert_eq!(retain(&store, clock.now(), None).await, Retained::default(), "nothing is old yet");
    assert_eq!(store.stats().await.unwrap().oldest_event, Some(start()));
    clock.advance(2 * DAY);
    let retained = retain(&store, clock.now(), None).await;
    let (young, _) = delivered(&store, "young", clock.now()).await;
    assert_eq!((retained.events, retained.carried, retained.dismissed), (31, 0, 0));
    let again = retain(&store, clock.now(), None).await;
    assert_eq!(again.events, 0);

    let store = reopened(bench, store).await;
    assert_eq!(keys(&store).await, ["young"]);
    assert_eq!(store.deliveries(&DeliveryFilter::default(), Page::first(100)).await.unwrap().len(), 1);
    for (event, delivery) in gone {
        assert_eq!(store.event(event).await.unwrap(), None);
        assert_eq!(store.delivery(delivery).await.unwrap(), None);
        assert!(store.attempts(delivery).await.unwrap().is_empty());
        assert_eq!(store.replay(&[delivery]).await.unwrap(), [Replayed::Unknown]);
        assert_eq!(store.dismiss(&[delivery]).await.unwrap(), [Dismissed::Unknown]);
    }
    assert!(store.event(young).await.unwrap().is_some());
    let stats = store.stats().await.unwrap();
    assert_eq!(stats.oldest_event, Some(start().plus(2 * DAY)));
}

pub async fn what_lives_stays_whole(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let began = clock.now();
    let entry = CatalogEntry { kind: "destination-paused".into(), name: "log".into(), value: vec![7] };
    store.put_catalog(entry.clone()).await.unwrap();
    let (dead_event, dead_delivery) = dead(&store, "dead", began).await;
    // Two deliveries, of which one is over and one was tried.
    accept(&store, event("tried", began, &["billing", "log"])).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, began).await;
    let tried = claim_one(&store, session, "log").await;
    let next = Next::Retry { due_at: began.plus(Duration::from_secs(5)) };
    settle(&store, session, &tried, ErrorClass::Timeout, next, began).await;
    accept(&store, event("fresh", began, &["audit"])).await;
    for n in 0..20 {
        delivered(&store, &format!("over {n}"), began).await;
    }
    store.close_session(session).await.unwrap();

    let everything = async |store: &Arc<dyn Store>| {
        let events = store.events(&EventFilter::default(), Page::first(100)).await.unwrap();
        let events: Vec<_> = events.into_iter().filter(|row| !row.idempotency_key.starts_with("over")).collect();
        let deliveries = store.deliveries(&DeliveryFilter::default(), Page::first(100)).await.unwrap();
        let ours = |id| events.iter().any(|row| row.id == id);
        let deliveries: Vec<_> = deliveries.into_iter().filter(|row| ours(row.delivery.event)).collect();
        let (mut attempts, mut bodies) = (vec![], vec![]);
        let ids: Vec<_> = deliveries.iter().map(|row| row.delivery.id).collect();
        let tried = store.tried(&ids).await.unwrap();
        for (row, tried) in deliveries.iter().zip(tried) {
            attempts.push(store.attempts(row.delivery.id).await.unwrap());
            assert_eq!(tried.unwrap().attempt.as_ref(), attempts.last().unwrap().last());
            bodies.push(store.event(row.delivery.event).await.unwrap().unwrap());
        }
        let depths = store.stats().await.unwrap().depths;
        (events, deliveries, attempts, bodies, depths, store.catalog("destination-paused").await.unwrap())
    };
    let before = everything(&store).await;
    assert_eq!((before.0.len(), before.1.len()), (3, 4));
    clock.advance(2 * DAY);
    let retained = retain(&store, clock.now(), None).await;
    assert_eq!((retained.events, retained.dismissed), (20, 0));
    assert_eq!(everything(&store).await, before);
    let store = reopened(bench, store).await;
    assert_eq!(everything(&store).await, before);
    // Once more, from where it was carried to.
    clock.advance(2 * DAY);
    retain(&store, clock.now(), None).await;
    assert_eq!(everything(&store).await, before);
    let store = reopened(bench, store).await;
    assert_eq!(everything(&store).await, before);

    // And it goes on from there.
    let session = store.open_session(TTL).await.unwrap();
    let again = claim_one(&store, session, "log").await;
    assert_eq!((again.delivery.id, again.attempt_number), (tried.delivery.id, 2));
    assert_eq!(again.event.as_ref().unwrap().body, "{\"id\":\"tried\"}");
    settle(&store, session, &again, ErrorClass::Ok, Next::Delivered, clock.now()).await;
    assert_eq!(store.attempts(tried.delivery.id).await.unwrap().len(), 2);
    let Replayed::New(new) = store.replay(&[dead_delivery]).await.unwrap()[0] else { panic!("not replayed") };
    let replayed = claim_one(&store, session, "billing").await;
    assert_eq!((replayed.delivery.id, replayed.delivery.event), (new, dead_event));
    assert_eq!(replayed.event.unwrap().body, "{\"id\":\"dead\"}");
}

pub async fn dead_letters_are_dismissed_aloud(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let (_, old) = dead(&store, "old", clock.now()).await;
    clock.advance(2 * DAY);
    let (_, young) = dead(&store, "young", clock.now()).await;
    // Not older than its retention: nothing happens to it.
    let kept = retain(&store, clock.now(), Some(clock.now().minus(3 * DAY))).await;
    assert_eq!(kept.dismissed, 0);
    assert!(store.delivery(old).await.unwrap().unwrap().delivery.is_dead_letter());
    let retained = retain(&store, clock.now(), Some(clock.now().minus(DAY))).await;
    assert_eq!(retained.dismissed, 1);
    assert_eq!(retain(&store, clock.now(), Some(clock.now().minus(DAY))).await.dismissed, 0);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.depths[0].dead_letters, stats.dismissed_by_age), (1, 1));
    assert!(store.delivery(young).await.unwrap().unwrap().delivery.is_dead_letter());
    // What was dismissed was over, and so went; had it been young, it would show how it ended.
    let dismissed = store.delivery(old).await.unwrap();
    assert!(
        dismissed.is_none_or(|row| row.delivery.dismissed_at.is_some() && row.delivery.state == DeliveryState::Dead)
    );
}

pub async fn keys_outlive_their_events(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let began = clock.now();
    for n in 0..20 {
        delivered(&store, &format!("over {n}"), began).await;
    }
    let (id, _) = delivered(&store, "kept", began).await;
    for _ in 0..2 {
        clock.advance(2 * DAY);
        retain(&store, clock.now(), None).await;
    }
    let store = reopened(bench, store).await;
    assert!(keys(&store).await.is_empty());
    let duplicate = Accepted::Duplicate { other_bytes: false, event: id, revived: vec![] };
    assert_eq!(accept(&store, event("kept", clock.now(), &["billing"])).await, duplicate);
    assert!(keys(&store).await.is_empty());
    // The window is 7 days.
    clock.advance(4 * DAY);
    let retained = retain(&store, clock.now(), None).await;
    assert_eq!(retained.keys, 21);
    assert_eq!(accept(&store, event("kept", clock.now(), &["billing"])).await, Accepted::New { twin: None });
    let store = reopened(bench, store).await;
    assert_eq!(keys(&store).await, ["kept"]);
}

pub async fn carrying_keeps_leases(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let began = clock.now();
    accept(&store, event("in hand", began, &["log"])).await;
    for n in 0..20 {
        delivered(&store, &format!("over {n}"), began).await;
    }
    let session = store.open_session(5 * DAY).await.unwrap();
    let first = claim_one(&store, session, "log").await;
    clock.advance(2 * DAY);
    retain(&store, clock.now(), None).await;
    assert_eq!(store.delivery(first.delivery.id).await.unwrap().unwrap().delivery.state, DeliveryState::Leased);
    assert!(claim(&store, session, "log", 1).await.is_empty());
    let now = clock.now();
    assert_eq!(settle(&store, session, &first, ErrorClass::Ok, Next::Delivered, now).await, Settled::Done);
    let store = reopened(bench, store).await;
    let row = store.delivery(first.delivery.id).await.unwrap().unwrap();
    assert_eq!(row.delivery.state, DeliveryState::Delivered);
    assert_eq!(store.stats().await.unwrap().pending, 0);
}

pub async fn what_was_carried_goes_in_its_turn(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    accept(&store, event("slow", clock.now(), &["billing"])).await;
    accept(&store, event("unrouted", clock.now(), &[])).await;
    clock.advance(2 * DAY);
    retain(&store, clock.now(), None).await;
    assert_eq!(keys(&store).await, ["slow"]);
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    let next = Next::Dead(EndReason::Exhausted);
    settle(&store, session, &leased, ErrorClass::Timeout, next, clock.now()).await;
    clock.advance(2 * DAY);
    retain(&store, clock.now(), None).await;
    assert_eq!(keys(&store).await, ["slow"], "a dead letter stays");
    assert_eq!(store.dismiss(&[leased.delivery.id]).await.unwrap(), [Dismissed::Done]);
    clock.advance(2 * DAY);
    retain(&store, clock.now(), None).await;
    let store = reopened(bench, store).await;
    assert!(keys(&store).await.is_empty());
    assert!(store.deliveries(&DeliveryFilter::default(), Page::first(10)).await.unwrap().is_empty());
}

pub async fn an_old_event_cannot_come_back(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let (replayed, delivery) = delivered(&store, "replayed", clock.now()).await;
    let unrouted = event("unrouted", clock.now(), &[]);
    let unrouted_id = unrouted.event.id;
    accept(&store, unrouted).await;
    // Replayed while it is there, it lives again and is carried.
    let Replayed::New(new) = store.replay(&[delivery]).await.unwrap()[0] else { panic!("not replayed") };
    clock.advance(2 * DAY);
    retain(&store, clock.now(), None).await;
    assert!(store.event(replayed).await.unwrap().is_some());
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    assert_eq!(leased.delivery.id, new);
    settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, clock.now()).await;
    let routed = store.route(unrouted_id, vec![crate::bench::delivery("billing", clock.now())]).await;
    assert_eq!(routed, Ok(Routed::Unknown));
    clock.advance(2 * DAY);
    retain(&store, clock.now(), None).await;
    for id in [delivery, new] {
        assert_eq!(store.replay(&[id]).await, Ok::<_, StoreError>(vec![Replayed::Unknown]));
    }
    assert_eq!(store.stats().await.unwrap().pending, 0);
}
