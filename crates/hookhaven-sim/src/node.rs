//! One node: the gateway's own ingest, worker and sweeps, between a gate, a store that may fail it, and
//! handlers in the transport's place.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use hookhaven::{
    config::{Config, SigningKeys},
    egress::Egress,
    ingest::{Ingest, IngestParts, keys::SenderKeys},
    metrics::Metrics,
    publish::{book::Book, keys::Keys, outgoing::Outgoing},
    server::Peer,
    sweeps::{Keep, SweepParts, Sweeps},
    worker::{Worker, WorkerHandle, WorkerParts, WorkerSignals},
};
use hookhaven_core::{ErrorClass, Secret, destination::BreakerPolicy};
use hookhaven_store::{Store, clock::SeededEntropy, faulty::Faulty};
use http::Request;
use http_body_util::Full;
use tokio::sync::{Notify, Semaphore};

use crate::{
    actors::handlers::{Handlers, Wire},
    fate::NodeFate,
    gate::{Gate, NodeClock},
    layer::Over,
    machine::Machine,
    mutant::{Mutant, Remembered},
    mutation::Mutation,
    watched::Watched,
    world::World,
};

/// What nodes are made of and share.
#[derive(Debug)]
pub struct Site {
    pub world: Arc<World>,
    pub machine: Machine,
    pub handlers: Handlers,
    /// The file that every node reads.
    pub config: Arc<ArcSwap<Config>>,
    pub storm: Arc<AtomicU64>,
    pub mutation: Option<Mutation>,
    pub remembered: Arc<Mutex<Remembered>>,
}

/// A running node.
pub struct Node {
    pub name: String,
    pub gate: Gate,
    /// As the node's own parts and its API see it.
    pub store: Arc<dyn Store>,
    ingest: Arc<Ingest>,
    worker: WorkerHandle,
    wake: Arc<Notify>,
    config: Arc<ArcSwap<Config>>,
    breaker_never_opens: bool,
    /// Stops when dropped, at its next turn.
    _sweeps: Sweeps,
}

impl Node {
    /// Starts on the machine's store; `None` while that is down.
    pub fn start(site: &Site, number: u64) -> Option<Arc<Self>> {
        let embedded = site.machine.store()?;
        let (name, gate, world) = (format!("n{number}"), Gate::open(), site.world.clone());
        let chance = world.plan.chance.fork(&name);
        let fate = NodeFate {
            world: world.clone(),
            machine: site.machine.clone(),
            gate: gate.clone(),
            storm: site.storm.clone(),
            chance: Mutex::new(chance.fork("fate")),
        };
        let mut inner: Arc<dyn Store> = Arc::new(Faulty::fated(embedded, Arc::new(fate)));
        if let Some(mutation) = site.mutation {
            let remembered = site.remembered.clone();
            inner = Arc::new(Over(Mutant { inner, mutation, world: world.clone(), remembered }));
        }
        let wake = Arc::new(Notify::new());
        let watched = Watched { inner, world: world.clone(), node: name.clone(), wake: wake.clone() };
        let store: Arc<dyn Store> = Arc::new(Over(watched));
        let breaker_never_opens = site.mutation == Some(Mutation::BreakerNeverOpens);
        let config = Arc::new(ArcSwap::from_pointee(as_read(&site.config.load(), breaker_never_opens)));
        let clock = Arc::new(NodeClock { clock: world.clock.clone(), gate: gate.clone() });
        let entropy = Arc::new(SeededEntropy::new(chance.fork("entropy").draw()));
        let metrics = Arc::new(Metrics::new(100, world.now(), Arc::default()));
        let wire: Arc<dyn Egress> = Arc::new(Wire {
            node: name.clone(),
            gate: gate.clone(),
            world: world.clone(),
            handlers: site.handlers.clone(),
            shared: (site.mutation == Some(Mutation::ConnectionsShared)).then(|| Arc::new(Semaphore::new(2))),
        });
        let sender_keys = Arc::new(SenderKeys::new(wire.clone(), clock.clone()));
        let worker = Worker::start(WorkerParts {
            teller: Arc::new(hookhaven::alerting::NoChannels),
            tracer: hookhaven::telemetry::Tracer::default(),
            store: store.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            config: config.clone(),
            transport: wire,
            published: Arc::new(published(&config)),
            signals: Arc::new(Unheard),
        });
        let lanes = worker.clone();
        let failing_lanes = Arc::new(move || lanes.failing_lanes());
        let kept = &world.plan.config.store;
        let keep = Keep { events: kept.retention, dead_letters: kept.retention_dead };
        let sweeps = Sweeps::start(SweepParts { store: store.clone(), clock: clock.clone(), failing_lanes, keep });
        let ingest = Ingest::new(IngestParts {
            tracer: hookhaven::telemetry::Tracer::default(),
            store: store.clone(),
            clock,
            entropy,
            config: config.clone(),
            metrics,
            budget: Arc::default(),
            sender_keys,
            asker: Some(Arc::new(worker.clone())),
            keeper: None,
            secrets: None,
            networks: Arc::default(),
        });
        world.say(format_args!("node {name}: up"));
        Some(Arc::new(Node { name, gate, store, ingest, worker, wake, config, breaker_never_opens, _sweeps: sweeps }))
    }

    /// A sender's request comes in. Answers the status, if the node lives to give one.
    pub async fn receive(&self, source: &str, request: Request<Full<bytes::Bytes>>) -> u16 {
        self.gate.pass().await;
        let peer = Peer(SocketAddr::from(([192, 0, 2, 1], 443)));
        let answer = self.ingest.receive(source, request, peer).await;
        self.gate.pass().await;
        answer.status().as_u16()
    }

    /// There may be more to claim.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// The file was changed, or a paused state.
    pub fn refresh(&self, config: &Config) {
        self.config.store(Arc::new(as_read(config, self.breaker_never_opens)));
        self.worker.refresh();
    }
}

fn as_read(config: &Config, breaker_never_opens: bool) -> Config {
    let mut config = config.clone();
    if breaker_never_opens {
        for destination in config.destinations.values_mut() {
            let never = BreakerPolicy { failures: std::num::NonZeroU32::MAX, ..destination.breaker };
            *destination = Arc::new(hookhaven_core::Destination { breaker: never, ..(**destination).clone() });
        }
    }
    config
}

impl Site {
    /// Faults in a hundred calls to the store from now on.
    pub fn set_storm(&self, percent: u64) {
        self.storm.store(percent, Ordering::Relaxed);
        self.machine.set_slow(percent > 0);
    }
}

/// Nothing is published here.
#[expect(clippy::expect_used, reason = "a constant that is not empty")]
fn published(config: &Arc<ArcSwap<Config>>) -> Outgoing {
    let key = Secret::new("sig_0123456789abcdefghijklmnopqr").expect("it is not empty");
    let keys = Keys::new(config.clone(), SigningKeys { current: key.clone(), next: key });
    Outgoing { config: config.clone(), keys: Arc::new(keys), gates: Arc::new(Book::default()) }
}

/// What a worker tells of itself: nobody counts here, since the laws judge by what is stored.
#[derive(Debug)]
struct Unheard;

impl WorkerSignals for Unheard {
    fn attempt(&self, _: &Arc<str>, _: &Arc<str>, _: &str, _: &'static str, _: ErrorClass, _: Duration) {}
    fn end_to_end(&self, _: &Arc<str>, _: &Arc<str>, _: Duration) {}
    fn deadline_missed(&self, _: &Arc<str>, _: &Arc<str>) {}
    fn retried(&self) {}
    fn lease_lost(&self) {}
    fn breaker(&self, _: &Arc<str>, _: bool) {}
}
