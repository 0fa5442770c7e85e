//! The contract, case by case.

use std::sync::Arc;

use hookhaven_core::{EventId, RejectedId, sender::Rejection};
use hookhaven_store::{
    Page,
    quarantine::{Bounds, Marked, Quarantine, QuarantineCount, Quarantined, RejectedFilter, Released},
};

use crate::{BOUNDS, at, rejected};

fn released() -> Released {
    Released { at: at(9_000), event: EventId::from_bytes([5; 16]) }
}

async fn put(quarantine: &dyn Quarantine, source: &str, seconds: std::ops::Range<u32>, bounds: Bounds) {
    let all = seconds.map(|second| rejected(source, second, b"{}")).collect();
    quarantine.put(&Arc::from(source), all, bounds).await.unwrap();
}

/// Which are listed, by the second in which they came.
async fn seconds(quarantine: &dyn Quarantine, filter: RejectedFilter) -> Vec<i64> {
    let rows = quarantine.list(&filter, Page::first(10_000)).await.unwrap();
    rows.iter().map(|row| row.received_at.as_s() - at(0).as_s()).collect()
}

fn of(source: &str) -> RejectedFilter {
    RejectedFilter { source: Some(source.into()), ..Default::default() }
}

pub async fn comes_back_whole(q: &dyn Quarantine) {
    let long = rejected("shop", 1, &[0xfe; 64 << 10]);
    let cut = hookhaven_core::Rejected { body_bytes: 70_000, ..rejected("shop", 2, b"\0{") };
    q.put(&"shop".into(), vec![long.clone(), cut.clone()], BOUNDS).await.unwrap();
    for it in [long, cut] {
        let found = q.get(it.id).await.unwrap();
        assert!(found == Some(Quarantined { rejected: it, released: None }));
    }
    assert_eq!(q.get(RejectedId::from_bytes([1; 16])).await.unwrap(), None);
    let rows = q.list(&RejectedFilter::default(), Page::first(9)).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.body_bytes, row.whole)).collect::<Vec<_>>(),
        [(70_000, false), (65_536, true)]
    );
}

pub async fn lists_are_filtered_and_paged(q: &dyn Quarantine) {
    put(q, "shop", 0..6, BOUNDS).await;
    put(q, "code", 6..9, BOUNDS).await;
    assert_eq!(seconds(q, RejectedFilter::default()).await, [8, 7, 6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(seconds(q, of("code")).await, [8, 7, 6]);
    assert_eq!(seconds(q, of("cod")).await, Vec::<i64>::new());
    let stale = RejectedFilter { reason: Some(Rejection::TimestampStale), ..of("shop") };
    assert_eq!(seconds(q, stale).await, [5, 3, 1]);
    let between = RejectedFilter { since: Some(at(2)), until: Some(at(7)), ..Default::default() };
    assert_eq!(seconds(q, between).await, [6, 5, 4, 3, 2]);
    let first = q.list(&of("shop"), Page::first(4)).await.unwrap();
    let rest = q.list(&of("shop"), Page::first(4).after(first[3].id)).await.unwrap();
    assert_eq!((first.len(), rest.len()), (4, 2));
    assert!(rest[0].id < first[3].id);
}

pub async fn count_and_bytes_are_bounded_and_the_newest_stay(q: &dyn Quarantine) {
    for second in 0..300 {
        put(q, "shop", second..second + 1, BOUNDS).await;
    }
    let kept = seconds(q, of("shop")).await;
    assert!((70..=80).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept, (300 - kept.len() as i64..300).rev().collect::<Vec<_>>());
    let tight = Bounds { bytes_max: 1 << 20, ..BOUNDS };
    for second in 300..340 {
        q.put(&"shop".into(), vec![rejected("shop", second, &[7; 60 << 10])], tight).await.unwrap();
    }
    let kept = seconds(q, of("shop")).await;
    assert!((8..=17).contains(&kept.len()) && kept[0] == 339, "{kept:?}");
    let bytes = q.counts().await.unwrap()[0].bytes;
    assert!((1 << 19..=1 << 20).contains(&bytes), "{bytes}");
    // Smaller bounds count from the next that comes.
    put(q, "shop", 400..401, Bounds { count_max: 2, ..tight }).await;
    assert!(seconds(q, of("shop")).await.len() <= 2);
}

pub async fn a_flood_evicts_only_its_own(q: &dyn Quarantine) {
    put(q, "quiet", 0..3, BOUNDS).await;
    put(q, "flooded", 10..500, BOUNDS).await;
    assert_eq!(seconds(q, of("quiet")).await, [2, 1, 0]);
    assert!(seconds(q, of("flooded")).await.len() <= 80);
}

pub async fn each_is_marked_released_once(q: &dyn Quarantine) {
    put(q, "shop", 0..3, BOUNDS).await;
    let id = rejected("shop", 1, b"").id;
    assert_eq!(q.mark_released(id, released()).await, Ok(Marked::Done));
    let other = Released { at: at(9_999), event: EventId::from_bytes([6; 16]) };
    assert_eq!(q.mark_released(id, other).await, Ok(Marked::Already(released())));
    assert_eq!(q.mark_released(RejectedId::from_bytes([1; 16]), other).await, Ok(Marked::Unknown));
    assert_eq!(q.get(id).await.unwrap().unwrap().released, Some(released()));
    for (wanted, listed) in [(true, vec![1]), (false, vec![2, 0])] {
        assert_eq!(seconds(q, RejectedFilter { released: Some(wanted), ..of("shop") }).await, listed);
    }
}

pub async fn what_is_old_is_forgotten(q: &dyn Quarantine) {
    // Far apart, so that rings of files begin a new one for each.
    let day = 86_400;
    for n in 0..4 {
        put(q, "shop", n * day..n * day + 1, BOUNDS).await;
    }
    put(q, "code", 0..1, BOUNDS).await;
    q.forget("shop", at(2 * day)).await.unwrap();
    assert_eq!(seconds(q, of("shop")).await, [i64::from(3 * day), i64::from(2 * day)]);
    assert_eq!(seconds(q, of("code")).await, [0]);
    q.forget("shop", at(9 * day)).await.unwrap();
    assert_eq!(seconds(q, of("shop")).await, Vec::<i64>::new());
    put(q, "shop", 9 * day..9 * day + 1, BOUNDS).await;
    assert_eq!(seconds(q, of("shop")).await.len(), 1, "and it goes on");
    q.forget("nobody", at(9 * day)).await.unwrap();
}

pub async fn what_is_kept_is_counted(q: &dyn Quarantine) {
    assert_eq!(q.counts().await, Ok(vec![]));
    put(q, "shop", 0..3, BOUNDS).await;
    put(q, "code", 0..2, BOUNDS).await;
    q.mark_released(rejected("code", 1, b"").id, released()).await.unwrap();
    let counts = q.counts().await.unwrap();
    let of = |c: &QuarantineCount| (c.source.to_string(), c.kept, c.released);
    assert_eq!(counts.iter().map(of).collect::<Vec<_>>(), [("code".into(), 2, 1), ("shop".into(), 3, 0)]);
    assert!(counts.iter().all(|c| c.bytes > 100));
}
