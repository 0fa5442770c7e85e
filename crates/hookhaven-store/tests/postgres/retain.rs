//! Retention beside everything else: what is settled or replayed while its day goes stays whole.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, EndReason, ErrorClass, Time};
use hookhaven_store::{DeliveryFilter, EventFilter, Next, Page, Replayed, Retention, Settled, Store, clock::Clock};

use crate::{bench::*, world};

const EVENTS: usize = 400;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Claims, settles in turns to each end, and replays some of the dead, until there is nothing left. Answers
/// what ended dead and was not replayed.
async fn work(store: Arc<dyn Store>, now: Time) -> Vec<DeliveryId> {
    let session = store.open_session(10 * DAY).await.unwrap();
    let mut dead = Vec::new();
    for n in 0.. {
        let leased = claim(&store, session, "billing", 3).await;
        if leased.is_empty() {
            break;
        }
        for leased in leased {
            let first = leased.delivery.tries == 0;
            let (class, next) = match n % 3 {
                0 => (ErrorClass::Ok, Next::Delivered),
                1 => (ErrorClass::Timeout, Next::Dead(EndReason::Exhausted)),
                _ if first => (ErrorClass::Timeout, Next::Retry { due_at: now }),
                _ => (ErrorClass::Ok, Next::Delivered),
            };
            assert_eq!(settle(&store, session, &leased, class, next, now).await, Settled::Done);
            if matches!(next, Next::Dead(_)) {
                let id = leased.delivery.id;
                if n % 2 == 0 && leased.delivery.replaces.is_none() {
                    assert!(matches!(store.replay(&[id]).await.unwrap()[0], Replayed::New(_)));
                } else {
                    dead.push(id);
                }
            }
        }
    }
    dead
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_its_day_goes_stays_whole() {
    let (url, clock) = (world::database(), world::clock());
    let (busy, tidy) = (world::node(&url, &clock).await, world::node(&url, &clock).await);
    let many: Vec<_> = (0..EVENTS).map(|n| event(&format!("k{n}"), clock.now(), &["billing"])).collect();
    busy.accept(many).await.unwrap();
    clock.advance(2 * DAY);
    let retention = Retention { before: clock.now().minus(DAY), dead_before: None };
    let workers: Vec<_> = (0..3).map(|_| tokio::spawn(work(busy.clone(), clock.now()))).collect();
    let sweeping = tokio::spawn({
        let tidy = tidy.clone();
        async move {
            let (mut moved, mut gone) = (0, 0);
            while tidy.stats().await.unwrap().pending > 0 {
                let step = tidy.retain(retention).await.unwrap();
                (moved, gone) = (moved + step.carried, gone + step.events);
            }
            (moved, gone)
        }
    });
    let mut dead = Vec::new();
    for worker in workers {
        dead.extend(worker.await.unwrap());
    }
    let (moved, _) = sweeping.await.unwrap();
    assert!(moved > 0, "nothing lived when its day went");
    while tidy.retain(retention).await.unwrap().more {}

    // What is left is what has a dead letter, whole; all else has gone, whole.
    let letters = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
    let letters = tidy.deliveries(&letters, Page::first(10_000)).await.unwrap();
    let mut ids: Vec<_> = letters.iter().map(|row| row.delivery.id).collect();
    ids.sort();
    dead.sort();
    assert_eq!(ids, dead);
    for row in tidy.deliveries(&DeliveryFilter::default(), Page::first(10_000)).await.unwrap() {
        assert!(tidy.event(row.delivery.event).await.unwrap().is_some());
        assert_eq!(tidy.attempts(row.delivery.id).await.unwrap().len(), row.delivery.tries as usize);
    }
    let events = tidy.events(&EventFilter::default(), Page::first(10_000)).await.unwrap();
    assert_eq!(events.len(), dead.len());
    let stray = "SELECT (SELECT count(*) FROM hookhaven.attempts a WHERE NOT EXISTS ( \
          SELECT FROM hookhaven.ended e WHERE e.id = a.delivery AND e.slice = a.slice)), \
        (SELECT count(*) FROM hookhaven.ended d WHERE NOT EXISTS ( \
          SELECT FROM hookhaven.events e WHERE e.id = d.event AND e.slice = d.slice))";
    assert_eq!(hookhaven_testbed::shared().unwrap().sql_at(&url, stray).unwrap(), "0|0");
}
