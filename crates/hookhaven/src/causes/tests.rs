//! What is learnt of dead letters, and what is forgotten.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{EndReason, ErrorClass};
use hookhaven_store::Next;

use super::*;
use crate::api::fixture::Scene;

async fn killed(scene: &Scene, n: usize) {
    for _ in 0..n {
        scene.accept("stripe", "payment.failed", b"{}").await;
    }
    assert_eq!(scene.kill("billing").await, n);
}

/// Looks until everything was read.
async fn whole(causes: &Arc<Causes>) -> Look {
    loop {
        let look = causes.look().await.unwrap();
        if !look.learning {
            return look;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_replayed_or_dismissed_is_not_seen_again() {
    let scene = Scene::new();
    killed(&scene, 4).await;
    scene.accept("stripe", "invoice.paid", b"{}").await;
    scene.settle("mail", ErrorClass::Timeout, None, Next::Dead(EndReason::Exhausted)).await;
    let causes = Arc::new(Causes::new(scene.store.clone()));
    let look = causes.look().await.unwrap();
    assert_eq!((look.letters.len(), look.upto, look.learning), (5, None, false));
    let groups: HashSet<GroupId> = look.letters.iter().map(|letter| letter.fact.group).collect();
    assert_eq!(groups.len(), 2);
    assert_eq!(causes.known().facts.len(), 2, "those that are alike are one");

    let ids: Vec<_> = look.letters.iter().map(|letter| letter.id).collect();
    scene.store.replay(&ids[..2]).await.unwrap();
    scene.store.dismiss(&ids[2..3]).await.unwrap();
    let left: Vec<_> = causes.look().await.unwrap().letters.iter().map(|letter| letter.id).collect();
    assert_eq!(left, ids[3..]);
    assert_eq!(causes.known().letters.len(), 2, "nothing is kept of the others");
}

#[tokio::test]
async fn of_many_the_newest_are_told_first_and_the_rest_follows() {
    let scene = Scene::new();
    killed(&scene, 30).await;
    scene.clock.advance(Duration::from_secs(60));
    killed(&scene, LEARNT_AT_ONCE).await;
    let causes = Arc::new(Causes::new(scene.store.clone()));
    let look = causes.look().await.unwrap();
    assert_eq!((look.letters.len(), look.learning), (LEARNT_AT_ONCE, true));
    assert_eq!(look.upto, look.letters.last().map(|letter| letter.died_at));
    let look = whole(&causes).await;
    assert_eq!((look.letters.len(), look.upto), (LEARNT_AT_ONCE + 30, None));
    assert!(look.letters.is_sorted_by_key(|letter| std::cmp::Reverse(letter.died_at)));
}

#[test]
fn a_look_ends_where_nothing_is_known() {
    let letter = |n: u8| DeadLetter { id: DeliveryId::from_bytes([n; 16]), died_at: Time::from_s(100 - i64::from(n)) };
    let newest = [letter(1), letter(2), letter(3), letter(4)];
    let mut known = Known::default();
    assert_eq!(known.keep(&newest).len(), 4);
    let fact = |event_type: &str| Fact {
        group: GroupId::from_bytes([9; 16]),
        destination: "billing".into(),
        source: "stripe".into(),
        event_type: event_type.into(),
        critical: false,
    };
    known.put(newest[0].id, Some(fact("a")));
    known.put(newest[1].id, None);
    known.put(newest[3].id, Some(fact("b")));
    let look = known.look(&newest, false);
    assert_eq!((look.letters.len(), look.upto, look.learning), (1, Some(newest[1].died_at), true));
    known.put(newest[2].id, Some(fact("a")));
    let look = known.look(&newest, false);
    assert_eq!((look.letters.len(), look.upto, look.learning), (3, None, false));
    // There are more than are looked at.
    assert_eq!(known.look(&newest, true).upto, Some(newest[3].died_at));
    assert_eq!((known.facts.len(), known.keep(&newest[..1]).len(), known.letters.len()), (2, 0, 1));
}
