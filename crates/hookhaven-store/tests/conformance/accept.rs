//! Accepting: one event per key, whole or not at all.

use std::time::Duration;

use bytes::Bytes;
use hookhaven_store::{Accepted, EventFilter, Leave, Page, StoreError, clock::Clock};

use crate::bench::*;

pub async fn new_and_duplicate(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let first = event("k", now, &["billing"]);
    let id = first.event.id;
    assert_eq!(accept(&store, first).await, Accepted::New { twin: None });
    let again = accept(&store, event("k", now, &["billing"])).await;
    assert_eq!(again, Accepted::Duplicate { other_bytes: false, event: id, revived: vec![] });
    assert_eq!(store.events(&EventFilter::default(), Page::first(10)).await.unwrap().len(), 1);
    assert_eq!(store.stats().await.unwrap().pending, 1);
}

pub async fn same_key_many_times_at_once(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { accept(&store, event("k", now, &["billing"])).await })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += usize::from(task.await.unwrap() == Accepted::New { twin: None });
    }
    assert_eq!(new, 1);
    let session = store.open_session(TTL).await.unwrap();
    assert_eq!(claim(&store, session, "billing", 10).await.len(), 1);
}

pub async fn two_sources_may_share_a_key(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let mut other = event("k", now, &["billing"]);
    other.event.source = "github".into();
    assert_eq!(accept(&store, event("k", now, &["billing"])).await, Accepted::New { twin: None });
    assert_eq!(accept(&store, other).await, Accepted::New { twin: None });
}

pub async fn a_key_is_forgotten_after_its_window(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let window = Duration::from_secs(600);
    let with_window = |now| {
        let mut new = event("k", now, &["billing"]);
        new.key_until = now.plus(window);
        new
    };
    assert_eq!(accept(&store, with_window(clock.now())).await, Accepted::New { twin: None });
    clock.advance(window - Duration::from_secs(1));
    assert!(matches!(accept(&store, with_window(clock.now())).await, Accepted::Duplicate { .. }));
    clock.advance(Duration::from_secs(1));
    assert_eq!(accept(&store, with_window(clock.now())).await, Accepted::New { twin: None });
    assert!(matches!(accept(&store, with_window(clock.now())).await, Accepted::Duplicate { .. }));
}

pub async fn unrouted_events_are_kept(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let lost = event("unrouted", now, &[]);
    let id = lost.event.id;
    accept(&store, lost).await;
    accept(&store, event("routed", now, &["billing"])).await;
    let filter = EventFilter { unrouted: true, ..EventFilter::default() };
    let rows = store.events(&filter, Page::first(10)).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.id, row.deliveries)).collect::<Vec<_>>(), [(id, 0)]);
}

pub async fn nothing_beyond_pending_max(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let many: Vec<_> = (0..PENDING_MAX).map(|n| event(&format!("k{n}"), now, &["billing"])).collect();
    store.accept(many).await.unwrap();
    let refused = store.accept(vec![event("one too many", now, &["billing"])]).await;
    let full = StoreError::Full { limit: "store.pending_max", value: PENDING_MAX };
    assert_eq!(refused, Err(full.clone()));
    assert_eq!(store.ready(Leave::NOTHING), Err(full));
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    settle(&store, session, &leased, hookhaven_core::ErrorClass::Ok, hookhaven_store::Next::Delivered, now).await;
    assert_eq!(store.ready(Leave::NOTHING), Ok(()));
    assert_eq!(accept(&store, event("one too many", now, &["billing"])).await, Accepted::New { twin: None });
}

pub async fn bytes_come_back_as_they_came(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let mut new = event("k", now, &["billing"]);
    new.event.body = (0..=255u8).cycle().take(100_000).collect::<Vec<_>>().into();
    new.event.headers.push(("x-odd".into(), Bytes::from_static(b"\xfe\xff \t")));
    new.event.headers.push(("x-odd".into(), Bytes::from_static(b"twice")));
    // JSON may put any character into a type or a key.
    new.event.event_type = "invoice\0paid\u{1}".into();
    new.event.idempotency_key = "\0".into();
    let sent = new.event.clone();
    accept(&store, new).await;
    assert_eq!(*store.event(sent.id).await.unwrap().unwrap(), sent);
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(&store, session, "billing").await;
    assert_eq!(*leased.event.unwrap(), sent);
}
