//! A disk that fills up: accepts stop first, what ends work goes on, nothing acknowledged is lost, and
//! with room it all goes on by itself.

use std::{collections::BTreeSet, sync::Arc};

use hookhaven_core::DeliveryState;
use hookhaven_store::{
    Accepted, DeliveryFilter, Leave, Next, Page, Settled, Store, StoreError,
    embedded::{
        EmbeddedStore,
        disk::{RealDisk, SimDisk},
        space::SpaceLimits,
    },
};

use crate::{
    refusing::Mount,
    world::{TTL, World, claim, listed},
};

const LIMITS: SpaceLimits = SpaceLimits { free_min_bytes: 60_000, reserve_bytes: 40_000 };

fn world(seed: u64) -> (World, SimDisk) {
    let world = World { space: LIMITS, ..World::new(seed) };
    let disk = SimDisk::new(seed, world.dir.path());
    (world, disk)
}

/// Accepts until refused; the keys that were acknowledged.
async fn fill_up(world: &World, store: &EmbeddedStore, prefix: &str) -> (BTreeSet<String>, StoreError) {
    let mut kept = BTreeSet::new();
    for n in 0..5_000 {
        let key = format!("{prefix}{n}");
        match world.accept(store, &key).await {
            Ok(answer) => {
                assert_eq!(answer, Accepted::New { twin: None });
                kept.insert(key);
            }
            Err(e) => return (kept, e),
        }
    }
    panic!("the disk does not fill up");
}

async fn keys(store: &EmbeddedStore) -> BTreeSet<String> {
    listed(store).await.into_keys().collect()
}

/// Takes one delivery and ends it.
async fn settle_one(world: &World, store: &EmbeddedStore) -> Result<(), StoreError> {
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim(store, session, 1).await.remove(0);
    let settled = store.settle(session, vec![world.settlement(&leased, Next::Delivered)]).await;
    store.close_session(session).await.unwrap();
    settled.map(|settled| assert_eq!(settled, [Settled::Done]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_watermark_accepts_stop_and_settles_go_on_until_there_is_room() {
    let (world, disk) = world(1);
    disk.quota(300_000);
    let store = world.open_on(Arc::new(disk.clone()));
    let (mut kept, refused) = fill_up(&world, &store, "a").await;
    assert_eq!(refused, StoreError::Full { limit: "store.free_min", value: LIMITS.free_min_bytes });
    assert!(kept.len() > 50);
    // Asked before a body is read, it says the same.
    assert_eq!(store.ready(Leave::NOTHING), Err(refused.clone()));
    // Everything that ends work goes on; what only makes more does not.
    for _ in 0..20 {
        settle_one(&world, &store).await.unwrap();
    }
    let filter = DeliveryFilter { state: Some(DeliveryState::Delivered), ..DeliveryFilter::default() };
    let ended = store.deliveries(&filter, Page::first(100)).await.unwrap();
    assert_eq!(ended.len(), 20);
    assert_eq!(store.replay(&[ended[0].delivery.id]).await, Err(refused));
    assert_eq!(keys(&store).await, kept);
    // Room again: no restart.
    disk.quota(1_000_000);
    assert_eq!(store.ready(Leave::NOTHING), Ok(()));
    assert_eq!(world.accept(&store, "b").await, Ok(Accepted::New { twin: None }));
    kept.insert("b".into());
    assert_eq!(keys(&store).await, kept);
}

/// The watermark cannot hold what others write: then the reserve does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_others_fill_the_disk_the_reserve_ends_what_is_under_way() {
    let (world, disk) = world(2);
    disk.quota(10_000_000);
    let store = world.open_on(Arc::new(disk.clone()));
    for n in 0..30 {
        world.accept(&store, &format!("a{n}")).await.unwrap();
    }
    disk.quota(disk.used_bytes());
    let refused = world.accept(&store, "no").await.unwrap_err();
    assert!(matches!(refused, StoreError::Full { limit: "store.free_min", .. }), "{refused}");
    for _ in 0..30 {
        settle_one(&world, &store).await.unwrap();
    }
    assert_eq!(store.stats().await.unwrap().pending, 0);
    // As little room as before is not enough: the reserve comes first.
    let full = disk.used_bytes() + LIMITS.free_min_bytes;
    disk.quota(full);
    assert_eq!(
        store.ready(Leave::NOTHING),
        Err(StoreError::Full { limit: "store.reserve", value: LIMITS.reserve_bytes })
    );
    disk.quota(full + LIMITS.reserve_bytes);
    // The one who asks sets it going; the writer makes the reserve before it takes the next command.
    let _ = store.ready(Leave::NOTHING);
    settle_something(&store).await;
    assert_eq!(store.ready(Leave::NOTHING), Ok(()));
    assert_eq!(world.accept(&store, "yes").await, Ok(Accepted::New { twin: None }));
}

/// A command that changes nothing, to be sure that the writer has been round.
async fn settle_something(store: &EmbeddedStore) {
    assert_eq!(store.release_lapsed().await, Ok(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_on_a_full_disk() {
    let (world, disk) = world(3);
    disk.quota(300_000);
    let store = world.open_on(Arc::new(disk.clone()));
    let (kept, _) = fill_up(&world, &store, "a").await;
    disk.quota(disk.used_bytes());
    let disk = disk.power_cut(9);
    let store = world.open_on(Arc::new(disk.clone()));
    assert_eq!(keys(&store).await, kept);
    assert!(matches!(store.ready(Leave::NOTHING), Err(StoreError::Full { .. })));
    for _ in 0..20 {
        settle_one(&world, &store).await.unwrap();
    }
    disk.quota(1_000_000);
    let _ = store.ready(Leave::NOTHING);
    settle_something(&store).await;
    assert_eq!(world.accept(&store, "again").await, Ok(Accepted::New { twin: None }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fills_and_empties_it_nothing_acknowledged_is_lost() {
    for seed in 0..20u64 {
        let (world, mut disk) = world(seed);
        let mut kept = BTreeSet::new();
        for run in 0..4u64 {
            let store = world.open_on(Arc::new(disk.clone()));
            assert!(kept.is_subset(&keys(&store).await), "seed {seed}, run {run}");
            // From nothing at all to a little.
            disk.quota(disk.used_bytes() + (seed * 7_919 + run * 31_337) % 250_000);
            let (more, _) = fill_up(&world, &store, &format!("{run}-")).await;
            kept.extend(more);
            while store.stats().await.unwrap().pending > 0 && settle_one(&world, &store).await.is_ok() {}
            assert!(kept.is_subset(&keys(&store).await), "seed {seed}, run {run}");
            disk = disk.power_cut(seed + run);
            disk.quota(u64::MAX);
        }
    }
}

/// The same on a real file system that is really full, where this machine allows a mount.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_file_system_that_fills_up() {
    let world = World { space: SpaceLimits { free_min_bytes: 2 << 20, reserve_bytes: 1 << 20 }, ..World::new(5) };
    let at = world.dir.path().join("small");
    std::fs::create_dir(&at).unwrap();
    let Some(_mount) = Mount::tmpfs(&at, "size=8m") else { return };
    let store = world.try_open_on(Arc::new(RealDisk), at.join("data")).unwrap();
    let (mut kept, refused) = fill_up(&world, &store, "a").await;
    assert!(matches!(refused, StoreError::Full { limit: "store.free_min", .. }), "{refused}");
    assert!(kept.len() > 100);
    // The index follows behind; the reserve is not made for all that it may have yet to take in.
    assert_eq!(keys(&store).await, kept);
    // Somebody else takes all that is left.
    let other = at.join("other");
    let taken = std::io::copy(&mut std::io::repeat(7), &mut std::fs::File::create(&other).unwrap());
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    for _ in 0..20 {
        settle_one(&world, &store).await.unwrap();
    }
    assert!(matches!(store.ready(Leave::NOTHING), Err(StoreError::Full { .. })));
    assert_eq!(keys(&store).await, kept);
    // Room for the watermark and the reserve, and it goes on.
    std::fs::remove_file(other).unwrap();
    assert!(std::process::Command::new("mount").args(["-o", "remount,size=32m"]).arg(&at).status().unwrap().success());
    let _ = store.ready(Leave::NOTHING);
    settle_something(&store).await;
    assert_eq!(store.ready(Leave::NOTHING), Ok(()));
    assert_eq!(world.accept(&store, "again").await, Ok(Accepted::New { twin: None }));
    kept.insert("again".into());
    assert_eq!(keys(&store).await, kept);
    store.close().await;
}
