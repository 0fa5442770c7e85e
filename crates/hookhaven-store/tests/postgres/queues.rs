//! A queue that several nodes put into and take from at the same time.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use hookhaven_core::{DeliveryId, ErrorClass, Lane, Time, event::PUBLISHED};
use hookhaven_store::{
    Cancelled, CatalogEntry, LANE_WIDTH_KIND, LaneRoom, NewEvent, Next, Page, Replayed, SessionId, Settled, StepFilter,
    StepKind, Store, clock::Clock,
};

use crate::{bench::*, world};

const ROUNDS: usize = 40;

fn queue() -> Lane {
    Lane::of_queue("mails")
}

fn message(now: Time) -> NewEvent {
    let mut new = event(&format!("{:?}", unique()), now, &["https://example.com"]);
    new.event.source = PUBLISHED.into();
    new.revives = false;
    new.deliveries[0].lane = queue();
    new
}

async fn widen(store: &Arc<dyn Store>, width: usize) {
    let (kind, name) = (LANE_WIDTH_KIND.to_owned(), queue().as_str().to_owned());
    store.put_catalog(CatalogEntry { kind, name, value: width.to_string().into() }).await.unwrap();
}

/// What happened at the handler, in its order.
#[derive(Debug, Default)]
struct Handler {
    in_hand: HashSet<DeliveryId>,
    most: usize,
    begun: Vec<DeliveryId>,
}

/// Takes and delivers until so many were begun by anybody; gives some back, and has others tried twice.
async fn work(store: Arc<dyn Store>, session: SessionId, handler: Arc<Mutex<Handler>>, all: usize, now: Time) {
    let rooms = [LaneRoom { lane: queue(), room: 5, limit: None }];
    for n in 0_usize.. {
        if handler.lock().unwrap().begun.len() == all {
            return;
        }
        for leased in store.claim(session, &rooms, 5).await.unwrap() {
            let id = leased.delivery.id;
            let first = leased.delivery.tries == 0;
            if first && n % 5 == 4 {
                assert_eq!(settle(&store, session, &leased, ErrorClass::Ok, Next::Release, now).await, Settled::Done);
                continue;
            }
            {
                let mut handler = handler.lock().unwrap();
                if first {
                    handler.begun.push(id);
                }
                assert!(handler.in_hand.insert(id), "{id} is in two hands");
                handler.most = handler.most.max(handler.in_hand.len());
            }
            // A while, in which others may come.
            let leased_now = store.lane_sizes(&[queue()]).await.unwrap()[0].leased;
            {
                let mut handler = handler.lock().unwrap();
                handler.in_hand.remove(&id);
                handler.most = handler.most.max(leased_now as usize);
            }
            let (class, next) = if first && n % 3 == 0 {
                (ErrorClass::Timeout, Next::Retry { due_at: now })
            } else {
                (ErrorClass::Ok, Next::Delivered)
            };
            assert_eq!(settle(&store, session, &leased, class, next, now).await, Settled::Done);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_and_width_hold_over_all_nodes() {
    for width in [1, 3] {
        let (url, clock) = (world::database(), world::clock());
        let nodes = [world::node(&url, &clock).await, world::node(&url, &clock).await];
        widen(&nodes[0], width).await;
        let now = clock.now();
        let handler = Arc::new(Mutex::new(Handler::default()));
        let producers = 3;
        let all = producers * ROUNDS;
        let mut workers = Vec::new();
        for n in 0..4 {
            let store = nodes[n % 2].clone();
            let session = store.open_session(TTL).await.unwrap();
            workers.push(tokio::spawn(work(store, session, handler.clone(), all, now)));
        }
        // Each waits for its answer before it sends the next, to another node: then the order is known.
        let senders: Vec<_> = (0..producers)
            .map(|n| {
                let nodes = nodes.clone();
                tokio::spawn(async move {
                    let mut sent = Vec::new();
                    for round in 0..ROUNDS {
                        let new = message(now);
                        sent.push(new.deliveries[0].id);
                        accept(&nodes[(n + round) % 2], new).await;
                    }
                    sent
                })
            })
            .collect();
        let mut sent = Vec::new();
        for sender in senders {
            sent.push(sender.await.unwrap());
        }
        for worker in workers {
            worker.await.unwrap();
        }
        let handler = handler.lock().unwrap();
        assert!(handler.most <= width, "{} at once in a queue {width} wide", handler.most);
        let begun: HashSet<_> = handler.begun.iter().collect();
        assert_eq!((begun.len(), handler.begun.len()), (all, all), "begun twice");
        if width == 1 {
            for sent in sent {
                let of_one: Vec<_> = handler.begun.iter().filter(|id| sent.contains(id)).copied().collect();
                assert_eq!(of_one, sent, "out of turn");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_width_holds_also_where_the_next_is_put_before_those_that_wait() {
    let url = world::database();
    let (slow, fast) = (world::clock(), world::clock());
    fast.advance(Duration::from_secs(200));
    let (ingest, worker) = (world::node(&url, &slow).await, world::node(&url, &fast).await);
    let handler = Arc::new(Mutex::new(Handler::default()));
    let all = 4 * ROUNDS;
    let mut workers = Vec::new();
    for _ in 0..4 {
        let session = worker.open_session(TTL).await.unwrap();
        workers.push(tokio::spawn(work(worker.clone(), session, handler.clone(), all, fast.now())));
    }
    // For who accepts it each is due later, and sooner than the one before; for who delivers it is due.
    for n in 0..all {
        let mut new = message(slow.now());
        new.deliveries[0].due_at = slow.now().plus(Duration::from_secs(100) - Duration::from_millis(n as u64));
        accept(&ingest, new).await;
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let handler = handler.lock().unwrap();
    assert_eq!((handler.most, handler.begun.len()), (1, all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_stays_in_order_whichever_batch_it_begins_in() {
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    let now = clock.now();
    let session = store.open_session(TTL).await.unwrap();
    widen(&store, 10_000).await;
    for round in 0..10 {
        // Others fill the batch that it begins in.
        let others: Vec<_> = (0..500).map(|n| event(&format!("{round} {n}"), now, &["billing"])).collect();
        let call: Vec<NewEvent> = (0..100).map(|_| message(now)).collect();
        let sent: Vec<_> = call.iter().map(|new| new.deliveries[0].id).collect();
        let (first, second) = tokio::join!(store.accept(others), store.accept(call));
        assert!(first.is_ok() && second.is_ok());
        let mut begun = Vec::new();
        while begun.len() < sent.len() {
            // Few at a time, so that it shows which come first.
            let rooms = [LaneRoom { lane: queue(), room: 10, limit: None }];
            let leased = store.claim(session, &rooms, 10).await.unwrap();
            begun.extend(leased.iter().map(|leased| leased.delivery.id));
        }
        assert_eq!(begun, sent, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_with_a_free_slot_is_due_and_a_full_one_is_not() {
    let (url, clock) = (world::database(), world::clock());
    let (ours, theirs) = (world::node(&url, &clock).await, world::node(&url, &clock).await);
    ours.accept((0..3).map(|_| message(clock.now())).collect()).await.unwrap();
    let session = theirs.open_session(TTL).await.unwrap();
    let lanes = || async { ours.due(&[], 10).await.unwrap().lanes.into_iter().map(|due| due.lane).collect::<Vec<_>>() };
    let rooms = [LaneRoom { lane: queue(), room: 9, limit: None }];
    assert_eq!(lanes().await, [queue()]);
    let leased = theirs.claim(session, &rooms, 9).await.unwrap();
    assert_eq!((leased.len(), lanes().await), (1, vec![]));
    widen(&theirs, 2).await;
    assert_eq!(lanes().await, [queue()]);
    widen(&theirs, 1).await;
    assert_eq!(lanes().await, []);
    settle(&theirs, session, &leased[0], ErrorClass::Ok, Next::Delivered, clock.now()).await;
    assert_eq!(lanes().await, [queue()]);
    // What is no number is no width.
    for value in [&b"\xff\0"[..], b"", b"-1", b"1.5", b"99999999999999999999"] {
        let (kind, name) = (LANE_WIDTH_KIND.to_owned(), queue().as_str().to_owned());
        ours.put_catalog(CatalogEntry { kind, name, value: value.into() }).await.unwrap();
        assert_eq!(lanes().await, [queue()]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_settled_while_it_is_cancelled_ends_once_and_never_waits_again() {
    let (url, clock) = (world::database(), world::clock());
    let nodes = [world::node(&url, &clock).await, world::node(&url, &clock).await];
    let now = clock.now();
    let session = nodes[0].open_session(TTL).await.unwrap();
    let rooms = [LaneRoom { lane: Lane::of_url("https://example.com"), room: 100, limit: None }];
    let many = || message(now);
    let mut asked = 0;
    for round in 0..ROUNDS {
        let all: Vec<_> = (0..5)
            .map(|_| {
                let mut new = many();
                new.deliveries[0].lane = rooms[0].lane.clone();
                new
            })
            .collect();
        let ids: Vec<_> = all.iter().map(|new| new.deliveries[0].id).collect();
        nodes[0].accept(all).await.unwrap();
        let leased = nodes[0].claim(session, &rooms, 100).await.unwrap();
        assert_eq!(leased.len(), ids.len(), "round {round}");
        let cancelling = tokio::spawn({
            let (store, ids) = (nodes[1].clone(), ids.clone());
            async move { store.cancel(&ids).await.unwrap() }
        });
        let next = Next::Retry { due_at: now };
        let settlements = leased.iter().map(|one| settlement(one, ErrorClass::Timeout, next, now)).collect();
        // Whoever comes first: the lease is ours.
        assert_eq!(nodes[0].settle(session, settlements).await.unwrap(), [Settled::Done; 5], "round {round}");
        let told = cancelling.await.unwrap();
        assert!(told.iter().all(|told| matches!(told, Cancelled::Done | Cancelled::Asked)), "{told:?}");
        asked += told.iter().filter(|told| **told == Cancelled::Asked).count();
        for id in ids {
            let row = nodes[1].delivery(id).await.unwrap().unwrap().delivery;
            assert_eq!((row.state.as_str(), row.attempts), ("cancelled", 1), "round {round}");
        }
    }
    assert!(asked > 0, "none was asked for in time");
    assert_eq!(nodes[1].stats().await.unwrap().pending, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_on_a_day_on_which_nothing_was_accepted_is_told_too() {
    const DAY: Duration = Duration::from_secs(24 * 3_600);
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    let max_age = message(clock.now()).deliveries[0].policy.max_age;
    let all: Vec<_> = (0..3).map(|_| message(clock.now())).collect();
    let ids: Vec<_> = all.iter().map(|new| new.deliveries[0].id).collect();
    store.accept(all).await.unwrap();
    clock.advance(2 * DAY);
    let session = store.open_session(TTL).await.unwrap();
    let rooms = [LaneRoom { lane: queue(), room: 1, limit: None }];
    let leased = store.claim(session, &rooms, 1).await.unwrap();
    settle(&store, session, &leased[0], ErrorClass::Ok, Next::Delivered, clock.now()).await;
    clock.advance(2 * DAY);
    assert_eq!(store.cancel(&ids[1..2]).await, Ok(vec![Cancelled::Done]));
    clock.advance(max_age);
    assert_eq!(store.expire(&[queue()]).await, Ok(1));
    clock.advance(2 * DAY);
    assert!(matches!(store.replay(&ids[2..]).await.unwrap()[..], [Replayed::New(_)]));
    let session = store.open_session(TTL).await.unwrap();
    assert_eq!(store.claim(session, &rooms, 1).await.unwrap().len(), 1);
    clock.advance(2 * DAY);
    assert_eq!(store.release_lapsed().await, Ok(1));
    let steps = store.steps(&StepFilter::default(), Page::first(100).oldest_first()).await.unwrap();
    let kinds: Vec<_> = steps.iter().skip(3).map(|step| step.kind).collect();
    let expected =
        [StepKind::Attempted(1), StepKind::Ended, StepKind::Ended, StepKind::Accepted, StepKind::Attempted(1)];
    assert_eq!(kinds, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_alone_is_claimed_only_if_it_may_begin() {
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    let mut all: Vec<_> = (0..3).map(|_| message(clock.now())).collect();
    all[2].deliveries[0].due_at = clock.now().plus(Duration::from_secs(60));
    let ids: Vec<_> = all.iter().map(|new| new.deliveries[0].id).collect();
    store.accept(all).await.unwrap();
    let session = store.open_session(TTL).await.unwrap();
    let one = async |id| store.claim_one(session, id, None).await.unwrap();
    assert!(one(ids[1]).await.is_none(), "it is not its turn");
    let first = one(ids[0]).await.unwrap();
    assert!(one(ids[1]).await.is_none(), "the queue is one wide");
    let later = Next::Retry { due_at: clock.now().plus(Duration::from_secs(9)) };
    settle(&store, session, &first, ErrorClass::Timeout, later, clock.now()).await;
    assert!(one(ids[1]).await.is_none(), "the slot is kept");
    let first = one(ids[0]).await.expect("it has its slot, due or not");
    settle(&store, session, &first, ErrorClass::Ok, Next::Delivered, clock.now()).await;
    widen(&store, 2).await;
    assert!(one(ids[1]).await.is_some() && one(ids[2]).await.is_some());
}
