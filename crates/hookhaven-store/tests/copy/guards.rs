//! Neither side is used by mistake: not the directory once a copy has begun, not the database before it has ended,
//! not a database that holds other data, not a directory that a gateway serves.

use hookhaven_store::{
    StoreError,
    clock::Clock,
    copy::{CopyState, Progress, copy},
    embedded::{disk::RealDisk, seal::unseal},
};

use crate::{
    bench::*,
    world::{World, picture},
};

/// A few events to copy.
async fn some(world: &World) {
    let old = world.open();
    for n in 0..30 {
        accept(&old, event(&format!("k{n}"), world.clock.now(), &["billing"])).await;
    }
    old.close().await;
}

/// Begins a copy and leaves it when the first page has gone over.
async fn begun(world: &World) {
    let (send, gone) = std::sync::mpsc::channel();
    let gone = std::sync::Mutex::new(gone);
    let tell = move |progress| {
        if matches!(progress, Progress::Events { done: 1.., .. }) {
            send.send(()).unwrap();
        }
    };
    let mut copying = Box::pin(world.copy_with(world.options(), tell));
    loop {
        let step = tokio::time::timeout(std::time::Duration::from_millis(1), &mut copying).await;
        assert!(step.is_err(), "it ended: {step:?}");
        if gone.lock().unwrap().try_recv().is_ok() {
            return;
        }
    }
}

fn refused<T>(done: Result<T, StoreError>) -> String {
    match done {
        Err(StoreError::Refused(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was not refused"),
    }
}

/// The lock is let go of a moment after an interrupted copy is.
async fn unsealed(world: &World) -> bool {
    loop {
        match unseal(&RealDisk, &world.data()) {
            Err(StoreError::Locked(_)) => tokio::task::yield_now().await,
            done => return done.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_being_copied_is_refused_and_so_is_the_database() {
    let world = World::new(1);
    some(&world).await;
    begun(&world).await;
    let why = refused(world.try_copied().await);
    assert!(why.contains("has not ended") && why.contains("hookhaven copy"), "{why}");
    let why = loop {
        match world.try_open() {
            Err(StoreError::Locked(_)) => tokio::task::yield_now().await,
            done => break refused(done),
        }
    };
    assert!(why.contains("was begun and has not ended") && why.contains("--unseal"), "{why}");
    assert_eq!(world.copy().await.unwrap().state, CopyState::Ended { resumed: true });
    let why = refused(world.try_open());
    assert!(why.contains("was copied to 127.0.0.1:") && why.contains("--unseal"), "{why}");
    world.copied().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_has_ended_is_not_made_again() {
    let world = World::new(2);
    some(&world).await;
    let first = world.copy().await.unwrap();
    let new = world.copied().await;
    accept(&new, event("later", world.clock.now(), &["billing"])).await;
    let before = picture(&*new).await;
    let again = world.copy().await.unwrap();
    assert_eq!((again.id, again.state), (first.id, CopyState::EndedBefore));
    assert_eq!(picture(&*new).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seal_can_be_broken_and_then_the_copy_is_given_up() {
    let world = World::new(3);
    some(&world).await;
    begun(&world).await;
    assert!(unsealed(&world).await);
    assert!(!unsealed(&world).await, "there is none any more");
    let old = world.open();
    accept(&old, event("gone on", world.clock.now(), &["billing"])).await;
    old.close().await;
    let why = refused(world.copy().await);
    assert!(why.contains("holds a copy of"), "{why}");
    // Somewhere else it begins anew.
    let elsewhere = world.with(hookhaven_testbed::shared().unwrap().create().unwrap());
    let copied = elsewhere.copy().await.unwrap();
    assert_eq!((copied.state, copied.counts.events), (CopyState::Ended { resumed: false }, 31));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_with_other_data_is_refused_and_the_directory_left_as_it_is() {
    let world = World::new(4);
    some(&world).await;
    let other = world.copied().await;
    accept(&other, event("other", world.clock.now(), &[])).await;
    other.close().await;
    let why = refused(world.copy().await);
    assert!(why.contains("hookhaven.events") && why.contains("no gateway has used"), "{why}");
    world.open().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_a_node_serves_is_refused() {
    let world = World::new(5);
    some(&world).await;
    let node = world.copied().await;
    node.open_session(TTL).await.unwrap();
    let why = refused(world.copy().await);
    assert!(why.contains("running node"), "{why}");
    node.close().await;
    assert_eq!(world.copy().await.unwrap().state, CopyState::Ended { resumed: false });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_to_two_places_is_refused() {
    let world = World::new(6);
    some(&world).await;
    begun(&world).await;
    let first = world.url.clone();
    let elsewhere = world.with(hookhaven_testbed::shared().unwrap().create().unwrap());
    let why = refused(elsewhere.copy().await);
    assert!(why.contains("is being copied to") && why.contains("knows nothing"), "{why}");
    let world = elsewhere.with(first);
    assert_eq!(world.copy().await.unwrap().counts.events, 30);
    let elsewhere = world.with(hookhaven_testbed::shared().unwrap().create().unwrap());
    assert!(refused(elsewhere.copy().await).contains("was copied to"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_a_gateway_serves_is_not_copied() {
    let world = World::new(7);
    some(&world).await;
    let old = world.open();
    let Err(StoreError::Locked(why)) = copy(world.options(), |_| ()).await else { panic!("copied") };
    assert!(why.contains("stop it first"), "{why}");
    old.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_put_there_shows_in_the_counts() {
    let world = World::new(8);
    some(&world).await;
    begun(&world).await;
    let sql = "INSERT INTO hookhaven.keys VALUES (gen_random_uuid(), gen_random_uuid(), now())";
    hookhaven_testbed::shared().unwrap().sql_at(&world.url, sql).unwrap();
    let copied = world.copy().await.unwrap();
    assert_eq!(copied.state, CopyState::Differs);
    let told: Vec<_> = copied.differences.iter().map(|d| (d.what, d.from, d.to)).collect();
    assert_eq!(told, [("keys", 30, 31)]);
    assert!(refused(world.try_copied().await).contains("has not ended"));
    assert!(refused(world.try_open()).contains("sealed"));
    // Put right, it ends.
    let sql = "DELETE FROM hookhaven.keys WHERE event NOT IN (SELECT id FROM hookhaven.events)";
    hookhaven_testbed::shared().unwrap().sql_at(&world.url, sql).unwrap();
    assert_eq!(world.copy().await.unwrap().state, CopyState::Ended { resumed: true });
}
