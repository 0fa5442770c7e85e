//! What only published deliveries need: duplicates that revive nothing, events that follow from a settlement,
//! cancelling, steps, lists from the oldest on.

use std::sync::Arc;

use hookhaven_core::{DeliveryState, EndReason, ErrorClass, Lane, Time, event::PUBLISHED};
use hookhaven_store::{
    Accepted, Cancelled, DeliveryFilter, Follow, LaneRoom, Leased, NewEvent, Next, Page, SessionId, Settled,
    StepFilter, StepKind, Store, clock::Clock,
};

use crate::bench::*;

/// A published event with one delivery in this lane, due now.
pub fn published(now: Time, lane: Lane) -> NewEvent {
    let mut new = event(&format!("{:?}", unique()), now, &["http://127.0.0.1:1/"]);
    new.event.source = PUBLISHED.into();
    new.revives = false;
    new.deliveries[0].lane = lane;
    new
}

fn lane() -> Lane {
    Lane::of_url("http://127.0.0.1:1/")
}

async fn take_one(store: &Arc<dyn Store>, session: SessionId) -> Leased {
    let room = LaneRoom { lane: lane(), room: 1, limit: None };
    let mut leased = store.claim(session, &[room], 1).await.unwrap();
    assert_eq!(leased.len(), 1, "nothing to claim");
    leased.remove(0)
}

pub async fn a_duplicate_revives_nothing(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let first = published(now, lane());
    let (event, key) = (first.event.id, first.event.idempotency_key.clone());
    accept(&store, first).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = take_one(&store, session).await;
    settle(&store, session, &leased, ErrorClass::Timeout, Next::Dead(EndReason::Exhausted), now).await;
    let mut again = published(now, lane());
    again.event.idempotency_key = key;
    assert_eq!(accept(&store, again).await, Accepted::Duplicate { other_bytes: false, event, revived: vec![] });
    assert_eq!(store.stats().await.unwrap().pending, 0);
}

pub async fn what_follows_comes_with_the_settlement(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    accept(&store, published(now, lane())).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = take_one(&store, session).await;
    let follow = || Follow { event: published(now, lane()), unless_cancelled: true };
    let mut settlement = settlement(&leased, ErrorClass::Ok, Next::Delivered, now);
    settlement.follows = vec![follow(), follow()];
    let mut stale = settlement.clone();
    stale.fence += 1;
    assert_eq!(store.settle(session, vec![stale]).await.unwrap(), [Settled::LeaseLost]);
    assert_eq!(store.stats().await.unwrap().pending, 1, "a lost lease brings nothing");
    assert_eq!(store.settle(session, vec![settlement.clone()]).await.unwrap(), [Settled::Done]);
    for follow in settlement.follows {
        let stored = store.event(follow.event.event.id).await.unwrap().unwrap();
        assert_eq!(stored.body, follow.event.event.body);
        assert_eq!(take_one(&store, session).await.event.unwrap().source.as_ref(), PUBLISHED);
    }
}

pub async fn what_waits_is_cancelled_at_once(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let new = published(now, lane());
    let id = new.deliveries[0].id;
    accept(&store, new).await;
    let unknown = delivery("x", now).id;
    assert_eq!(store.cancel(&[id, unknown]).await.unwrap(), [Cancelled::Done, Cancelled::Unknown]);
    assert_eq!(store.cancel(&[id]).await.unwrap(), [Cancelled::Before]);
    let row = store.delivery(id).await.unwrap().unwrap().delivery;
    assert_eq!((row.state, row.end_reason), (DeliveryState::Cancelled, Some(EndReason::Cancelled)));
    assert_eq!(row.ended_at, Some(now));
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.pending, stats.depths[0].dead_letters), (0, 0));
}

pub async fn what_is_in_hand_is_cancelled_unless_it_succeeds(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let outcomes = [
        (ErrorClass::Ok, Next::Delivered, DeliveryState::Delivered, 1),
        (ErrorClass::Timeout, Next::Retry { due_at: now }, DeliveryState::Cancelled, 1),
        (ErrorClass::Timeout, Next::Dead(EndReason::Exhausted), DeliveryState::Cancelled, 1),
        (ErrorClass::Ok, Next::Release, DeliveryState::Cancelled, 0),
    ];
    for (class, next, state, attempts) in outcomes {
        let new = published(now, lane());
        let id = new.deliveries[0].id;
        accept(&store, new).await;
        let session = store.open_session(TTL).await.unwrap();
        let leased = take_one(&store, session).await;
        assert_eq!(store.cancel(&[id, id]).await.unwrap(), [Cancelled::Asked, Cancelled::Before]);
        let mut settlement = settlement(&leased, class, next, now);
        settlement.follows.push(Follow { event: published(now, lane()), unless_cancelled: true });
        let follow = settlement.follows[0].event.event.id;
        assert_eq!(store.settle(session, vec![settlement]).await.unwrap(), [Settled::Done]);
        let row = store.delivery(id).await.unwrap().unwrap().delivery;
        assert_eq!((row.state, row.cancel_asked_at), (state, Some(now)), "{next:?}");
        assert_eq!(store.attempts(id).await.unwrap().len(), attempts, "{next:?}");
        let followed = store.event(follow).await.unwrap().is_some();
        assert_eq!(followed, state == DeliveryState::Delivered, "{next:?}");
        if followed {
            let leased = take_one(&store, session).await;
            settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, now).await;
        }
    }
    assert_eq!(store.stats().await.unwrap().pending, 0);
}

pub async fn a_cancelled_one_whose_node_went_away_ends(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let now = clock.now();
    let mut asked = Vec::new();
    for lapses in [true, false] {
        let new = published(now, lane());
        asked.push(new.deliveries[0].id);
        accept(&store, new).await;
        let session = store.open_session(TTL).await.unwrap();
        take_one(&store, session).await;
        assert_eq!(store.cancel(&asked[asked.len() - 1..]).await.unwrap(), [Cancelled::Asked]);
        if !lapses {
            store.close_session(session).await.unwrap();
        }
    }
    let store = match bench.reopen(store.clone()).await {
        Some(store) => store,
        None => store,
    };
    clock.advance(TTL);
    let session = store.open_session(TTL).await.unwrap();
    let room = LaneRoom { lane: lane(), room: 9, limit: None };
    assert!(store.claim(session, &[room], 9).await.unwrap().is_empty(), "nobody may try it again");
    assert_eq!(store.release_lapsed().await.unwrap(), 2);
    for id in asked {
        assert_eq!(store.delivery(id).await.unwrap().unwrap().delivery.state, DeliveryState::Cancelled);
    }
}

pub async fn steps_tell_what_happened(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    accept(&store, event("inbound", clock.now(), &["billing"])).await;
    let (first, second) = (published(clock.now(), lane()), published(clock.now(), Lane::of_flow("k")));
    let (a, b) = (first.deliveries[0].id, second.deliveries[0].id);
    accept(&store, first).await;
    accept(&store, second).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = take_one(&store, session).await;
    let retry = Next::Retry { due_at: clock.now() };
    settle(&store, session, &leased, ErrorClass::Timeout, retry, clock.now()).await;
    clock.advance(TTL / 2);
    let leased = take_one(&store, session).await;
    store.cancel(&[a]).await.unwrap();
    settle(&store, session, &leased, ErrorClass::Timeout, retry, clock.now()).await;
    store.cancel(&[b]).await.unwrap();
    let all = [
        (a, StepKind::Accepted),
        (b, StepKind::Accepted),
        (a, StepKind::Attempted(1)),
        (a, StepKind::CancelAsked),
        (a, StepKind::Attempted(2)),
        (b, StepKind::Ended),
    ];
    let told = |steps: &[hookhaven_store::Step]| steps.iter().map(|s| (s.delivery, s.kind)).collect::<Vec<_>>();
    let every = StepFilter::default();
    let mut steps = store.steps(&every, Page::first(100).oldest_first()).await.unwrap();
    assert_eq!(told(&steps), all);
    steps.reverse();
    let page = Page::first(4);
    assert_eq!(store.steps(&every, page).await.unwrap(), steps[..4]);
    assert_eq!(store.steps(&every, page.after(steps[3].number)).await.unwrap(), steps[4..]);
    let until = StepFilter { until: Some(clock.now()), ..every };
    assert_eq!(store.steps(&until, Page::first(100)).await.unwrap(), steps[3..]);
    let since = StepFilter { since: Some(clock.now()), ..every };
    assert_eq!(store.steps(&since, Page::first(100)).await.unwrap(), steps[..3]);
}

pub async fn lists_begin_at_either_end(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let mut ids = Vec::new();
    for n in 0..5 {
        let new = published(clock.now(), if n == 2 { Lane::of_flow("k") } else { lane() });
        ids.push(new.deliveries[0].id);
        accept(&store, new).await;
        clock.advance(std::time::Duration::from_millis(1));
    }
    let list = |filter: DeliveryFilter, page| {
        let store = store.clone();
        async move {
            let rows = store.deliveries(&filter, page).await.unwrap();
            rows.into_iter().map(|row| row.delivery.id).collect::<Vec<_>>()
        }
    };
    let all = DeliveryFilter { source: Some(PUBLISHED.to_owned()), ..DeliveryFilter::default() };
    let page = Page::first(3).oldest_first();
    assert_eq!(list(all.clone(), page).await, ids[..3]);
    assert_eq!(list(all.clone(), page.after(ids[2])).await, ids[3..]);
    let of_lane = DeliveryFilter { lane: Some(Lane::of_flow("k")), ..all };
    assert_eq!(list(of_lane, page).await, ids[2..3]);
}
