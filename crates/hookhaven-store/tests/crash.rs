//! The embedded store through crashes: power cuts at random points, kills, syncs that fail, a full disk,
//! a damaged index. Whatever was acknowledged holds afterwards; what was not is whole or absent.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, DeliveryId, DeliveryState, EndReason, ErrorClass, EventId, Lane, Phases, Policy, Time,
    retry::RetryPolicy,
};
use hookhaven_store::{
    Accepted, CatalogEntry, DeliveryFilter, EventFilter, LaneRoom, Leased, Leave, NewDelivery, NewEvent, Next, Page,
    Settled, Settlement, Store, StoreError,
    clock::{Clock, Entropy, ManualClock, SeededEntropy},
    embedded::{
        EmbeddedOptions, EmbeddedStore,
        disk::{Disk, RealDisk, SimDisk},
    },
};

mod common;
#[path = "crash/skips_syncs.rs"]
mod skips_syncs;

use skips_syncs::SkipsSyncs;

const TTL: Duration = Duration::from_secs(30);

struct World {
    clock: ManualClock,
    entropy: Arc<SeededEntropy>,
    dir: tempfile::TempDir,
    /// The mistake that must be found out.
    skips_syncs: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = ManualClock::at(Time::from_s(1_790_000_000));
        World {
            clock,
            entropy: Arc::new(SeededEntropy::new(seed)),
            dir: tempfile::tempdir().unwrap(),
            skips_syncs: false,
        }
    }

    fn try_open(&self, disk: Arc<dyn Disk>) -> Result<EmbeddedStore, StoreError> {
        EmbeddedStore::open(EmbeddedOptions {
            dir: self.dir.path().join("data"),
            pending_max: 10_000,
            segment_bytes: 16_384,
            index_lag_bytes_max: 64 << 20,
            queue: Default::default(),
            space: Default::default(),
            disk,
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
        })
    }

    fn open(&self, disk: &SimDisk) -> EmbeddedStore {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        self.try_open(if self.skips_syncs { Arc::new(SkipsSyncs(disk)) } else { disk }).unwrap()
    }

    fn id(&self) -> [u8; 10] {
        (&*self.entropy as &dyn Entropy).id_bytes()
    }

    fn event(&self, key: &str) -> NewEvent {
        let now = self.clock.now();
        let policy = Policy {
            retry: RetryPolicy::default(),
            deadline: Duration::from_secs(30),
            max_age: Duration::from_secs(3_600),
            critical: true,
        };
        NewEvent {
            refuses_replay: false,
            revives: true,
            event: common::event(now, &*self.entropy, key, vec![key.len() as u8; 40 + 900 * (key.len() % 5)]),
            key_until: now.plus(Duration::from_secs(7 * 24 * 3_600)),
            deliveries: vec![NewDelivery {
                order: None,
                id: DeliveryId::mint(now, self.id()),
                destination: "billing".into(),
                lane: Lane::of_destination("billing"),
                route: "stripe#1".into(),
                policy: Arc::new(policy),
                due_at: now,
            }],
        }
    }

    fn settlement(&self, leased: &Leased, next: Next) -> Settlement {
        let attempt = Attempt {
            id: AttemptId::mint(self.clock.now(), self.id()),
            delivery: leased.delivery.id,
            number: leased.attempt_number,
            started_at: self.clock.now(),
            duration_us: 7,
            phases: Phases::default(),
            status: Some(200),
            class: if next == Next::Delivered { ErrorClass::Ok } else { ErrorClass::Http5xx },
            error: "".into(),
            response_headers: vec![],
            response_excerpt: Bytes::from_static(b"ok"),
            next_attempt_at: None,
        };
        Settlement { follows: vec![], delivery: leased.delivery.id, fence: leased.fence, attempt: Some(attempt), next }
    }

    fn chance(&self, one_in: u32) -> bool {
        (&*self.entropy as &dyn Entropy).unit() < 1.0 / f64::from(one_in)
    }
}

/// What the outside was told, by idempotency key.
#[derive(Default)]
struct Told {
    events: BTreeMap<String, (EventId, DeliveryId)>,
    /// Accepts that failed: they may or may not have happened.
    unsure: BTreeSet<String>,
    ended: BTreeMap<DeliveryId, DeliveryState>,
    unsure_ended: BTreeSet<DeliveryId>,
    paused: Option<bool>,
}

/// Accepts, attempts and pauses until something fails or `steps` are done.
async fn work(world: &World, store: &EmbeddedStore, told: &mut Told, run: u64, steps: u32) {
    let Ok(session) = store.open_session(TTL).await else { return };
    for n in 0..steps {
        let keys: Vec<_> = (0..1 + n % 4).map(|i| format!("{run}-{n}-{i}")).collect();
        let events: Vec<_> = keys.iter().map(|key| world.event(key)).collect();
        let ids: Vec<_> = events.iter().map(|new| (new.event.id, new.deliveries[0].id)).collect();
        match store.accept(events).await {
            Ok(_) => told.events.extend(keys.into_iter().zip(ids)),
            Err(_) => return told.unsure.extend(keys),
        }
        let room = LaneRoom { lane: Lane::of_destination("billing"), room: 2, limit: None };
        let Ok(leased) = store.claim(session, &[room], 2).await else { return };
        for leased in leased {
            let (next, state) = if world.chance(3) {
                (Next::Dead(EndReason::Exhausted), DeliveryState::Dead)
            } else {
                (Next::Delivered, DeliveryState::Delivered)
            };
            let id = leased.delivery.id;
            match store.settle(session, vec![world.settlement(&leased, next)]).await {
                Ok(settled) if settled == [Settled::Done] => {
                    told.ended.insert(id, state);
                }
                Ok(_) => {}
                Err(_) => {
                    told.unsure_ended.insert(id);
                    return;
                }
            }
        }
        if n % 7 == 0 {
            let (kind, name) = ("destination-paused".to_owned(), "billing".to_owned());
            let paused = world.chance(2);
            told.paused = None;
            let done = if paused {
                store.put_catalog(CatalogEntry { kind, name, value: vec![] }).await
            } else {
                store.delete_catalog(&kind, &name).await
            };
            if done.is_err() {
                return;
            }
            told.paused = Some(paused);
        }
    }
}

/// Everything that was acknowledged is there, and everything there is whole.
async fn check(world: &World, store: &EmbeddedStore, told: &mut Told, what: &str) {
    let rows = store.deliveries(&DeliveryFilter::default(), Page::first(10_000)).await.unwrap();
    let states: BTreeMap<_, _> = rows.iter().map(|row| (row.delivery.id, row.delivery.state)).collect();
    let events = store.events(&EventFilter::default(), Page::first(10_000)).await.unwrap();
    for (key, (event, delivery)) in &told.events {
        assert!(events.iter().any(|row| row.id == *event && *row.idempotency_key == **key), "{key} is lost, {what}");
        assert_eq!(store.event(*event).await.unwrap().unwrap().idempotency_key.as_ref(), key);
        let state = states.get(delivery).unwrap_or_else(|| panic!("the delivery of {key} is lost, {what}"));
        match told.ended.get(delivery) {
            Some(ended) => {
                assert_eq!(state, ended, "{key}, {what}");
                assert_eq!(store.attempts(*delivery).await.unwrap().len(), 1);
            }
            None if told.unsure_ended.contains(delivery) => {}
            None => assert_eq!(*state, DeliveryState::Pending, "{key}, {what}"),
        }
    }
    let known = events.len() - told.events.len();
    assert!(known <= told.unsure.len(), "events from nowhere, {what}");
    assert_eq!(rows.len(), events.len(), "an event and its delivery are one, {what}");
    let pending = states.values().filter(|state| **state == DeliveryState::Pending).count() as u64;
    let stats = store.stats().await.unwrap();
    assert_eq!(stats.pending, pending, "{what}");
    let dead = rows.iter().filter(|row| row.delivery.is_dead_letter()).count() as u64;
    assert_eq!(stats.depths.iter().map(|d| d.dead_letters_critical).sum::<u64>(), dead, "{what}");
    if let Some(paused) = told.paused {
        assert_eq!(store.catalog("destination-paused").await.unwrap().len() == 1, paused, "{what}");
    }
    let waits = |delivery: &DeliveryId| states.get(delivery) == Some(&DeliveryState::Pending);
    if let Some((key, (event, delivery))) = told.events.iter().find(|(_, (_, d))| waits(d)) {
        let again = store.accept(vec![world.event(key)]).await.unwrap().remove(0);
        assert!(matches!(again, Accepted::Duplicate { event: e, .. } if e == *event), "{delivery}, {what}");
    }
    // From here on what was unsure is known.
    told.unsure.clear();
    told.unsure_ended.clear();
    told.events = events
        .iter()
        .filter_map(|row| {
            let of = rows.iter().find(|d| d.delivery.event == row.id)?;
            Some((row.idempotency_key.to_string(), (row.id, of.delivery.id)))
        })
        .collect();
    told.ended = states.into_iter().filter(|(_, state)| state.is_final()).collect();
}

/// Five runs on one disk, each ended by a power cut or a kill.
async fn live_through_power_cuts(world: World, seed: u64) {
    let mut disk = SimDisk::new(seed, world.dir.path());
    let mut told = Told::default();
    for run in 0..5u64 {
        let store = Arc::new(world.open(&disk));
        check(&world, &store, &mut told, &format!("seed {seed}, run {run}")).await;
        if world.chance(2) {
            disk.fail_sync_after((seed * 7 + run * 3) as u32 % 20);
        }
        // Two at once, so that batches hold several commands; one is cut off in the middle.
        work(&world, &store, &mut told, run, 15).await;
        let key = format!("in flight {run}");
        let other = tokio::spawn({
            let (store, new) = (store.clone(), world.event(&key));
            async move { store.accept(vec![new]).await }
        });
        disk = if world.chance(2) { disk.power_cut(seed + run) } else { disk.kill() };
        if let Ok(Ok(_)) = other.await {
            // Acknowledged just before: then it must be there, which its duplicate shows.
            let store = world.open(&disk);
            let again = store.accept(vec![world.event(&key)]).await.unwrap();
            assert!(matches!(again[0], Accepted::Duplicate { .. }), "seed {seed}, run {run}");
            store.close().await;
        }
        let store = world.open(&disk);
        told.unsure.insert(key);
        check(&world, &store, &mut told, &format!("seed {seed}, after run {run}")).await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_to_power_cuts_and_failed_syncs() {
    for seed in 0..12 {
        live_through_power_cuts(World::new(seed), seed).await;
    }
}

/// The check of the case above, on a store that answers before anything is on the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_skips_its_syncs_is_found_out() {
    let mut found = Vec::new();
    for seed in 0..12 {
        let world = World { skips_syncs: true, ..World::new(seed) };
        let Err(failed) = tokio::spawn(live_through_power_cuts(world, seed)).await else { continue };
        found.push(*failed.into_panic().downcast::<String>().unwrap());
    }
    let lost = found.iter().filter(|what| what.contains(" is lost, seed ")).count();
    assert!(lost >= 6, "12 seeds found {lost} losses in {found:#?}");
}

async fn rows(store: &EmbeddedStore) -> Vec<EventId> {
    let rows = store.events(&EventFilter::default(), Page::first(10)).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_sync_the_store_opens_itself_again() {
    for seed in 0..10 {
        let world = World::new(seed);
        let disk = SimDisk::new(seed, world.dir.path());
        let store = world.open(&disk);
        store.accept(vec![world.event("before")]).await.unwrap();
        let session = store.open_session(TTL).await.unwrap();
        // Once this is answered, the writer has told all there was to tell of the event before.
        assert_eq!(store.release_lapsed().await, Ok(0));
        let wake = store.wake();
        let _ = tokio::time::timeout(Duration::ZERO, wake.notified()).await;
        disk.fail_sync_after(0);
        let during = store.accept(vec![world.event("during")]).await;
        assert!(matches!(during, Err(StoreError::Unavailable(_))), "{during:?}");
        // Woken when it is open again.
        wake.notified().await;
        assert_eq!(store.ready(Leave::NOTHING), Ok(()));
        assert_eq!(store.accept(vec![world.event("after")]).await.unwrap(), [Accepted::New { twin: None }]);
        let before = store.accept(vec![world.event("before")]).await.unwrap();
        assert!(matches!(before[0], Accepted::Duplicate { .. }));
        // Sessions died with the run.
        let room = LaneRoom { lane: Lane::of_destination("billing"), room: 9, limit: None };
        assert!(store.claim(session, &[room], 9).await.unwrap().is_empty());
        // What it says now, it says after a power cut.
        let said = rows(&store).await;
        let store = world.open(&disk.power_cut(seed));
        assert_eq!(rows(&store).await, said, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_then_goes_on() {
    let world = World::new(1);
    let disk = SimDisk::new(1, world.dir.path());
    let store = world.open(&disk);
    disk.fill_after(0);
    assert!(matches!(store.accept(vec![world.event("full")]).await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.accept(vec![world.event("full")]).await.unwrap(), [Accepted::New { twin: None }]);
    assert_eq!(store.events(&EventFilter::default(), Page::first(10)).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_lost_or_damaged_is_made_again() {
    let world = World::new(1);
    let open = || world.try_open(Arc::new(RealDisk)).unwrap();
    let index = world.dir.path().join("data/index.sqlite");
    let mut told = Told::default();
    let store = open();
    work(&world, &store, &mut told, 0, 30).await;
    store.close().await;
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("left alone", |_| {}),
        ("removed", |path| std::fs::remove_file(path).unwrap()),
        ("not a database", |path| std::fs::write(path, vec![7; 70_000]).unwrap()),
        ("cut short", |path| {
            let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
    ];
    for (what, damage) in damages {
        damage(&index);
        let store = open();
        check(&world, &store, &mut told, what).await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_ahead_of_its_journal_is_made_again() {
    let world = World::new(1);
    let open = || world.try_open(Arc::new(RealDisk)).unwrap();
    let journal = world.dir.path().join("data/journal/00000001.seg");
    let store = open();
    store.accept(vec![world.event("kept")]).await.unwrap();
    store.close().await;
    let older = std::fs::read(&journal).unwrap();
    let store = open();
    store.accept(vec![world.event("gone")]).await.unwrap();
    store.close().await;
    std::fs::write(&journal, older).unwrap();
    let store = open();
    let rows = store.events(&EventFilter::default(), Page::first(10)).await.unwrap();
    assert_eq!(rows.iter().map(|row| &*row.idempotency_key).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(store.accept(vec![world.event("gone")]).await.unwrap(), [Accepted::New { twin: None }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_directory_one_store() {
    let world = World::new(1);
    let disk = SimDisk::new(1, world.dir.path());
    let store = world.open(&disk);
    assert!(matches!(world.try_open(Arc::new(disk.clone())), Err(StoreError::Locked(_))));
    store.close().await;
    assert!(matches!(store.accept(vec![]).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ready(Leave::NOTHING), Err(StoreError::Unavailable(_))));
    world.open(&disk);
}
