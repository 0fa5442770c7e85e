//! The server ends without a chance to tidy up, in the middle of everything, and comes back.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use hookhaven_core::{ErrorClass, EventId};
use hookhaven_store::{Accepted, EventFilter, Next, Page, Renewed, Settled, Store, StoreError, clock::Clock};
use hookhaven_testbed::{Cluster, ClusterOptions};
use tokio::sync::Notify;

use crate::{bench::*, world};

/// Accepts that are acknowledged between one crash and the next.
const BETWEEN: usize = 300;

/// What became of each key that was offered.
type Fates = HashMap<String, Result<EventId, StoreError>>;

/// Offers one key after another until told to stop.
async fn offer(
    store: Arc<dyn Store>,
    caller: usize,
    now: hookhaven_core::Time,
    stop: Arc<AtomicBool>,
    acked: Arc<Acked>,
) -> Fates {
    let mut fates = Fates::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("caller {caller} number {n}");
        let new = event(&key, now, &["billing"]);
        let id = new.event.id;
        match store.accept(vec![new]).await {
            Ok(answer) => {
                assert_eq!(answer, [Accepted::New { twin: None }], "{key} was never offered before");
                fates.insert(key, Ok(id));
                acked.one_more();
            }
            Err(error @ StoreError::Unavailable(_)) => {
                fates.insert(key, Err(error));
                world::ready(&store).await;
            }
            Err(other) => panic!("{other}"),
        }
    }
    fates
}

#[derive(Default)]
struct Acked {
    count: AtomicUsize,
    more: Notify,
}

impl Acked {
    fn one_more(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.more.notify_one();
    }

    async fn reach(&self, count: usize) {
        while self.count.load(Ordering::Relaxed) < count {
            self.more.notified().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let mut cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let clock = world::clock();
    let store = world::node(&cluster.databases().create().unwrap(), &clock).await;
    let (stop, acked) = (Arc::<AtomicBool>::default(), Arc::<Acked>::default());
    let callers: Vec<_> =
        (0..16).map(|n| tokio::spawn(offer(store.clone(), n, clock.now(), stop.clone(), acked.clone()))).collect();
    for crash in 1..=3 {
        acked.reach(crash * BETWEEN).await;
        cluster = tokio::task::spawn_blocking(move || {
            cluster.restart_immediate().unwrap();
            cluster
        })
        .await
        .unwrap();
    }
    acked.reach(4 * BETWEEN).await;
    stop.store(true, Ordering::Relaxed);
    let mut fates = Fates::new();
    for caller in callers {
        fates.extend(caller.await.unwrap());
    }
    let unknown = fates.values().filter(|fate| fate.is_err()).count();
    assert!(unknown > 0, "no crash was noticed");
    for (key, fate) in &fates {
        match fate {
            Ok(id) => assert_eq!(&*store.event(*id).await.unwrap().unwrap().idempotency_key, key),
            // The sender comes again. It had been stored or it had not: now it is, once.
            Err(_) => drop(accept(&store, event(key, clock.now(), &["billing"])).await),
        }
    }
    let rows = store.events(&EventFilter::default(), Page::first(100_000)).await.unwrap();
    assert_eq!(rows.len(), fates.len());
    assert_eq!(store.stats().await.unwrap().pending, fates.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_keeps_what_it_holds_over_a_restart_of_the_server() {
    let mut cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let clock = world::clock();
    let store = world::node(&cluster.databases().create().unwrap(), &clock).await;
    accept(&store, event("k", clock.now(), &["billing"])).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    cluster.stop_immediate().unwrap();
    let settlement = || vec![settlement(&leased, ErrorClass::Ok, Next::Delivered, clock.now())];
    assert!(matches!(store.settle(session, settlement()).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.renew_session(session).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ready(Default::default()), Err(StoreError::Unavailable(_))));
    cluster.start_again().unwrap();
    world::ready(&store).await;
    assert_eq!(store.renew_session(session).await, Ok(Renewed::Live));
    assert_eq!(store.settle(session, settlement()).await, Ok(vec![Settled::Done]));
}
