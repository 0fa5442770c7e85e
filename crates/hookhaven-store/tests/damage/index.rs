//! An index that is gone, damaged, old or ahead: it is made again, and is the same.

use std::path::Path;

use hookhaven_store::{
    Accepted, EventFilter, Page, Store, StoreError,
    embedded::{EmbeddedStore, disk::ReadOnlyDisk, doctor},
};

use crate::world::{World, dump, listed, overwrite};

async fn filled(world: &World) {
    let store = world.open();
    world.fill(&store).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_again_from_the_journal_alone_it_equals_the_old_one() {
    let world = World::new(1);
    filled(&world).await;
    let store = world.open();
    // Over several runs, so that it grew in transactions of other cuts than the new one will.
    world.accept(&store, "one more").await.unwrap();
    store.close().await;
    let old = dump(&world.index());
    assert!(old.len() > 120, "{} rows", old.len());
    let mut told = Vec::new();
    let entropy = world.entropy.clone();
    let disk = std::sync::Arc::new(hookhaven_store::embedded::disk::RealDisk);
    let made =
        hookhaven_store::embedded::reindex(disk, &world.data(), entropy, false, |done, of| told.push((done, of)));
    let made = made.unwrap();
    assert_eq!((made.events, made.damages.len()), (41, 0));
    assert_eq!(told.last().unwrap(), &(made.journal_bytes, made.journal_bytes));
    assert_eq!(dump(&world.index()), old);
    let files: Vec<_> = std::fs::read_dir(world.data()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| !name.to_string_lossy().contains("new")), "{files:?}");
}

/// Asks until the store has noticed and opened itself again.
async fn listed_in_the_end(store: &EmbeddedStore) -> usize {
    let wake = store.wake();
    for _ in 0..10 {
        let opened = wake.notified();
        match store.events(&EventFilter::default(), Page::first(1_000)).await {
            Ok(rows) => return rows.len(),
            Err(StoreError::Failed(_) | StoreError::Unavailable(_)) => opened.await,
            Err(e) => panic!("{e}"),
        }
    }
    panic!("it does not mend itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_it_the_next_start_has_all() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("deleted", |path| std::fs::remove_file(path).unwrap()),
        ("header", |path| overwrite(path, 0, &[7; 100])),
        ("the second page", |path| overwrite(path, 4_096, &[0; 4_096])),
        ("middle pages", |path| {
            let middle = std::fs::metadata(path).unwrap().len() / 2 / 4_096 * 4_096;
            overwrite(path, middle, &[0; 8_192]);
        }),
        ("the last pages", |path| {
            let end = std::fs::metadata(path).unwrap().len();
            overwrite(path, end - 16_384, &[0xff; 16_384]);
        }),
    ];
    for (what, damage) in damages {
        let world = World::new(1);
        filled(&world).await;
        damage(&world.index());
        let report = world.doctor();
        assert!(report.findings.is_empty(), "{what}: the journal is whole");
        assert_eq!(report.is_sound(), what == "deleted", "{what}: {:?}", report.index);
        let store = world.open();
        assert_eq!(listed_in_the_end(&store).await, 40, "{what}");
        assert!(matches!(world.accept(&store, "k7").await, Ok(Accepted::Duplicate { .. })), "{what}");
        assert_eq!(store.stats().await.unwrap().pending, 26, "{what}");
        store.close().await;
        // Whether it was noticed in time or not, this makes it right.
        world.reindex(false).unwrap();
        assert!(world.doctor().is_sound(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_older_than_the_journal_catches_up() {
    let world = World::new(1);
    filled(&world).await;
    let old = std::fs::read(world.index()).unwrap();
    let store = world.open();
    for n in 0..20 {
        world.accept(&store, &format!("later {n}")).await.unwrap();
    }
    let events = listed(&store).await;
    store.close().await;
    let expected = dump(&world.index());
    std::fs::write(world.index(), old).unwrap();
    let report = world.doctor();
    let doctor::IndexState::Read(facts) = &report.index else { panic!("{:?}", report.index) };
    assert!(report.is_sound() && facts.behind_frames == 20 && facts.events == 40, "{facts:?}");
    let store = world.open();
    assert_eq!(listed(&store).await, events);
    store.close().await;
    assert_eq!(dump(&world.index()), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_ahead_of_its_journal_names_what_is_gone() {
    let world = World::new(1);
    let store = world.open();
    world.accept(&store, "kept").await.unwrap();
    store.close().await;
    let older = std::fs::read(world.segment(1)).unwrap();
    let store = world.open();
    world.accept(&store, "gone").await.unwrap();
    let gone = listed(&store).await["gone"];
    store.close().await;
    std::fs::write(world.segment(1), &older).unwrap();
    let report = world.doctor();
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert_eq!(report.findings[0].damage.offset, older.len() as u64);
    assert_eq!(report.findings[0].events[0].id, gone);
    let store = world.open();
    assert_eq!(listed(&store).await.into_keys().collect::<Vec<_>>(), ["kept"]);
    assert!(store.stats().await.unwrap().damage[0].contains(&gone.to_string()));
    assert_eq!(world.accept(&store, "gone").await, Ok(Accepted::New { twin: None }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_waits_for_no_gateway_and_makes_nothing() {
    let world = World::new(1);
    let store = world.open();
    let looking = || doctor::examine(std::sync::Arc::new(ReadOnlyDisk), &world.data(), |_, _| {});
    assert!(matches!(looking(), Err(StoreError::Locked(_))));
    store.close().await;
    assert!(looking().is_ok());
    let empty = tempfile::tempdir().unwrap();
    let told = doctor::examine(std::sync::Arc::new(ReadOnlyDisk), empty.path(), |_, _| {});
    assert!(matches!(told, Err(StoreError::Failed(_))), "{told:?}");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}
