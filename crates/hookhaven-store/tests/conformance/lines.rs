//! Lines: deliveries of one ordering key, in order of acceptance or the newest only.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, DeliveryState, EndReason, ErrorClass, Order, OrderRule, Time, Version};
use hookhaven_store::{
    Accepted, InLine, Leased, NewEvent, Next, Replayed, SessionId, Store,
    clock::{Clock, ManualClock},
};

use crate::bench::*;

const PARK: Duration = Duration::from_secs(600);
const LONG: Duration = Duration::from_secs(24 * 3_600);

/// Events of `order-key`, each one delivery to `billing`.
struct World<'a> {
    store: Arc<dyn Store>,
    clock: &'a ManualClock,
    session: SessionId,
}

impl<'a> World<'a> {
    async fn new(bench: &'a dyn Bench) -> Self {
        let store = bench.open().await;
        let session = store.open_session(LONG).await.unwrap();
        World { store, clock: bench.clock(), session }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    async fn add(&self, key: &str, rule: OrderRule) -> DeliveryId {
        let new = ordered(self.now(), key, rule);
        let id = new.deliveries[0].id;
        assert_eq!(accept(&self.store, new).await, Accepted::New { twin: None });
        id
    }

    async fn fifo(&self, count: usize) -> Vec<DeliveryId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.add("k", OrderRule::Fifo { park: PARK }).await);
        }
        ids
    }

    async fn latest(&self, version: u32) -> DeliveryId {
        self.add("k", latest(version)).await
    }

    async fn take(&self) -> Vec<Leased> {
        claim(&self.store, self.session, "billing", 100).await
    }

    /// The one that can be claimed.
    async fn only(&self, id: DeliveryId) -> Leased {
        let mut leased = self.take().await;
        assert_eq!(leased.iter().map(|l| l.delivery.id).collect::<Vec<_>>(), [id]);
        leased.remove(0)
    }

    async fn nobody(&self) {
        assert_eq!(self.take().await.len(), 0, "somebody goes out of turn");
        assert_eq!(self.store.due(&[], 10).await.unwrap().lanes, [], "somebody is due out of turn");
    }

    async fn settle(&self, leased: &Leased, next: Next) {
        let class = if next == Next::Delivered { ErrorClass::Ok } else { ErrorClass::Timeout };
        settle(&self.store, self.session, leased, class, next, self.now()).await;
    }

    async fn retry_in(&self, leased: &Leased, wait: Duration) {
        self.settle(leased, Next::Retry { due_at: self.now().plus(wait) }).await;
    }

    async fn die(&self, leased: &Leased) {
        self.settle(leased, Next::Dead(EndReason::Exhausted)).await;
    }

    async fn state(&self, id: DeliveryId) -> (DeliveryState, Option<EndReason>) {
        let row = self.store.delivery(id).await.unwrap().unwrap();
        (row.delivery.state, row.delivery.end_reason)
    }

    async fn is_superseded(&self, id: DeliveryId) {
        self.store.release_lapsed().await.unwrap();
        assert_eq!(self.state(id).await, (DeliveryState::Cancelled, Some(EndReason::Superseded)));
    }

    async fn in_line(&self, id: DeliveryId) -> Option<InLine> {
        self.store.in_line(&[id]).await.unwrap().remove(0)
    }

    async fn replay(&self, id: DeliveryId) -> DeliveryId {
        match self.store.replay(&[id]).await.unwrap().remove(0) {
            Replayed::New(id) => id,
            other => panic!("{other:?}"),
        }
    }
}

fn latest(version: u32) -> OrderRule {
    OrderRule::Latest { version: Version::parse(&version.to_string()).unwrap() }
}

fn ordered(now: Time, key: &str, rule: OrderRule) -> NewEvent {
    let mut new = event(&format!("{:x?}", unique()), now, &["billing"]);
    new.deliveries[0].order = Some(Arc::new(Order::new(key, rule)));
    new
}

pub async fn fifo_goes_one_by_one(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let ids = world.fifo(3).await;
    let other = world.add("other", OrderRule::Fifo { park: PARK }).await;
    let mut both = world.take().await;
    both.sort_by_key(|l| l.delivery.id != ids[0]);
    assert_eq!(both.iter().map(|l| l.delivery.id).collect::<Vec<_>>(), [ids[0], other], "keys do not delay each other");
    world.nobody().await;
    assert_eq!(world.in_line(ids[2]).await, Some(InLine { behind: Some(ids[0]), ahead: 2, parked: None }));
    assert_eq!(world.in_line(other).await, Some(InLine { behind: None, ahead: 0, parked: None }));
    for pair in ids.windows(2) {
        let leased = both.remove(0);
        assert_eq!(leased.delivery.id, pair[0]);
        world.settle(&leased, Next::Delivered).await;
        both.insert(0, world.only(pair[1]).await);
    }
}

pub async fn one_call_is_in_its_order(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let new: Vec<_> = (0..20).map(|_| ordered(world.now(), "k", OrderRule::Fifo { park: PARK })).collect();
    let ids: Vec<_> = new.iter().map(|new| new.deliveries[0].id).collect();
    world.store.accept_together(new).await.unwrap();
    for id in ids {
        let leased = world.only(id).await;
        world.settle(&leased, Next::Delivered).await;
    }
}

pub async fn a_retry_parks_its_line_only(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let ids = world.fifo(2).await;
    let leased = world.only(ids[0]).await;
    world.retry_in(&leased, Duration::from_secs(60)).await;
    world.nobody().await;
    assert_eq!(world.store.due(&[], 10).await.unwrap().next_due, Some(world.now().plus(Duration::from_secs(60))));
    let other = world.add("other", OrderRule::Fifo { park: PARK }).await;
    world.only(other).await;
    let kept = world.store.stats().await.unwrap().kept_back;
    assert_eq!(kept.iter().map(|k| (&*k.destination, k.deliveries)).collect::<Vec<_>>(), [("billing", 1)]);
    world.clock.advance(Duration::from_secs(60));
    let again = world.only(ids[0]).await;
    assert_eq!(again.delivery.order.as_ref().and_then(|o| o.failed_at), Some(start()));
    world.settle(&again, Next::Delivered).await;
    world.only(ids[1]).await;
}

pub async fn a_wait_beyond_the_limit_is_not_waited(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let ids = world.fifo(2).await;
    let leased = world.only(ids[0]).await;
    world.retry_in(&leased, PARK - Duration::from_secs(1)).await;
    world.clock.advance(PARK - Duration::from_secs(1));
    let leased = world.only(ids[0]).await;
    world.retry_in(&leased, Duration::from_secs(2)).await;
    assert_eq!(world.state(ids[0]).await, (DeliveryState::Dead, Some(EndReason::Parked)));
    world.nobody().await;
    world.clock.advance(Duration::from_secs(1));
    world.only(ids[1]).await;
}

pub async fn the_dead_park_for_a_time(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let ids = world.fifo(2).await;
    let leased = world.only(ids[0]).await;
    world.die(&leased).await;
    let until = world.now().plus(PARK);
    world.nobody().await;
    assert_eq!(world.in_line(ids[1]).await, Some(InLine { behind: None, ahead: 0, parked: Some((ids[0], until)) }));
    let late = world.fifo(1).await[0];
    world.nobody().await;
    assert_eq!(world.store.claim_one(world.session, ids[1], None).await.unwrap().map(|l| l.delivery.id), None);
    world.clock.advance(PARK);
    let leased = world.only(ids[1]).await;
    world.settle(&leased, Next::Delivered).await;
    // Nobody is behind it any more: it is the last.
    let again = world.replay(ids[0]).await;
    let leased = world.only(late).await;
    world.settle(&leased, Next::Delivered).await;
    world.only(again).await;
}

pub async fn a_replay_in_time_takes_the_place(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let ids = world.fifo(2).await;
    let leased = world.only(ids[0]).await;
    world.die(&leased).await;
    let again = world.replay(ids[0]).await;
    let leased = world.only(again).await;
    world.settle(&leased, Next::Delivered).await;
    world.only(ids[1]).await;
}

pub async fn a_dismissal_lets_the_next_one_go(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let ids = world.fifo(2).await;
    let leased = world.only(ids[0]).await;
    world.die(&leased).await;
    world.store.dismiss(&[ids[0]]).await.unwrap();
    world.only(ids[1]).await;
}

pub async fn a_cancelled_one_lets_the_next_one_go(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let ids = world.fifo(3).await;
    world.store.cancel(&ids[..2]).await.unwrap();
    world.only(ids[2]).await;
}

pub async fn lines_survive(bench: &dyn Bench) {
    let mut world = World::new(bench).await;
    let ids = world.fifo(3).await;
    let other = world.add("other", OrderRule::Fifo { park: PARK }).await;
    let third = world.add("other", OrderRule::Fifo { park: PARK }).await;
    let newest = world.latest(7).await;
    let mut leased = world.take().await;
    leased.sort_by_key(|l| l.delivery.id);
    let by = |id| leased.iter().find(|l| l.delivery.id == id).unwrap();
    world.die(by(ids[0])).await;
    world.retry_in(by(other), Duration::from_secs(60)).await;
    world.settle(by(newest), Next::Delivered).await;
    let Some(store) = bench.reopen(world.store.clone()).await else { return };
    world.session = store.open_session(LONG).await.unwrap();
    world.store = store;
    world.nobody().await;
    let late = world.fifo(1).await[0];
    let old = world.latest(6).await;
    world.is_superseded(old).await;
    world.nobody().await;
    world.clock.advance(Duration::from_secs(60));
    let again = world.only(other).await;
    world.settle(&again, Next::Delivered).await;
    let leased = world.only(third).await;
    world.settle(&leased, Next::Delivered).await;
    world.clock.advance(PARK);
    for id in [ids[1], ids[2], late] {
        let leased = world.only(id).await;
        world.settle(&leased, Next::Delivered).await;
    }
}

pub async fn a_newer_version_overtakes(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let old = world.latest(1).await;
    let new = world.latest(2).await;
    let older = world.latest(1).await;
    let leased = world.only(new).await;
    world.is_superseded(old).await;
    world.is_superseded(older).await;
    world.settle(&leased, Next::Delivered).await;
    // It is remembered after it has ended.
    let late = world.latest(1).await;
    world.is_superseded(late).await;
    world.nobody().await;
    assert!(world.store.stats().await.unwrap().superseded >= 3);
    let same = world.latest(2).await;
    world.only(same).await;
}

pub async fn equal_versions_both_go(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let (one, two) = (world.latest(5).await, world.latest(5).await);
    let leased = world.only(one).await;
    world.nobody().await;
    world.retry_in(&leased, Duration::from_secs(60)).await;
    world.nobody().await;
    world.clock.advance(Duration::from_secs(60));
    let leased = world.only(one).await;
    world.settle(&leased, Next::Delivered).await;
    world.only(two).await;
}

pub async fn one_in_hand_is_not_tried_again_once_overtaken(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let old = world.latest(1).await;
    let leased = world.only(old).await;
    let new = world.latest(2).await;
    world.nobody().await;
    world.retry_in(&leased, Duration::ZERO).await;
    assert_eq!(world.state(old).await, (DeliveryState::Cancelled, Some(EndReason::Superseded)));
    assert_eq!(world.store.attempts(old).await.unwrap().len(), 1, "the attempt is history all the same");
    world.only(new).await;
}

pub async fn one_in_hand_may_succeed_though_overtaken(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let old = world.latest(1).await;
    let leased = world.only(old).await;
    let new = world.latest(2).await;
    world.settle(&leased, Next::Delivered).await;
    assert_eq!(world.state(old).await, (DeliveryState::Delivered, None));
    world.only(new).await;
}

pub async fn one_given_back_is_not_tried_again_once_overtaken(bench: &dyn Bench) {
    let mut world = World::new(bench).await;
    for close in [false, true] {
        let (v1, v2) = if close { (3, 4) } else { (1, 2) };
        let old = world.latest(v1).await;
        let leased = world.only(old).await;
        let new = world.latest(v2).await;
        if close {
            world.store.close_session(world.session).await.unwrap();
            world.session = world.store.open_session(LONG).await.unwrap();
        } else {
            world.settle(&leased, Next::Release).await;
        }
        let leased = world.only(new).await;
        world.is_superseded(old).await;
        world.settle(&leased, Next::Delivered).await;
    }
}

pub async fn one_that_was_lost_is_not_tried_again_once_overtaken(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let lapsing = world.store.open_session(TTL).await.unwrap();
    let old = world.latest(1).await;
    assert_eq!(claim(&world.store, lapsing, "billing", 10).await.len(), 1);
    let new = world.latest(2).await;
    world.clock.advance(TTL);
    world.is_superseded(old).await;
    world.only(new).await;
}

pub async fn a_replay_of_what_was_overtaken_is_superseded(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let old = world.latest(1).await;
    let leased = world.only(old).await;
    world.die(&leased).await;
    let new = world.latest(2).await;
    let again = world.replay(old).await;
    world.is_superseded(again).await;
    world.only(new).await;
}

pub async fn one_alone_is_claimed_in_its_turn(bench: &dyn Bench) {
    let world = World::new(bench).await;
    let ids = world.fifo(2).await;
    let mut plain = event("plain", world.now(), &["billing"]);
    plain.deliveries[0].due_at = world.now().plus(Duration::from_secs(60));
    let later = plain.deliveries[0].id;
    accept(&world.store, plain).await;
    let one = |id, limit| world.store.claim_one(world.session, id, limit);
    let got = |leased: Option<Leased>| leased.map(|l| l.delivery.id);
    assert_eq!(got(one(ids[1], None).await.unwrap()), None, "out of turn");
    assert_eq!(got(one(ids[0], Some(0)).await.unwrap()), None, "there is no room");
    assert_eq!(got(one(ids[0], Some(1)).await.unwrap()), Some(ids[0]));
    assert_eq!(got(one(ids[0], None).await.unwrap()), None, "it is in hand");
    assert_eq!(got(one(later, Some(1)).await.unwrap()), None, "there is no room any more");
    let leased = one(later, Some(2)).await.unwrap().unwrap();
    assert_eq!((leased.delivery.id, leased.attempt_number), (later, 1), "before it is due");
    assert_eq!(leased.event.as_ref().unwrap().body, "{\"id\":\"plain\"}");
    assert_eq!(settle(&world.store, world.session, &leased, ErrorClass::Ok, Next::Delivered, world.now()).await, {
        hookhaven_store::Settled::Done
    });
    assert_eq!(got(one(later, None).await.unwrap()), None, "it has ended");
    assert_eq!(got(world.store.claim_one(SessionId(1 << 60), ids[1], None).await.unwrap()), None);
}
