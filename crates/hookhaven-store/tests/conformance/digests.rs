//! Digests of bodies: the same id with other bytes, the same bytes under another id.

use std::time::Duration;

use hookhaven_core::event::BodyDigest;
use hookhaven_store::{Accepted, EventFilter, NewEvent, Page, clock::Clock};

use crate::bench::*;

fn with_body(bench: &dyn Bench, key: &str, body: &str, watched: bool) -> NewEvent {
    let mut new = event(key, bench.clock().now(), &["billing"]);
    new.event.body = body.to_owned().into();
    new.event.digest = Some(BodyDigest::of(body.as_bytes(), watched));
    new
}

pub async fn other_bytes_under_a_signed_id_are_told(bench: &dyn Bench) {
    let store = bench.open().await;
    let first = with_body(bench, "k", "one", false);
    let id = first.event.id;
    accept(&store, first).await;
    for (body, other_bytes) in [("one", false), ("two", true)] {
        let again = accept(&store, with_body(bench, "k", body, false)).await;
        assert_eq!(again, Accepted::Duplicate { event: id, revived: vec![], other_bytes });
    }
    assert_eq!(accept(&store, with_body(bench, "other", "one", false)).await, Accepted::New { twin: None });
}

pub async fn other_bytes_under_an_unsigned_id_are_an_event(bench: &dyn Bench) {
    let mut store = bench.open().await;
    let (first, second) = (with_body(bench, "k", "one", true), with_body(bench, "k", "two", true));
    let ids = [first.event.id, second.event.id];
    assert_eq!(accept(&store, first).await, Accepted::New { twin: None });
    assert_eq!(accept(&store, second).await, Accepted::New { twin: None });
    for reopened in [false, true] {
        if reopened {
            match bench.reopen(store.clone()).await {
                Some(again) => store = again,
                None => break,
            }
        }
        for (body, event) in [("one", ids[0]), ("two", ids[1])] {
            let again = accept(&store, with_body(bench, "k", body, true)).await;
            assert_eq!(again, Accepted::Duplicate { event, revived: vec![], other_bytes: false }, "{body}");
        }
    }
    let rows = store.events(&EventFilter::default(), Page::first(10)).await.unwrap();
    let keys: Vec<_> = rows.iter().map(|row| &*row.idempotency_key).collect();
    assert_eq!(keys.len(), 2);
    assert!(keys.contains(&"k") && keys.iter().any(|key| key.starts_with("k body:")), "{keys:?}");
}

pub async fn the_same_bytes_under_another_id_are_told_or_refused(bench: &dyn Bench) {
    let store = bench.open().await;
    let first = with_body(bench, "k", "one", true);
    let twin = first.event.id;
    accept(&store, first).await;
    assert_eq!(accept(&store, with_body(bench, "k2", "one", true)).await, Accepted::New { twin: Some(twin) });
    let mut refusing = with_body(bench, "k3", "one", true);
    refusing.refuses_replay = true;
    assert!(matches!(accept(&store, refusing).await, Accepted::Refused { .. }));
    let mut redelivered = with_body(bench, "k", "one", true);
    redelivered.refuses_replay = true;
    assert!(matches!(accept(&store, redelivered).await, Accepted::Duplicate { other_bytes: false, .. }));
    assert_eq!(store.events(&EventFilter::default(), Page::first(10)).await.unwrap().len(), 2);
}

pub async fn bytes_are_forgotten_after_the_window(bench: &dyn Bench) {
    let store = bench.open().await;
    accept(&store, with_body(bench, "k", "one", true)).await;
    bench.clock().advance(Duration::from_secs(7 * 24 * 3600));
    assert_eq!(accept(&store, with_body(bench, "k2", "one", true)).await, Accepted::New { twin: None });
}

pub async fn one_id_with_two_bodies_at_once(bench: &dyn Bench) {
    let store = bench.open().await;
    let post = |n: usize| {
        let (store, new) =
            (store.clone(), with_body(bench, "k", if n.is_multiple_of(2) { "one" } else { "two" }, true));
        tokio::spawn(async move { accept(&store, new).await })
    };
    let tasks: Vec<_> = (0..40).map(post).collect();
    let mut new = 0;
    for task in tasks {
        new += usize::from(matches!(task.await.unwrap(), Accepted::New { .. }));
    }
    assert_eq!(new, 2);
}
