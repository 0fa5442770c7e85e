//! Everything goes over, once, however often the copy is interrupted; and the new store goes on from there.

use std::{collections::BTreeSet, sync::Arc};

use hookhaven_core::{DeliveryState, EndReason, ErrorClass, Event};
use hookhaven_store::{Accepted, DeliveryRow, NewEvent, Next, Store, clock::Clock, copy::CopyState};
use tokio::sync::Notify;

use crate::{
    bench::*,
    world::{Picture, World, picture},
};

/// What the old store would answer each sender that comes again, told without asking it: by its picture.
fn revived(picture: &Picture, new: &NewEvent) -> usize {
    let of_event = picture.deliveries.iter().filter(|row| row.delivery.event == new.event.id);
    of_event.filter(|row| row.delivery.is_dead_letter()).count()
}

/// Senders come again with everything: the window decides whether it is known.
async fn everything_again(world: &World, store: &Arc<dyn Store>, accepted: &[NewEvent], before: &Picture) {
    let now = world.clock.now();
    let mut held = BTreeSet::new();
    // A key whose window passed may be another event's by now: only the last of a key is sure.
    for new in accepted.iter().rev().filter(|new| held.insert(new.event.idempotency_key.clone())) {
        let mut again = event("", now, &["log"]);
        again.event.idempotency_key = new.event.idempotency_key.clone();
        let dead = revived(before, new);
        match accept(store, again).await {
            Accepted::Duplicate { event, revived, .. } if event == new.event.id => {
                assert!(new.key_until > now);
                assert_eq!(revived.len(), dead);
            }
            // Taken by a later sender of the same key, whose event is another.
            Accepted::Duplicate { .. } => {}
            Accepted::Refused { twin } => panic!("it was taken for a replay of {twin}"),
            Accepted::New { .. } => assert!(new.key_until <= now, "{} was forgotten", new.event.idempotency_key),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_new_store_shows_what_the_old_one_showed() {
    let mut seen = BTreeSet::new();
    for seed in 1..=2 {
        let world = World::new(seed);
        let (old, accepted) = world.live(world.open(), 500).await;
        world.leave_one_asked(&old).await;
        let old = world.reopen(old).await;
        let before = picture(&*old).await;
        seen.extend(before.deliveries.iter().map(|row| row.delivery.state.as_str()));
        assert!(before.events.len() < accepted.len(), "seed {seed}: retention took nothing");
        assert!(before.deliveries.iter().any(|row| row.delivery.replaced_by.is_some()), "seed {seed}");
        let asked =
            |row: &DeliveryRow| row.delivery.state == DeliveryState::Pending && row.delivery.cancel_asked_at.is_some();
        seen.extend(before.deliveries.iter().any(asked).then_some("asked"));
        seen.extend((!before.steps.is_empty()).then_some("steps"));
        seen.extend(before.places.iter().flatten().filter(|place| place.ahead > 0).map(|_| "kept back"));
        seen.extend(before.places.iter().flatten().filter(|place| place.parked.is_some()).map(|_| "parked"));
        let whole = |event: &&Arc<Event>| event.part.as_ref().is_some_and(|part| part.whole.is_some());
        seen.extend(before.bodies.iter().find(whole).map(|_| "requests"));
        let superseded = |row: &&DeliveryRow| row.delivery.end_reason == Some(EndReason::Superseded);
        seen.extend(before.deliveries.iter().find(superseded).map(|_| "superseded"));
        old.close().await;
        let copied = world.copy().await.unwrap();
        assert_eq!(copied.state, CopyState::Ended { resumed: false }, "seed {seed}: {:?}", copied.differences);
        assert_eq!(copied.counts.events, before.events.len() as u64, "seed {seed}");
        assert_eq!(copied.counts.attempts, before.attempts.iter().map(Vec::len).sum::<usize>() as u64);
        let new = world.copied().await;
        let after = picture(&*new).await;
        assert_eq!(after.turns, before.turns, "seed {seed}");
        assert_eq!(after.places, before.places, "seed {seed}");
        assert_eq!(after, before, "seed {seed}");
        everything_again(&world, &new, &accepted, &before).await;
    }
    assert!(
        [
            "pending",
            "delivered",
            "dead",
            "cancelled",
            "asked",
            "steps",
            "kept back",
            "parked",
            "superseded",
            "requests"
        ]
        .iter()
        .all(|what| seen.contains(what)),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_interrupted_again_and_again_ends_the_same() {
    let world = World::new(99);
    let (old, _) = world.live(world.open(), 400).await;
    let old = world.reopen(old).await;
    let before = picture(&*old).await;
    old.close().await;
    let mut interrupted = 0;
    let copied = loop {
        // Each gets one page further than it took the last to begin, and is dropped in the middle of things.
        let far_enough = Arc::new(Notify::new());
        let tell = {
            let (far_enough, told) = (far_enough.clone(), std::sync::atomic::AtomicU32::new(0));
            move |_| {
                if told.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 3 {
                    far_enough.notify_one();
                }
            }
        };
        tokio::select! {
            copied = world.copy_with(world.options(), tell) => break copied.unwrap(),
            () = far_enough.notified() => interrupted += 1,
        }
    };
    assert!(interrupted > 10, "{interrupted}");
    assert_eq!(copied.state, CopyState::Ended { resumed: true });
    assert_eq!(picture(&*world.copied().await).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_pending_is_attempted_when_it_was_due_and_counted_on() {
    let world = World::new(5);
    let old = world.open();
    accept(&old, event("k", world.clock.now(), &["billing"])).await;
    let session = old.open_session(TTL).await.unwrap();
    let leased = claim_one(&old, session, "billing").await;
    let due_at = world.clock.now().plus(crate::world::HOUR);
    settle(&old, session, &leased, ErrorClass::Timeout, Next::Retry { due_at }, world.clock.now()).await;
    // And one more, lost with its node.
    world.clock.advance(crate::world::HOUR);
    let session = old.open_session(TTL).await.unwrap();
    claim_one(&old, session, "billing").await;
    world.clock.advance(TTL * 2);
    assert_eq!(old.release_lapsed().await.unwrap(), 1);
    let before = old.delivery(leased.delivery.id).await.unwrap().unwrap().delivery;
    assert_eq!((before.attempts, before.tries, before.lost), (1, 2, 1));
    old.close().await;
    world.copy().await.unwrap();
    let new = world.copied().await;
    assert_eq!(new.delivery(before.id).await.unwrap().unwrap().delivery, before);
    let next_due = new.due(&[], 9).await.unwrap();
    match next_due.next_due {
        Some(at) => {
            assert_eq!(at, before.due_at);
            world.clock.advance(at.since(world.clock.now()));
        }
        None => assert_eq!(next_due.lanes[0].due_at, before.due_at),
    }
    let session = new.open_session(TTL).await.unwrap();
    let leased = claim_one(&new, session, "billing").await;
    assert_eq!((leased.attempt_number, leased.delivery.lost), (3, 1));
    assert_eq!(&leased.event.as_ref().unwrap().body[..], b"{\"id\":\"k\"}");
    settle(&new, session, &leased, ErrorClass::Ok, Next::Delivered, world.clock.now()).await;
    let ended = new.delivery(before.id).await.unwrap().unwrap().delivery;
    assert_eq!((ended.state, ended.attempts, ended.tries), (DeliveryState::Delivered, 2, 3));
}
