//! Ids, bytes and requests of several events, with several nodes and over time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    EndReason, ErrorClass, EventId, Time,
    event::{BodyDigest, Part},
};
use hookhaven_store::{Accepted, NewEvent, Next, Retention, Store, clock::Clock};

use crate::{bench::*, world};

const ROUNDS: usize = 20;
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn watched(now: Time, key: &str, body: &str) -> NewEvent {
    let mut new = event(key, now, &["billing"]);
    new.event.body = body.to_owned().into();
    new.event.digest = Some(BodyDigest::of(body.as_bytes(), true));
    new
}

/// Posts each to one of the nodes, all at once.
async fn at_once(nodes: &[Arc<dyn Store>], all: Vec<NewEvent>) -> Vec<(EventId, Accepted)> {
    let post = |(n, new): (usize, NewEvent)| {
        let (store, id) = (nodes[n % nodes.len()].clone(), new.event.id);
        tokio::spawn(async move { (id, accept(&store, new).await) })
    };
    let tasks: Vec<_> = all.into_iter().enumerate().map(post).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn stored(answers: &[(EventId, Accepted)]) -> usize {
    answers.iter().filter(|(_, answer)| matches!(answer, Accepted::New { .. })).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsigned_id_is_as_many_events_as_it_has_bodies_whichever_node_it_comes_to() {
    let (url, clock) = (world::database(), world::clock());
    let nodes = [world::node(&url, &clock).await, world::node(&url, &clock).await];
    for round in 0..ROUNDS {
        let body = |n: usize| format!("{round} {}", n % 3);
        let all = (0..12).map(|n| watched(clock.now(), &format!("k{round}"), &body(n))).collect();
        let answers = at_once(&nodes, all).await;
        assert_eq!(stored(&answers), 3, "{answers:?}");
        for (_, answer) in answers {
            assert!(!matches!(answer, Accepted::Duplicate { other_bytes: true, .. }), "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_replays_that_are_refused_one_is_stored_whichever_node_they_come_to() {
    let (url, clock) = (world::database(), world::clock());
    let nodes = [world::node(&url, &clock).await, world::node(&url, &clock).await];
    for round in 0..ROUNDS {
        let posted = |n| {
            let new = watched(clock.now(), &format!("{round} id {n}"), &format!("body {round}"));
            NewEvent { refuses_replay: true, ..new }
        };
        let answers = at_once(&nodes, (0..8).map(posted).collect()).await;
        let first = answers.iter().find(|(_, answer)| matches!(answer, Accepted::New { twin: None })).unwrap().0;
        let refused = answers.iter().filter(|(_, answer)| *answer == Accepted::Refused { twin: first }).count();
        assert_eq!((stored(&answers), refused), (1, 7), "{answers:?}");
        // Its own sender comes again, and the refused id is free.
        let again = accept(&nodes[0], posted(3)).await;
        let ours = answers[3].0 == first;
        assert_eq!(matches!(again, Accepted::Duplicate { .. }), ours, "{again:?}");
    }
}

fn request(now: Time, count: usize) -> (Bytes, Vec<NewEvent>) {
    let items: Vec<_> = (0..count).map(|n| format!("{:x?} {n}", unique())).collect();
    let whole = Bytes::from(items.join(","));
    let mut from = 0;
    let part = |(n, item): (usize, &String)| {
        let mut new = event(item, now, &["billing"]);
        new.event.body = whole.slice(from..from + item.len());
        from += item.len() + 1;
        new.event.part = Some(Part { number: n as u32 + 1, of: count as u32, whole: Some(whole.clone()) });
        new
    };
    let all = items.iter().enumerate().map(part).collect();
    (whole, all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bytes_of_a_request_are_kept_once_and_outlive_the_part_that_holds_them() {
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    let (whole, all) = request(clock.now(), 5);
    let sent: Vec<_> = all.iter().map(|new| new.event.clone()).collect();
    store.accept_together(all).await.unwrap();
    let kept = "SELECT sum(octet_length(body)) FROM hookhaven.events";
    let databases = hookhaven_testbed::shared().unwrap();
    assert_eq!(databases.sql_at(&url, kept).unwrap(), whole.len().to_string());
    // Three of them are over, the first too, and their day goes: nothing is left of the others' bytes but theirs.
    let session = store.open_session(9 * DAY).await.unwrap();
    for leased in claim(&store, session, "billing", 5).await {
        let next = match sent.iter().position(|event| event.id == leased.delivery.event) {
            Some(2 | 4) => Next::Dead(EndReason::Exhausted),
            _ => Next::Delivered,
        };
        settle(&store, session, &leased, ErrorClass::Timeout, next, clock.now()).await;
    }
    clock.advance(2 * DAY);
    let retention = Retention { before: clock.now().minus(DAY), dead_before: None };
    while store.retain(retention).await.unwrap().more {}
    for (n, event) in sent.iter().enumerate() {
        let found = store.event(event.id).await.unwrap();
        let mut kept = event.clone();
        kept.part = event.part.clone().map(|part| Part { whole: None, ..part });
        assert_eq!(found.as_deref(), matches!(n, 2 | 4).then_some(&kept), "part {n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_posted_is_readable_for_nodes_that_know_nothing_of_digests() {
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    let mut plain = event("plain", clock.now(), &["billing"]);
    accept(&store, plain.clone()).await;
    plain.event.id = EventId::mint(clock.now(), unique());
    plain.event.idempotency_key = "digested".into();
    plain.event.digest = Some(BodyDigest::of(&plain.event.body, false));
    plain.deliveries.clear();
    accept(&store, plain.clone()).await;
    let heads = "SELECT count(DISTINCT head) FROM hookhaven.events";
    assert_eq!(hookhaven_testbed::shared().unwrap().sql_at(&url, heads).unwrap(), "1");
    assert_eq!(*store.event(plain.event.id).await.unwrap().unwrap(), plain.event);
}
