//! Several nodes on one database.

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use hookhaven_core::{ErrorClass, Lane};
use hookhaven_store::{Accepted, EventFilter, LaneRoom, Next, Page, Renewed, Settled, Store, clock::Clock};

use crate::{bench::*, world};

const KEYS: usize = 200;

/// How many things a sweep did.
type Sweeping = Pin<Box<dyn Future<Output = usize> + Send>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_stored_once_whichever_node_it_comes_to() {
    let (url, clock) = (world::database(), world::clock());
    let now = clock.now();
    let nodes = [world::node(&url, &clock).await, world::node(&url, &clock).await];
    // Every key four times, to both nodes, in batches that hold them in different orders.
    let tasks: Vec<_> = (0..40)
        .map(|n: usize| {
            let store = nodes[n % 2].clone();
            tokio::spawn(async move {
                let keys = (0..KEYS / 10).map(|k| (k * (7 + 2 * (n % 3)) + n / 4 * (KEYS / 10)) % KEYS);
                let offers: Vec<_> = keys.map(|key| event(&format!("k{key}"), now, &["billing"])).collect();
                let ids: Vec<_> = offers.iter().map(|o| (o.event.idempotency_key.clone(), o.event.id)).collect();
                ids.into_iter().zip(store.accept(offers).await.unwrap()).collect::<Vec<_>>()
            })
        })
        .collect();
    let (mut holder, mut told) = (HashMap::new(), Vec::new());
    for task in tasks {
        for ((key, id), answer) in task.await.unwrap() {
            match answer {
                Accepted::New { .. } => assert_eq!(holder.insert(key, id), None, "stored twice"),
                Accepted::Duplicate { event, .. } => told.push((key, event)),
                Accepted::Refused { twin } => panic!("taken for a replay of {twin}"),
            }
        }
    }
    for (key, event) in told {
        assert_eq!(holder.get(&key), Some(&event), "{key}");
    }
    let rows = nodes[0].events(&EventFilter::default(), Page::first(1_000)).await.unwrap();
    assert_eq!(rows.len(), holder.len());
    assert!(rows.iter().all(|row| row.deliveries == 1));
    assert_eq!(nodes[1].stats().await.unwrap().pending, holder.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lapsed_node_held_is_delivered_by_another() {
    let (url, clock) = (world::database(), world::clock());
    let (gone, heir) = (world::node(&url, &clock).await, world::node(&url, &clock).await);
    accept(&gone, event("k", clock.now(), &["billing"])).await;
    let session = gone.open_session(TTL).await.unwrap();
    let leased = claim_one(&gone, session, "billing").await;
    let next = heir.open_session(Duration::from_secs(3_600)).await.unwrap();
    assert!(claim(&heir, next, "billing", 1).await.is_empty());
    assert_eq!(heir.release_lapsed().await, Ok(0));
    clock.advance(TTL);
    assert_eq!(heir.release_lapsed().await, Ok(1));
    assert_eq!(gone.renew_session(session).await, Ok(Renewed::Lapsed));
    let again = claim_one(&heir, next, "billing").await;
    assert_eq!((again.delivery.id, again.delivery.lost, again.attempt_number), (leased.delivery.id, 1, 2));
    let now = clock.now();
    assert_eq!(settle(&gone, session, &leased, ErrorClass::Ok, Next::Delivered, now).await, Settled::LeaseLost);
    assert_eq!(settle(&heir, next, &again, ErrorClass::Ok, Next::Delivered, now).await, Settled::Done);
    assert_eq!(heir.attempts(leased.delivery.id).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lanes_limit_holds_over_all_nodes() {
    let (url, clock) = (world::database(), world::clock());
    let nodes = [world::node(&url, &clock).await, world::node(&url, &clock).await, world::node(&url, &clock).await];
    let many: Vec<_> = (0..300).map(|n| event(&format!("k{n}"), clock.now(), &["billing"])).collect();
    nodes[0].accept(many).await.unwrap();
    let now = clock.now();
    // Each settles what it got and comes again, until nobody gets anything.
    let workers: Vec<_> = (0..9)
        .map(|n: usize| {
            let store = nodes[n % 3].clone();
            tokio::spawn(async move {
                let session = store.open_session(TTL).await.unwrap();
                let rooms = [LaneRoom { limit: Some(10), ..room("billing", 4) }];
                let (mut done, mut most) = (HashSet::new(), 0);
                while done.len() < 20 {
                    for leased in store.claim(session, &rooms, 4).await.unwrap() {
                        let stats = store.stats().await.unwrap();
                        most = most.max(stats.depths[0].leased);
                        settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, now).await;
                        done.insert(leased.delivery.id);
                    }
                }
                (done, most)
            })
        })
        .collect();
    let mut all = HashSet::new();
    let mut count = 0;
    for worker in workers {
        let (done, most) = worker.await.unwrap();
        assert!((1..=10).contains(&most), "{most} were leased at once");
        count += done.len();
        all.extend(done);
    }
    assert_eq!(all.len(), count, "delivered twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_hears_of_what_another_accepted() {
    let (url, clock) = (world::database(), world::clock());
    let (ingest, worker) = (world::node(&url, &clock).await, world::node(&url, &clock).await);
    let wake = worker.wake();
    for n in 0..3 {
        accept(&ingest, event(&format!("k{n}"), clock.now(), &["billing"])).await;
        // Whether by a notification or by looking: it is told.
        while worker.due(&[], 10).await.unwrap().lanes.is_empty() {
            wake.notified().await;
        }
        let session = worker.open_session(TTL).await.unwrap();
        let leased = claim_one(&worker, session, "billing").await;
        settle(&worker, session, &leased, ErrorClass::Ok, Next::Delivered, clock.now()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_on_all_nodes_at_once_do_each_thing_once() {
    const EVENTS: usize = 200;
    let (url, clock) = (world::database(), world::clock());
    let nodes = [world::node(&url, &clock).await, world::node(&url, &clock).await, world::node(&url, &clock).await];
    let many: Vec<_> = (0..EVENTS).map(|n| event(&format!("k{n}"), clock.now(), &["billing"])).collect();
    let max_age = many[0].deliveries[0].policy.max_age;
    nodes[0].accept(many).await.unwrap();
    let session = nodes[0].open_session(TTL).await.unwrap();
    let held = claim(&nodes[0], session, "billing", EVENTS / 2).await.len();
    clock.advance(TTL.max(max_age));
    let sweeping = |sweep: fn(Arc<dyn Store>) -> Sweeping| {
        let all: Vec<_> = (0..9).map(|n: usize| tokio::spawn(sweep(nodes[n % 3].clone()))).collect();
        async move {
            let mut sum = 0;
            for one in all {
                sum += one.await.unwrap();
            }
            sum
        }
    };
    let released = sweeping(|store| Box::pin(async move { store.release_lapsed().await.unwrap() })).await;
    assert_eq!(released, held);
    let expired = sweeping(|store| {
        Box::pin(async move {
            let (lanes, mut sum) = ([Lane::of_destination("billing")], 0);
            loop {
                match store.expire(&lanes).await.unwrap() {
                    0 => return sum,
                    n => sum += n,
                }
            }
        })
    })
    .await;
    assert_eq!(expired, EVENTS);
    let stats = nodes[0].stats().await.unwrap();
    assert_eq!((stats.pending, stats.depths[0].dead_letters), (0, EVENTS as u64));
}
