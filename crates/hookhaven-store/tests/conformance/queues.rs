//! Queues: in turn, so many at a time, a slot kept over retries and over what follows from a settlement.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, EndReason, ErrorClass, Lane};
use hookhaven_store::{
    CatalogEntry, Follow, LANE_WIDTH_KIND, LaneRoom, LaneSize, Leased, NewEvent, Next, SessionId, Store, clock::Clock,
};

use crate::{bench::*, published::published};

fn queue() -> Lane {
    Lane::of_queue("mails")
}

/// Accepts so many, one commit each, and answers their ids.
async fn enqueue(store: &Arc<dyn Store>, bench: &dyn Bench, count: usize) -> Vec<DeliveryId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let new = published(bench.clock().now(), queue());
        ids.push(new.deliveries[0].id);
        accept(store, new).await;
    }
    ids
}

async fn take(store: &Arc<dyn Store>, session: SessionId, lane: &Lane) -> Vec<Leased> {
    store.claim(session, &[LaneRoom { lane: lane.clone(), room: 100, limit: None }], 100).await.unwrap()
}

fn ids(leased: &[Leased]) -> Vec<DeliveryId> {
    leased.iter().map(|leased| leased.delivery.id).collect()
}

async fn widen(store: &Arc<dyn Store>, width: usize) {
    let (kind, name) = (LANE_WIDTH_KIND.to_owned(), queue().as_str().to_owned());
    store.put_catalog(CatalogEntry { kind, name, value: width.to_string().into_bytes() }).await.unwrap();
}

pub async fn one_after_the_other(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let sent = enqueue(&store, bench, 3).await;
    let session = store.open_session(TTL).await.unwrap();
    for id in sent {
        let leased = take(&store, session, &queue()).await;
        assert_eq!(ids(&leased), [id]);
        assert!(take(&store, session, &queue()).await.is_empty(), "a second one began");
        settle(&store, session, &leased[0], ErrorClass::Ok, Next::Delivered, now).await;
    }
    assert!(take(&store, session, &queue()).await.is_empty());
}

pub async fn a_retry_keeps_its_slot(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let sent = enqueue(&store, bench, 2).await;
    let session = store.open_session(Duration::from_secs(3_600)).await.unwrap();
    let first = take(&store, session, &queue()).await.remove(0);
    let due_at = clock.now().plus(Duration::from_secs(60));
    settle(&store, session, &first, ErrorClass::Timeout, Next::Retry { due_at }, clock.now()).await;
    assert!(take(&store, session, &queue()).await.is_empty());
    // Nothing is due of the lane, so that nobody asks in vain.
    let due = store.due(&[], 10).await.unwrap();
    assert_eq!((due.lanes, due.next_due), (vec![], Some(due_at)));
    clock.advance(Duration::from_secs(60));
    let again = take(&store, session, &queue()).await;
    assert_eq!(ids(&again), [sent[0]]);
    settle(&store, session, &again[0], ErrorClass::Timeout, Next::Dead(EndReason::Exhausted), clock.now()).await;
    assert_eq!(ids(&take(&store, session, &queue()).await), [sent[1]]);
}

pub async fn as_many_as_it_is_wide(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    widen(&store, 2).await;
    let sent = enqueue(&store, bench, 4).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = take(&store, session, &queue()).await;
    assert_eq!(ids(&leased), sent[..2]);
    widen(&store, 3).await;
    assert_eq!(ids(&take(&store, session, &queue()).await), sent[2..3]);
    widen(&store, 1).await;
    settle(&store, session, &leased[0], ErrorClass::Ok, Next::Delivered, now).await;
    assert!(take(&store, session, &queue()).await.is_empty(), "narrower, and two are still at work");
    widen(&store, 3).await;
    assert_eq!(ids(&take(&store, session, &queue()).await), sent[3..]);
}

pub async fn a_slot_is_kept_by_what_follows(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let sent = enqueue(&store, bench, 2).await;
    let session = store.open_session(TTL).await.unwrap();
    let first = take(&store, session, &queue()).await.remove(0);
    let beside = queue().beside(sent[0]).unwrap();
    let follow = Follow { event: published(now, beside.clone()), unless_cancelled: false };
    let mut settlement = settlement(&first, ErrorClass::Ok, Next::Delivered, now);
    settlement.follows.push(follow);
    store.settle(session, vec![settlement]).await.unwrap();
    assert!(take(&store, session, &queue()).await.is_empty(), "its callback is still to be made");
    let callback = take(&store, session, &beside).await;
    assert_eq!(callback.len(), 1);
    settle(&store, session, &callback[0], ErrorClass::Ok, Next::Delivered, now).await;
    assert_eq!(ids(&take(&store, session, &queue()).await), [sent[1]]);
}

pub async fn a_release_gives_the_turn_back(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let sent = enqueue(&store, bench, 2).await;
    let session = store.open_session(TTL).await.unwrap();
    for _ in 0..2 {
        let leased = take(&store, session, &queue()).await;
        assert_eq!(ids(&leased), sent[..1]);
        settle(&store, session, &leased[0], ErrorClass::Ok, Next::Release, now).await;
    }
    let leased = take(&store, session, &queue()).await;
    assert_eq!(ids(&leased), sent[..1]);
    store.close_session(session).await.unwrap();
    let session = store.open_session(TTL).await.unwrap();
    assert_eq!(ids(&take(&store, session, &queue()).await), sent[..1]);
}

pub async fn a_lost_attempt_keeps_its_slot(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let sent = enqueue(&store, bench, 2).await;
    let lost = store.open_session(TTL).await.unwrap();
    assert_eq!(ids(&take(&store, lost, &queue()).await), sent[..1]);
    clock.advance(TTL);
    assert_eq!(store.release_lapsed().await.unwrap(), 1);
    let session = store.open_session(TTL).await.unwrap();
    assert_eq!(ids(&take(&store, session, &queue()).await), sent[..1]);
}

pub async fn order_and_slots_survive(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    widen(&store, 2).await;
    let sent = enqueue(&store, bench, 5).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = take(&store, session, &queue()).await;
    let due_at = clock.now().plus(Duration::from_secs(60));
    settle(&store, session, &leased[0], ErrorClass::Timeout, Next::Retry { due_at }, clock.now()).await;
    settle(&store, session, &leased[1], ErrorClass::Ok, Next::Delivered, clock.now()).await;

    let Some(store) = bench.reopen(store).await else { return };
    let session = store.open_session(TTL).await.unwrap();
    assert_eq!(ids(&take(&store, session, &queue()).await), sent[2..3], "one slot waits for its retry");
    widen(&store, 4).await;
    assert_eq!(ids(&take(&store, session, &queue()).await), sent[3..]);
}

pub async fn one_delayed_does_not_block(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let mut delayed = published(clock.now(), queue());
    delayed.deliveries[0].due_at = clock.now().plus(Duration::from_secs(60));
    let late = delayed.deliveries[0].id;
    accept(&store, delayed).await;
    let sent = enqueue(&store, bench, 1).await;
    let session = store.open_session(Duration::from_secs(3_600)).await.unwrap();
    let leased = take(&store, session, &queue()).await;
    assert_eq!(ids(&leased), sent);
    settle(&store, session, &leased[0], ErrorClass::Ok, Next::Delivered, clock.now()).await;
    assert!(take(&store, session, &queue()).await.is_empty());
    clock.advance(Duration::from_secs(60));
    assert_eq!(ids(&take(&store, session, &queue()).await), [late]);
}

pub async fn a_batch_keeps_its_order(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let batch: Vec<NewEvent> = (0..20).map(|_| published(now, queue())).collect();
    let sent: Vec<DeliveryId> = batch.iter().map(|new| new.deliveries[0].id).collect();
    store.accept(batch).await.unwrap();
    widen(&store, 100).await;
    let session = store.open_session(TTL).await.unwrap();
    let mut leased = take(&store, session, &queue()).await;
    leased.sort_by_key(|leased| leased.delivery.due_at);
    assert_eq!(ids(&leased), sent);
}

pub async fn a_lane_tells_its_size(bench: &dyn Bench) {
    let store = bench.open().await;
    enqueue(&store, bench, 3).await;
    let session = store.open_session(TTL).await.unwrap();
    take(&store, session, &queue()).await;
    let sizes = store.lane_sizes(&[Lane::of_flow("none"), queue()]).await.unwrap();
    assert_eq!(sizes, [LaneSize::default(), LaneSize { waiting: 2, leased: 1 }]);
}
