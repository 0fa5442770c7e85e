//! What `check` asks of this machine and of the network: can the addresses be bound, is the data directory
//! ours to write, do the destinations answer?
//!
//! Each question has a time limit and leaves nothing behind.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use hookhaven_core::{Destination, destination::DestinationState, senders};
use hookhaven_store::{
    clock::SystemClock,
    embedded::{check_dir, disk::RealDisk},
    postgres::examine::{self, Examined, Unfit},
};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};

use super::{
    Context,
    client::{Client, Query},
    settings::Settings,
};
use crate::{
    api::{SecretView, view::Listing},
    config::{Config, Database, Loaded, Origin, Place, Problem, Server, Severity, parse::document::path_of},
    egress::{Transport, TransportOptions},
    ingest::{
        keys::SenderKeys,
        networks::{self, wanted},
    },
    server::local_url,
};

/// In the data directory; held locked by the gateway that uses it.
pub const LOCK_FILE: &str = "lock";

/// For one destination: name lookup and connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Destinations asked at once.
const CONNECTIONS_MAX: usize = 16;

/// What this machine says.
#[derive(Debug, Default)]
pub struct Found {
    /// A hookhaven holds the data directory, or answers at the admin address.
    pub running: bool,
    pub problems: Vec<Problem>,
}

pub async fn machine(loaded: &Loaded) -> Found {
    let config = &loaded.config;
    let mut found = match &config.store.place {
        Place::Directory(dir) => directory(dir, store_key(&loaded.origin)),
        Place::Memory => Found::default(),
        Place::Database(of) => database(of, &config.server).await,
    };
    let ingest = config.server.role.ingests().then_some(("server.ingest", config.server.ingest));
    for (key, address) in ingest.into_iter().chain([("server.admin", config.server.admin)]) {
        match TcpListener::bind(address).await {
            Ok(_) => {}
            // It is the running one that has it, as it should.
            Err(error) if error.kind() == ErrorKind::AddrInUse && found.running => {}
            Err(error) => found.problems.push(unbindable(key, address, &error)),
        }
    }
    found
}

/// Whether the database will do. It is only looked at.
async fn database(database: &Database, server: &Server) -> Found {
    let tls = server.tls.admin.as_ref();
    let client = Client::pinned(&local_url(server.admin, tls.is_some()), None, tls.map(|tls| tls.certificate()));
    let running = match client {
        Ok(client) => client.is_alive().await,
        Err(_) => false,
    };
    let error = |key: &str, what: String, mend: &str| Problem::of(Severity::Error, key, what, mend);
    let mut problems = Vec::new();
    match examine::examine(&database.address).await {
        Err(Unfit { what, mend }) => problems.push(error("store.url", what, mend)),
        Ok(Examined { schema, latest, may_migrate }) if schema < latest => {
            let what = format!("the database has schema version {schema}, and {latest} is needed");
            if !database.migrate {
                problems.push(error("store.migrate", what, "run `hookhaven migrate`"));
            } else if !may_migrate {
                let mend = "GRANT CREATE ON DATABASE … TO the user, or run `hookhaven migrate` as one who may";
                problems.push(error("store.url", what + ", which this user may not bring it to", mend));
            }
        }
        Ok(_) => {}
    }
    if let Some(listen) = &database.listen
        && let Err(Unfit { what, .. }) = examine::examine(listen).await
    {
        let mend = "without it fresh events are noticed within a second instead of at once";
        problems.push(Problem::of(Severity::Warning, "store.listen_url", what, mend));
    }
    Found { running, problems }
}

/// What named the store.
pub fn store_key(origin: &Origin) -> &'static str {
    if origin.data_dir.is_some() { "--data" } else { "store.url" }
}

/// What the running gateway knows of secrets that should have been replaced. One that does not answer knows nothing.
pub async fn secrets(context: &Context) -> Vec<Problem> {
    let Ok(settings) = Settings::read(context) else { return Vec::new() };
    let Ok(client) = Client::remote(&settings.url, settings.token.clone()) else { return Vec::new() };
    let all = Query::default();
    let asking = client.get::<Listing<SecretView>>("/secrets", &all);
    match tokio::time::timeout(CONNECT_TIMEOUT, asking).await {
        Ok(Ok(all)) => all.items.iter().filter(|it| it.too_old).map(too_old).collect(),
        _ => Vec::new(),
    }
}

fn too_old(it: &SecretView) -> Problem {
    let days = |seconds: u64| seconds / 86_400;
    let (table, key) = if it.of == "source" { ("sources", "secrets") } else { ("destinations", "url") };
    let what = format!(
        "secret {} ({}) is {} days old, and its policy is {} (secrets_max_age)",
        it.position,
        it.fingerprint.as_deref().unwrap_or("unknown"),
        days(it.age_s.unwrap_or_default()),
        days(it.max_age_s)
    );
    let mend = "put a new one before it, have the other side use that, and take this one out once \
                `hookhaven secrets` says that it is safe";
    Problem::of(Severity::Warning, &format!("{}.{key}", path_of(table, &it.name)), what, mend)
}

/// An address that could not be listened on.
pub fn unbindable(key: &str, address: SocketAddr, error: &io::Error) -> Problem {
    let (what, mend) = match error.kind() {
        ErrorKind::AddrInUse => (format!("{address} is taken by another program"), "stop it, or choose another port"),
        ErrorKind::AddrNotAvailable => {
            (format!("{} is not an address of this machine", address.ip()), "use 127.0.0.1, or 0.0.0.0 for all of them")
        }
        ErrorKind::PermissionDenied => {
            (format!("port {} may not be used by this user", address.port()), "choose one above 1023")
        }
        _ => (format!("cannot listen on {address}: {error}"), ""),
    };
    Problem::of(Severity::Error, key, what, mend)
}

/// `key` is what named the directory.
fn directory(dir: &Path, key: &str) -> Found {
    let error = |what: String, mend: &str| Found {
        running: false,
        problems: vec![Problem::of(Severity::Error, key, what, mend)],
    };
    match std::fs::metadata(dir) {
        Ok(meta) if !meta.is_dir() => {
            error(format!("{} is not a directory", dir.display()), "choose another one, or take the file away")
        }
        Ok(_) => match locked(&dir.join(LOCK_FILE)) {
            Ok(true) => Found { running: true, problems: Vec::new() },
            Ok(false) => match check_dir(&RealDisk, dir) {
                Ok(()) => writable(dir, dir).map_or_else(|what| error(what, OWNER), |()| Found::default()),
                Err(why) => error(why.to_string(), ""),
            },
            Err(why) => error(format!("cannot open the lock in {}: {why}", dir.display()), OWNER),
        },
        Err(why) if why.kind() == ErrorKind::NotFound => {
            // It will be made at the first start, inside the nearest directory that is there.
            let mut parents = dir.ancestors().skip(1);
            let parent = parents.find(|p| !p.as_os_str().is_empty() && p.exists()).unwrap_or(Path::new("."));
            writable(parent, dir).map_or_else(|what| error(what, OWNER), |()| Found::default())
        }
        Err(why) => error(format!("cannot look at {}: {why}", dir.display()), OWNER),
    }
}

const OWNER: &str = "check who owns it, and as whom the gateway runs";

fn locked(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// By writing and removing a file: permissions alone do not tell of a full or read-only disk.
fn writable(dir: &Path, wanted: &Path) -> Result<(), String> {
    let path = dir.join(format!(".hookhaven-check-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&path);
    let removed = written.and_then(|_| std::fs::remove_file(&path));
    removed.map_err(|error| format!("cannot write in {}: {error}", if dir == wanted { wanted } else { dir }.display()))
}

/// A warning for each active destination that does not take a connection now.
pub async fn destinations(config: &Config) -> Vec<Problem> {
    let active = config.destinations.values().filter(|d| d.state != DestinationState::Disabled).cloned();
    let asked = stream::iter(active).map(|destination| async move { reach(&destination).await });
    // In the order of their names, whoever answers first.
    let answers: Vec<Option<Problem>> = asked.buffered(CONNECTIONS_MAX).collect().await;
    answers.into_iter().flatten().collect()
}

async fn reach(destination: &Destination) -> Option<Problem> {
    let what = unreachable(&destination.url).await?;
    let mend = "start the handler, or correct the url; deliveries wait and are retried until then";
    Some(Problem::of(Severity::Warning, &path_of("destinations", &destination.name), what, mend))
}

/// Whether traces could be brought to their collector, if there is to be one.
pub async fn collector(config: &Config) -> Option<Problem> {
    let what = unreachable(config.telemetry.endpoint.as_ref()?).await?;
    let mend = "start the collector, or correct the address; without it spans are lost, and nothing else";
    Some(Problem::of(Severity::Warning, "telemetry.otlp", what, mend))
}

/// Why nobody can be connected to there; `None`: somebody listens.
async fn unreachable(url: &url::Url) -> Option<String> {
    let host = url.host_str()?.trim_matches(['[', ']']);
    let port = url.port_or_known_default()?;
    let connect = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port)));
    let why = match connect.await {
        Ok(Ok(_)) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
    };
    Some(format!("cannot connect to {host}:{port}: {why}"))
}

/// The addresses of a sender, as it publishes them now.
#[derive(Clone, Debug, Serialize)]
pub struct SenderNetworks {
    pub sender: &'static str,
    pub networks: usize,
}

/// What the senders publish of whom a source wants the published addresses; a warning for each that cannot be had.
pub async fn sender_networks(config: &Config) -> (Vec<SenderNetworks>, Vec<Problem>) {
    let wanted = wanted(config);
    let Ok(egress) = Transport::new(TransportOptions::default()) else { return Default::default() };
    let sender_keys = SenderKeys::new(Arc::new(egress), Arc::new(SystemClock::start()));
    let (mut known, mut problems) = (Vec::new(), Vec::new());
    for declaration in wanted.into_iter().filter_map(senders::find) {
        match networks::fetch(&sender_keys, declaration).await {
            Ok(nets) => known.push(SenderNetworks { sender: declaration.name, networks: nets.len() }),
            Err(error) => {
                let what = format!("the addresses that {} publishes cannot be had: {error}", declaration.name);
                let mend = "until there is a first copy the source answers 503; let the gateway reach that address";
                let sources =
                    config.sources.values().filter(|s| s.allow_published && s.sender.name() == declaration.name);
                problems.extend(sources.map(|source| {
                    let key = format!("{}.allow", path_of("sources", &source.name));
                    Problem::of(Severity::Warning, &key, what.clone(), mend)
                }));
            }
        }
    }
    (known, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_secret_is_a_warning_that_says_what_to_do() {
        let json = r#"{"of":"source","name":"shop","position":2,"fingerprint":"1a2b3c4d","age_s":9504000,"max_age_s":7776000,
            "first_seen":null,"last_matched":null,"use":"previous","idle_days":null,"too_old":true,"verdict":""}"#;
        let told = too_old(&serde_json::from_str(json).unwrap()).to_string();
        let expected = "warning: sources.shop.secrets: secret 2 (1a2b3c4d) is 110 days old, and its policy is 90 \
                        (secrets_max_age); put a new one before it";
        assert!(told.starts_with(expected), "{told}");
    }
}
