//! Tests of the index on its own: however the records are cut into transactions, and however often they
//! are applied, the same rows come out.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, DeliveryId, EndReason, ErrorClass, Event, EventId, Lane, Phases, Policy, Time,
    retry::RetryPolicy,
};
use rusqlite::types::Value;

use super::*;
use crate::{
    clock::{Entropy, SeededEntropy},
    embedded::{disk::SimDisk, journal::Journal},
    history::{History, KeyDigest, Past},
    record::{Record, SettledRecord, SettledTo},
    seam::{CatalogEntry, NewDelivery},
};

const NOW: Time = Time::from_s(1_790_000_000);

fn journal() -> Journal {
    let disk = Arc::new(SimDisk::new(1, Path::new("/nowhere")));
    let (mut journal, _) =
        Journal::open(disk, Path::new("/journal"), 1 << 30, Arc::new(SeededEntropy::new(1))).unwrap();
    // Long enough for the positions that the tests make up.
    journal.begin().unwrap();
    journal.push(|buffer| buffer.resize(100_000, 1)).unwrap();
    journal.commit().unwrap();
    journal
}

fn accepted(n: u8, deliveries: &[u8]) -> Record {
    let policy = Policy {
        retry: RetryPolicy { attempts: u32::from(n % 3), ..RetryPolicy::default() },
        deadline: Duration::from_secs(30),
        max_age: Duration::from_secs(60),
        critical: n.is_multiple_of(2),
    };
    let event = Event {
        digest: None,
        part: None,
        id: EventId::from_bytes([n; 16]),
        source: "stripe".into(),
        event_type: "invoice.paid".into(),
        idempotency_key: n.to_string().into(),
        received_at: NOW,
        occurred_at: None,
        correlation_id: "c".into(),
        matched_secret: None,
        remote: "".into(),
        headers: vec![],
        body: Bytes::from_static(b"{}"),
    };
    let delivery = |d: &u8| new_delivery(*d, &Arc::new(policy.clone()));
    Record::Accepted {
        event: Arc::new(event),
        key_until: NOW.plus(Duration::from_secs(60)),
        deliveries: deliveries.iter().map(delivery).collect(),
    }
}

fn new_delivery(d: u8, policy: &Arc<Policy>) -> NewDelivery {
    NewDelivery {
        order: None,
        id: DeliveryId::from_bytes([d; 16]),
        destination: format!("d{}", d % 3).into(),
        lane: Lane::of_destination("d"),
        route: "r".into(),
        policy: policy.clone(),
        due_at: NOW,
    }
}

fn settled(d: u8, number: u32, to: SettledTo) -> Record {
    let delivery = DeliveryId::from_bytes([d; 16]);
    let attempt = Attempt {
        id: AttemptId::from_bytes([d; 16]),
        delivery,
        number,
        started_at: NOW.plus(Duration::from_secs(number.into())),
        duration_us: 1,
        phases: Phases::default(),
        status: Some(500),
        class: ErrorClass::Http5xx,
        error: "500".into(),
        response_headers: vec![],
        response_excerpt: Bytes::new(),
        next_attempt_at: None,
    };
    Record::Settled(SettledRecord { at: NOW, delivery, attempt: Some(Arc::new(attempt)), to })
}

/// A history with everything in it, some of it twice as a hostile journal might have it.
fn history() -> Vec<(Record, Position)> {
    let due_at = NOW.plus(Duration::from_secs(5));
    let dead = SettledTo::Dead(EndReason::Exhausted);
    let redelivered = |event: u8, old: Option<u8>, new: u8| Record::Redelivered {
        at: NOW,
        event: EventId::from_bytes([event; 16]),
        source: "stripe".into(),
        event_type: "invoice.paid".into(),
        event_at: Position { segment: 1, offset: 64, len: 100 },
        replaces: old.map(|old| DeliveryId::from_bytes([old; 16])),
        delivery: match accepted(event, &[new]) {
            Record::Accepted { mut deliveries, .. } => deliveries.remove(0),
            _ => unreachable!(),
        },
    };
    let entry = |value| CatalogEntry { kind: "k".into(), name: "n".into(), value: vec![value] };
    let records = vec![
        accepted(1, &[11, 12]),
        accepted(2, &[21]),
        settled(11, 1, SettledTo::Delivered),
        settled(12, 1, SettledTo::Retry { due_at }),
        accepted(3, &[]),
        settled(12, 1, SettledTo::Retry { due_at }),
        settled(12, 2, SettledTo::Lost { due_at, lost: 1 }),
        settled(21, 1, dead),
        settled(21, 2, SettledTo::Delivered),
        Record::CatalogPut { at: NOW, entry: entry(1) },
        redelivered(2, Some(21), 22),
        settled(99, 1, SettledTo::Delivered),
        accepted(4, &[41]),
        settled(41, 1, dead),
        Record::Dismissed { at: NOW, delivery: DeliveryId::from_bytes([41; 16]) },
        redelivered(3, None, 31),
        settled(12, 3, SettledTo::Dead(EndReason::Lost)),
        settled(22, 1, SettledTo::Delivered),
        Record::CatalogPut { at: NOW, entry: entry(2) },
        accepted(5, &[51]),
        settled(51, 1, dead),
    ];
    let place = |(i, record)| (record, Position { segment: 1, offset: 64 + 100 * i as u64, len: 100 });
    records.into_iter().enumerate().map(place).collect()
}

/// Every row of every table but the policies, whose numbers depend on the order of writing.
fn dump(path: &Path) -> Vec<(&'static str, Vec<Vec<Value>>)> {
    let connection = Connection::open(path).unwrap();
    ["events", "deliveries", "attempts", "keys", "catalog", "reached"]
        .map(|table| {
            let policy = "(SELECT policy FROM policies p WHERE p.id = t.policy)";
            let extra = if table == "deliveries" { policy } else { "0" };
            let mut select = connection.prepare(&format!("SELECT {extra}, t.* FROM {table} t")).unwrap();
            let columns: Vec<_> = select.column_names().map(|name| name != "policy").collect();
            let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Vec<Value>> {
                (0..columns.len()).filter(|i| columns[*i]).map(|i| row.get(i)).collect()
            };
            let rows = select.query_map([], row).unwrap().map(Result::unwrap).collect();
            (table, rows)
        })
        .into()
}

fn applied_in(dir: &Path, name: &str, cuts: impl Fn(usize) -> usize) -> Vec<(&'static str, Vec<Vec<Value>>)> {
    let (journal, records) = (journal(), history());
    let path = dir.join(name);
    let mut writer = Index::new(path.clone()).open(&journal.reader()).unwrap();
    let mut from = 0;
    while from < records.len() {
        let to = (from + cuts(from)).min(records.len());
        writer.apply(&records[from..to]).unwrap();
        from = to;
    }
    dump(&path)
}

#[test]
fn however_records_are_cut_into_transactions_the_rows_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let at_once = applied_in(dir.path(), "once", |_| usize::MAX >> 1);
    let one_by_one = applied_in(dir.path(), "one", |_| 1);
    assert_eq!(at_once, one_by_one);
    let rows = |table: usize| at_once[table].1.len();
    assert_eq!([rows(0), rows(1), rows(2), rows(3)], [5, 7, 8, 5]);
    for seed in 0..20 {
        let entropy: &dyn Entropy = &SeededEntropy::new(seed);
        let cut = applied_in(dir.path(), &seed.to_string(), |_| 1 + (entropy.unit() * 6.0) as usize);
        assert_eq!(cut, at_once, "seed {seed}");
    }
}

#[test]
fn applying_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, records) = (journal(), history());
    let index = Index::new(dir.path().join("index"));
    let mut writer = index.open(&journal.reader()).unwrap();
    writer.apply(&records).unwrap();
    let before = dump(&index.path);
    writer.apply(&records).unwrap();
    writer.apply(&records[7..]).unwrap();
    drop(writer);
    let mut writer = index.open(&journal.reader()).unwrap();
    assert_eq!(writer.reached(), records.last().map(|(_, at)| *at));
    writer.apply(&records).unwrap();
    assert_eq!(dump(&index.path), before);
}

#[test]
fn start_up_and_the_rules_are_told_the_past() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, records) = (journal(), history());
    let index = Index::new(dir.path().join("index"));
    let mut writer = index.open(&journal.reader()).unwrap();
    writer.apply(&records).unwrap();

    let mut pending = vec![];
    writer.pending(|image| pending.push((image.delivery.id.as_bytes()[0], image.event_at.offset))).unwrap();
    assert_eq!(pending, [(31, 64)]);
    let past = writer.remembered().unwrap();
    let dead: u64 = past.dead_letters.iter().map(|d| d.count).sum();
    assert_eq!((dead, past.catalog.len()), (2, 1));

    let history = IndexHistory::open(&index).unwrap();
    let key = |n: u8| KeyDigest::of("stripe", &n.to_string());
    let id = |n: u8| EventId::from_bytes([n; 16]);
    history.begin().unwrap();
    assert_eq!(history.key(key(1), NOW).unwrap().map(|held| held.event), Some(id(1)));
    assert_eq!(history.key(key(1), NOW.plus(Duration::from_secs(60))).unwrap(), None);
    assert_eq!(history.key(key(9), NOW).unwrap(), None);
    let letters = history.dead_letters_of(id(1)).unwrap();
    assert_eq!(letters.iter().map(|past| past.delivery.id.as_bytes()[0]).collect::<Vec<_>>(), [12]);
    let Past { delivery, event_at } = &letters[0];
    assert_eq!((delivery.attempts, delivery.tries, delivery.lost, event_at.offset), (1, 3, 2, 64));
    assert_eq!(delivery.policy.retry.attempts, 1);
    // Replaced, dismissed.
    assert!(history.dead_letters_of(id(2)).unwrap().is_empty());
    assert!(history.dead_letters_of(id(4)).unwrap().is_empty());
    assert_eq!(history.destinations_of(id(1)).unwrap().len(), 2);
    assert_eq!(history.event(id(2)).unwrap().unwrap().event_at, records[1].1);
    history.end().unwrap();
    // An end that failed is not in the way.
    history.begin().unwrap();
    history.begin().unwrap();
}

#[test]
fn an_index_of_another_journal_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::new(dir.path().join("index"));
    let first = journal();
    index.open(&first.reader()).unwrap().apply(&history()).unwrap();
    assert!(index.open(&first.reader()).unwrap().reached().is_some());
    let disk = Arc::new(SimDisk::new(1, Path::new("/nowhere")));
    let other = Journal::open(disk, Path::new("/journal"), 1 << 30, Arc::new(SeededEntropy::new(2)));
    let (mut other, _) = other.unwrap();
    other.begin().unwrap();
    other.push(|buffer| buffer.resize(100_000, 1)).unwrap();
    other.commit().unwrap();
    assert_eq!(index.open(&other.reader()).unwrap().reached(), None);
}
