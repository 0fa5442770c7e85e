//! Where faults strike, how often, and where calls are held.

use hookhaven_core::Time;

use super::*;
use crate::{
    clock::{ManualClock, SeededEntropy},
    memory::MemoryStore,
};

fn faulty() -> Arc<Faulty> {
    let clock = Arc::new(ManualClock::at(Time::from_s(1_790_000_000)));
    Arc::new(Faulty::over(Arc::new(MemoryStore::new(clock, Arc::new(SeededEntropy::new(1))))))
}

fn entry() -> CatalogEntry {
    CatalogEntry { kind: "k".into(), name: "n".into(), value: vec![] }
}

fn disk() -> StoreError {
    StoreError::Unavailable("disk".into())
}

#[tokio::test]
async fn a_failure_before_does_nothing_and_one_after_is_not_told_what_it_did() {
    let store = faulty();
    store.fail(Verb::PutCatalog, When::Before, disk(), 1);
    assert_eq!(store.put_catalog(entry()).await, Err(disk()));
    assert_eq!(store.catalog("k").await.unwrap(), []);
    store.fail(Verb::PutCatalog, When::After, disk(), 1);
    assert_eq!(store.put_catalog(entry()).await, Err(disk()));
    assert_eq!(store.catalog("k").await.unwrap(), [entry()]);
    assert_eq!(store.put_catalog(entry()).await, Ok(()));
}

#[tokio::test]
async fn it_fails_as_often_as_it_was_told() {
    let store = faulty();
    store.fail(Verb::Ready, When::Before, disk(), 2);
    assert_eq!([0; 3].map(|_| store.ready(Leave::NOTHING)), [Err(disk()), Err(disk()), Ok(())]);
    store.fail(Verb::Ready, When::Before, disk(), usize::MAX);
    assert_eq!(store.ready(Leave::NOTHING), Err(disk()));
    store.mend();
    assert_eq!(store.ready(Leave::NOTHING), Ok(()));
}

#[tokio::test]
async fn held_calls_wait_where_they_were_held() {
    let store = faulty();
    for (when, kept) in [(When::Before, 0), (When::After, 1)] {
        let held = store.hold(Verb::PutCatalog, when);
        let putting = tokio::spawn({
            let store = store.clone();
            async move { store.put_catalog(entry()).await }
        });
        held.reached(1).await;
        assert_eq!(store.catalog("k").await.unwrap().len(), kept);
        assert!(!putting.is_finished());
        held.release();
        assert_eq!(putting.await.unwrap(), Ok(()));
        store.delete_catalog("k", "n").await.unwrap();
    }
}
