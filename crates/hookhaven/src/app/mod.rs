//! Where the parts meet: one gateway, wired from a configuration, started and stopped as a whole.
//!
//! Ingest, worker, sweeps and API know nothing of each other; what one must tell another goes through
//! the store or through the few lines here (`wires`). Not here: any rule.

mod credentials;
mod doors;
mod marking;
mod nodes;
mod parts;
mod store;
mod token;
mod told;
mod trials;
mod upkeep;
mod wires;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hookhaven_core::Secret;
use hookhaven_store::{
    Store, StoreError,
    clock::{Clock, Entropy},
    quarantine::MemoryQuarantine,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::{
    credentials::credentials,
    doors::Doors,
    nodes::{NodeParts, Nodes},
    parts::{Parts, way_out},
    wires::{Surroundings, Wires},
};
use crate::{
    access::{self, Access},
    alerts::channels::Channels,
    api::ApiParts,
    config::{
        Environment, Loaded,
        reload::{self, Live, Reload},
    },
    dashboard,
    egress::{Egress, TransportError},
    ingest::{keys::SenderKeys, release::Releases},
    metrics::Metrics,
    publish::{
        api::Traffic,
        keys::{Keys, KeysError},
    },
    quarantine::{self, Keeper},
    secrets::SecretUse,
    server::{BindError, Server, ServerLimits},
    stats,
    sweeps::Sweeps,
    telemetry::{self, Exporting},
    worker::{Drained, Worker, WorkerHandle},
};

pub use credentials::Made;
pub use store::{Opened, open_bare, open_store};
pub use token::{PUBLISH_TOKEN_FILE, TOKEN_FILE};
pub use upkeep::{rejections, sender_keys};
pub use wires::{KeyRing, publications};

/// How long a start waits for a database that is away, before somebody else should decide.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a stop waits for the store to hear that the node leaves.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a gateway takes from outside.
#[derive(Debug)]
pub struct Outside {
    pub environment: Environment,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// A way out of a test's own; `None`: the one there is.
    pub egress: Option<Arc<dyn Egress>>,
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
    #[error("the token in {0}: {1}")]
    Token(String, std::io::Error),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("TLS for deliveries: {0}")]
    Transport(#[from] TransportError),
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    /// `None` if it takes nothing in.
    pub ingest_addr: Option<SocketAddr>,
    /// Whether it speaks TLS there.
    pub ingest_tls: bool,
    pub admin_addr: SocketAddr,
    /// Whether it speaks TLS there.
    pub admin_tls: bool,
    pub admin_token: Secret,
    /// Whether this start made the token.
    pub token_is_new: bool,
    /// What this start made for publishing: to be told once.
    pub made: Made,
    /// What published messages are signed with.
    pub keys: Arc<Keys>,
    pub store: Arc<dyn Store>,
    config: Live,
    /// On a node that only takes in, it attempts what senders wait for.
    worker: WorkerHandle,
    sweeps: Option<Sweeps>,
    accepting: Arc<AtomicBool>,
    stop_ingest: CancellationToken,
    stop_nodes: CancellationToken,
    stop_admin: CancellationToken,
    ingest: Option<JoinHandle<()>>,
    /// Of nodes that work.
    scheduler: Option<JoinHandle<()>>,
    stop_schedules: CancellationToken,
    /// Of nodes that work.
    jobs: Option<JoinHandle<()>>,
    stop_jobs: CancellationToken,
    nodes: JoinHandle<()>,
    alerts: JoinHandle<()>,
    admin: JoinHandle<()>,
    upkeep: Vec<JoinHandle<()>>,
    /// Ends when nobody can refuse any more.
    keeping: JoinHandle<()>,
    /// Where traces are made.
    exporting: Option<Exporting>,
    secrets: Arc<SecretUse>,
    stats: Arc<stats::keep::Keep>,
    access: Arc<Access>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Gateway {
    /// Binds, opens, wires and starts everything. Addresses are bound first: a taken port is found
    /// before the store is touched.
    pub async fn start(loaded: Loaded, outside: Outside) -> Result<Self, StartError> {
        let doors = Doors::bind(&loaded.config)?;
        let opened =
            open_store(&loaded.config, outside.clock.clone(), outside.entropy.clone(), DATABASE_PATIENCE).await?;
        Self::wire(loaded, outside, doors, opened).await
    }

    /// The same on a store that is open already, whatever the configuration says of it: for tests and
    /// simulation, which bring one that fails.
    pub async fn start_on(loaded: Loaded, outside: Outside, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let doors = Doors::bind(&loaded.config)?;
        let quarantine = Arc::new(MemoryQuarantine::default());
        let opened = Opened { store, quarantine, clock: outside.clock.clone(), vault: None };
        Self::wire(loaded, outside, doors, opened).await
    }

    async fn wire(mut loaded: Loaded, outside: Outside, doors: Doors, opened: Opened) -> Result<Self, StartError> {
        let Outside { environment, entropy, egress, log_lines_dropped, .. } = outside;
        let Opened { store, quarantine, clock, vault } = opened;
        let (made, found) = credentials(&mut loaded.config, &*store, &*entropy, vault.as_deref()).await?;
        let (settings, origin) = (loaded.config.clone(), loaded.origin.clone());
        let admin_token = token::admin(&settings, &*entropy, vault.as_deref())?;

        let (config, watcher) = reload::watch(loaded, environment, clock.clone());
        let Doors { ingest: ingest_server, admin: admin_server } = doors.with_tls(&config);
        let (ingest_addr, admin_addr) = (ingest_server.as_ref().map(Server::local_addr), admin_server.local_addr());
        let keys = Arc::new(Keys::new(config.shared(), found));
        let secrets = Arc::new(SecretUse::open(&*store, &settings, &*entropy, clock.now()).await?);
        let metrics = Arc::new(Metrics::new(settings.limits.metric_types_max, clock.now(), log_lines_dropped));
        let egress = egress.map_or_else(|| way_out(admin_addr), Ok)?;
        let sender_keys = Arc::new(SenderKeys::new(egress.clone(), clock.clone()));
        let channels = Channels::new(config.shared(), egress.clone(), clock.clone(), entropy.clone(), admin_addr);
        let token = &admin_token.secret;
        let access = Access::new(token, access::ADMIN_TOKEN, store.clone(), clock.clone(), entropy.clone());
        let access = Arc::new(access);
        let (tracer, exporting) =
            telemetry::start(&settings.telemetry, egress.clone(), clock.clone(), entropy.clone(), metrics.clone());
        let parts = Parts {
            channels: Arc::new(channels),
            store: store.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            metrics,
            config,
            keys: keys.clone(),
            egress,
            book: Arc::default(),
            budget: Arc::default(),
            secrets: secrets.clone(),
            sender_keys,
            networks: Arc::default(),
            access: access.clone(),
            tracer,
        };
        access.tokens.load(&*store).await?;
        settings.switches.load(&*store).await?;
        parts.book.load(&*store).await?;
        parts.networks.load(&*store).await?;
        let works = settings.server.role.works();
        let (hands, sweeps) = match works {
            true => {
                let worker = Worker::start(parts.worker());
                (worker.clone(), Some(parts.sweeps(&settings, worker)))
            }
            false => (Worker::start_asking(parts.worker()), None),
        };
        let worker = works.then(|| hands.clone());
        let Parts { metrics, config, .. } = &parts;
        let accepting = Arc::new(AtomicBool::new(true));
        let node = NodeParts {
            store: store.clone(),
            clock: clock.clone(),
            config: config.shared(),
            metrics: metrics.clone(),
            worker: hands.clone(),
            reloaded: config.state(),
        };
        let stats =
            Arc::new(stats::keep::Keep::new(metrics.recorder().clone(), store.clone(), clock.clone(), &*entropy));
        let nodes = Arc::new(Nodes::new(node, admin_addr.to_string(), &*entropy));
        let signals = Wires {
            metrics: metrics.clone(),
            store: store.clone(),
            clock: clock.clone(),
            worker: worker.clone(),
            nodes: nodes.clone(),
            reload: config.state(),
            accepting: accepting.clone(),
            config: config.shared(),
            secrets: secrets.clone(),
            origin,
        };
        let alerts = parts.alerts(Surroundings { nodes: nodes.clone(), worker: hands.clone() });
        let (keeper, keeping) = Keeper::start(quarantine.clone(), metrics.clone());
        let releases = Releases::new(parts.of_ingest(None, None), quarantine.clone());
        let ring = KeyRing::new(store.clone(), config.shared(), entropy.clone(), Some(keys.clone()));
        let traffic = worker.clone().map(|worker| Arc::new(worker) as Arc<dyn Traffic>);
        let jobs = Arc::new(parts.jobs(nodes.this().id, works));
        let trials = Arc::new(parts.trials(ingest_addr));
        let marker = parts.marker(nodes.this().id);
        let admin = dashboard::router(ApiParts {
            store: store.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            keys: Arc::new(ring),
            publications: Arc::new(parts.publications(traffic.clone())),
            config: config.shared(),
            access: access.clone(),
            bound: admin_addr,
            signals: Arc::new(signals),
            quarantine: quarantine.clone(),
            rejections: Arc::new(releases),
            jobs: jobs.clone(),
            secrets: Some(secrets.clone()),
            alerts: Some(alerts.clone()),
            trials: Some(trials),
        });

        let [stop_ingest, stop_schedules, stop_jobs, stop_nodes, stop_admin] =
            [(); 5].map(|()| CancellationToken::new());
        let limits = ServerLimits::from(&settings.limits);
        let mut upkeep = vec![
            tokio::spawn(watcher.run()),
            tokio::spawn(wires::tell_of_reloads(config.state(), metrics.clone(), hands.clone())),
            tokio::spawn(marker.clone().started(settings.server.role)),
            tokio::spawn(told::note_reloads(config.shared(), config.state(), access.audit.clone(), marker)),
            tokio::spawn(wires::follow_tokens(access.clone(), store.clone(), clock.clone())),
            tokio::spawn(wires::follow_switches(settings.switches.clone(), store.clone(), clock.clone())),
            tokio::spawn(wires::tell_of_switches(settings.switches.clone(), worker.clone())),
            tokio::spawn(wires::follow_keys(keys.clone(), store.clone(), clock.clone())),
            tokio::spawn(wires::follow_book(parts.book.clone(), store.clone(), clock.clone())),
            tokio::spawn(wires::tell_of_book(parts.book.clone(), worker.clone())),
            tokio::spawn(upkeep::follow_secrets(secrets.clone(), config.state(), config.shared(), clock.clone())),
            tokio::spawn(upkeep::keep_secrets(secrets.clone(), store.clone(), config.shared(), clock.clone())),
            tokio::spawn(stats.clone().run()),
            tokio::spawn(quarantine::forget_old(quarantine, config.shared(), clock.clone())),
        ];
        if ingest_server.is_some() {
            upkeep.push(parts.renew_networks());
        }
        let ingest = ingest_server.map(|server| {
            let of_ingest = parts.of_ingest(Some(keeper), Some(Arc::new(hands.clone())));
            parts.ingest(server, of_ingest, limits, &stop_ingest, traffic)
        });
        let scheduler = worker.is_some().then(|| parts.schedule(&stop_schedules));
        let jobs = works.then(|| tokio::spawn(jobs.run(stop_jobs.clone())));
        let admin = admin_server.run(admin, limits, stop_admin.clone().cancelled_owned());
        Ok(Gateway {
            ingest_addr,
            ingest_tls: settings.server.tls.ingest.is_some(),
            admin_addr,
            admin_tls: settings.server.tls.admin.is_some(),
            admin_token: admin_token.secret,
            token_is_new: admin_token.is_new,
            made,
            keys,
            store,
            config: parts.config,
            worker: hands,
            sweeps,
            accepting,
            ingest,
            scheduler,
            stop_schedules,
            jobs,
            stop_jobs,
            nodes: tokio::spawn(nodes.run(stop_nodes.clone())),
            alerts: tokio::spawn(alerts.run(stop_nodes.clone())),
            admin: tokio::spawn(async move {
                let _ = admin.await;
            }),
            stop_ingest,
            stop_nodes,
            stop_admin,
            upkeep,
            keeping,
            exporting,
            secrets,
            stats,
            access,
            clock,
            entropy,
        })
    }

    /// Whether anybody may publish messages.
    pub fn publishes(&self) -> bool {
        self.config.config().publish.is_open()
    }

    /// A path on the admin address that signs a browser in to the dashboard, once, with the admin token.
    pub fn sign_in_path(&self) -> String {
        self.access.link(self.admin_token.expose(), self.clock.now(), &*self.entropy)
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
        self.stop_schedules.cancel();
        self.stop_jobs.cancel();
        let ingest = async {
            for taking_in in [self.ingest, self.scheduler, self.jobs].into_iter().flatten() {
                // A panic in it was logged where it happened.
                let _ = taking_in.await;
            }
        };
        let ((), Drained { aborted }) = tokio::join!(ingest, self.worker.drain(timeout));
        if let Some(sweeps) = self.sweeps {
            sweeps.stop().await;
        }
        if let Some(exporting) = self.exporting {
            exporting.stop().await;
        }
        self.stop_nodes.cancel();
        let leaving = async { tokio::join!(self.nodes, self.alerts) };
        let _ = tokio::time::timeout(LEAVE_TIMEOUT, leaving).await;
        for task in &self.upkeep {
            task.abort();
        }
        self.stop_admin.cancel();
        // A panic in it was logged where it happened.
        let _ = self.admin.await;
        let _ = tokio::time::timeout(LEAVE_TIMEOUT, self.keeping).await;
        upkeep::note_stats(&self.stats).await;
        upkeep::note_secrets(&self.secrets, &*self.store, self.clock.now()).await;
        self.store.close().await;
        aborted
    }
}
