//! Requests that hold several events: one commit, their bytes kept once.

use bytes::Bytes;
use hookhaven_core::event::{BodyDigest, Part};
use hookhaven_store::{Accepted, EventFilter, NewEvent, Page, StoreError, clock::Clock};

use crate::bench::*;

/// The items of a JSON array, each an event.
fn parts(bench: &dyn Bench, keys: &[&str], destinations: &[&str]) -> (Bytes, Vec<NewEvent>) {
    let items: Vec<_> = keys.iter().enumerate().map(|(n, key)| format!("{{\"id\":\"{key}\",\"n\":{n}}}")).collect();
    let whole = Bytes::from(format!("[{}]", items.join(",")));
    let mut from = 1;
    let part = |(n, key): (usize, &&str)| {
        let mut new = event(key, bench.clock().now(), destinations);
        new.event.body = whole.slice(from..from + items[n].len());
        from += items[n].len() + 1;
        new.event.part = Some(Part { number: n as u32 + 1, of: keys.len() as u32, whole: Some(whole.clone()) });
        new
    };
    let all = keys.iter().enumerate().map(part).collect();
    (whole, all)
}

pub async fn each_part_is_an_event(bench: &dyn Bench) {
    let mut store = bench.open().await;
    let (whole, new) = parts(bench, &["a", "b", "c"], &["billing", "crm"]);
    let sent: Vec<_> = new.iter().map(|new| new.event.clone()).collect();
    let accepted = store.accept_together(new).await.unwrap();
    assert_eq!(accepted, vec![Accepted::New { twin: None }; 3]);
    assert_eq!(store.stats().await.unwrap().pending, 6);
    let session = store.open_session(TTL).await.unwrap();
    for leased in claim(&store, session, "billing", 10).await {
        let event = leased.event.unwrap();
        assert!(sent.contains(&event), "{event:?}");
    }
    for reopened in [false, true] {
        if reopened {
            match bench.reopen(store.clone()).await {
                Some(again) => store = again,
                None => break,
            }
        }
        for event in &sent {
            let found = store.event(event.id).await.unwrap().unwrap();
            assert_eq!(*found, *event);
            assert_eq!(found.part.as_ref().unwrap().whole.as_ref(), Some(&whole));
        }
    }
    let rows = store.events(&EventFilter::default(), Page::first(10)).await.unwrap();
    let mut sizes: Vec<_> = rows.iter().map(|row| row.body_bytes).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, vec![sent[0].body.len() as u64; 3]);
}

pub async fn parts_that_are_known_are_duplicates(bench: &dyn Bench) {
    let store = bench.open().await;
    let (_, new) = parts(bench, &["a", "b"], &["billing"]);
    let ids: Vec<_> = new.iter().map(|new| new.event.id).collect();
    store.accept_together(new).await.unwrap();
    let (_, again) = parts(bench, &["b", "c", "c", "a"], &["billing"]);
    let third = again[1].event.id;
    let accepted = store.accept_together(again).await.unwrap();
    let duplicate = |event| Accepted::Duplicate { event, revived: vec![], other_bytes: false };
    let expected = vec![duplicate(ids[1]), Accepted::New { twin: None }, duplicate(third), duplicate(ids[0])];
    assert_eq!(accepted, expected);
    assert_eq!(store.stats().await.unwrap().pending, 3);
    let found = store.event(third).await.unwrap().unwrap();
    assert_eq!(found.body, "{\"id\":\"c\",\"n\":1}", "though the first part was not stored");
}

pub async fn all_parts_or_none(bench: &dyn Bench) {
    let (store, now) = (bench.open().await, bench.clock().now());
    let many: Vec<_> = (0..PENDING_MAX - 2).map(|n| event(&format!("k{n}"), now, &["billing"])).collect();
    store.accept(many).await.unwrap();
    let (_, new) = parts(bench, &["a", "b", "c"], &["billing"]);
    let refused = store.accept_together(new).await;
    assert_eq!(refused, Err(StoreError::Full { limit: "store.pending_max", value: PENDING_MAX }));
    let (_, fits) = parts(bench, &["a", "b"], &["billing"]);
    assert_eq!(store.accept_together(fits).await.unwrap(), vec![Accepted::New { twin: None }; 2]);
}

pub async fn the_same_request_many_times_at_once(bench: &dyn Bench) {
    let store = bench.open().await;
    let post = |_| {
        let (store, (_, new)) = (store.clone(), parts(bench, &["a", "b", "c"], &["billing"]));
        tokio::spawn(async move { store.accept_together(new).await.unwrap() })
    };
    let tasks: Vec<_> = (0..20).map(post).collect();
    let mut new = 0;
    for task in tasks {
        new += task.await.unwrap().iter().filter(|a| matches!(a, Accepted::New { .. })).count();
    }
    assert_eq!(new, 3);
    assert_eq!(store.stats().await.unwrap().pending, 3);
}

pub async fn parts_that_are_alike_are_told_apart_by_their_ids(bench: &dyn Bench) {
    let store = bench.open().await;
    let (_, mut new) = parts(bench, &["a", "b"], &["billing"]);
    for one in &mut new {
        one.event.digest = Some(BodyDigest { bytes: [7; 16], watched: true });
    }
    assert_eq!(store.accept_together(new).await.unwrap(), vec![Accepted::New { twin: None }; 2]);
}
