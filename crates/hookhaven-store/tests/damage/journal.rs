//! Damage in the journal's files: what it costs is told exactly, and costs nothing else.

use std::collections::{BTreeMap, BTreeSet};

use hookhaven_core::{DeliveryState, EndReason, EventId};
use hookhaven_store::{
    DeliveryFilter, Next, Page, Store,
    embedded::{ReindexRefused, doctor::IndexState},
    position::Position,
};

use crate::world::{TTL, World, body, claim, cut, flip, listed, overwrite};

/// A filled directory, what it holds by key, and where that lies.
async fn filled() -> (World, BTreeMap<String, EventId>, BTreeMap<EventId, Position>) {
    let world = World::new(1);
    let store = world.open();
    world.fill(&store).await;
    let events = listed(&store).await;
    store.close().await;
    assert!(world.doctor().is_sound());
    let places = world.places();
    assert_eq!((events.len(), places.len()), (40, 40));
    assert!(world.segment(4).exists());
    (world, events, places)
}

/// Those that lie, even if in part, in these bytes of a segment.
fn within(places: &BTreeMap<EventId, Position>, segment: u32, from: u64, to: u64) -> BTreeSet<EventId> {
    let hit = |at: &Position| at.segment == segment && at.offset < to && at.end() > from;
    places.iter().filter(|(_, at)| hit(at)).map(|(id, _)| *id).collect()
}

/// Lets something happen to segment 2, or another, and checks the whole of what must follow. `lost` are
/// the events whose frames it hit.
async fn survives(what: &str, damage: impl FnOnce(&World, &BTreeMap<EventId, Position>) -> BTreeSet<EventId>) {
    let (world, events, places) = filled().await;
    let lost = damage(&world, &places);
    assert!(!lost.is_empty() && lost.len() < 20, "{what}: a test that shows something, {}", lost.len());

    // The doctor names all that is lost, and nothing else; it changes nothing.
    let report = world.doctor();
    assert!(!report.is_sound(), "{what}");
    let named: BTreeSet<EventId> = report.findings.iter().flat_map(|f| &f.events).map(|event| event.id).collect();
    assert_eq!(named, lost, "{what}: {:#?}", report.findings.iter().map(|f| &f.damage).collect::<Vec<_>>());
    assert_eq!(report.events, 40 - lost.len() as u64, "{what}");
    let IndexState::Read(facts) = &report.index else { panic!("{what}: {:?}", report.index) };
    assert_eq!((facts.events, facts.missing), (40, 0), "{what}");
    assert_eq!(world.doctor(), report, "{what}: looking changes nothing");

    // The gateway starts. What is undamaged is there, byte by byte; what is not is said to be damaged.
    let store = world.open();
    assert_eq!(listed(&store).await, events, "{what}: history knows them all");
    for (key, id) in &events {
        match store.event(*id).await {
            Ok(Some(event)) => {
                assert!(!lost.contains(id), "{what}: {key} cannot have been read");
                assert_eq!(event.body, body(key), "{what}");
            }
            Ok(None) => panic!("{what}: {key} is forgotten"),
            Err(e) => assert!(lost.contains(id), "{what}: {key}: {e}"),
        }
    }
    let stats = store.stats().await.unwrap();
    assert!(stats.damages >= 1 && stats.damage.len() as u64 == stats.damages, "{what}: {stats:?}");

    // A delivery whose event is lost comes without it, and ends so; the others come whole.
    let session = store.open_session(TTL).await.unwrap();
    for leased in claim(&store, session, 100).await {
        assert_eq!(leased.event.is_err(), lost.contains(&leased.delivery.event), "{what}");
        let next = if leased.event.is_err() { Next::Dead(EndReason::Damaged) } else { Next::Delivered };
        store.settle(session, vec![world.settlement(&leased, next)]).await.unwrap();
    }
    let filter = DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
    let dead = store.deliveries(&filter, Page::first(100)).await.unwrap();
    assert!(dead.iter().all(|row| row.delivery.end_reason == Some(EndReason::Damaged)));
    assert!(dead.iter().all(|row| lost.contains(&row.delivery.event)), "{what}");
    assert_eq!(store.stats().await.unwrap().pending, 0, "{what}");
    store.close().await;

    // The index is not made again if that forgets what only it knows; insisting does.
    assert!(matches!(world.reindex(false), Err(ReindexRefused::WouldForget(_))), "{what}");
    assert!(!world.index().with_extension("new.sqlite").exists());
    let made = world.reindex(true).unwrap();
    assert_eq!(made.events, 40 - lost.len() as u64, "{what}");
    let store = world.open();
    let kept: BTreeMap<_, _> = events.into_iter().filter(|(_, id)| !lost.contains(id)).collect();
    assert_eq!(listed(&store).await, kept, "{what}: nothing is cut off behind the damage");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_bits_in_the_middle_of_an_old_segment() {
    survives("flipped bits", |world, places| {
        flip(&world.segment(2), 6_000, 3);
        within(places, 2, 6_000, 6_003)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zeroed_page_of_an_old_segment() {
    survives("a zeroed page", |world, places| {
        overwrite(&world.segment(2), 4_096, &[0; 4_096]);
        within(places, 2, 4_096, 8_192)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_segment_cut_within_a_frame() {
    survives("cut within a frame", |world, places| {
        cut(&world.segment(2), 9_000);
        within(places, 2, 9_000, u64::MAX)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_segment_cut_between_two_frames() {
    survives("cut between frames", |world, places| {
        let at = places.values().filter(|at| at.segment == 2).nth(2).unwrap().end();
        cut(&world.segment(2), at);
        within(places, 2, at, u64::MAX)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_segment_without_its_header() {
    survives("no header", |world, places| {
        overwrite(&world.segment(2), 0, &[0; 20]);
        within(places, 2, 0, u64::MAX)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_segment() {
    survives("missing", |world, places| {
        std::fs::remove_file(world.segment(2)).unwrap();
        within(places, 2, 0, u64::MAX)
    })
    .await;
}

/// The newest segment's last frame was synced, as the index shows: that is no torn tail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_synced_last_and_is_damaged_is_named() {
    let (world, events, places) = filled().await;
    let store = world.open();
    world.accept(&store, "last").await.unwrap();
    let last = listed(&store).await["last"];
    store.close().await;
    let at = world.places()[&last];
    flip(&world.segment(at.segment), at.offset + 40, 1);
    let report = world.doctor();
    let named: Vec<_> = report.findings.iter().flat_map(|f| &f.events).map(|event| event.id).collect();
    assert_eq!((named, report.unfinished), (vec![last], None));
    let store = world.open();
    let stats = store.stats().await.unwrap();
    assert!(stats.damages == 1 && stats.damage[0].contains(&last.to_string()), "{stats:?}");
    assert_eq!(listed(&store).await, events);
    assert_eq!(events.len(), places.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_tail_is_no_damage() {
    let (world, events, _) = filled().await;
    // What a batch leaves that was being written when the power went: the first part of a frame.
    let path = world.segment(world.newest());
    let mut bytes = std::fs::read(&path).unwrap();
    let some = std::fs::read(world.segment(1)).unwrap()[64..1_064].to_vec();
    bytes.extend_from_slice(&some);
    std::fs::write(&path, bytes).unwrap();
    let report = world.doctor();
    assert!(report.is_sound() && report.unfinished.is_some_and(|torn| torn.bytes == 1_000));
    let store = world.open();
    assert_eq!(listed(&store).await, events);
    assert_eq!(store.stats().await.unwrap().damages, 0);
    store.close().await;
    assert_eq!(world.doctor().unfinished, None);
}

/// A body may hold anything, even the very bytes of this journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_inside_a_body_does_not_come_alive_when_its_frame_is_damaged() {
    let world = World::new(1);
    let store = world.open();
    let session = store.open_session(TTL).await.unwrap();
    for n in 0..3 {
        world.accept(&store, &format!("k{n}")).await.unwrap();
    }
    let leased = claim(&store, session, 1).await.remove(0);
    store.settle(session, vec![world.settlement(&leased, Next::Dead(EndReason::Aborted))]).await.unwrap();
    // All that was said so far, said once more: events, a death, and then a replay and a new life.
    store.replay(&[leased.delivery.id]).await.unwrap();
    let inside = std::fs::read(world.segment(1)).unwrap();
    store.accept(vec![world.event("carrier", inside)]).await.unwrap();
    world.accept(&store, "after").await.unwrap();
    let events = listed(&store).await;
    let carrier = events["carrier"];
    store.close().await;
    let before = crate::world::dump(&world.index());

    let at = world.places()[&carrier];
    flip(&world.segment(at.segment), at.offset, 16);
    let report = world.doctor();
    let named: Vec<_> = report.findings.iter().flat_map(|f| &f.events).map(|event| event.id).collect();
    assert_eq!((named, report.events), (vec![carrier], 4));
    assert_eq!(report.findings[0].damage.bytes, u64::from(at.len), "it ends where the next frame begins");
    let made = world.reindex(true).unwrap();
    assert_eq!((made.events, made.deliveries), (4, 5));
    let after = crate::world::dump(&world.index());
    let gone: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
    let new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
    // The event, its delivery and its key; nothing came up.
    assert_eq!((gone.len(), new.len()), (3, 0), "{gone:#?}\n{new:#?}");
}
