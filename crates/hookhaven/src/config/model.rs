//! The configuration as the gateway uses it: checked, resolved, with every default filled in.
//!
//! Not the file's syntax: that is the parser's, and nothing below knows TOML.

mod publish;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use hookhaven_core::{Destination, Secret, destination::DestinationState, route::Route, source::Source};
use hookhaven_store::{Leave, postgres::PostgresAddress};
use ipnet::IpNet;

pub use self::publish::{Net, Publish, SigningKeys};
use super::{
    alerts::Alerts,
    encryption::Encryption,
    quarantine::{Quarantine, SecretAges},
    redact::Redactions,
    telemetry::Telemetry,
    written::Written,
};
use crate::{switches::Switches, tls::ListenerTls};

/// The whole configuration. Replaced as one value when the file changes.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub server: Server,
    pub store: Store,
    /// What data keys are kept under.
    pub encryption: Encryption,
    pub limits: Limits,
    pub worker: Worker,
    pub publish: Publish,
    pub net: Net,
    pub log: Log,
    pub telemetry: Telemetry,
    /// How rejected requests are kept.
    pub quarantine: Quarantine,
    /// When secrets should have been replaced.
    pub secret_ages: SecretAges,
    /// Fields of bodies that are masked where they are shown.
    pub redactions: Redactions,
    pub alerts: Alerts,
    pub sources: BTreeMap<Arc<str>, Arc<Source>>,
    pub destinations: BTreeMap<Arc<str>, Arc<Destination>>,
    /// In the file's order, which decides between routes.
    pub routes: Vec<Route>,
    /// Tells sources, destinations, routes and their secrets from others: nodes of one store should agree.
    pub fingerprint: Arc<str>,
    /// What the file says of what is in force, as it may be shown.
    pub written: Arc<Written>,
    /// What people switch while it runs; the same for every reading of the file.
    pub switches: Arc<Switches>,
}

impl Config {
    /// Whether other nodes may work on the same store.
    pub fn shares_store(&self) -> bool {
        matches!(self.store.place, Place::Database(_))
    }

    /// Whether new events make no delivery to a destination: disabled by the file or by people, or not in the file.
    pub fn is_disabled(&self, destination: &str) -> bool {
        let in_file = self.destinations.get(destination);
        in_file.is_none_or(|d| d.state == DestinationState::Disabled) || self.switches.is_disabled(destination)
    }

    /// Whether some route asks for its handler's answer.
    pub fn asks_handlers(&self) -> bool {
        self.routes.iter().any(|route| route.answer_within.is_some())
    }

    /// What a source must leave free for those whose senders do not come again.
    pub fn leave(&self, source: &Source) -> Leave {
        if source.reserved || !self.sources.values().any(|other| other.reserved) {
            return Leave::NOTHING;
        }
        Leave::percent(self.limits.reserved_percent)
    }
}

#[derive(Clone, Debug)]
pub struct Server {
    /// What this node does.
    pub role: Role,
    /// Senders post here.
    pub ingest: SocketAddr,
    /// Admin API, metrics, health.
    pub admin: SocketAddr,
    /// The gateway's address as senders know it, without a trailing slash.
    pub public_url: Option<url::Url>,
    /// `None`: made at first start and kept, owner-only, in the data directory. With a shared store there
    /// is none: the configuration names it, the same for all nodes.
    pub admin_token: Option<Secret>,
    /// Host names, beside loopback and the admin address itself, under which the admin side answers.
    pub admin_hosts: Vec<String>,
    /// Where people reach the admin side, for links in alerts, without a trailing slash.
    pub admin_url: Option<url::Url>,
    /// Proxies of ours that say whose request they pass on.
    pub trusted_proxies: Vec<IpNet>,
    pub tls: ServerTls,
}

/// What each listener shows; `None`: it speaks plain HTTP. A listener with TLS has it as long as the process runs;
/// what it shows may change.
#[derive(Clone, Debug, Default)]
pub struct ServerTls {
    pub ingest: Option<Arc<ListenerTls>>,
    pub admin: Option<Arc<ListenerTls>>,
}

/// What a node does. All but `All` need a store that nodes can share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    All,
    /// Accepts events, and makes no attempts but those that a sender waits for.
    Ingest,
    /// Makes attempts and keeps the store tidy; senders cannot post to it.
    Worker,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::All, Role::Ingest, Role::Worker];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::All => "all",
            Role::Ingest => "ingest",
            Role::Worker => "worker",
        }
    }

    pub fn ingests(self) -> bool {
        self != Role::Worker
    }

    pub fn works(self) -> bool {
        self != Role::Ingest
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    pub place: Place,
    /// Pending deliveries beyond which accepts answer 503.
    pub pending_max: u64,
    /// Bytes after which a new journal segment begins.
    pub segment_bytes: u64,
    /// Journal bytes that the index may lag behind before accepts answer 503.
    pub index_lag_bytes_max: u64,
    /// Changes that may wait for the journal, beyond which 503.
    pub queue_max: usize,
    /// Bytes of bodies among them.
    pub queue_bodies_bytes_max: usize,
    /// How long an event is kept after everything of it is over.
    pub retention: Duration,
    /// How long a dead letter stays before it is dismissed; `None`: until a person replays or dismisses it.
    pub retention_dead: Option<Duration>,
    /// Free bytes on the disk below which accepts answer 503; 0: no such limit.
    pub free_min_bytes: u64,
    /// Bytes set aside there for what ends work when the disk is full all the same; 0: none.
    pub reserve_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `file:DIR`: the embedded store.
    Directory(PathBuf),
    /// `memory:`: nothing survives; for tests and play.
    Memory,
    /// `postgres://…`: shared by any number of nodes.
    Database(Box<Database>),
}

/// A PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    pub address: PostgresAddress,
    /// Where notifications can be heard if `address` is a pooler in transaction mode.
    pub listen: Option<PostgresAddress>,
    /// Whether `serve` brings the schema up to date; else `hookhaven migrate` has to.
    pub migrate: bool,
}

/// Limits against clients, slow or hostile. Each is a key under `[limits]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Open connections per address; further ones are answered 503.
    pub connections_max: usize,
    pub header_bytes_max: usize,
    pub headers_max: usize,
    /// From the first byte of a connection or request to the end of its headers.
    pub header_timeout: Duration,
    /// For the whole body.
    pub body_timeout: Duration,
    /// Between requests of one connection.
    pub idle_timeout: Duration,
    /// Bodies held in memory at once, over all requests; beyond it 503.
    pub body_bytes_in_flight_max: usize,
    /// How long SIGTERM waits for requests and attempts under way.
    pub drain_timeout: Duration,
    /// Distinct event types per source in metrics; more count as `other`.
    pub metric_types_max: usize,
    /// What every other source must leave free of bodies in flight, of the store's queue and of its
    /// other limits once one source is `reserved`, in percent.
    pub reserved_percent: u8,
}

/// Limits of delivery. Each is a key under `[worker]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// Attempts in flight at once, over all destinations.
    pub slots: usize,
    /// Kept of an answer's body.
    pub excerpt_bytes_max: usize,
    /// Read of an answer's body before the connection is given up.
    pub response_bytes_max: usize,
    /// How long a session lives without renewal.
    pub session_ttl: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: tracing::Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
    /// Text where a person looks, at a terminal; else JSON.
    Auto,
}

impl LogFormat {
    pub const ALL: [(&str, LogFormat); 3] =
        [("json", LogFormat::Json), ("text", LogFormat::Text), ("auto", LogFormat::Auto)];

    /// What `Auto` comes to.
    #[must_use]
    pub fn on(self, terminal: bool) -> Self {
        match self {
            LogFormat::Auto if terminal => LogFormat::Text,
            LogFormat::Auto => LogFormat::Json,
            said => said,
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Server {
            role: Role::All,
            ingest: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin: SocketAddr::from(([127, 0, 0, 1], 8081)),
            public_url: None,
            admin_token: None,
            admin_hosts: Vec::new(),
            admin_url: None,
            trusted_proxies: Vec::new(),
            tls: ServerTls::default(),
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Store {
            place: Place::Directory("hookhaven-data".into()),
            pending_max: 2_000_000,
            segment_bytes: 128 << 20,
            index_lag_bytes_max: 1 << 30,
            queue_max: 65_536,
            queue_bodies_bytes_max: 256 << 20,
            retention: Duration::from_secs(35 * 24 * 3_600),
            retention_dead: None,
            // Two segments: one that is copied at a restart, and what is settled meanwhile.
            free_min_bytes: 256 << 20,
            reserve_bytes: 64 << 20,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 4_096,
            header_bytes_max: 32 << 10,
            headers_max: 100,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            body_bytes_in_flight_max: 256 << 20,
            drain_timeout: Duration::from_secs(20),
            metric_types_max: 100,
            reserved_percent: 20,
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Worker {
            slots: 512,
            excerpt_bytes_max: 4 << 10,
            response_bytes_max: 1 << 20,
            session_ttl: Duration::from_secs(30),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { format: LogFormat::Auto, level: tracing::Level::INFO }
    }
}
