//! A copy made while the store is at work, opened as a store of its own.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hookhaven_store::{
    BackupProgress, OnBackup, Store, StoreError,
    clock::SeededEntropy,
    embedded::{EmbeddedStore, disk::RealDisk},
    memory::MemoryStore,
};

use crate::world::{DAY, World, picture};

fn silent() -> OnBackup {
    Arc::new(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_holds_everything_acknowledged_before_it() {
    let world = Arc::new(World::new(16_384));
    let store = Arc::new(world.open(Arc::new(RealDisk)));
    world.past(&store).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (acknowledged, mut seen) = tokio::sync::watch::channel(0);
    let load = tokio::spawn({
        let (world, store, stop) = (world.clone(), store.clone(), stop.clone());
        async move {
            for n in 1.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                world.accept(&store, &format!("load {n}"), &["waiting"]).await;
                acknowledged.send_replace(n);
            }
        }
    });
    seen.wait_for(|n| *n >= 100).await.unwrap();
    let before = picture(&store, "live").await;
    let at_least = *seen.borrow();
    let copy = world.dir.path().join("copies/monday");
    let progress = store.backup(&copy, silent()).await.unwrap();
    assert!(progress.bytes_done > 100 * 300 && progress.bytes_done == progress.bytes_total);
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    store.close().await;

    let restored = world.open_at(&copy, Arc::new(RealDisk));
    let mut after = picture(&restored, "live").await;
    after.depths_of(&before);
    assert_eq!(after, before);
    let keys = picture(&restored, "load").await;
    for n in 1..=at_least {
        assert!(keys.events.iter().any(|row| *row.idempotency_key == *format!("load {n}")), "load {n} is not in it");
    }
    // It is a store like any other.
    world.accept(&restored, "new", &["waiting"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_stay_until_they_are_copied() {
    let world = Arc::new(World::new(2_048));
    let store = Arc::new(world.open(Arc::new(RealDisk)));
    world.past(&store).await;
    let before = picture(&store, "live").await;
    world.clock.advance(2 * DAY);
    let copy = world.dir.path().join("copy");
    let once = AtomicBool::new(false);
    let (runtime, retaining, moved) = (tokio::runtime::Handle::current(), store.clone(), world.clone());
    let progress = move |_: BackupProgress| {
        if !once.swap(true, Ordering::Relaxed) {
            let retained = runtime.block_on(moved.retain(&retaining)).unwrap();
            assert_eq!(retained.segments, 0);
        }
    };
    store.backup(&copy, Arc::new(progress)).await.unwrap();
    assert!(world.retain(&store).await.unwrap().segments > 3);
    assert_eq!(picture(&store, "live").await, before);
    let restored: EmbeddedStore = world.open_at(&copy, Arc::new(RealDisk));
    assert_eq!(picture(&restored, "live").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_with_something_in_it_is_refused() {
    let world = World::new(16_384);
    let store = world.open(Arc::new(RealDisk));
    let dir = world.dir.path().join("mine");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("notes"), "mine").unwrap();
    let refused = store.backup(&dir, silent()).await;
    assert!(matches!(&refused, Err(StoreError::Refused(why)) if why.contains("not empty")), "{refused:?}");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    let memory = MemoryStore::new(Arc::new(world.clock.clone()), Arc::new(SeededEntropy::new(1)));
    let refused = memory.backup(&world.dir.path().join("x"), silent()).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
}
