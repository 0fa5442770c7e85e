//! The catalog: small things people switch.

use hookhaven_store::CatalogEntry;

use crate::bench::*;

pub async fn entries_are_kept_and_removed(bench: &dyn Bench) {
    let store = bench.open().await;
    let entry = |kind: &str, name: &str, value: &str| CatalogEntry {
        kind: kind.into(),
        name: name.into(),
        value: value.into(),
    };
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
