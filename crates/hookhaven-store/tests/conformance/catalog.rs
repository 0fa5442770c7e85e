//! The catalog: small things people switch.

use futures_util::future::join_all;
use hookhaven_store::CatalogEntry;

use crate::bench::*;

fn entry(kind: &str, name: &str, value: &str) -> CatalogEntry {
    CatalogEntry { kind: kind.into(), name: name.into(), value: value.into() }
}

pub async fn entries_are_kept_and_removed(bench: &dyn Bench) {
    let store = bench.open().await;
    store.put_catalog(entry("destination-paused", "b", "1")).await.unwrap();
    store.put_catalog(entry("destination-paused", "a", "1")).await.unwrap();
    store.put_catalog(entry("destination-paused", "a", "2")).await.unwrap();
    store.put_catalog(entry("destination-paused-not", "z", "9")).await.unwrap();
    let both = [entry("destination-paused", "a", "2"), entry("destination-paused", "b", "1")];
    assert_eq!(store.catalog("destination-paused").await.unwrap(), both);
    store.delete_catalog("destination-paused", "a").await.unwrap();
    store.delete_catalog("destination-paused", "nobody").await.unwrap();
    assert_eq!(store.catalog("destination-paused").await.unwrap(), both[1..]);
}

pub async fn of_those_who_add_the_first_stands(bench: &dyn Bench) {
    let store = bench.open().await;
    let values: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let told = join_all(values.iter().map(|value| store.add_catalog(entry("key", "one", value)))).await;
    let told: Vec<CatalogEntry> = told.into_iter().map(Result::unwrap).collect();
    let stands = store.catalog("key").await.unwrap();
    assert_eq!(stands.len(), 1);
    assert!(told.iter().all(|one| *one == stands[0]), "{told:?}");
    store.put_catalog(entry("key", "one", "other")).await.unwrap();
    assert_eq!(store.add_catalog(stands[0].clone()).await.unwrap(), entry("key", "one", "other"), "it only adds");
    store.delete_catalog("key", "one").await.unwrap();
    assert_eq!(store.add_catalog(stands[0].clone()).await.unwrap(), stands[0]);
}
