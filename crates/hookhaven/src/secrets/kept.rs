//! What the catalog keeps of secrets: the key of their fingerprints, and for each secret when it was first seen and
//! last matched. Never the secret.

use std::{collections::BTreeMap, time::Duration};

use aws_lc_rs::hmac;
use hookhaven_core::{Secret, Time};
use hookhaven_store::{CatalogEntry, Store, StoreError, clock::Entropy};
use serde::{Deserialize, Serialize};

use super::{Owner, SecretUse, Seen};

/// At most so often is something written of a secret that is used all the time.
pub const KEPT_EVERY: Duration = Duration::from_secs(300);
/// What is known of secrets that are configured no more is kept so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(180 * 86_400);

const KEY_KIND: &str = "secret-fingerprint";
const KEY_NAME: &str = "key";
const USE_KIND: &str = "secret-use";
const KEY_BYTES: usize = 32;
/// Shown of a fingerprint.
const FINGERPRINT_BYTES: usize = 4;

/// What fingerprints are made with: random, the same on all nodes of a store.
#[derive(Clone)]
pub struct FingerprintKey(hmac::Key);

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

impl FingerprintKey {
    /// The store's, if a gateway has made one.
    pub async fn find(store: &dyn Store) -> Result<Option<Self>, StoreError> {
        Ok(store.catalog(KEY_KIND).await?.iter().find_map(Self::of_entry))
    }

    pub(super) async fn find_or_make(store: &dyn Store, entropy: &dyn Entropy) -> Result<Self, StoreError> {
        if let Some(key) = Self::find(store).await? {
            return Ok(key);
        }
        let mut value = vec![0; KEY_BYTES];
        entropy.fill(&mut value);
        let fresh = CatalogEntry { kind: KEY_KIND.into(), name: KEY_NAME.into(), value };
        let stands = store.add_catalog(fresh).await?;
        let failed = "the key of fingerprints in the store has another length than one";
        Self::of_entry(&stands).ok_or_else(|| StoreError::Failed(failed.into()))
    }

    fn of_entry(entry: &CatalogEntry) -> Option<Self> {
        let is_key = entry.name == KEY_NAME && entry.value.len() == KEY_BYTES;
        is_key.then(|| FingerprintKey(hmac::Key::new(hmac::HMAC_SHA256, &entry.value)))
    }

    pub fn of(&self, secret: &Secret) -> String {
        hex::encode(&hmac::sign(&self.0, secret.expose()).as_ref()[..FINGERPRINT_BYTES])
    }
}

#[derive(Serialize, Deserialize)]
struct Entry {
    first: Time,
    matched: Option<Time>,
}

impl Owner {
    /// `source/shop/1a2b3c4d`: names hold no slash.
    pub(super) fn entry(&self, fingerprint: &str) -> String {
        match self {
            Owner::Source(name) => format!("source/{name}/{fingerprint}"),
            Owner::Destination(name) => format!("destination/{name}/{fingerprint}"),
        }
    }
}

/// What the catalog knows, by entry.
pub(super) async fn all(store: &dyn Store) -> Result<BTreeMap<String, Seen>, StoreError> {
    let entries = store.catalog(USE_KIND).await?;
    let seen = |entry: CatalogEntry| {
        let Entry { first, matched } = serde_json::from_slice(&entry.value).ok()?;
        Some((entry.name, Seen { first, matched }))
    };
    Ok(entries.into_iter().filter_map(seen).collect())
}

impl SecretUse {
    /// Learns what the catalog knows.
    pub(super) async fn read(&self, store: &dyn Store) -> Result<(), StoreError> {
        let known = all(store).await?;
        for (owner, slot) in self.slots() {
            if let Some(seen) = known.get(&owner.entry(&slot.fingerprint)) {
                slot.merge(*seen);
            }
        }
        Ok(())
    }

    /// Writes what the catalog does not know yet, and learns what it does. Nodes that do this at once may overwrite
    /// one another, and put it right the next time.
    ///
    /// # Errors
    /// The store cannot be asked, or written; then the next time.
    pub async fn keep(&self, store: &dyn Store, now: Time) -> Result<(), StoreError> {
        let mut known = all(store).await?;
        for (owner, slot) in self.slots() {
            let name = owner.entry(&slot.fingerprint);
            let before = known.remove(&name);
            if let Some(seen) = before {
                slot.merge(seen);
            }
            let seen = slot.seen();
            if before != Some(seen) {
                let Seen { first, matched } = seen;
                let value = serde_json::to_vec(&Entry { first, matched }).unwrap_or_default();
                store.put_catalog(CatalogEntry { kind: USE_KIND.into(), name, value }).await?;
            }
        }
        for (name, seen) in known {
            if now.since(seen.matched.unwrap_or(seen.first).max(seen.first)) > FORGOTTEN_AFTER {
                store.delete_catalog(USE_KIND, &name).await?;
            }
        }
        Ok(())
    }
}
