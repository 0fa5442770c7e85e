//! Which secrets are in use: when each was first seen and last matched, so that a rotation can be ended with a quiet
//! mind. A secret is known by a *fingerprint*: eight hex digits of an HMAC over it under a random key of this store.
//! It says nothing of the secret, and stays the same wherever the secret stands in its list.
//!
//! What is seen is kept in memory, and in the store's catalog every few minutes and at the end; several nodes
//! meet there by the latest time. Secrets that were taken out of the configuration are remembered in memory while the
//! process runs, for diagnosis only: nothing is accepted by them.
//!
//! Not here: what follows from it (`standing`), verification.

mod kept;
mod standing;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use hookhaven_core::{Secret, Time};
use hookhaven_store::{Store, StoreError, clock::Entropy};

pub use self::{
    kept::{FingerprintKey, KEPT_EVERY},
    standing::{Standing, Use, standings},
};
use crate::config::Config;

/// Secrets of a source that were taken out and are remembered.
const RETIRED_MAX: usize = 8;

/// Whose secret it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    Source(Arc<str>),
    Destination(Arc<str>),
}

/// What is known of one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it was first in the configuration, as far as this store knows.
    pub first: Time,
    /// When a request was last signed with it.
    pub matched: Option<Time>,
}

/// The secrets of one configuration, each with what is known of it.
type Table = HashMap<Owner, Vec<Arc<Slot>>>;
/// What was taken out of each source, with when, newest first.
type Retired = HashMap<Arc<str>, Vec<(Secret, Time)>>;

#[derive(Debug)]
struct Slot {
    secret: Secret,
    fingerprint: String,
    first_us: AtomicI64,
    /// 0: never.
    matched_us: AtomicI64,
}

impl Slot {
    fn seen(&self) -> Seen {
        let matched_us = self.matched_us.load(Relaxed);
        Seen {
            first: Time::from_us(self.first_us.load(Relaxed)),
            matched: (matched_us > 0).then(|| Time::from_us(matched_us)),
        }
    }

    /// Earliest and latest of what both know.
    fn merge(&self, seen: Seen) {
        self.first_us.fetch_min(seen.first.as_us(), Relaxed);
        if let Some(matched) = seen.matched {
            self.matched_us.fetch_max(matched.as_us(), Relaxed);
        }
    }
}

/// Watches over the secrets of a running gateway.
#[derive(Debug)]
pub struct SecretUse {
    key: FingerprintKey,
    table: ArcSwap<Table>,
    retired: Mutex<Retired>,
}

impl SecretUse {
    /// Finds what the store knows of the secrets of this configuration.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn open(
        store: &dyn Store,
        config: &Config,
        entropy: &dyn Entropy,
        now: Time,
    ) -> Result<Self, StoreError> {
        let key = FingerprintKey::find_or_make(store, entropy).await?;
        let secrets = SecretUse { key, table: ArcSwap::default(), retired: Mutex::default() };
        secrets.follow(config, now);
        secrets.read(store).await?;
        Ok(secrets)
    }

    /// Goes by another configuration from now on.
    pub fn follow(&self, config: &Config, now: Time) {
        let old = self.table.load_full();
        let slot = |owner: &Owner, secret: &Secret| {
            let known = old.get(owner).and_then(|slots| slots.iter().find(|slot| slot.secret == *secret));
            known.cloned().unwrap_or_else(|| {
                let fingerprint = self.key.of(secret);
                let (first_us, matched_us) = (AtomicI64::new(now.as_us()), AtomicI64::new(0));
                Arc::new(Slot { secret: secret.clone(), fingerprint, first_us, matched_us })
            })
        };
        let mut table = Table::new();
        for (owner, secrets) in owned(config) {
            let slots = secrets.iter().map(|secret| slot(&owner, secret)).collect();
            table.insert(owner, slots);
        }
        self.retire(&old, &table, now);
        self.table.store(Arc::new(table));
    }

    fn retire(&self, old: &Table, new: &Table, now: Time) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        for (owner, slots) in new {
            let Owner::Source(name) = owner else { continue };
            let all = retired.entry(name.clone()).or_default();
            let is_used = |secret: &Secret| slots.iter().any(|slot| slot.secret == *secret);
            let gone = old.get(owner).into_iter().flatten().filter(|slot| !is_used(&slot.secret));
            let gone: Vec<_> = gone.map(|slot| (slot.secret.clone(), now)).collect();
            all.retain(|(secret, _)| !is_used(secret));
            all.splice(0..0, gone);
            all.truncate(RETIRED_MAX);
        }
        retired.retain(|name, all| new.contains_key(&Owner::Source(name.clone())) && !all.is_empty());
    }

    /// Secrets of a source that were taken out of the configuration while this process ran, newest first.
    pub fn retired(&self, source: &str) -> Vec<(Secret, Time)> {
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.get(source).cloned().unwrap_or_default()
    }

    /// A request was signed with it. Cheap: it is asked for each.
    pub fn matched(&self, source: &Arc<str>, secret: &Secret, now: Time) {
        let table = self.table.load();
        let slots = table.get(&Owner::Source(source.clone())).into_iter().flatten();
        // One that is not there was configured a moment ago, or until a moment ago.
        if let Some(slot) = slots.into_iter().find(|slot| slot.secret == *secret) {
            slot.matched_us.fetch_max(now.as_us(), Relaxed);
        }
    }

    fn slots(&self) -> Vec<(Owner, Arc<Slot>)> {
        let table = self.table.load();
        table.iter().flat_map(|(owner, slots)| slots.iter().map(|slot| (owner.clone(), slot.clone()))).collect()
    }
}

/// Everybody who has secrets, in the order of names.
fn owned(config: &Config) -> impl Iterator<Item = (Owner, &[Secret])> {
    let sources = config.sources.values().map(|s| (Owner::Source(s.name.clone()), &s.secrets[..]));
    sources.chain(config.destinations.values().map(|d| (Owner::Destination(d.name.clone()), &d.secrets[..])))
}

#[cfg(test)]
mod tests;
