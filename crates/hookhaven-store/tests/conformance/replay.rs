//! The one way back (I8): replay, redelivery by the sender, routing of what no route took; and dismissal.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, DeliveryState, EndReason, ErrorClass, EventId};
use hookhaven_store::{
    Accepted, DeadLetter, DeliveryFilter, Dismissed, NewDelivery, Next, Page, Redelivered, Redelivery, ReplayAs,
    Replayed, Routed, Settled, Store, clock::Clock,
};

use crate::bench::*;

pub async fn a_dead_delivery_is_replayed_once(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let (event_id, old) = dead(&store, "k", now).await;
    let Replayed::New(new) = store.replay(&[old]).await.unwrap().remove(0) else { panic!("not replayed") };
    assert_eq!(store.replay(&[old]).await.unwrap(), [Replayed::Already(new)]);
    let row = store.delivery(new).await.unwrap().unwrap().delivery;
    assert_eq!((row.event, row.replaces, row.attempts), (event_id, Some(old), 0));
    let row = store.delivery(old).await.unwrap().unwrap().delivery;
    assert_eq!((row.state, row.replaced_by), (DeliveryState::Dead, Some(new)));
    let filter = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
    assert!(store.deliveries(&filter, Page::first(10)).await.unwrap().is_empty());
    assert_eq!(store.stats().await.unwrap().depths[0].dead_letters, 0);
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    assert_eq!(leased.delivery.id, new);
    assert_eq!(&*leased.event.as_ref().unwrap().idempotency_key, "k");
    assert_eq!(settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, now).await, Settled::Done);
}

pub async fn replays_race_once(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let (_, old) = dead(&store, "k", now).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.replay(&[old]).await.unwrap().remove(0) })
        })
        .collect();
    let mut new = Vec::new();
    for task in tasks {
        if let Replayed::New(id) = task.await.unwrap() {
            new.push(id);
        }
    }
    assert_eq!(new.len(), 1);
    assert_eq!(store.stats().await.unwrap().pending, 1);
}

pub async fn a_redelivery_revives_dead_letters(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let (event_id, old) = dead(&store, "k", now).await;
    let Accepted::Duplicate { event: same, revived, .. } = accept(&store, event("k", now, &["billing"])).await else {
        panic!("stored twice")
    };
    assert_eq!((same, revived.len()), (event_id, 1));
    let again = accept(&store, event("k", now, &["billing"])).await;
    assert_eq!(again, Accepted::Duplicate { other_bytes: false, event: event_id, revived: vec![] });
    assert_eq!(store.delivery(old).await.unwrap().unwrap().delivery.replaced_by, Some(revived[0]));
    let session = store.open_session(TTL).await.unwrap();
    assert_eq!(claim(&store, session, "billing", 9).await.len(), 1);
}

pub async fn a_redelivery_of_what_lives_changes_nothing(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let first = event("k", now, &["billing"]);
    let id = first.event.id;
    accept(&store, first).await;
    let duplicate = Accepted::Duplicate { other_bytes: false, event: id, revived: vec![] };
    assert_eq!(accept(&store, event("k", now, &["billing"])).await, duplicate);
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    assert_eq!(accept(&store, event("k", now, &["billing"])).await, duplicate);
    settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, now).await;
    assert_eq!(accept(&store, event("k", now, &["billing"])).await, duplicate);
    assert_eq!(store.deliveries(&DeliveryFilter::default(), Page::first(10)).await.unwrap().len(), 1);
}

pub async fn a_dismissed_letter_is_gone(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let (event_id, old) = dead(&store, "k", now).await;
    assert_eq!(store.dismiss(&[old]).await.unwrap(), [Dismissed::Done]);
    assert_eq!(store.dismiss(&[old]).await.unwrap(), [Dismissed::NotDeadLetter]);
    let duplicate = Accepted::Duplicate { other_bytes: false, event: event_id, revived: vec![] };
    assert_eq!(accept(&store, event("k", now, &["billing"])).await, duplicate);
    let filter = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
    assert!(store.deliveries(&filter, Page::first(10)).await.unwrap().is_empty());
    let row = store.delivery(old).await.unwrap().unwrap().delivery;
    assert_eq!((row.state, row.dismissed_at), (DeliveryState::Dead, Some(now)));
    assert_eq!(store.stats().await.unwrap().depths[0].dead_letters, 0);
}

pub async fn a_dismissed_letter_is_replayed_all_the_same(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let (_, old) = dead(&store, "k", now).await;
    store.dismiss(&[old]).await.unwrap();
    let Replayed::New(new) = store.replay(&[old]).await.unwrap().remove(0) else { panic!("not replayed") };
    assert_eq!(store.replay(&[old]).await.unwrap(), [Replayed::Already(new)]);
    let row = store.delivery(old).await.unwrap().unwrap().delivery;
    assert_eq!((row.dismissed_at, row.replaced_by), (Some(now), Some(new)));
}

pub async fn dead_letters_are_told_by_their_deaths(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    // The first to be accepted dies last.
    let slow = event("slow", clock.now(), &["mail"]);
    let slow_id = slow.deliveries[0].id;
    accept(&store, slow).await;
    let mut died = Vec::new();
    for key in ["a", "b", "c"] {
        clock.advance(Duration::from_millis(10));
        let (_, id) = dead(&store, key, clock.now()).await;
        died.insert(0, DeadLetter { id, died_at: clock.now() });
    }
    clock.advance(Duration::from_millis(10));
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "mail").await;
    settle(&store, session, &leased, ErrorClass::Timeout, Next::Dead(EndReason::Exhausted), clock.now()).await;
    died.insert(0, DeadLetter { id: slow_id, died_at: clock.now() });
    assert_eq!(store.newest_dead_letters(9).await.unwrap(), died);
    assert_eq!(store.newest_dead_letters(2).await.unwrap(), died[..2]);

    store.replay(&[died[1].id]).await.unwrap();
    store.dismiss(&[died[2].id]).await.unwrap();
    let left = [died[0], died[3]];
    assert_eq!(store.newest_dead_letters(9).await.unwrap(), left);
    if let Some(store) = bench.reopen(store).await {
        assert_eq!(store.newest_dead_letters(9).await.unwrap(), left);
    }
}

pub async fn an_unrouted_event_can_be_routed(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let lost = event("k", now, &[]);
    let id = lost.event.id;
    accept(&store, lost).await;
    let wanted = || vec![delivery("billing", now)];
    let Routed::Made(made) = store.route(id, wanted()).await.unwrap() else { panic!("unknown") };
    assert_eq!(made.len(), 1);
    assert_eq!(store.route(id, wanted()).await.unwrap(), Routed::Made(vec![]));
    assert_eq!(store.route(EventId::from_bytes([9; 16]), wanted()).await.unwrap(), Routed::Unknown);
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    assert_eq!((leased.delivery.id, leased.delivery.event), (made[0], id));
    assert_eq!(leased.event.unwrap().id, id);
}

pub async fn what_has_not_ended_is_not_replayed(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let new = event("k", clock.now(), &["billing"]);
    let id = new.deliveries[0].id;
    accept(&store, new).await;
    assert_eq!(store.replay(&[id]).await.unwrap(), [Replayed::NotEnded]);
    assert_eq!(store.dismiss(&[id]).await.unwrap(), [Dismissed::NotDeadLetter]);
    let session = store.open_session(TTL).await.unwrap();
    claim_one(&store, session, "billing").await;
    assert_eq!(store.replay(&[id]).await.unwrap(), [Replayed::NotEnded]);
    let nobody = hookhaven_core::DeliveryId::from_bytes([9; 16]);
    assert_eq!(store.replay(&[nobody]).await.unwrap(), [Replayed::Unknown]);
    assert_eq!(store.dismiss(&[nobody]).await.unwrap(), [Dismissed::Unknown]);
}

pub async fn a_replay_may_have_a_chosen_id(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let (_, old) = dead(&store, "k", now).await;
    let chosen = |n| DeliveryId::mint(now, [n; 10]);
    let as_chosen = |n| [ReplayAs { delivery: old, new: chosen(n) }];
    assert_eq!(store.replay_as(&as_chosen(1)).await.unwrap(), [Replayed::New(chosen(1))]);
    for again in [1, 2] {
        assert_eq!(store.replay_as(&as_chosen(again)).await.unwrap(), [Replayed::Already(chosen(1))]);
    }
    assert_eq!(store.replay(&[old]).await.unwrap(), [Replayed::Already(chosen(1))]);
    let row = store.delivery(chosen(1)).await.unwrap().unwrap().delivery;
    assert_eq!((row.replaces, row.state), (Some(old), DeliveryState::Pending));
    assert_eq!(store.stats().await.unwrap().pending, 1);
}

pub async fn what_is_made_late_is_found_by_its_time(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let asked_at = clock.now();
    let (_, old) = dead(&store, "k", asked_at).await;
    clock.advance(Duration::from_secs(3_600));
    let late = DeliveryId::mint(asked_at, [1; 10]);
    store.replay_as(&[ReplayAs { delivery: old, new: late }]).await.unwrap();
    let found = async |store: &Arc<dyn Store>, minutes: u64| {
        let since = Some(asked_at.plus(Duration::from_secs(minutes * 60)));
        let filter = DeliveryFilter { since, minted_since: Some(asked_at), ..DeliveryFilter::default() };
        let rows = store.deliveries(&filter, Page::first(9)).await.unwrap();
        rows.into_iter().map(|row| row.delivery.id).collect::<Vec<_>>()
    };
    assert_eq!(found(&store, 30).await, [late]);
    assert_eq!(found(&store, 61).await, []);
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, clock.now()).await;
    assert_eq!(found(&store, 30).await, [late]);
    if let Some(store) = bench.reopen(store).await {
        assert_eq!(found(&store, 30).await, [late]);
    }
}

/// To `staging`, known by this number.
fn elsewhere(event: EventId, number: u8, now: hookhaven_core::Time) -> Redelivery {
    let id = DeliveryId::mint(now, [number; 10]);
    Redelivery { event, delivery: NewDelivery { id, route: "replay/job".into(), ..delivery("staging", now) } }
}

pub async fn an_event_goes_elsewhere_once_by_its_id(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let (event, _) = dead(&store, "k", now).await;
    let unknown = EventId::mint(now, [9; 10]);
    let wanted = || vec![elsewhere(event, 1, now), elsewhere(unknown, 2, now), elsewhere(event, 1, now)];
    let made = [Redelivered::New, Redelivered::Unknown, Redelivered::Already];
    assert_eq!(store.redeliver(wanted()).await.unwrap(), made);
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "staging").await;
    assert_eq!((leased.delivery.event, &*leased.delivery.route), (event, "replay/job"));
    assert_eq!(&*leased.event.as_ref().unwrap().idempotency_key, "k");
    let again = [Redelivered::Already, Redelivered::Unknown, Redelivered::Already];
    assert_eq!(store.redeliver(wanted()).await.unwrap(), again, "in hand");
    settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, now).await;
    assert_eq!(store.redeliver(wanted()).await.unwrap(), again, "ended");
    // Where it has been before it may go once more, asked for under another id.
    assert_eq!(store.redeliver(vec![elsewhere(event, 3, now)]).await.unwrap(), [Redelivered::New]);
    let filter = DeliveryFilter { destination: Some("staging".into()), ..DeliveryFilter::default() };
    let rows = store.deliveries(&filter, Page::first(10)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.delivery.replaces).collect::<Vec<_>>(), [None, None]);
    let letters = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
    assert_eq!(store.deliveries(&letters, Page::first(10)).await.unwrap().len(), 1, "the dead letter stays one");
}

pub async fn further_deliveries_race_once(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let (event, _) = dead(&store, "k", now).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.redeliver(vec![elsewhere(event, 1, now)]).await.unwrap().remove(0) })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += usize::from(task.await.unwrap() == Redelivered::New);
    }
    assert_eq!((new, store.stats().await.unwrap().pending), (1, 1));
}

pub async fn a_chosen_id_is_known_after_a_restart(bench: &dyn Bench) {
    let (mut store, now) = (bench.open().await, bench.clock().now());
    let (event, old) = dead(&store, "k", now).await;
    let replay = [ReplayAs { delivery: old, new: DeliveryId::mint(now, [5; 10]) }];
    store.replay_as(&replay).await.unwrap();
    store.redeliver(vec![elsewhere(event, 1, now)]).await.unwrap();
    for _ in 0..2 {
        let Some(reopened) = bench.reopen(store).await else { return };
        store = reopened;
        assert_eq!(store.replay_as(&replay).await.unwrap(), [Replayed::Already(replay[0].new)]);
        assert_eq!(store.redeliver(vec![elsewhere(event, 1, now)]).await.unwrap(), [Redelivered::Already]);
    }
    assert_eq!(store.stats().await.unwrap().pending, 2);
}
