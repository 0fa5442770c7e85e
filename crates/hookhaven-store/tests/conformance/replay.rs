//! The one way back (I8): replay, redelivery by the sender, routing of what no route took; and dismissal.

use hookhaven_core::{DeliveryState, ErrorClass, EventId};
use hookhaven_store::{Accepted, DeliveryFilter, Dismissed, Next, Page, Replayed, Routed, Settled, clock::Clock};

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
