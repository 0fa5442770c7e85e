//! Upkeep of a running gateway's secrets, and what rejected requests need where no gateway runs.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use hookhaven_core::Time;
use hookhaven_store::{
    Store,
    clock::{Clock, Entropy},
    quarantine::Quarantine,
};
use tokio::sync::watch;

use super::StartError;
use crate::{
    config::{Config, reload},
    ingest::{IngestParts, keys::SenderKeys, release::Releases},
    metrics::Metrics,
    quarantine::Rejections,
    secrets::{KEPT_EVERY, Owner, SecretUse, Standing, standings},
    stats::keep::Keep,
    telemetry::Tracer,
};

/// A secret that is too old is complained of so often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(86_400);
/// How long a stop waits for the store to take what is known of secrets.
const NOTE_TIMEOUT: Duration = Duration::from_secs(2);

/// Goes by each new configuration.
pub(super) async fn follow_secrets(
    secrets: Arc<SecretUse>,
    mut state: watch::Receiver<reload::ReloadState>,
    config: Arc<ArcSwap<Config>>,
    clock: Arc<dyn Clock>,
) {
    while state.changed().await.is_ok() {
        secrets.follow(&config.load(), clock.now());
    }
}

/// Writes down which secrets are in use, now and then, and complains of those that are too old.
pub(super) async fn keep_secrets(
    secrets: Arc<SecretUse>,
    store: Arc<dyn Store>,
    config: Arc<ArcSwap<Config>>,
    clock: Arc<dyn Clock>,
) {
    let mut complained = HashMap::new();
    loop {
        let now = clock.now();
        let kept = secrets.keep(&*store, now).await;
        match kept.and(standings(&*store, &config.load_full(), Some(&secrets), now).await) {
            Ok(all) => due(&all, &mut complained, now).into_iter().for_each(|standing| complain(standing, now)),
            Err(error) => tracing::warn!(%error, "which secrets are in use could not be written down; later again"),
        }
        clock.sleep_until(now.plus(KEPT_EVERY)).await;
    }
}

/// Writes it down for the last time, in bounded time.
pub(super) async fn note_secrets(secrets: &SecretUse, store: &dyn Store, now: Time) {
    if !matches!(tokio::time::timeout(NOTE_TIMEOUT, secrets.keep(store, now)).await, Ok(Ok(()))) {
        tracing::warn!("which secrets were used lately could not be written down");
    }
}

/// Writes the figures of the minute under way down, in bounded time.
pub(super) async fn note_stats(stats: &Keep) {
    if tokio::time::timeout(NOTE_TIMEOUT, stats.note()).await.is_err() {
        tracing::warn!("the figures of the last minute could not be written down");
    }
}

/// When each secret was last complained of.
type Complained = HashMap<(Owner, Option<String>), Time>;

/// Those that are too old and were not complained of for a day; they are now.
fn due<'s>(all: &'s [Standing], complained: &mut Complained, now: Time) -> Vec<&'s Standing> {
    let is_due = |standing: &&Standing| {
        let last = complained.entry((standing.owner.clone(), standing.fingerprint.clone()));
        match last {
            Entry::Occupied(last) if now.since(*last.get()) < COMPLAIN_EVERY => false,
            last => {
                last.insert_entry(now);
                true
            }
        }
    };
    all.iter().filter(|standing| standing.too_old).filter(is_due).collect()
}

fn complain(standing: &Standing, now: Time) {
    let (of, name) = match &standing.owner {
        Owner::Source(name) => ("source", name),
        Owner::Destination(name) => ("destination", name),
    };
    let age_days = standing.age(now).unwrap_or_default().as_secs() / 86_400;
    let (secret, fingerprint) = (standing.position, standing.fingerprint.as_deref());
    tracing::warn!(of, name = &**name, secret, fingerprint, age_days, "a secret is older than its policy");
}

/// How old the secrets of sources are, for the metrics.
pub(super) async fn secret_ages(
    store: &dyn Store,
    config: &Config,
    secrets: &SecretUse,
    now: Time,
) -> Vec<(Arc<str>, usize, Duration)> {
    // A store that cannot answer just now has no figures.
    let all = standings(store, config, Some(secrets), now).await.unwrap_or_default();
    let age = |standing: &Standing| match &standing.owner {
        Owner::Source(name) => Some((name.clone(), standing.position, standing.age(now)?)),
        Owner::Destination(_) => None,
    };
    all.iter().filter_map(age).collect()
}

/// Diagnosis and release on a store that was opened without a gateway: what is released waits until one starts.
///
/// # Errors
/// TLS cannot be set up.
pub fn rejections(
    store: Arc<dyn Store>,
    quarantine: Arc<dyn Quarantine>,
    config: Arc<ArcSwap<Config>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Arc<dyn Rejections>, StartError> {
    let admin = config.load().server.admin;
    let parts = IngestParts {
        asker: None,
        store,
        metrics: Arc::new(Metrics::new(0, clock.now(), Arc::default())),
        budget: Arc::default(),
        sender_keys: Arc::new(sender_keys(admin, clock.clone())?),
        clock,
        entropy,
        config,
        keeper: None,
        secrets: None,
        networks: Arc::default(),
        tracer: Tracer::default(),
    };
    Ok(Arc::new(Releases::new(parts, quarantine)))
}

/// What senders publish, fetched as a gateway with this admin address would.
///
/// # Errors
/// TLS cannot be set up.
pub fn sender_keys(admin: SocketAddr, clock: Arc<dyn Clock>) -> Result<SenderKeys, StartError> {
    Ok(SenderKeys::new(super::way_out(admin)?, clock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Use;

    #[test]
    fn each_old_secret_is_complained_of_once_a_day() {
        let standing = |fingerprint: &str, too_old| Standing {
            owner: Owner::Source("shop".into()),
            position: 1,
            fingerprint: Some(fingerprint.into()),
            seen: None,
            max_age: Duration::ZERO,
            usage: Use::Current,
            too_old,
        };
        let all = [standing("a", true), standing("b", false), standing("c", true)];
        let (mut complained, hour) = (Complained::new(), Duration::from_secs(3_600));
        let due_at = |hours: u32, of: &[Standing], complained: &mut Complained| {
            due(of, complained, Time::EPOCH.plus(hour * hours)).len()
        };
        assert_eq!(due_at(1, &all[..1], &mut complained), 1);
        assert_eq!(due_at(2, &all, &mut complained), 1, "the other one");
        assert_eq!(due_at(24, &all, &mut complained), 0);
        assert_eq!(due_at(25, &all, &mut complained), 1);
        assert_eq!(due_at(26, &all, &mut complained), 1);
    }
}
