//! Settling: attempts are recorded, endings are final, only the holder may.

use std::time::Duration;

use hookhaven_core::{DeliveryState, EndReason, ErrorClass, Lane};
use hookhaven_store::{AttemptAt, DeliveryFilter, Next, Page, Settled, clock::Clock};

use crate::bench::*;

pub async fn delivered_is_final(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    accept(&store, event("k", now, &["billing"])).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    assert_eq!(settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, now).await, Settled::Done);
    let row = store.delivery(leased.delivery.id).await.unwrap().unwrap();
    assert_eq!(row.delivery.state, DeliveryState::Delivered);
    assert_eq!((row.delivery.attempts, row.delivery.ended_at), (1, Some(now)));
    let again = Next::Retry { due_at: now };
    assert_eq!(settle(&store, session, &leased, ErrorClass::Timeout, again, now).await, Settled::LeaseLost);
    assert_eq!(store.stats().await.unwrap().pending, 0);
}

pub async fn retry_comes_back_when_due(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    accept(&store, event("k", clock.now(), &["billing"])).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    let due_at = clock.now().plus(Duration::from_secs(5));
    settle(&store, session, &leased, ErrorClass::Http5xx, Next::Retry { due_at }, clock.now()).await;
    assert!(claim(&store, session, "billing", 1).await.is_empty());
    clock.advance(Duration::from_secs(5));
    let again = claim_one(&store, session, "billing").await;
    assert_eq!((again.delivery.attempts, again.attempt_number), (1, 2));
}

pub async fn dead_is_a_dead_letter(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let (_, id) = dead(&store, "k", now).await;
    let filter = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
    let letters = store.deliveries(&filter, Page::first(10)).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].delivery.id, letters[0].delivery.end_reason), (id, Some(EndReason::Exhausted)));
    assert_eq!(letters[0].last.as_ref().unwrap().class, ErrorClass::Timeout);
    assert_eq!(store.stats().await.unwrap().depths[0].dead_letters, 1);
}

pub async fn only_the_holder_settles(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    accept(&store, event("k", now, &["billing"])).await;
    let (holder, other) = (store.open_session(TTL).await.unwrap(), store.open_session(TTL).await.unwrap());
    let leased = claim_one(&store, holder, "billing").await;
    assert_eq!(settle(&store, other, &leased, ErrorClass::Ok, Next::Delivered, now).await, Settled::LeaseLost);
    let mut forged = leased.clone();
    forged.fence += 1;
    assert_eq!(settle(&store, holder, &forged, ErrorClass::Ok, Next::Delivered, now).await, Settled::LeaseLost);
    let row = store.delivery(leased.delivery.id).await.unwrap().unwrap();
    assert_eq!(row.delivery.state, DeliveryState::Leased);
    assert!(store.attempts(leased.delivery.id).await.unwrap().is_empty());
}

pub async fn settling_twice_settles_once(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    accept(&store, event("k", now, &["billing"])).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    let both = vec![
        settlement(&leased, ErrorClass::Ok, Next::Delivered, now),
        settlement(&leased, ErrorClass::Timeout, Next::Dead(EndReason::Exhausted), now),
    ];
    assert_eq!(store.settle(session, both).await.unwrap(), [Settled::Done, Settled::LeaseLost]);
    assert_eq!(store.attempts(leased.delivery.id).await.unwrap().len(), 1);
}

pub async fn a_release_costs_nothing(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    accept(&store, event("k", now, &["billing"])).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    assert_eq!(settle(&store, session, &leased, ErrorClass::Ok, Next::Release, now).await, Settled::Done);
    let again = claim_one(&store, session, "billing").await;
    assert_eq!((again.delivery.attempts, again.attempt_number), (0, 1));
    assert!(store.attempts(leased.delivery.id).await.unwrap().is_empty());
}

pub async fn expired_ends_dead(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    accept(&store, event("old", clock.now(), &["billing", "log"])).await;
    clock.advance(Duration::from_secs(3 * 24 * 3600 - 1));
    let lanes = [Lane::of_destination("billing")];
    assert_eq!(store.expire(&lanes).await.unwrap(), 0);
    clock.advance(Duration::from_secs(1));
    accept(&store, event("young", clock.now(), &["billing"])).await;
    assert_eq!(store.expire(&lanes).await.unwrap(), 1);
    let filter = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
    let letters = store.deliveries(&filter, Page::first(10)).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].delivery.end_reason, Some(EndReason::Expired));
    assert_eq!((letters[0].delivery.attempts, &*letters[0].delivery.destination), (0, "billing"));
    assert_eq!(store.stats().await.unwrap().pending, 2);
}

pub async fn attempts_are_history(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    accept(&store, event("k", clock.now(), &["billing"])).await;
    let session = store.open_session(Duration::from_secs(3600)).await.unwrap();
    let mut sent = Vec::new();
    for n in 0..3 {
        let leased = claim_one(&store, session, "billing").await;
        let due_at = clock.now().plus(Duration::from_secs(5));
        let next = if n == 2 { Next::Delivered } else { Next::Retry { due_at } };
        let class = if n == 2 { ErrorClass::Ok } else { ErrorClass::Timeout };
        let settlement = settlement(&leased, class, next, clock.now());
        sent.push(settlement.attempt.clone().unwrap());
        store.settle(session, vec![settlement]).await.unwrap();
        clock.advance(Duration::from_secs(5));
    }
    assert_eq!(store.attempts(sent[0].delivery).await.unwrap(), sent);
}

pub async fn attempts_of_all_are_told_by_their_ends(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    for key in ["a", "b", "c"] {
        accept(&store, event(key, clock.now(), &["billing"])).await;
    }
    let session = store.open_session(Duration::from_secs(3600)).await.unwrap();
    let leased = claim(&store, session, "billing", 3).await;
    let begun = clock.now();
    clock.advance(Duration::from_secs(5));
    let retry = Next::Retry { due_at: clock.now().plus(Duration::from_secs(60)) };
    let outcomes = [
        (ErrorClass::Timeout, retry),
        (ErrorClass::Ok, Next::Delivered),
        (ErrorClass::Http4xx, Next::Dead(EndReason::Exhausted)),
    ];
    // The first to be recorded took longest.
    let mut ends = Vec::new();
    for ((leased, (class, next)), took_s) in leased.iter().zip(outcomes).zip([5, 3, 4]) {
        let mut settlement = settlement(leased, class, next, begun);
        let attempt = settlement.attempt.as_mut().unwrap();
        attempt.duration_us = took_s * 1_000_000;
        ends.push(AttemptAt::of(attempt));
        assert_eq!(store.settle(session, vec![settlement]).await.unwrap(), [Settled::Done]);
    }
    let (first, second, third) = (ends[1], ends[2], ends[0]);
    let all = store.attempts_after(AttemptAt::before(begun), 10).await.unwrap();
    assert_eq!(all.iter().map(|row| row.at).collect::<Vec<_>>(), [first, second, third]);
    assert_eq!(first.ended_at, begun.plus(Duration::from_secs(3)));
    let states: Vec<_> = all.iter().map(|row| (row.class, row.delivery.state, row.delivery.id)).collect();
    assert_eq!(states[0], (ErrorClass::Ok, DeliveryState::Delivered, first.delivery));
    assert_eq!(states[1], (ErrorClass::Http4xx, DeliveryState::Dead, second.delivery));
    assert_eq!(states[2], (ErrorClass::Timeout, DeliveryState::Pending, third.delivery));
    // Pages, and from a time on: what ended just then too.
    let at = async |after, limit| {
        let rows = store.attempts_after(after, limit).await.unwrap();
        rows.into_iter().map(|row| row.at).collect::<Vec<_>>()
    };
    assert_eq!(at(AttemptAt::before(begun), 2).await, [first, second]);
    assert_eq!(at(second, 2).await, [third]);
    assert_eq!(at(AttemptAt::before(second.ended_at), 9).await, [second, third]);
    assert_eq!(at(third, 9).await, []);
    if let Some(store) = bench.reopen(store).await {
        let rows = store.attempts_after(first, 9).await.unwrap();
        assert_eq!(rows.into_iter().map(|row| row.at).collect::<Vec<_>>(), [second, third]);
    }
}
