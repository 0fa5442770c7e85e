//! Claims and leases: who may attempt what, in which order, and what a lost session means.

use std::{collections::HashSet, time::Duration};

use hookhaven_core::{DeliveryState, EndReason, ErrorClass, Lane};
use hookhaven_store::{DeliveryFilter, LaneRoom, Next, Page, Renewed, Settled, clock::Clock};

use crate::bench::*;

pub async fn claims_in_due_order(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    for (key, ago) in [("b", 2), ("a", 3), ("c", 1)] {
        let mut new = event(key, now, &["billing"]);
        new.deliveries[0].due_at = now.minus(Duration::from_secs(ago));
        accept(&store, new).await;
    }
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim(&store, session, "billing", 10).await;
    let keys: Vec<_> = leased.iter().map(|l| l.event.as_ref().unwrap().idempotency_key.to_string()).collect();
    assert_eq!(keys, ["a", "b", "c"]);
}

pub async fn lanes_meet_by_deadline(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    accept(&store, event("patient", now, &["slow"])).await;
    let mut urgent = event("urgent", now, &["fast"]);
    let mut policy = (*policy(false)).clone();
    policy.deadline = Duration::from_secs(5);
    urgent.deliveries[0].policy = policy.into();
    accept(&store, urgent).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = store.claim(session, &[room("slow", 5), room("fast", 5)], 1).await.unwrap();
    assert_eq!(leased.len(), 1);
    assert_eq!(&*leased[0].delivery.destination, "fast");
}

pub async fn rooms_and_max_are_kept(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    for n in 0..10 {
        accept(&store, event(&format!("k{n}"), now, &["billing", "log"])).await;
    }
    let session = store.open_session(TTL).await.unwrap();
    let leased = store.claim(session, &[room("billing", 3), room("log", 20)], 8).await.unwrap();
    let billing = leased.iter().filter(|l| &*l.delivery.destination == "billing").count();
    assert!(leased.len() == 8 && billing <= 3, "{} leased, {billing} for billing", leased.len());
    let rest = store.claim(session, &[room("log", 20), room("nobody", 5)], 100).await.unwrap();
    assert_eq!(rest.len(), 10 - (8 - billing));
}

pub async fn skipped_lanes_are_not_looked_at(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    accept(&store, event("k", now, &["billing", "log"])).await;
    let due = store.due(&[Lane::of_destination("billing")], 10).await.unwrap();
    let lanes: Vec<_> = due.lanes.iter().map(|l| l.lane.clone()).collect();
    assert_eq!(lanes, [Lane::of_destination("log")]);
    assert_eq!(store.due(&[], 10).await.unwrap().lanes.len(), 2);
    assert_eq!(store.due(&[], 1).await.unwrap().lanes.len(), 1);
}

pub async fn next_due_is_told(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let at = clock.now().plus(Duration::from_secs(9));
    let mut later = event("k", clock.now(), &["billing"]);
    later.deliveries[0].due_at = at;
    accept(&store, later).await;
    let due = store.due(&[], 10).await.unwrap();
    assert_eq!((due.lanes.len(), due.next_due), (0, Some(at)));
    let session = store.open_session(TTL).await.unwrap();
    assert!(claim(&store, session, "billing", 1).await.is_empty());
    clock.advance(Duration::from_secs(9));
    assert_eq!(store.due(&[], 10).await.unwrap().lanes.len(), 1);
    claim_one(&store, session, "billing").await;
}

pub async fn a_claimed_delivery_is_not_claimed_twice(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    accept(&store, event("k", now, &["billing"])).await;
    let (a, b) = (store.open_session(TTL).await.unwrap(), store.open_session(TTL).await.unwrap());
    assert_ne!(a, b);
    claim_one(&store, a, "billing").await;
    assert!(claim(&store, b, "billing", 1).await.is_empty());
    assert!(store.due(&[], 10).await.unwrap().lanes.is_empty());
}

pub async fn many_workers_claim_each_once(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let many: Vec<_> = (0..1_000).map(|n| event(&format!("k{n}"), now, &["billing"])).collect();
    store.accept(many).await.unwrap();
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let session = store.open_session(TTL).await.unwrap();
                let mut mine = Vec::new();
                loop {
                    let leased = claim(&store, session, "billing", 7).await;
                    if leased.is_empty() {
                        return mine;
                    }
                    for l in &leased {
                        let settled = settle(&store, session, l, ErrorClass::Ok, Next::Delivered, now).await;
                        assert_eq!(settled, Settled::Done);
                        mine.push(l.delivery.id);
                    }
                }
            })
        })
        .collect();
    let (mut all, mut claims) = (HashSet::new(), 0);
    for worker in workers {
        let mine = worker.await.unwrap();
        claims += mine.len();
        all.extend(mine);
    }
    assert_eq!((all.len(), claims), (1_000, 1_000));
}

pub async fn a_lapsed_session_holds_nothing(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    accept(&store, event("k", clock.now(), &["billing"])).await;
    let gone = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, gone, "billing").await;
    clock.advance(TTL - Duration::from_secs(1));
    assert_eq!(store.renew_session(gone).await.unwrap(), Renewed::Live);
    clock.advance(TTL - Duration::from_secs(1));
    assert_eq!(store.release_lapsed().await.unwrap(), 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.renew_session(gone).await.unwrap(), Renewed::Lapsed);
    assert!(claim(&store, gone, "billing", 1).await.is_empty());
    assert_eq!(store.release_lapsed().await.unwrap(), 1);
    let late = settle(&store, gone, &leased, ErrorClass::Ok, Next::Delivered, clock.now()).await;
    assert_eq!(late, Settled::LeaseLost);
    let heir = store.open_session(TTL).await.unwrap();
    let again = claim_one(&store, heir, "billing").await;
    assert_eq!(again.delivery.id, leased.delivery.id);
    assert_eq!((again.delivery.attempts, again.delivery.lost, again.attempt_number), (0, 1, 2));
    assert!(again.fence > leased.fence);
    let done = settle(&store, heir, &again, ErrorClass::Ok, Next::Delivered, clock.now()).await;
    assert_eq!(done, Settled::Done);
    let classes: Vec<_> = store.attempts(again.delivery.id).await.unwrap().iter().map(|a| a.class).collect();
    assert_eq!(classes, [ErrorClass::Lost, ErrorClass::Ok]);
}

pub async fn five_lost_attempts_end_a_delivery(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    accept(&store, event("k", clock.now(), &["billing"])).await;
    for _ in 0..5 {
        let session = store.open_session(TTL).await.unwrap();
        claim_one(&store, session, "billing").await;
        clock.advance(TTL);
        assert_eq!(store.release_lapsed().await.unwrap(), 1);
    }
    let rows = store.deliveries(&DeliveryFilter::default(), Page::first(10)).await.unwrap();
    let delivery = &rows[0].delivery;
    assert_eq!((delivery.state, delivery.end_reason), (DeliveryState::Dead, Some(EndReason::Lost)));
    assert_eq!((delivery.attempts, delivery.tries), (0, 5));
}

pub async fn a_closed_session_gives_back(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    accept(&store, event("k", now, &["billing"])).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    store.close_session(session).await.unwrap();
    let late = settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, now).await;
    assert_eq!(late, Settled::LeaseLost);
    let next = store.open_session(TTL).await.unwrap();
    let again = claim_one(&store, next, "billing").await;
    assert_eq!((again.attempt_number, again.delivery.lost), (1, 0));
}

pub async fn a_lanes_limit_holds_over_all_sessions(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let many: Vec<_> = (0..200).map(|n| event(&format!("k{n}"), now, &["billing", "log"])).collect();
    store.accept(many).await.unwrap();
    let limited = |limit| LaneRoom { limit: Some(limit), ..room("billing", 100) };
    // Whoever comes at the same time: never more than seven at once, and seven when all have come.
    let claims: Vec<_> = (0..12)
        .map(|_| {
            let (store, rooms) = (store.clone(), [limited(7)]);
            tokio::spawn(async move {
                let session = store.open_session(TTL).await.unwrap();
                (session, store.claim(session, &rooms, 3).await.unwrap())
            })
        })
        .collect();
    let mut held = Vec::new();
    for claim in claims {
        let (session, leased) = claim.await.unwrap();
        held.extend(leased.into_iter().map(|leased| (session, leased)));
    }
    assert_eq!(held.len(), 7);
    let session = store.open_session(TTL).await.unwrap();
    assert!(store.claim(session, &[limited(7)], 9).await.unwrap().is_empty());
    // Another lane is not concerned, and each that is settled makes room for one.
    assert_eq!(store.claim(session, &[limited(7), room("log", 2)], 9).await.unwrap().len(), 2);
    let (holder, leased) = &held[0];
    let retry = Next::Retry { due_at: now.plus(Duration::from_secs(60)) };
    assert_eq!(settle(&store, *holder, leased, ErrorClass::Timeout, retry, now).await, Settled::Done);
    assert_eq!(store.claim(session, &[limited(7)], 9).await.unwrap().len(), 1);
    assert_eq!(store.claim(session, &[limited(9)], 9).await.unwrap().len(), 2);
}

pub async fn a_lapsed_session_settles_nothing_before_it_is_swept_either(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    accept(&store, event("k", clock.now(), &["billing"])).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    clock.advance(TTL);
    let late = settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, clock.now()).await;
    assert_eq!(late, Settled::LeaseLost);
    assert_eq!(store.release_lapsed().await.unwrap(), 1);
}
