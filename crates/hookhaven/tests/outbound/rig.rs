//! A worker on the memory store and a clock that stands still until a test moves it.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use hookhaven::{
    config::{self, Config, SigningKeys},
    egress::{Transport, TransportOptions},
    publish::{book::Book, keys::Keys, outgoing::Outgoing},
    worker::{LaneView, Worker, WorkerHandle, WorkerParts, WorkerSignals},
};
use hookhaven_core::{
    Attempt, DeliveryId, DeliveryState, Destination, ErrorClass, Event, EventId, Lane, Policy, Secret, Time,
    destination::{BreakerPolicy, DestinationState},
    retry::RetryPolicy,
};
use hookhaven_store::{
    DeliveryRow, NewDelivery, NewEvent, Store,
    clock::{Clock, Entropy, ManualClock, SeededEntropy},
    memory::MemoryStore,
};
use tokio::sync::mpsc;

use crate::soon;

pub const START: Time = Time::from_s(1_700_000_000);

/// What the worker told of itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Attempt { destination: String, outcome: &'static str, class: ErrorClass },
    Breaker { destination: String, open: bool },
    DeadlineMissed,
    LeaseLost,
}

#[derive(Debug)]
struct Signals(mpsc::UnboundedSender<Told>);

impl Signals {
    fn tell(&self, told: Told) {
        let _ = self.0.send(told);
    }
}

impl WorkerSignals for Signals {
    fn attempt(
        &self,
        _: &Arc<str>,
        destination: &Arc<str>,
        _: &str,
        outcome: &'static str,
        class: ErrorClass,
        _: Duration,
    ) {
        self.tell(Told::Attempt { destination: destination.to_string(), outcome, class });
    }
    fn end_to_end(&self, _: &Arc<str>, _: &Arc<str>, _: Duration) {}
    fn deadline_missed(&self, _: &Arc<str>, _: &Arc<str>) {
        self.tell(Told::DeadlineMissed);
    }
    fn retried(&self) {}
    fn lease_lost(&self) {
        self.tell(Told::LeaseLost);
    }
    fn breaker(&self, destination: &Arc<str>, open: bool) {
        self.tell(Told::Breaker { destination: destination.to_string(), open });
    }
}

pub struct Rig {
    pub clock: ManualClock,
    pub store: Arc<MemoryStore>,
    pub config: Arc<ArcSwap<Config>>,
    pub worker: WorkerHandle,
    told: mpsc::UnboundedReceiver<Told>,
    next_id: AtomicU8,
}

pub fn destination(name: &str, url: &str) -> Destination {
    Destination {
        name: name.into(),
        url: url.parse().unwrap(),
        timeout: Duration::from_secs(300),
        concurrency: NonZeroU32::new(16).unwrap(),
        rate: None,
        secrets: Vec::new(),
        breaker: BreakerPolicy::default(),
        state: DestinationState::Active,
    }
}

pub fn config(destinations: impl IntoIterator<Item = Destination>) -> Config {
    Config {
        // So that moving the clock by minutes does not end the session.
        worker: config::Worker { slots: 16, session_ttl: Duration::from_secs(86_400), ..config::Worker::default() },
        destinations: destinations.into_iter().map(|d| (d.name.clone(), Arc::new(d))).collect(),
        ..Config::default()
    }
}

/// A store on a clock, before there is a worker.
pub fn store() -> (ManualClock, Arc<MemoryStore>) {
    let clock = ManualClock::at(START);
    let store = MemoryStore::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1)));
    (clock, Arc::new(store))
}

impl Rig {
    pub fn start(config: Config) -> Self {
        let (clock, store) = store();
        Self::on(clock, store, config)
    }

    pub fn on(clock: ManualClock, store: Arc<MemoryStore>, config: Config) -> Self {
        Self::over(clock, store.clone(), store, config)
    }

    /// With a store of the worker's own in front of the one that we look at.
    pub fn over(clock: ManualClock, store: Arc<MemoryStore>, front: Arc<dyn Store>, config: Config) -> Self {
        let config = Arc::new(ArcSwap::from_pointee(config));
        let (tell, told) = mpsc::unbounded_channel();
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(2));
        let worker = Worker::start(WorkerParts {
            teller: Arc::new(hookhaven::alerting::NoChannels),
            tracer: hookhaven::telemetry::Tracer::default(),
            store: front,
            clock: Arc::new(clock.clone()),
            entropy,
            config: config.clone(),
            transport: Arc::new(Transport::new(TransportOptions::default()).unwrap()),
            published: Arc::new(published(&config)),
            signals: Arc::new(Signals(tell)),
        });
        Rig { clock, store, config, worker, told, next_id: AtomicU8::new(1) }
    }

    /// Stores an event with one delivery, due now.
    pub async fn accept(&self, destination: &str) -> DeliveryId {
        let n = self.next_id.fetch_add(1, Ordering::SeqCst);
        accept(&*self.store, &self.clock, destination, n).await
    }

    pub async fn told(&mut self) -> Told {
        soon(self.told.recv()).await.unwrap()
    }

    /// The outcome of the next attempt to be recorded; other news is passed over.
    pub async fn outcome(&mut self) -> (String, &'static str, ErrorClass) {
        loop {
            if let Told::Attempt { destination, outcome, class } = self.told().await {
                return (destination, outcome, class);
            }
        }
    }

    pub fn nothing_told(&mut self) -> bool {
        self.told.try_recv().is_err()
    }

    pub fn advance_to(&self, at: Time) {
        self.clock.advance(at.since(self.clock.now()));
    }

    pub async fn row(&self, delivery: DeliveryId) -> DeliveryRow {
        self.store.delivery(delivery).await.unwrap().unwrap()
    }

    pub async fn state(&self, delivery: DeliveryId) -> DeliveryState {
        self.row(delivery).await.delivery.state
    }

    pub async fn attempts(&self, delivery: DeliveryId) -> Vec<Attempt> {
        self.store.attempts(delivery).await.unwrap()
    }

    pub fn lane(&self, destination: &str) -> Option<LaneView> {
        self.worker.lanes().into_iter().find(|v| v.lane == Lane::of_destination(destination))
    }
}

pub async fn accept(store: &dyn Store, clock: &ManualClock, destination: &str, n: u8) -> DeliveryId {
    let (now, id) = (clock.now(), DeliveryId::from_bytes([n; 16]));
    let event = Event {
        digest: None,
        part: None,
        id: EventId::from_bytes([n; 16]),
        source: "stripe".into(),
        event_type: "invoice.paid".into(),
        idempotency_key: format!("key-{n}").into(),
        received_at: now,
        occurred_at: None,
        correlation_id: "c-1".into(),
        matched_secret: Some(0),
        remote: "192.0.2.1".into(),
        headers: vec![("content-type".into(), Bytes::from_static(b"application/json"))],
        body: Bytes::from(format!("{{ \"n\":  {n} }}\n")),
    };
    let policy = Policy {
        retry: RetryPolicy::default(),
        deadline: Duration::from_secs(30),
        max_age: Duration::from_secs(3 * 86_400),
        critical: false,
    };
    let delivery = NewDelivery {
        order: None,
        id,
        destination: destination.into(),
        lane: Lane::of_destination(destination),
        route: "stripe#1".into(),
        policy: Arc::new(policy),
        due_at: now,
    };
    let new = NewEvent {
        refuses_replay: false,
        revives: true,
        event,
        key_until: now.plus(Duration::from_secs(60)),
        deliveries: vec![delivery],
    };
    store.accept(vec![new]).await.unwrap();
    id
}

/// Nothing is published here.
fn published(config: &Arc<ArcSwap<Config>>) -> Outgoing {
    let key = Secret::new("sig_0123456789abcdefghijklmnopqr").expect("it is not empty");
    let keys = Keys::new(config.clone(), SigningKeys { current: key.clone(), next: key });
    Outgoing { config: config.clone(), keys: Arc::new(keys), gates: Arc::new(Book::default()) }
}
