//! `hookhaven serve`: runs the gateway until it is told to stop. SIGHUP reads the configuration again;
//! SIGTERM and SIGINT finish what is under way, in bounded time, and exit with 0.

use std::{io::Read as _, pin::pin, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use hookhaven_core::Secret;
use hookhaven_store::{
    StoreError,
    clock::{OsEntropy, SystemClock},
    embedded::{disk::RealDisk, seal},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use super::{Context, USAGE, UsageError, args::ServeArgs, keys, probe};
use crate::{
    app::{Gateway, Outside, StartError},
    config::{self, Log, Origin, Place, Places, Problem, Role, Severity, SigningKeys, publish},
    log,
    publish::keys::KeysError,
    server::local_url,
};

pub async fn run(args: ServeArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let loaded = config::load(Origin { role: args.role, dev: args.dev, ..context.origin() }, &context.environment)?;
    let clock = Arc::new(SystemClock::start());
    let format = args.log_format.unwrap_or(loaded.config.log.format);
    let log = log::init(&Log { format, ..loaded.config.log.clone() }, clock.clone()).context("setting up the log")?;
    for warning in &loaded.warnings {
        tracing::warn!(problem = %warning, "config");
    }
    let (place, role) = (loaded.config.store.place.clone(), loaded.config.server.role);
    if args.unseal {
        unseal(&place).await?;
    }
    let (public_url, dev) = (loaded.config.server.public_url.clone(), loaded.origin.dev);
    let (places, store_key) = (loaded.places.clone(), probe::store_key(&loaded.origin));
    let outside = Outside {
        environment: context.environment.clone(),
        clock,
        entropy: Arc::new(OsEntropy),
        egress: None,
        log_lines_dropped: log.dropped(),
    };
    // Signals are taken from here on: a long opening can be given up, since nothing is promised yet.
    let mut stop = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [Ok(terminate), Ok(interrupt)] = &mut stop else { anyhow::bail!("signals cannot be taken on this system") };
    let mut hang_up = signal(SignalKind::hangup()).context("signals cannot be taken on this system")?;
    let mut orphaned = pin!(stdin_end(args.until_stdin_ends));
    let started = tokio::select! {
        started = Gateway::start(loaded, outside) => started,
        _ = terminate.recv() => return Ok(given_up()),
        _ = interrupt.recv() => return Ok(given_up()),
        () = &mut orphaned => return Ok(given_up()),
    };
    let gateway = match started {
        Ok(gateway) => gateway,
        Err(error) => return Ok(refused(&error, &places, store_key)),
    };
    announce(&gateway, &place, role);
    announce_publishing(&gateway, public_url, dev);
    announce_dashboard(&gateway, context.terminal);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = &mut orphaned => break,
            _ = hang_up.recv() => {
                // What came of it is logged by the reading itself.
                gateway.reload().await;
            }
        }
    }
    tracing::info!("stopping: finishing what is under way");
    let aborted = gateway.stop().await;
    tracing::info!(aborted, "stopped");
    Ok(ExitCode::SUCCESS)
}

fn given_up() -> ExitCode {
    tracing::info!("stopped before it had started");
    ExitCode::SUCCESS
}

/// Goes back to a data directory of which a copy was begun, or made.
async fn unseal(place: &Place) -> anyhow::Result<()> {
    let Place::Directory(dir) = place else {
        return Err(UsageError("--unseal is for a data directory, and the store is none".to_owned()).into());
    };
    let of = dir.clone();
    let broken = tokio::task::spawn_blocking(move || seal::unseal(&RealDisk, &of)).await??;
    let dir = dir.display();
    if broken {
        tracing::warn!(%dir, "the seal is broken: what the database that it was copied to took in since is not here");
    } else {
        tracing::warn!(%dir, "it was not sealed; leave --unseal out from now on");
    }
    Ok(())
}

/// Resolves when standard input ends, or when something comes in: nothing ever should. Never if nobody
/// wants to know.
async fn stdin_end(wanted: bool) {
    let (ended, end) = oneshot::channel();
    if wanted {
        // A thread of its own: the runtime's would keep the process from ending while it reads.
        std::thread::spawn(move || {
            let _ = std::io::stdin().read(&mut [0]);
            let _ = ended.send(());
        });
        let _ = end.await;
    } else {
        std::future::pending().await
    }
}

fn announce(gateway: &Gateway, place: &Place, role: Role) {
    let (ingest, admin) = (gateway.ingest_addr.map(tracing::field::display), gateway.admin_addr);
    tracing::info!(ingest, %admin, role = role.as_str(), version = env!("CARGO_PKG_VERSION"), "listening");
    match (gateway.token_is_new, place) {
        (true, Place::Directory(dir)) => {
            let file = dir.join(crate::app::TOKEN_FILE);
            tracing::info!(file = %file.display(), "made the admin token; the command line finds it there by itself");
        }
        // Nobody could look it up later: it is printed, once, and not logged.
        (true, Place::Memory) => println!("admin token: {}", String::from_utf8_lossy(gateway.admin_token.expose())),
        (true, Place::Database(_)) | (false, _) => {}
    }
}

/// Tells whoever started it what programs that publish need. Printed once and not logged: these are secrets.
fn announce_publishing(gateway: &Gateway, public_url: Option<url::Url>, dev: bool) {
    let Some(address) = gateway.ingest_addr else { return };
    if !gateway.publishes() {
        tracing::info!("nobody may publish messages: publish.tokens is not set, or publish.enabled is false");
        return;
    }
    let url = match public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => local_url(address, gateway.ingest_tls),
    };
    if dev {
        println!("Development server of QStash's kind: loopback only, nothing is kept, token and keys are public.");
    }
    let (token, keys) = match dev {
        true => (Secret::new(publish::PUBLIC_TOKEN), Some(SigningKeys::clone(&gateway.keys.now()))),
        false => (gateway.made.token.clone(), gateway.made.keys.clone()),
    };
    if token.is_none() && keys.is_none() {
        return;
    }
    println!("QSTASH_URL=\"{url}\"");
    if let Some(token) = token {
        println!("QSTASH_TOKEN=\"{}\"", text(&token));
    }
    if let Some(SigningKeys { current, next }) = keys {
        println!("{}", keys::lines(&text(&current), &text(&next)));
    }
}

/// Whoever started it and looks is signed in by a click. The link is printed and not logged: it opens everything, once.
fn announce_dashboard(gateway: &Gateway, terminal: bool) {
    let url = local_url(gateway.admin_addr, gateway.admin_tls);
    if terminal {
        println!("Dashboard: {url}{} (signs you in, once, within ten minutes)", gateway.sign_in_path());
    } else {
        tracing::info!(url, "the dashboard is there; `hookhaven dashboard` prints a link that signs in");
    }
}

fn text(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

/// Why it did not start. What the configuration asked for and cannot be had is told as `check` tells it,
/// with the same exit code.
fn refused(error: &StartError, places: &Places, store_key: &str) -> ExitCode {
    let problem = match error {
        StartError::Bind { key, error } => probe::unbindable(key, error.addr, &error.source),
        // Nothing is wrong with what was asked for; whoever started it may try again.
        StartError::Store(StoreError::Unavailable(_))
        | StartError::Keys(KeysError::Store(StoreError::Unavailable(_))) => {
            eprintln!("error: {error}");
            return ExitCode::from(super::FAILED);
        }
        // The token lies in the data directory.
        StartError::Store(_) | StartError::Token(..) | StartError::Keys(_) => {
            Problem::of(Severity::Error, store_key, error.to_string(), "")
        }
        StartError::Transport(_) => {
            eprintln!("error: {error}");
            return ExitCode::from(super::FAILED);
        }
    };
    eprintln!("{}", places.locate(problem));
    ExitCode::from(USAGE)
}
