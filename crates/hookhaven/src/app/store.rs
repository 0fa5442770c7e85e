//! The store that a configuration names, opened: the one place that knows them all.

use std::{sync::Arc, time::Duration};

use hookhaven_store::{
    Store, StoreError,
    clock::{Clock, Entropy},
    embedded::{EmbeddedOptions, EmbeddedStore, disk::RealDisk, queue::QueueLimits, space::SpaceLimits},
    memory::MemoryStore,
    postgres::{PostgresOptions, PostgresStore},
    quarantine::{FileQuarantine, MemoryQuarantine, Quarantine},
};

use crate::{
    config::{Config, Database, Place},
    seal::{self, SealedQuarantine, SealedStore, Vault, WrapKeys},
};

/// Between tries to reach a database that is away.
const AGAIN: Duration = Duration::from_millis(500);

/// A store, and the clock that it goes by; who works with it has to go by the same.
#[derive(Clone, Debug)]
pub struct Opened {
    pub store: Arc<dyn Store>,
    /// Beside it, for rejected requests.
    pub quarantine: Arc<dyn Quarantine>,
    pub clock: Arc<dyn Clock>,
    /// What seals what is secret of it; `None` if nothing is sealed.
    pub vault: Option<Arc<Vault>>,
}

/// Opens the store as [`open_bare`] does, with the vault before it that seals what is secret.
///
/// # Errors
/// Besides, [`StoreError::Refused`] where data keys cannot be had as the configuration has it; nothing was written.
pub async fn open_store(
    config: &Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    patience: Duration,
) -> Result<Opened, StoreError> {
    let bare = open_bare(config, clock, entropy.clone(), patience).await?;
    let store = bare.store.clone();
    let sealed = seal_opened(config, bare, entropy).await;
    if sealed.is_err() {
        store.close().await;
    }
    sealed
}

async fn seal_opened(config: &Config, bare: Opened, entropy: Arc<dyn Entropy>) -> Result<Opened, StoreError> {
    let Opened { store: inner, quarantine, clock, .. } = bare;
    let (with, now) = (WrapKeys::of(config), clock.now());
    let (vault, store): (_, Arc<dyn Store>) = match &config.store.place {
        Place::Memory => {
            let vault = Arc::new(Vault::in_memory(entropy)?);
            (vault.clone(), Arc::new(SealedStore::over(inner, vault)))
        }
        Place::Directory(dir) => {
            let vault = Arc::new(Vault::of_directory(dir, &*inner, &with, entropy.clone(), now).await?);
            seal::seal_plain(&*inner, &vault).await?;
            (vault.clone(), Arc::new(SealedStore::in_directory(inner, vault, dir.clone(), entropy)))
        }
        Place::Database(_) => {
            let vault = Arc::new(Vault::of_database(inner.clone(), with, entropy, now).await?);
            seal::seal_plain(&*inner, &vault).await?;
            (vault.clone(), Arc::new(SealedStore::over(inner, vault)))
        }
    };
    let quarantine = Arc::new(SealedQuarantine::over(quarantine, vault.clone()));
    Ok(Opened { store, quarantine, clock, vault: Some(vault) })
}

/// Opens the store that a configuration names, with nothing before it: waits up to 10 s for another process to let go of a data
/// directory, and up to `patience` for a database that is away.
pub async fn open_bare(
    config: &Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    patience: Duration,
) -> Result<Opened, StoreError> {
    let settings = &config.store;
    match &settings.place {
        Place::Memory => {
            let store = Arc::new(MemoryStore::with_pending_max(clock.clone(), entropy, settings.pending_max));
            Ok(Opened { store, quarantine: Arc::new(MemoryQuarantine::default()), clock, vault: None })
        }
        Place::Directory(dir) => {
            let options = EmbeddedOptions {
                dir: dir.clone(),
                pending_max: settings.pending_max,
                segment_bytes: settings.segment_bytes,
                index_lag_bytes_max: settings.index_lag_bytes_max,
                queue: queue(config),
                space: SpaceLimits { free_min_bytes: settings.free_min_bytes, reserve_bytes: settings.reserve_bytes },
                disk: Arc::new(RealDisk),
                clock: clock.clone(),
                entropy: entropy.clone(),
            };
            // It reads all that is there.
            let opening = tokio::task::spawn_blocking(move || EmbeddedStore::open(options));
            let panicked = |panic| Err(StoreError::Failed(format!("opening the store failed: {panic}")));
            let store = Arc::new(opening.await.unwrap_or_else(panicked)?);
            // Under the lock that the store holds.
            let quarantine = Arc::new(FileQuarantine::new(dir, Arc::new(RealDisk), entropy));
            Ok(Opened { store, quarantine, clock, vault: None })
        }
        Place::Database(database) => {
            let store = reach(options(config, database, entropy), &*clock, patience).await?;
            let (clock, quarantine) = (store.clock(), Arc::new(store.quarantine()));
            Ok(Opened { store: Arc::new(store), quarantine, clock, vault: None })
        }
    }
}

fn queue(config: &Config) -> QueueLimits {
    QueueLimits { jobs_max: config.store.queue_max, bodies_bytes_max: config.store.queue_bodies_bytes_max }
}

fn options(config: &Config, database: &Database, entropy: Arc<dyn Entropy>) -> PostgresOptions {
    PostgresOptions {
        address: database.address.clone(),
        listen: database.listen.clone(),
        migrate: database.migrate,
        pending_max: config.store.pending_max,
        queue: queue(config),
        ..PostgresOptions::new(String::new(), entropy)
    }
}

async fn reach(options: PostgresOptions, clock: &dyn Clock, patience: Duration) -> Result<PostgresStore, StoreError> {
    let until = clock.now().plus(patience);
    let mut complained = false;
    loop {
        match PostgresStore::open(options.clone()).await {
            Err(StoreError::Unavailable(why)) if clock.now() < until => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(why, "the database cannot be reached; trying again");
                }
                clock.sleep_until(clock.now().plus(AGAIN)).await;
            }
            opened => return opened,
        }
    }
}
