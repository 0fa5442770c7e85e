//! Where the parts meet: one gateway, wired from a configuration, started and stopped as a whole.
//!
//! Ingest, worker, sweeps and API know nothing of each other; what one must tell another goes through
//! the store or through the few lines here (`wires`). Not here: any rule.

mod token;
mod wires;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use hookhaven_core::Secret;
use hookhaven_store::{
    Store, StoreError,
    clock::{Clock, Entropy},
    embedded::{EmbeddedOptions, EmbeddedStore, disk::RealDisk, queue::QueueLimits, space::SpaceLimits},
    memory::MemoryStore,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::wires::Wires;
use crate::{
    api::{self, ApiParts},
    config::{
        Config, Environment, Loaded, Place,
        reload::{self, Live, Reload},
    },
    egress::{Transport, TransportError, TransportOptions},
    ingest::{Ingest, IngestParts},
    metrics::Metrics,
    server::{BindError, Server, ServerLimits},
    sweeps::{Keep, SweepParts, Sweeps},
    worker::{Worker, WorkerHandle, WorkerParts},
};

pub use token::TOKEN_FILE;

/// What a gateway takes from outside.
#[derive(Debug)]
pub struct Outside {
    pub environment: Environment,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// The log's count of dropped lines.
    pub log_lines_dropped: Arc<AtomicU64>,
}

/// Why a gateway did not start. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `key` is the one in the config file.
    #[error("{error}")]
    Bind { key: &'static str, error: BindError },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the admin token in {0}: {1}")]
    Token(String, std::io::Error),
    #[error("TLS for deliveries: {0}")]
    Transport(#[from] TransportError),
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    pub ingest_addr: SocketAddr,
    pub admin_addr: SocketAddr,
    pub admin_token: Secret,
    /// Whether this start made the token.
    pub token_is_new: bool,
    pub store: Arc<dyn Store>,
    config: Live,
    worker: WorkerHandle,
    sweeps: Sweeps,
    accepting: Arc<AtomicBool>,
    stop_ingest: CancellationToken,
    stop_admin: CancellationToken,
    ingest: JoinHandle<()>,
    admin: JoinHandle<()>,
    upkeep: Vec<JoinHandle<()>>,
}

/// Opens the store that a configuration names. Blocks: waits up to 10 s for another process to let go
/// of the data directory, and reads it.
pub fn open_store(
    config: &Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Arc<dyn Store>, StoreError> {
    let store = &config.store;
    Ok(match &store.place {
        Place::Memory => Arc::new(MemoryStore::with_pending_max(clock, entropy, store.pending_max)),
        Place::Directory(dir) => Arc::new(EmbeddedStore::open(EmbeddedOptions {
            dir: dir.clone(),
            pending_max: store.pending_max,
            segment_bytes: store.segment_bytes,
            index_lag_bytes_max: store.index_lag_bytes_max,
            queue: QueueLimits { jobs_max: store.queue_max, bodies_bytes_max: store.queue_bodies_bytes_max },
            space: SpaceLimits { free_min_bytes: store.free_min_bytes, reserve_bytes: store.reserve_bytes },
            disk: Arc::new(RealDisk),
            clock,
            entropy,
        })?),
    })
}

impl Gateway {
    /// Binds, opens, wires and starts everything. Addresses are bound first: a taken port is found
    /// before the store is touched.
    pub async fn start(loaded: Loaded, outside: Outside) -> Result<Self, StartError> {
        let doors = Doors::bind(&loaded.config)?;
        let store = open_in_background(&loaded.config, &outside.clock, &outside.entropy).await?;
        Self::wire(loaded, outside, doors, store)
    }

    /// The same on a store that is open already, whatever the configuration says of it: for tests and
    /// simulation, which bring one that fails.
    pub fn start_on(loaded: Loaded, outside: Outside, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let doors = Doors::bind(&loaded.config)?;
        Self::wire(loaded, outside, doors, store)
    }

    fn wire(loaded: Loaded, outside: Outside, doors: Doors, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let Outside { environment, clock, entropy, log_lines_dropped } = outside;
        let settings = loaded.config.clone();
        let Doors { ingest: ingest_server, admin: admin_server } = doors;
        let (ingest_addr, admin_addr) = (ingest_server.local_addr(), admin_server.local_addr());
        let admin_token = token::find_or_make(&settings, &*entropy)?;

        let (config, watcher) = reload::watch(loaded, environment, clock.clone());
        let metrics = Arc::new(Metrics::new(settings.limits.metric_types_max, clock.now(), log_lines_dropped));
        let transport = TransportOptions { own_addresses: vec![admin_addr], ..TransportOptions::default() };
        let worker = Worker::start(WorkerParts {
            store: store.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            config: config.shared(),
            transport: Arc::new(Transport::new(transport)?),
            signals: metrics.clone(),
        });
        let lanes = worker.clone();
        let sweeps = Sweeps::start(SweepParts {
            store: store.clone(),
            clock: clock.clone(),
            failing_lanes: Arc::new(move || lanes.failing_lanes()),
            keep: Keep { events: settings.store.retention, dead_letters: settings.store.retention_dead },
        });
        let accepting = Arc::new(AtomicBool::new(true));
        let ingest = Ingest::new(IngestParts {
            store: store.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            config: config.shared(),
            metrics: metrics.clone(),
        });
        let signals = Wires {
            metrics: metrics.clone(),
            store: store.clone(),
            clock: clock.clone(),
            worker: worker.clone(),
            reload: config.state(),
            accepting: accepting.clone(),
        };
        let admin = api::router(ApiParts {
            store: store.clone(),
            clock,
            entropy,
            config: config.shared(),
            admin_token: admin_token.secret.clone(),
            bound: admin_addr,
            signals: Arc::new(signals),
        });

        let (stop_ingest, stop_admin) = (CancellationToken::new(), CancellationToken::new());
        let limits = ServerLimits::from(&settings.limits);
        let upkeep = vec![
            tokio::spawn(watcher.run()),
            tokio::spawn(wires::tell_of_reloads(config.state(), metrics, worker.clone())),
        ];
        let until = |stop: &CancellationToken| stop.clone().cancelled_owned();
        let ingest = ingest_server.run(ingest.service(None), limits, until(&stop_ingest));
        let admin = admin_server.run(admin, limits, until(&stop_admin));
        Ok(Gateway {
            ingest_addr,
            admin_addr,
            admin_token: admin_token.secret,
            token_is_new: admin_token.is_new,
            store,
            config,
            worker,
            sweeps,
            accepting,
            ingest: tokio::spawn(async move {
                let _ = ingest.await;
            }),
            admin: tokio::spawn(async move {
                let _ = admin.await;
            }),
            stop_ingest,
            stop_admin,
            upkeep,
        })
    }

    /// Reads the configuration again at once (SIGHUP).
    pub async fn reload(&self) -> Option<Reload> {
        self.config.reload().await
    }

    /// Stops in order and in bounded time: no new requests, attempts finish or are given back, the
    /// store is flushed and closed. Answers how many attempts had to be aborted.
    pub async fn stop(self) -> usize {
        let timeout = self.config.config().limits.drain_timeout;
        self.accepting.store(false, Ordering::Relaxed);
        self.stop_ingest.cancel();
        let (_, drained) = tokio::join!(self.ingest, self.worker.drain(timeout));
        self.sweeps.stop().await;
        for task in &self.upkeep {
            task.abort();
        }
        self.stop_admin.cancel();
        // A panic in it was logged where it happened.
        let _ = self.admin.await;
        self.store.close().await;
        drained.aborted
    }
}

/// Both addresses, bound.
struct Doors {
    ingest: Server,
    admin: Server,
}

impl Doors {
    fn bind(settings: &Config) -> Result<Self, StartError> {
        let bind = |key, address| Server::bind(address).map_err(|error| StartError::Bind { key, error });
        let ingest = bind("server.ingest", settings.server.ingest)?;
        let admin = bind("server.admin", settings.server.admin)?;
        Ok(Doors { ingest, admin })
    }
}

async fn open_in_background(
    settings: &Config,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<dyn Store>, StoreError> {
    let (settings, clock, entropy) = (settings.clone(), clock.clone(), entropy.clone());
    let opening = tokio::task::spawn_blocking(move || open_store(&settings, clock, entropy));
    opening.await.unwrap_or_else(|panic| Err(StoreError::Failed(format!("opening the store failed: {panic}"))))
}
