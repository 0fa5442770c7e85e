//! Tests of the live state on its own: records applied twice, and what is forgotten when.

use std::time::Duration;

use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, DeliveryId, EndReason, ErrorClass, Event, EventId, Lane, Policy, Time, retry::RetryPolicy,
};

use super::*;
use crate::{
    record::{Record, SettledRecord, SettledTo},
    seam::{LaneRoom, NewDelivery},
};

const NOW: Time = Time::from_s(1_000);

fn at(offset: u64) -> Position {
    Position { segment: 1, offset, len: 10 }
}

fn accepted(n: u8) -> Record {
    let policy = Policy {
        retry: RetryPolicy::default(),
        deadline: Duration::from_secs(30),
        max_age: Duration::from_secs(60),
        critical: true,
    };
    let event = Event {
        digest: None,
        part: None,
        id: EventId::from_bytes([n; 16]),
        source: "stripe".into(),
        event_type: "invoice.paid".into(),
        idempotency_key: format!("k{n}").into(),
        received_at: NOW,
        occurred_at: None,
        correlation_id: "c".into(),
        matched_secret: None,
        remote: "".into(),
        headers: vec![],
        body: Bytes::new(),
    };
    let delivery = NewDelivery {
        order: None,
        id: DeliveryId::from_bytes([n; 16]),
        destination: "billing".into(),
        lane: Lane::of_destination("billing"),
        route: "r".into(),
        policy: Arc::new(policy),
        due_at: NOW,
    };
    Record::Accepted { event: Arc::new(event), key_until: Time::MAX, deliveries: vec![delivery] }
}

fn settled(n: u8, number: u32, to: SettledTo) -> Record {
    let id = DeliveryId::from_bytes([n; 16]);
    let attempt = Attempt {
        id: AttemptId::from_bytes([n; 16]),
        delivery: id,
        number,
        started_at: NOW,
        duration_us: 1,
        phases: Default::default(),
        status: Some(500),
        class: ErrorClass::Http5xx,
        error: "".into(),
        response_headers: vec![],
        response_excerpt: Bytes::new(),
        next_attempt_at: None,
    };
    Record::Settled(SettledRecord { at: NOW, delivery: id, attempt: Some(Arc::new(attempt)), to })
}

fn replay(live: &mut Live, records: &[Record]) {
    for (n, record) in records.iter().enumerate() {
        live.apply(record, at(n as u64), Recalled::default());
    }
}

fn picture(live: &Live) -> String {
    let mut pending: Vec<_> = live.all_pending().collect();
    pending.sort_by_key(|d| d.id);
    format!("{pending:?} {:?} {:?}", live.depths(), live.due(&[], 10, NOW))
}

#[test]
fn applying_records_twice_changes_nothing() {
    let records = [
        accepted(1),
        accepted(2),
        settled(1, 1, SettledTo::Retry { due_at: NOW.plus(Duration::from_secs(5)) }),
        settled(2, 1, SettledTo::Dead(EndReason::Exhausted)),
        settled(1, 2, SettledTo::Lost { due_at: NOW, lost: 1 }),
    ];
    let mut once = Live::new();
    replay(&mut once, &records);
    let mut twice = Live::new();
    replay(&mut twice, &records);
    // A settled record again, then everything that concerns the pending one.
    replay(&mut twice, &records[2..]);
    replay(&mut twice, &records[..1]);
    assert_eq!(picture(&once), picture(&twice));
    assert_eq!(once.depths()[0].dead_letters_critical, 1);
}

#[test]
fn what_history_has_reached_is_forgotten_and_nothing_else() {
    let mut live = Live::new();
    replay(&mut live, &[accepted(1), settled(1, 1, SettledTo::Delivered), accepted(2)]);
    let key = |n| KeyDigest::of("stripe", &format!("k{n}"));
    live.forget(at(0));
    assert_eq!(live.recent_key(key(1), NOW), None);
    assert!(live.recent_past(DeliveryId::from_bytes([1; 16])).is_some());
    live.forget(at(1));
    assert!(live.recent_past(DeliveryId::from_bytes([1; 16])).is_none());
    assert_eq!(live.recent_pasts_of(EventId::from_bytes([1; 16])).count(), 0);
    assert_eq!(live.recent_key(key(2), NOW).map(|held| held.event), Some(EventId::from_bytes([2; 16])));
    assert_eq!(live.pending_len(), 1);
}

#[test]
fn a_lane_is_forgotten_with_its_last_member_and_comes_back() {
    let mut live = Live::new();
    replay(&mut live, &[accepted(1), settled(1, 1, SettledTo::Delivered)]);
    let lane = Lane::of_destination("billing");
    assert_eq!(live.lanes.find(&lane), None);
    live.apply(&accepted(2), at(9), Recalled::default());
    let session = live.open_session(Duration::from_secs(9), NOW);
    assert_eq!(live.claim(session, &[LaneRoom { lane, room: 5, limit: None }], 5, NOW).len(), 1);
}

#[test]
fn a_reserved_delivery_cannot_be_claimed_until_it_is_given_back() {
    let mut live = Live::new();
    replay(&mut live, &[accepted(1)]);
    let (id, lane) = (DeliveryId::from_bytes([1; 16]), Lane::of_destination("billing"));
    let session = live.open_session(Duration::from_secs(9), NOW);
    let rooms = [LaneRoom { lane, room: 5, limit: None }];
    assert!(live.reserve(id) && !live.reserve(id));
    assert!(live.claim(session, &rooms, 5, NOW).is_empty());
    live.unreserve(id);
    assert_eq!(live.claim(session, &rooms, 5, NOW).len(), 1);
    assert!(!live.reserve(id));
}
