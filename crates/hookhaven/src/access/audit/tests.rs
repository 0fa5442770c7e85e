//! The audit log is kept whole, in order and within its bound, whoever writes at once and whatever the store does.

use futures_util::future::join_all;
use hookhaven_store::{
    clock::{ManualClock, SeededEntropy},
    faulty::{Faulty, Verb, When},
    memory::MemoryStore,
};
use serde_json::json;

use super::*;

const NOW: Time = Time::from_s(1_790_000_000);

fn audit() -> (Arc<dyn Store>, ManualClock, Arc<Audit>) {
    let (clock, entropy) = (ManualClock::at(NOW), Arc::new(SeededEntropy::new(7)));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(clock.clone()), entropy.clone()));
    let audit = Audit::new(store.clone(), Arc::new(clock.clone()), entropy);
    (store, clock, Arc::new(audit))
}

fn done(who: &str, action: &str, subject: &str) -> Done {
    Done { who: who.into(), action: action.into(), subject: Some(subject.into()), ..Done::default() }
}

async fn subjects(audit: &Audit, filter: AuditFilter) -> Vec<String> {
    let all = audit.entries(&filter, Page::first(100_000)).await.unwrap();
    all.into_iter().filter_map(|entry| entry.subject).collect()
}

#[tokio::test]
async fn entries_are_kept_newest_first_and_found() {
    let (_, clock, audit) = audit();
    for (who, action, subject) in
        [("ci", "destinations.pause", "a"), ("anna", "destinations.resume", "b"), ("ci", "tokens.create", "c")]
    {
        audit.record(done(who, action, subject)).await;
    }
    clock.advance(Duration::from_secs(60));
    audit.record(done("ci", "destinationsx", "d")).await;
    assert_eq!(subjects(&audit, AuditFilter::default()).await, ["d", "c", "b", "a"]);
    let of = |filter| subjects(&audit, filter);
    assert_eq!(of(AuditFilter { who: Some("ci".into()), ..AuditFilter::default() }).await, ["d", "c", "a"]);
    assert_eq!(of(AuditFilter { action: Some("destinations".into()), ..AuditFilter::default() }).await, ["b", "a"]);
    assert_eq!(of(AuditFilter { action: Some("tokens.create".into()), ..AuditFilter::default() }).await, ["c"]);
    assert_eq!(of(AuditFilter { subject: Some("b".into()), ..AuditFilter::default() }).await, ["b"]);
    let later = Some(NOW.plus(Duration::from_secs(1)));
    assert_eq!(of(AuditFilter { since: later, ..AuditFilter::default() }).await, ["d"]);
    assert_eq!(of(AuditFilter { until: later, ..AuditFilter::default() }).await, ["c", "b", "a"]);
    let first = audit.entries(&AuditFilter::default(), Page::first(2)).await.unwrap();
    let page = Page { after: first.last().map(|entry| entry.id), limit: 2, oldest_first: false };
    let second = audit.entries(&AuditFilter::default(), page).await.unwrap();
    assert_eq!(second.iter().filter_map(|e| e.subject.as_deref()).collect::<Vec<_>>(), ["b", "a"]);
}

#[tokio::test]
async fn several_entries_share_a_page_and_every_process_begins_its_own() {
    let (store, clock, audit) = audit();
    let pages = async || store.catalog(AUDIT_KIND).await.unwrap().len();
    for n in 0..PAGE_ENTRIES_MAX {
        audit.record(done("ci", "x", &n.to_string())).await;
    }
    assert_eq!(pages().await, 1);
    audit.record(done("ci", "x", "next")).await;
    assert_eq!(pages().await, 2);
    let restarted = Arc::new(Audit::new(store.clone(), Arc::new(clock), Arc::new(SeededEntropy::new(8))));
    restarted.record(done("ci", "x", "after")).await;
    assert_eq!(pages().await, 3);
    assert_eq!(subjects(&restarted, AuditFilter::default()).await.len(), PAGE_ENTRIES_MAX + 2);
}

#[tokio::test]
async fn what_comes_at_once_is_written_at_once_and_none_is_lost() {
    let (_, _, audit) = audit();
    let many = (0..500).map(|n| {
        let audit = audit.clone();
        tokio::spawn(async move { audit.record(done("ci", "x", &n.to_string())).await })
    });
    for one in many.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!(subjects(&audit, AuditFilter::default()).await.len(), 500);
}

#[tokio::test]
async fn the_oldest_go_once_there_are_too_many() {
    let (store, clock, audit) = audit();
    for page in 0..ENTRIES_MAX / PAGE_ENTRIES_MAX + 3 {
        clock.advance(Duration::from_millis(1));
        let numbers = page * PAGE_ENTRIES_MAX..(page + 1) * PAGE_ENTRIES_MAX;
        join_all(numbers.map(|n| audit.record(done("ci", "x", &n.to_string())))).await;
    }
    let kept = subjects(&audit, AuditFilter::default()).await;
    assert!((ENTRIES_MAX..=ENTRIES_MAX + 2 * PAGE_ENTRIES_MAX).contains(&kept.len()), "{}", kept.len());
    let last = (ENTRIES_MAX / PAGE_ENTRIES_MAX + 3) * PAGE_ENTRIES_MAX - 1;
    assert_eq!(kept.first(), Some(&last.to_string()));
    assert!(store.catalog(AUDIT_KIND).await.unwrap().len() <= ENTRIES_MAX / PAGE_ENTRIES_MAX + 2);
}

#[tokio::test]
async fn an_entry_is_bounded() {
    let (_, _, audit) = audit();
    let long = Done { path: Some("é".repeat(10_000)), after: Some(json!("x".repeat(10_000))), ..done("ci", "x", "s") };
    audit.record(long).await;
    let entry = audit.entries(&AuditFilter::default(), Page::first(1)).await.unwrap().remove(0);
    assert!(entry.path.unwrap().len() <= TEXT_BYTES_MAX + 3);
    assert_eq!(entry.after, Some(json!("left out: 10002 bytes")));
}

#[tokio::test]
async fn a_store_in_trouble_gets_the_entries_once_it_is_mended() {
    let (store, clock, _) = audit();
    let faulty = Arc::new(Faulty::over(store.clone()));
    let error = StoreError::Unavailable("the disk is full".into());
    faulty.fail(Verb::PutCatalog, When::Before, error, 2);
    let audit = Arc::new(Audit::new(faulty, Arc::new(clock.clone()), Arc::new(SeededEntropy::new(9))));
    let recording = tokio::spawn({
        let audit = audit.clone();
        async move { audit.record(done("ci", "x", "a")).await }
    });
    for tries in 1..=2 {
        while clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(store.catalog(AUDIT_KIND).await.unwrap(), [], "after {tries} tries");
        clock.advance(AGAIN);
    }
    recording.await.unwrap();
    audit.record(done("ci", "x", "b")).await;
    assert_eq!(subjects(&audit, AuditFilter::default()).await, ["b", "a"]);
}
