//! What survives a clean restart: everything but sessions.

use hookhaven_core::{DeliveryState, ErrorClass};
use hookhaven_store::{Accepted, CatalogEntry, DeliveryFilter, EventFilter, Next, Page, Replayed, clock::Clock};

use crate::bench::*;

pub async fn everything_but_sessions_survives(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let now = clock.now();
    let (dead_event, dead_delivery) = dead(&store, "dead", now).await;
    let session = store.open_session(TTL).await.unwrap();
    accept(&store, event("delivered", now, &["billing"])).await;
    let leased = claim_one(&store, session, "billing").await;
    settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, now).await;
    accept(&store, event("retried", now, &["billing"])).await;
    let leased = claim_one(&store, session, "billing").await;
    settle(&store, session, &leased, ErrorClass::Timeout, Next::Retry { due_at: now }, now).await;
    accept(&store, event("leased", now, &["log"])).await;
    claim_one(&store, session, "log").await;
    let entry = CatalogEntry { kind: "destination-paused".into(), name: "log".into(), value: vec![1] };
    store.put_catalog(entry.clone()).await.unwrap();
    let before = store.events(&EventFilter::default(), Page::first(100)).await.unwrap();
    let attempts = store.attempts(leased.delivery.id).await.unwrap();

    let Some(store) = bench.reopen(store).await else { return };
    assert_eq!(store.events(&EventFilter::default(), Page::first(100)).await.unwrap(), before);
    assert_eq!(store.attempts(leased.delivery.id).await.unwrap(), attempts);
    assert_eq!(store.catalog("destination-paused").await.unwrap(), [entry]);
    assert_eq!(store.stats().await.unwrap().pending, 2);
    let rows = store.deliveries(&DeliveryFilter::default(), Page::first(100)).await.unwrap();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.delivery.state != DeliveryState::Leased));

    let fresh = store.open_session(TTL).await.unwrap();
    assert_ne!(fresh, session);
    let again = claim_one(&store, fresh, "billing").await;
    assert_eq!((again.delivery.id, again.attempt_number), (leased.delivery.id, 2));
    assert_eq!(&*again.event.unwrap().idempotency_key, "retried");
    assert_eq!(claim_one(&store, fresh, "log").await.attempt_number, 1);
    for key in ["delivered", "retried", "leased"] {
        assert!(matches!(accept(&store, event(key, now, &["billing"])).await, Accepted::Duplicate { .. }), "{key}");
    }
    assert_eq!(store.stats().await.unwrap().depths[0].dead_letters, 1);
    assert!(matches!(store.replay(&[dead_delivery]).await.unwrap()[0], Replayed::New(_)));
    let duplicate = Accepted::Duplicate { other_bytes: false, event: dead_event, revived: vec![] };
    assert_eq!(accept(&store, event("dead", now, &["billing"])).await, duplicate);
}
