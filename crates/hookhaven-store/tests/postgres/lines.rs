//! Lines that several nodes put into and take from at the same time, and what is left of them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use hookhaven_core::{
    DeliveryId, DeliveryState, EndReason, ErrorClass, Order, OrderRule, Time, Version, event::PUBLISHED,
};
use hookhaven_store::{
    Accepted, DeliveryFilter, NewEvent, Next, Page, Replayed, Retention, SessionId, Store,
    clock::{Clock, ManualClock},
};

use crate::{bench::*, world};

const PARK: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const KEYS: usize = 4;
const ROUNDS: usize = 25;

fn ordered(now: Time, key: usize, rule: OrderRule) -> NewEvent {
    let mut new = event(&format!("{:x?}", unique()), now, &["billing"]);
    new.deliveries[0].order = Some(Arc::new(Order::new(&format!("key {key}"), rule)));
    new
}

fn fifo(now: Time, key: usize) -> NewEvent {
    ordered(now, key, OrderRule::Fifo { park: PARK })
}

fn latest(now: Time, key: usize, version: usize) -> NewEvent {
    ordered(now, key, OrderRule::Latest { version: Version::parse(&version.to_string()).unwrap() })
}

fn key_of(order: &Order) -> String {
    order.key.to_string()
}

/// What happened at the handler, in its order.
#[derive(Debug, Default)]
struct Handler {
    in_hand: HashSet<String>,
    begun: Vec<(String, DeliveryId, Option<Version>)>,
}

/// Takes what it can until nothing is pending and nobody sends any more: delivers, has others tried again, gives some
/// back, and now and then its session ends in the middle.
async fn work(store: Arc<dyn Store>, handler: Arc<Mutex<Handler>>, sent: Arc<Mutex<usize>>, now: Time) {
    let mut session = store.open_session(DAY).await.unwrap();
    for n in 0_usize.. {
        let leased = claim(&store, session, "billing", 3).await;
        if leased.is_empty() && *sent.lock().unwrap() == 0 && store.stats().await.unwrap().pending == 0 {
            return;
        }
        for leased in leased {
            let order = leased.delivery.order.clone().unwrap();
            let key = key_of(&order);
            {
                let mut handler = handler.lock().unwrap();
                assert!(handler.in_hand.insert(key.clone()), "two of {key} in hand");
                handler.begun.push((key.clone(), leased.delivery.id, order.version()));
            }
            // A while, in which others may come.
            store.lane_sizes(std::slice::from_ref(&leased.delivery.lane)).await.unwrap();
            handler.lock().unwrap().in_hand.remove(&key);
            let (class, next) = match n % 7 {
                0 => (ErrorClass::Timeout, Next::Retry { due_at: now }),
                3 => (ErrorClass::Ok, Next::Release),
                _ => (ErrorClass::Ok, Next::Delivered),
            };
            if n % 11 != 10 {
                settle(&store, session, &leased, class, next, now).await;
            }
        }
        if n % 11 == 10 {
            store.close_session(session).await.unwrap();
            session = store.open_session(DAY).await.unwrap();
        }
    }
}

/// Several senders, who put in by all nodes, and workers on all nodes. Answers what each sent, in its order, and what
/// was begun.
async fn storm(
    nodes: &[Arc<dyn Store>],
    now: Time,
    make: impl Fn(usize, usize) -> NewEvent + Clone + Send + 'static,
) -> (Vec<Vec<DeliveryId>>, Handler) {
    let (handler, sent) = (Arc::new(Mutex::new(Handler::default())), Arc::new(Mutex::new(3)));
    let workers: Vec<_> =
        (0..4).map(|n| tokio::spawn(work(nodes[n % 2].clone(), handler.clone(), sent.clone(), now))).collect();
    let senders: Vec<_> = (0..3)
        .map(|n| {
            let (nodes, make, sent) = (nodes.to_vec(), make.clone(), sent.clone());
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for round in 0..ROUNDS {
                    let all: Vec<_> = (0..KEYS).map(|key| make(key, n * ROUNDS + round)).collect();
                    ids.extend(all.iter().map(|new| new.deliveries[0].id));
                    let store = &nodes[(n + round) % 2];
                    let answers = match round % 3 {
                        0 => store.accept_together(all).await.unwrap(),
                        _ => store.accept(all).await.unwrap(),
                    };
                    assert_eq!(answers, vec![Accepted::New { twin: None }; KEYS]);
                }
                *sent.lock().unwrap() -= 1;
                ids
            })
        })
        .collect();
    let mut all = Vec::new();
    for sender in senders {
        all.push(sender.await.unwrap());
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let handler = std::mem::take(&mut *handler.lock().unwrap());
    (all, handler)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_goes_at_a_time_and_in_turn_over_all_nodes() {
    let (url, clock) = (world::database(), world::clock());
    let nodes = [world::node(&url, &clock).await, world::node(&url, &clock).await];
    let now = clock.now();
    let (sent, handler) = storm(&nodes, now, move |key, _| fifo(now, key)).await;
    let mut seen = HashSet::new();
    let first: Vec<_> = handler.begun.iter().filter(|(_, id, _)| seen.insert(*id)).collect();
    assert_eq!(first.len(), 3 * ROUNDS * KEYS);
    for sent in sent {
        for key in 0..KEYS {
            let wanted: Vec<_> = sent.iter().skip(key).step_by(KEYS).collect();
            let begun: Vec<_> = first.iter().map(|(_, id, _)| id).filter(|id| wanted.contains(id)).collect();
            assert_eq!(begun, wanted, "key {key} is out of turn");
        }
    }
    nothing_is_left(&url, &nodes[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_older_version_begins_after_a_newer_one_over_all_nodes() {
    let (url, clock) = (world::database(), world::clock());
    let nodes = [world::node(&url, &clock).await, world::node(&url, &clock).await];
    let (now, all) = (clock.now(), 3 * ROUNDS);
    // Every version once, in an order that goes up and down.
    let (_, handler) = storm(&nodes, now, move |key, n| latest(now, key, (n * 37 + key * 11) % all)).await;
    let mut newest: HashMap<&String, Version> = HashMap::new();
    for (key, id, version) in &handler.begun {
        let last = newest.entry(key).or_insert(version.unwrap());
        assert!(*last <= version.unwrap(), "{id} of {key} is older than what went before");
        *last = version.unwrap();
    }
    let last = Version::parse(&(all - 1).to_string()).unwrap();
    assert!(newest.len() == KEYS && newest.values().all(|newest| *newest == last), "{newest:?}");
    let rows = nodes[0].deliveries(&DeliveryFilter::default(), Page::first(10_000)).await.unwrap();
    let ends: BTreeMap<_, usize> = rows.iter().fold(BTreeMap::new(), |mut ends, row| {
        *ends.entry(row.delivery.end_reason.map_or("delivered", EndReason::as_str)).or_default() += 1;
        ends
    });
    assert_eq!(ends.keys().copied().collect::<Vec<_>>(), ["delivered", "superseded"], "{ends:?}");
    assert_eq!(ends.values().sum::<usize>(), all * KEYS);
    nothing_is_left(&url, &nodes[0]).await;
}

/// No delivery, and no doubt about whose turn it is.
async fn nothing_is_left(url: &str, store: &Arc<dyn Store>) {
    let left = "SELECT (SELECT count(*) FROM hookhaven.live), \
        (SELECT count(*) FROM hookhaven.lines WHERE parked_by IS NOT NULL)";
    assert_eq!(hookhaven_testbed::shared().unwrap().sql_at(url, left).unwrap(), "0|0");
    assert_eq!(store.stats().await.unwrap().kept_back, []);
}

/// As it must be at any moment between commits: of each line one is open or in hand, and the open one is the first.
fn lines_are_right(url: &str) {
    let wrong = "SELECT count(*) FROM (SELECT line, \
          count(*) FILTER (WHERE session IS NULL) AS open, count(*) FILTER (WHERE session > 0) AS in_hand, \
          min(line_turn) FILTER (WHERE session IS NULL) AS open_turn, min(line_turn) FILTER (WHERE session = -1) AS next \
        FROM hookhaven.live WHERE line IS NOT NULL AND session IS DISTINCT FROM 0 GROUP BY line) l \
        WHERE open + in_hand <> 1 OR (open_turn > next)";
    assert_eq!(hookhaven_testbed::shared().unwrap().sql_at(url, wrong).unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_people_do_meanwhile_every_line_has_its_first() {
    let (url, clock) = (world::database(), world::clock());
    let nodes = [world::node(&url, &clock).await, world::node(&url, &clock).await];
    let now = clock.now();
    let doing: Vec<_> = (0..6_usize)
        .map(|n| {
            let store = nodes[n % 2].clone();
            tokio::spawn(async move {
                let session = store.open_session(DAY).await.unwrap();
                for round in 0..ROUNDS {
                    let make = |key| if n < 3 { fifo(now, key) } else { latest(now, key, round % 5) };
                    store.accept((0..KEYS).map(make).collect()).await.unwrap();
                    meddle(&store, session, n + round, now).await;
                }
                store.close_session(session).await.unwrap();
            })
        })
        .collect();
    for one in doing {
        one.await.unwrap();
    }
    lines_are_right(&url);
    assert!(nodes[0].stats().await.unwrap().pending > 0, "nothing was left to be looked at");
}

/// One of the things that change who is first.
async fn meddle(store: &Arc<dyn Store>, session: SessionId, n: usize, now: Time) {
    let leased = claim(store, session, "billing", 4).await;
    for (k, one) in leased.iter().enumerate() {
        let (class, next) = match (n + k) % 4 {
            0 => (ErrorClass::Timeout, Next::Dead(EndReason::Exhausted)),
            1 => (ErrorClass::Timeout, Next::Retry { due_at: now }),
            2 => (ErrorClass::Ok, Next::Release),
            _ => (ErrorClass::Ok, Next::Delivered),
        };
        settle(store, session, one, class, next, now).await;
    }
    let some = |filter| async move {
        let rows = store.deliveries(&filter, Page::first(20)).await.unwrap();
        rows.into_iter().map(|row| row.delivery.id).skip(n % 7).take(2).collect::<Vec<_>>()
    };
    let dead = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
    let waits = DeliveryFilter { state: Some(DeliveryState::Pending), ..DeliveryFilter::default() };
    match n % 3 {
        0 => drop(store.replay(&some(dead).await).await.unwrap()),
        1 => drop(store.dismiss(&some(dead).await).await.unwrap()),
        _ => drop(store.cancel(&some(waits).await).await.unwrap()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_another_version_left_shut_are_opened_when_a_node_starts() {
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    let all: Vec<_> = (0..3).map(|_| fifo(clock.now(), 0)).collect();
    let ids: Vec<_> = all.iter().map(|new| new.deliveries[0].id).collect();
    store.accept(all).await.unwrap();
    // As one that knows nothing of lines settles.
    let settle = "WITH gone AS (DELETE FROM hookhaven.live WHERE session IS NULL RETURNING *) \
        INSERT INTO hookhaven.ended (slice, id, event, state, ended_at, due_at, accepted_at, attempts, tries, lost, \
          critical, lane, source, event_type, destination, route, policy) \
        SELECT slice, id, event, 2, due_at, due_at, accepted_at, 1, 1, 0, critical, lane, source, event_type, \
          destination, route, policy FROM gone";
    hookhaven_testbed::shared().unwrap().sql_at(&url, settle).unwrap();
    // Nor does it take away what a line keeps back.
    let lapse = "SELECT count(*) FROM hookhaven.live l WHERE session IS NOT NULL \
        AND NOT EXISTS (SELECT FROM hookhaven.sessions s WHERE s.id = l.session)";
    assert_eq!(hookhaven_testbed::shared().unwrap().sql_at(&url, lapse).unwrap(), "0");
    assert_eq!(store.due(&[], 9).await.unwrap().lanes, []);
    let next = world::node(&url, &clock).await;
    let session = next.open_session(TTL).await.unwrap();
    assert_eq!(claim_one(&next, session, "billing").await.delivery.id, ids[1]);
    lines_are_right(&url);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_cost_nothing_where_what_waits_is_looked_for() {
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    store.accept((0..200).map(|_| fifo(clock.now(), 0)).collect()).await.unwrap();
    let waits = "SELECT count(*) FROM hookhaven.live WHERE session IS NULL";
    assert_eq!(hookhaven_testbed::shared().unwrap().sql_at(&url, waits).unwrap(), "1");
    // Nor are they taken for leases that count against a limit.
    let session = store.open_session(TTL).await.unwrap();
    let limited = [hookhaven_store::LaneRoom { limit: Some(1), ..room("billing", 5) }];
    assert_eq!(store.claim(session, &limited, 5).await.unwrap().len(), 1);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.depths[0].pending, stats.depths[0].leased, stats.sessions), (199, 1, 1));
    assert_eq!(store.lane_sizes(&[limited[0].lane.clone()]).await.unwrap()[0].waiting, 199);
}

async fn let_a_day_go(store: &Arc<dyn Store>, clock: &ManualClock) {
    clock.advance(2 * DAY);
    let retention = Retention { before: clock.now().minus(DAY), dead_before: None };
    while store.retain(retention).await.unwrap().more {}
}

async fn is_superseded(store: &Arc<dyn Store>, new: NewEvent) -> bool {
    let id = new.deliveries[0].id;
    accept(store, new).await;
    let row = store.delivery(id).await.unwrap().unwrap();
    row.delivery.end_reason == Some(EndReason::Superseded)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_version_is_known_as_long_as_its_event_is_kept() {
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    let mut letters = Vec::new();
    for key in 0..2 {
        accept(&store, latest(clock.now(), key, 5)).await;
        let session = store.open_session(TTL).await.unwrap();
        let leased = claim_one(&store, session, "billing").await;
        let next = if key == 0 { Next::Delivered } else { Next::Dead(EndReason::Exhausted) };
        settle(&store, session, &leased, ErrorClass::Timeout, next, clock.now()).await;
        letters.push(leased.delivery.id);
        assert!(is_superseded(&store, latest(clock.now(), key, 4)).await);
    }
    let_a_day_go(&store, &clock).await;
    assert!(!is_superseded(&store, latest(clock.now(), 0, 4)).await, "the day has gone");
    assert!(is_superseded(&store, latest(clock.now(), 1, 4)).await, "its dead letter is there still");
    store.dismiss(&letters[1..]).await.unwrap();
    let_a_day_go(&store, &clock).await;
    let_a_day_go(&store, &clock).await;
    assert!(!is_superseded(&store, latest(clock.now(), 1, 4)).await);
    let lines = "SELECT count(*) FROM hookhaven.lines";
    assert_eq!(hookhaven_testbed::shared().unwrap().sql_at(&url, lines).unwrap(), "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_retention_dismisses_parks_no_more() {
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    let all: Vec<_> = (0..2).map(|_| ordered(clock.now(), 0, OrderRule::Fifo { park: 9 * DAY })).collect();
    let ids: Vec<_> = all.iter().map(|new| new.deliveries[0].id).collect();
    store.accept(all).await.unwrap();
    let session = store.open_session(9 * DAY).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    settle(&store, session, &leased, ErrorClass::Timeout, Next::Dead(EndReason::Aborted), clock.now()).await;
    clock.advance(DAY);
    assert!(claim(&store, session, "billing", 1).await.is_empty());
    let retention = Retention { before: clock.now().minus(9 * DAY), dead_before: Some(clock.now()) };
    while store.retain(retention).await.unwrap().more {}
    let next = claim_one(&store, session, "billing").await;
    assert_eq!(next.delivery.id, ids[1]);
    assert_eq!(next.delivery.due_at, start(), "it was due when it was due, parked or not");
    assert!(matches!(store.replay(&ids[..1]).await.unwrap()[..], [Replayed::New(_)]));
    lines_are_right(&url);
}

/// What follows from one settlement stands in no line, whatever it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_comes_with_what_stood_in_a_line() {
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    store.accept((0..2).map(|_| fifo(clock.now(), 0)).collect()).await.unwrap();
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    let mut callback = event("callback", clock.now(), &["log"]);
    callback.event.source = PUBLISHED.into();
    let mut settlement = settlement(&leased, ErrorClass::Ok, Next::Delivered, clock.now());
    settlement.follows.push(hookhaven_store::Follow { event: callback, unless_cancelled: false });
    store.settle(session, vec![settlement]).await.unwrap();
    let lanes: BTreeSet<_> = store.due(&[], 9).await.unwrap().lanes.into_iter().map(|due| due.lane).collect();
    assert_eq!(lanes, [room("billing", 1).lane, room("log", 1).lane].into());
}
