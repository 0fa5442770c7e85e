//! A crash at each step of retention, and the index made anew afterwards: the state is the same.

use std::sync::Arc;

use hookhaven_store::{
    Accepted, DeliveryFilter, Next, Page, Store,
    embedded::disk::{RealDisk, SimDisk},
};

use crate::world::{DAY, Picture, World, picture};

/// Retention that dies at the `n`th change it makes to the disk; `false` if it did not come to that.
async fn dies_at(n: u32) -> bool {
    let world = World::new(2_048);
    let disk = SimDisk::new(u64::from(n), world.dir.path());
    let store = world.open(Arc::new(disk.clone()));
    world.past(&store).await;
    let before = picture(&store, "live").await;
    assert_eq!((before.events.len(), before.deliveries.len()), (3, 4));
    let segments = store.stats().await.unwrap().segments;
    world.clock.advance(2 * DAY);

    disk.stop_after(n);
    let died = world.retain(&store).await.is_err();
    drop(store);
    let disk = if n.is_multiple_of(2) { disk.power_cut(u64::from(n)) } else { disk.kill() };
    // The index is gone with the process: all of this is what the journal says.
    let store = world.open(Arc::new(disk.clone()));
    assert_eq!(picture(&store, "live").await, before, "died at change {n}");
    for key in ["over 3", "live fresh"] {
        let again = store.accept(vec![world.event(key, &[])]).await.unwrap();
        assert!(matches!(again[0], Accepted::Duplicate { .. }), "{key}, died at change {n}");
    }
    world.retain(&store).await.unwrap();
    assert_eq!(picture(&store, "live").await, before, "went on after change {n}");
    assert!(picture(&store, "over").await.events.is_empty(), "went on after change {n}");
    assert!(store.stats().await.unwrap().segments < segments, "went on after change {n}");
    drop(store);
    let store = world.open(Arc::new(disk.kill()));
    assert_eq!(picture(&store, "live").await, before, "opened again after change {n}");
    assert!(picture(&store, "over").await.events.is_empty(), "opened again after change {n}");
    let again = store.accept(vec![world.event("over 4", &[])]).await.unwrap();
    assert!(matches!(again[0], Accepted::Duplicate { .. }), "a key of after change {n}");
    died
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_step_changes_nothing_that_lives() {
    let mut n = 0;
    while dies_at(n).await {
        n += 1;
    }
    assert!(n > 20, "only {n} steps");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_made_anew_equals_the_old_one() {
    let world = World::new(2_048);
    let mut store = world.open(Arc::new(RealDisk));
    for part in [".a", ".b", ".c"] {
        world.past_of(&store, part).await;
        world.clock.advance(2 * DAY);
        world.retain(&store).await.unwrap();
    }
    let pictures = async |store: &_| -> Picture { picture(store, "").await };
    let old = pictures(&store).await;
    assert_eq!(old.events.len(), 9);
    store.close().await;
    std::fs::remove_file(world.data().join("index.sqlite")).unwrap();
    store = world.open(Arc::new(RealDisk));
    assert_eq!(pictures(&store).await, old);
}

/// A replay's record may lie in a younger segment than the event it is of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_gone_with_its_event_though_its_record_stays() {
    let world = World::new(2_048);
    let disk = SimDisk::new(1, world.dir.path());
    let store = world.open(Arc::new(disk.clone()));
    world.accept(&store, "over", &["fast"]).await;
    let delivered = world.attempt(&store, "fast", Next::Delivered).await;
    for n in 0..12 {
        world.accept(&store, &format!("old {n}"), &[]).await;
    }
    world.clock.advance(DAY * 3 / 4);
    store.replay(&delivered).await.unwrap();
    let replayed = world.attempt(&store, "fast", Next::Delivered).await;
    world.clock.advance(DAY / 2);
    assert!(world.retain(&store).await.unwrap().segments > 0);
    assert_eq!(store.delivery(replayed[0]).await.unwrap(), None);
    drop(store);
    let store = world.open(Arc::new(disk.kill()));
    let rows = store.deliveries(&DeliveryFilter::default(), Page::first(10)).await.unwrap();
    assert!(rows.is_empty(), "{rows:?}");
}
