//! A store with a past, a clock that is moved, and a picture of all that it holds.

#[path = "../common/mod.rs"]
mod common;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, DeliveryId, EndReason, ErrorClass, Event, EventId, Lane, Phases, Policy, Time,
    retry::RetryPolicy,
};
use hookhaven_store::{
    CatalogEntry, DeliveryFilter, DeliveryRow, Depth, EventFilter, EventRow, LaneRoom, NewDelivery, NewEvent, Next,
    Page, Retained, Retention, Settled, Settlement, Store, StoreError,
    clock::{Clock, Entropy, ManualClock, SeededEntropy},
    embedded::{EmbeddedOptions, EmbeddedStore, disk::Disk},
};

pub const DAY: Duration = Duration::from_secs(24 * 3_600);

pub struct World {
    pub clock: ManualClock,
    entropy: Arc<SeededEntropy>,
    pub dir: tempfile::TempDir,
    pub segment_bytes: u64,
}

impl World {
    pub fn new(segment_bytes: u64) -> Self {
        let clock = ManualClock::at(Time::from_s(1_790_000_000));
        let dir = tempfile::tempdir().unwrap();
        World { clock, entropy: Arc::new(SeededEntropy::new(1)), dir, segment_bytes }
    }

    pub fn open_at(&self, dir: &Path, disk: Arc<dyn Disk>) -> EmbeddedStore {
        let options = EmbeddedOptions {
            dir: dir.to_owned(),
            pending_max: 100_000,
            segment_bytes: self.segment_bytes,
            index_lag_bytes_max: 64 << 20,
            queue: Default::default(),
            space: Default::default(),
            disk,
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
        };
        EmbeddedStore::open(options).unwrap()
    }

    pub fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    pub fn open(&self, disk: Arc<dyn Disk>) -> EmbeddedStore {
        self.open_at(&self.data(), disk)
    }

    fn id(&self) -> [u8; 10] {
        (&*self.entropy as &dyn Entropy).id_bytes()
    }

    pub fn event(&self, key: &str, destinations: &[&str]) -> NewEvent {
        let now = self.clock.now();
        let policy = Arc::new(Policy {
            retry: RetryPolicy::default(),
            deadline: Duration::from_secs(30),
            max_age: 100 * DAY,
            critical: false,
        });
        let delivery = |destination: &&str| NewDelivery {
            order: None,
            id: DeliveryId::mint(now, self.id()),
            destination: (*destination).into(),
            lane: Lane::of_destination(destination),
            route: "stripe#1".into(),
            policy: policy.clone(),
            due_at: now,
        };
        NewEvent {
            refuses_replay: false,
            revives: true,
            event: common::event(
                now,
                &*self.entropy,
                key,
                format!("{{\"id\": \"{key}\", \"more\": \"{}\"}}", "x".repeat(300)),
            ),
            key_until: now.plus(7 * DAY),
            deliveries: destinations.iter().map(delivery).collect(),
        }
    }

    pub async fn accept(&self, store: &EmbeddedStore, key: &str, destinations: &[&str]) -> EventId {
        let new = self.event(key, destinations);
        let id = new.event.id;
        store.accept(vec![new]).await.unwrap();
        id
    }

    /// Attempts what is due for a destination, and settles it so.
    pub async fn attempt(&self, store: &EmbeddedStore, destination: &str, next: Next) -> Vec<DeliveryId> {
        let session = store.open_session(DAY).await.unwrap();
        let room = LaneRoom { lane: Lane::of_destination(destination), room: 1_000, limit: None };
        let leased = store.claim(session, &[room], 1_000).await.unwrap();
        let settlements = leased.iter().map(|leased| {
            let attempt = Attempt {
                id: AttemptId::mint(self.clock.now(), self.id()),
                delivery: leased.delivery.id,
                number: leased.attempt_number,
                started_at: self.clock.now(),
                duration_us: 7,
                phases: Phases::default(),
                status: Some(503),
                class: if next == Next::Delivered { ErrorClass::Ok } else { ErrorClass::Http5xx },
                error: "busy".into(),
                response_headers: vec![("server".into(), Bytes::from_static(b"test"))],
                response_excerpt: Bytes::from_static(b"later"),
                next_attempt_at: None,
            };
            let (delivery, fence) = (leased.delivery.id, leased.fence);
            Settlement { follows: vec![], delivery, fence, attempt: Some(attempt), next }
        });
        let settled = store.settle(session, settlements.collect()).await.unwrap();
        assert!(settled.iter().all(|one| *one == Settled::Done));
        store.close_session(session).await.unwrap();
        leased.into_iter().map(|leased| leased.delivery.id).collect()
    }

    /// Events of every kind: pending, tried, dead, partly delivered, unrouted, over.
    pub async fn past(&self, store: &EmbeddedStore) {
        self.past_of(store, "").await;
    }

    /// The same with keys of their own. What waited before for the same destinations is tried with them.
    pub async fn past_of(&self, store: &EmbeddedStore, part: &str) {
        let entry = CatalogEntry { kind: "destination-paused".into(), name: "log".into(), value: vec![7] };
        store.put_catalog(entry).await.unwrap();
        self.accept(store, &format!("live dead{part}"), &["dying"]).await;
        self.attempt(store, "dying", Next::Dead(EndReason::Exhausted)).await;
        self.accept(store, &format!("live tried{part}"), &["slow", "fast"]).await;
        let due_at = self.clock.now().plus(Duration::from_secs(5));
        self.attempt(store, "slow", Next::Retry { due_at }).await;
        self.accept(store, &format!("live fresh{part}"), &["waiting"]).await;
        self.accept(store, &format!("over unrouted{part}"), &[]).await;
        for n in 0..12 {
            self.accept(store, &format!("over {n}{part}"), &["fast"]).await;
        }
        let delivered = self.attempt(store, "fast", Next::Delivered).await;
        assert_eq!(delivered.len(), 13);
        let replayed = store.replay(&delivered[1..2]).await.unwrap();
        assert!(matches!(replayed[0], hookhaven_store::Replayed::New(_)));
        self.attempt(store, "fast", Next::Delivered).await;
    }

    /// Lets go of what is older than a day.
    pub async fn retain(&self, store: &EmbeddedStore) -> Result<Retained, StoreError> {
        let mut all = Retained::default();
        loop {
            let before = self.clock.now().minus(DAY);
            let step = store.retain(Retention { before, dead_before: None }).await?;
            all.segments += step.segments;
            all.events += step.events;
            all.carried += step.carried;
            all.keys += step.keys;
            if !step.more {
                return Ok(all);
            }
        }
    }
}

/// All that can be seen of events whose keys begin so.
#[derive(Debug, PartialEq)]
pub struct Picture {
    pub events: Vec<EventRow>,
    pub deliveries: Vec<DeliveryRow>,
    attempts: Vec<Vec<Attempt>>,
    bodies: Vec<Arc<Event>>,
    depths: Vec<Depth>,
    catalog: Vec<CatalogEntry>,
}

impl Picture {
    /// Takes over another's counts, where those are not what is compared.
    pub fn depths_of(&mut self, other: &Picture) {
        self.depths = other.depths.clone();
    }
}

pub async fn picture(store: &EmbeddedStore, of: &str) -> Picture {
    let mut events = store.events(&EventFilter::default(), Page::first(10_000)).await.unwrap();
    events.retain(|row| row.idempotency_key.starts_with(of));
    let mut deliveries = store.deliveries(&DeliveryFilter::default(), Page::first(10_000)).await.unwrap();
    deliveries.retain(|row| events.iter().any(|event| event.id == row.delivery.event));
    let (mut attempts, mut bodies) = (vec![], vec![]);
    for row in &deliveries {
        attempts.push(store.attempts(row.delivery.id).await.unwrap());
    }
    for row in &events {
        bodies.push(store.event(row.id).await.unwrap().unwrap());
    }
    // A pair of which nothing is left may be told as zeros or not at all.
    let mut depths = store.stats().await.unwrap().depths;
    depths.retain(|d| d.pending + d.leased + d.dead_letters + d.dead_letters_critical > 0);
    let catalog = store.catalog("destination-paused").await.unwrap();
    Picture { events, deliveries, attempts, bodies, depths, catalog }
}
