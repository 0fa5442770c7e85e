//! The feed over the memory store, on a clock that the test moves.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hookhaven_core::{ErrorClass, glob::Glob};
use hookhaven_store::{NewEvent, Next, clock::ManualClock};

use super::{wanted::Outcome, *};
use crate::api::fixture::Scene;

fn feed(scene: &Scene, wanted: Wanted, from: Cursor) -> Feed {
    Feed::new(scene.store.clone(), Arc::new(scene.clock.clone()), wanted, from, || false)
}

fn all(scene: &Scene, from: Time) -> Feed {
    feed(scene, Wanted::everything(), Cursor::at(from))
}

/// The next turn; time goes on while it is waited for.
async fn turn(feed: &mut Feed, clock: &ManualClock) -> Turn {
    let next = feed.next();
    tokio::pin!(next);
    loop {
        tokio::select! {
            biased;
            turn = &mut next => return turn,
            () = tokio::task::yield_now() => clock.advance(Duration::from_millis(100)),
        }
    }
}

/// Everything up to the next beat, with that beat's cursor.
async fn told(feed: &mut Feed, clock: &ManualClock) -> (Vec<(Cursor, Told)>, Cursor) {
    let mut all = Vec::new();
    loop {
        match turn(feed, clock).await {
            Turn::Told(told) => all.extend(told),
            Turn::Beat(cursor) => return (all, cursor),
            Turn::End => panic!("the feed ended"),
        }
    }
}

async fn words(feed: &mut Feed, clock: &ManualClock) -> Vec<String> {
    told(feed, clock).await.0.iter().map(|(_, told)| word(told)).collect()
}

/// Told at once, so that a reader has a cursor from the beginning.
async fn hello(feed: &mut Feed, clock: &ManualClock) -> Cursor {
    let (told, cursor) = told(feed, clock).await;
    assert!(told.is_empty());
    cursor
}

fn word(told: &Told) -> String {
    match told {
        Told::Event(row) => row.id.to_string(),
        Told::Attempt(row) => format!("{} {}", row.delivery.destination, Outcome::of(row).as_str()),
        Told::DeadLetter(row) => format!("{} dead letter", row.delivery.destination),
    }
}

/// An event that goes nowhere, with an id of that time.
async fn accept_at(scene: &Scene, at: Time) -> EventId {
    let stored = scene.store.event(scene.accept("github", "push", b"{}").await).await.unwrap().unwrap();
    let id = EventId::mint(at, scene.entropy.id_bytes());
    let event = hookhaven_core::Event { id, idempotency_key: id.to_string().into(), ..(*stored).clone() };
    let key_until = scene.clock.now().plus(Duration::from_secs(60));
    let new = NewEvent { refuses_replay: false, revives: true, event, key_until, deliveries: Vec::new() };
    scene.store.accept(vec![new]).await.unwrap();
    id
}

#[tokio::test]
async fn what_happens_is_told_once_and_as_it_happens() {
    let scene = Scene::new();
    scene.accept("github", "push", b"{}").await;
    let (clock, mut feed) = (&scene.clock, all(&scene, scene.clock.now().plus(Duration::from_millis(1))));
    hello(&mut feed, clock).await;
    let id = scene.accept("stripe", "payment.failed", b"{}").await;
    assert_eq!(words(&mut feed, clock).await, [id.to_string()], "and nothing from before");
    let due_at = clock.now().plus(Duration::from_secs(1));
    scene.settle("billing", ErrorClass::Timeout, None, Next::Retry { due_at }).await;
    assert_eq!(words(&mut feed, clock).await, ["billing retry"]);
    scene.kill("billing").await;
    assert_eq!(words(&mut feed, clock).await, ["billing dead", "billing dead letter"]);
    scene.accept("stripe", "payment.ok", b"{}").await;
    scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    let told = words(&mut feed, clock).await;
    assert_eq!((told.len(), &*told[1]), (2, "billing delivered"));
    // Long enough for all of it to be read again several times.
    clock.advance(LATE_MAX / 2);
    assert!(words(&mut feed, clock).await.is_empty());
}

#[tokio::test]
async fn what_comes_in_the_millisecond_in_which_a_reader_begins_is_told() {
    let scene = Scene::new();
    scene.clock.advance(Duration::from_micros(500));
    let (clock, begun) = (&scene.clock, scene.clock.now());
    let mut feed = all(&scene, begun);
    hello(&mut feed, clock).await;
    let id = accept_at(&scene, begun.plus(Duration::from_micros(200))).await;
    let told = words(&mut feed, clock).await;
    assert!(told.contains(&id.to_string()), "{told:?}");
}

#[tokio::test]
async fn what_is_committed_late_is_told_late() {
    let scene = Scene::new();
    let (clock, begun) = (&scene.clock, scene.clock.now());
    let mut feed = all(&scene, begun);
    hello(&mut feed, clock).await;
    clock.advance(Duration::from_secs(100));
    assert!(words(&mut feed, clock).await.is_empty());
    let newer = scene.accept("github", "push", b"{}").await;
    assert_eq!(words(&mut feed, clock).await, [newer.to_string()]);
    let late = accept_at(&scene, clock.now().minus(LATE_MAX - LATE_EVERY)).await;
    let told: BTreeSet<_> = words(&mut feed, clock).await.into_iter().collect();
    assert!(told.contains(&late.to_string()), "{told:?}");
}

#[tokio::test]
async fn who_breaks_off_anywhere_and_comes_back_misses_nothing() {
    let scene = Scene::new();
    let (clock, begun) = (&scene.clock, scene.clock.now());
    // Over hours, so that what is read again does not cover it.
    let mut sent = BTreeSet::new();
    for n in 0..1_200 {
        sent.insert(scene.accept("stripe", "payment.ok", b"{}").await.to_string());
        clock.advance(Duration::from_secs(30));
        match n % 2 {
            0 => scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await,
            _ => scene.kill("billing").await,
        };
    }
    let (mut seen, mut attempts, mut dead) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut cursor, mut rounds) = (Cursor::at(begun), 0);
    loop {
        rounds += 1;
        let mut feed = feed(&scene, Wanted::everything(), cursor);
        hello(&mut feed, clock).await;
        let Turn::Told(told) = turn(&mut feed, clock).await else { break };
        // A third of a page arrives, then the connection is gone.
        let known = (seen.len(), attempts.len(), dead.len());
        for (behind, told) in told.into_iter().take(PAGE / 3) {
            cursor = behind;
            match told {
                Told::Event(row) => drop(seen.insert(row.id.to_string())),
                Told::Attempt(row) => drop(attempts.insert(row.id)),
                Told::DeadLetter(row) => drop(dead.insert(row.delivery.id)),
            }
        }
        if known == (seen.len(), attempts.len(), dead.len()) {
            let (rest, _) = self::told(&mut feed, clock).await;
            for (_, told) in rest {
                match told {
                    Told::Event(row) => drop(seen.insert(row.id.to_string())),
                    Told::Attempt(row) => drop(attempts.insert(row.id)),
                    Told::DeadLetter(row) => drop(dead.insert(row.delivery.id)),
                }
            }
            break;
        }
    }
    assert_eq!(seen, sent);
    assert!(rounds > 7, "{rounds}");
    assert_eq!(attempts.len(), 1_200);
    assert_eq!(dead.len(), 600);
}

#[tokio::test]
async fn a_reader_is_told_of_what_it_wants() {
    let scene = Scene::new();
    let (clock, begun) = (&scene.clock, scene.clock.now());
    let invoice = scene.accept("stripe", "invoice.paid", b"{}").await.to_string();
    let charge = scene.accept("stripe", "payment.ok", b"{}").await.to_string();
    let push = scene.accept("github", "push", b"{}").await.to_string();
    scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    scene.kill("mail").await;
    let everything = Wanted::everything;
    let events_only = || Wanted { attempts: false, dead_letters: false, ..everything() };
    for (wanted, want) in [
        (events_only(), vec![&*invoice, &charge, &push]),
        (Wanted { source: Some("github".into()), ..events_only() }, vec![&push]),
        (Wanted { event_type: Glob::parse("invoice.*").ok(), ..events_only() }, vec![&invoice]),
        (
            Wanted { destination: Some("mail".into()), events: false, ..everything() },
            vec!["mail dead", "mail dead letter"],
        ),
        (
            Wanted { outcomes: vec![Outcome::Delivered], events: false, dead_letters: false, ..everything() },
            vec!["billing delivered"],
        ),
    ] {
        let mut feed = feed(&scene, wanted.clone(), Cursor::at(begun));
        hello(&mut feed, clock).await;
        assert_eq!(words(&mut feed, clock).await, want, "{wanted:?}");
    }
}

#[tokio::test]
async fn a_feed_ends_with_its_node() {
    let scene = Scene::new();
    let stopping = Arc::new(AtomicBool::new(false));
    let stops = {
        let stopping = stopping.clone();
        move || stopping.load(Ordering::Relaxed)
    };
    let from = Cursor::at(scene.clock.now());
    let mut feed = Feed::new(scene.store.clone(), Arc::new(scene.clock.clone()), Wanted::everything(), from, stops);
    hello(&mut feed, &scene.clock).await;
    stopping.store(true, Ordering::Relaxed);
    assert_eq!(turn(&mut feed, &scene.clock).await, Turn::End);
}
