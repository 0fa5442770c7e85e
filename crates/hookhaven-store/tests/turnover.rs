//! Retention that turns over many times, beside load: what is on disk and what is open stay bounded. Alone
//! in its process, since it counts the files that the process has open.
#![allow(clippy::unwrap_used)]

#[path = "retention/world.rs"]
#[expect(dead_code, reason = "the cases of retention use more of it")]
mod world;

use std::sync::Arc;

use hookhaven_store::{Next, Stats, Store, embedded::disk::RealDisk};
use world::{DAY, World, picture};

const ROUNDS: usize = 12;
const EVENTS: usize = 400;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn move_log(index: &std::path::Path) {
    let connection = rusqlite::Connection::open(index).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_and_files_stay_bounded_over_many_turns() {
    let world = Arc::new(World::new(64 << 10));
    let store = Arc::new(world.open(Arc::new(RealDisk)));
    let live = world.accept(&store, "live", &["waiting"]).await;
    let mut seen: Vec<(Stats, usize)> = vec![];
    for round in 0..ROUNDS {
        let load = tokio::spawn({
            let (world, store) = (world.clone(), store.clone());
            async move {
                for n in 0..EVENTS {
                    world.accept(&store, &format!("{round}.{n}"), &["fast"]).await;
                }
                world.attempt(&store, "fast", Next::Delivered).await;
            }
        });
        // Beside the load: what is older than a day goes.
        let retained = world.retain(&store).await.unwrap();
        load.await.unwrap();
        if round > 1 {
            assert!(retained.segments > 1, "round {round}: {retained:?}");
        }
        world.clock.advance(2 * DAY);
        // A list waits for the index; then what stands in its log, which has a bound of its own, moves into it.
        picture(&store, "live").await;
        move_log(&world.data().join("index.sqlite"));
        seen.push((store.stats().await.unwrap(), open_files()));
    }
    let early = &seen[4];
    for (round, (stats, files)) in seen.iter().enumerate().skip(5) {
        let bound = |name: &str, now: u64, then: u64| {
            assert!(now <= then + then / 2, "round {round}: {name} grew from {then} to {now}");
        };
        bound("the journal", stats.journal_bytes, early.0.journal_bytes);
        bound("the index", stats.index_bytes, early.0.index_bytes);
        bound("the number of segments", stats.segments, early.0.segments);
        bound("the number of open files", *files as u64, early.1 as u64);
    }
    let kept = picture(&store, "live").await;
    assert_eq!(kept.events[0].id, live);
    assert_eq!(store.stats().await.unwrap().pending, 1);
}
