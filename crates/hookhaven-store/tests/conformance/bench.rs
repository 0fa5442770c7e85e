//! What a case is given: a store that can be opened again, a clock that the case moves, and short ways
//! to make events.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, DeliveryId, ErrorClass, Event, EventId, Lane, Phases, Policy, Time, retry::RetryPolicy,
};
use hookhaven_store::{
    Accepted, LaneRoom, Leased, NewDelivery, NewEvent, Next, SessionId, Settled, Settlement, Store, clock::ManualClock,
};

/// Pending deliveries a bench's store takes.
pub const PENDING_MAX: u64 = 5_000;
pub const TTL: Duration = Duration::from_secs(30);

/// One kind of store.
#[async_trait]
pub trait Bench: Send + Sync {
    /// A fresh, empty store.
    async fn open(&self) -> Arc<dyn Store>;

    /// The same data opened again after a clean close; `None` where nothing survives.
    async fn reopen(&self, store: Arc<dyn Store>) -> Option<Arc<dyn Store>>;

    /// Whether anything survives.
    fn survives(&self) -> bool {
        true
    }

    fn clock(&self) -> &ManualClock;
}

pub fn start() -> Time {
    Time::from_s(1_790_000_000)
}

static COUNTER: AtomicU64 = AtomicU64::new(1);

/// Ten bytes that no other id of this process has.
pub fn unique() -> [u8; 10] {
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&n.to_be_bytes());
    bytes
}

pub fn policy(critical: bool) -> Arc<Policy> {
    Arc::new(Policy {
        retry: RetryPolicy::default(),
        deadline: Duration::from_secs(30),
        max_age: Duration::from_secs(3 * 24 * 3600),
        critical,
    })
}

/// An event of source `stripe` with key `key` and a delivery to each destination, due now.
pub fn event(key: &str, now: Time, destinations: &[&str]) -> NewEvent {
    NewEvent {
        refuses_replay: false,
        revives: true,
        event: Event {
            digest: None,
            part: None,
            id: EventId::mint(now, unique()),
            source: "stripe".into(),
            event_type: "invoice.paid".into(),
            idempotency_key: key.into(),
            received_at: now,
            occurred_at: Some(now.minus(Duration::from_secs(2))),
            correlation_id: "c-1".into(),
            matched_secret: Some(0),
            remote: "127.0.0.1".into(),
            headers: vec![("content-type".into(), Bytes::from_static(b"application/json"))],
            body: format!("{{\"id\":\"{key}\"}}").into(),
        },
        key_until: now.plus(Duration::from_secs(7 * 24 * 3600)),
        deliveries: destinations.iter().map(|d| delivery(d, now)).collect(),
    }
}

pub fn delivery(destination: &str, due_at: Time) -> NewDelivery {
    NewDelivery {
        order: None,
        id: DeliveryId::mint(due_at, unique()),
        destination: destination.into(),
        lane: Lane::of_destination(destination),
        route: "stripe#1".into(),
        policy: policy(false),
        due_at,
    }
}

pub async fn accept(store: &Arc<dyn Store>, new: NewEvent) -> Accepted {
    store.accept(vec![new]).await.unwrap().remove(0)
}

pub fn room(destination: &str, room: usize) -> LaneRoom {
    LaneRoom { lane: Lane::of_destination(destination), room, limit: None }
}

pub async fn claim(store: &Arc<dyn Store>, session: SessionId, destination: &str, n: usize) -> Vec<Leased> {
    store.claim(session, &[room(destination, n)], n).await.unwrap()
}

pub async fn claim_one(store: &Arc<dyn Store>, session: SessionId, destination: &str) -> Leased {
    let mut leased = claim(store, session, destination, 1).await;
    assert_eq!(leased.len(), 1, "nothing to claim for {destination}");
    leased.remove(0)
}

pub fn attempt(leased: &Leased, class: ErrorClass, now: Time) -> Attempt {
    Attempt {
        id: AttemptId::mint(now, unique()),
        delivery: leased.delivery.id,
        number: leased.attempt_number,
        started_at: now,
        duration_us: 1_500,
        phases: Phases { connect_us: Some(90), first_byte_us: Some(1_200), ..Phases::default() },
        status: (class == ErrorClass::Ok).then_some(200),
        class,
        error: if class == ErrorClass::Ok { "".into() } else { "no answer within 10 s".into() },
        response_headers: vec![("server".into(), Bytes::from_static(b"test"))],
        response_excerpt: Bytes::from_static(b"\xffraw"),
        next_attempt_at: None,
    }
}

pub fn settlement(leased: &Leased, class: ErrorClass, next: Next, now: Time) -> Settlement {
    Settlement {
        follows: vec![],
        delivery: leased.delivery.id,
        fence: leased.fence,
        attempt: (next != Next::Release).then(|| attempt(leased, class, now)),
        next,
    }
}

pub async fn settle(
    store: &Arc<dyn Store>,
    session: SessionId,
    leased: &Leased,
    class: ErrorClass,
    next: Next,
    now: Time,
) -> Settled {
    store.settle(session, vec![settlement(leased, class, next, now)]).await.unwrap().remove(0)
}

/// An event whose only delivery, to `billing`, is dead.
pub async fn dead(store: &Arc<dyn Store>, key: &str, now: Time) -> (EventId, DeliveryId) {
    use hookhaven_core::EndReason;
    let new = event(key, now, &["billing"]);
    let (id, delivery) = (new.event.id, new.deliveries[0].id);
    accept(store, new).await;
    let session = store.open_session(TTL).await.unwrap();
    let leased = claim_one(store, session, "billing").await;
    let next = Next::Dead(EndReason::Exhausted);
    assert_eq!(settle(store, session, &leased, ErrorClass::Timeout, next, now).await, Settled::Done);
    store.close_session(session).await.unwrap();
    (id, delivery)
}
