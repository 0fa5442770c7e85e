//! Destinations that people have disabled, beside those that the config file disables: new events make no delivery
//! there. Kept in the catalog, at hand on every node, because a fresh event does not wait for a reading.
//!
//! Not here: pauses, which hold deliveries back instead of making none (`worker`).

use std::sync::Arc;

use hookhaven_core::Time;
use hookhaven_store::{Store, StoreError, clock::Clock};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::shelf::{self, Entry, Shelf};

/// The value of a `destination-disabled` entry, as JSON; its name is the destination's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disabled {
    /// A token's name.
    #[serde(default)]
    pub who: String,
    #[serde(default)]
    pub at: Option<Time>,
    #[serde(default)]
    pub reason: String,
}

impl Entry for Disabled {
    const KIND: &'static str = "destination-disabled";
}

/// Who is disabled. One value is shared by all readings of the configuration.
#[derive(Debug, Default)]
pub struct Switches {
    disabled: Shelf<Disabled>,
    changed: watch::Sender<()>,
}

impl Switches {
    pub fn is_disabled(&self, destination: &str) -> bool {
        self.disabled.get(destination).is_some()
    }

    /// Who disabled it, and why.
    pub fn disabled(&self, destination: &str) -> Option<Arc<Disabled>> {
        self.disabled.get(destination)
    }

    /// Names of those disabled.
    pub fn names(&self) -> Vec<String> {
        self.disabled.all().into_iter().map(|(name, _)| name).collect()
    }

    /// It counts here when this answers.
    pub async fn disable(&self, store: &dyn Store, destination: &str, by: Disabled) -> Result<(), StoreError> {
        self.disabled.change(store, destination, |_| Ok::<_, StoreError>(Some(by))).await?;
        self.changed.send_replace(());
        Ok(())
    }

    pub async fn enable(&self, store: &dyn Store, destination: &str) -> Result<(), StoreError> {
        self.disabled.delete(store, destination).await?;
        self.changed.send_replace(());
        Ok(())
    }

    /// Told when anybody was disabled or enabled, here or on another node.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Reads all from the store.
    pub async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        if shelf::load(&[&self.disabled], store).await? {
            self.changed.send_replace(());
        }
        Ok(())
    }

    /// Takes over what other nodes change, until the store has nothing more to tell or the future is dropped.
    pub async fn follow(&self, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
        shelf::follow("who is disabled", &*store, &*clock, || self.load(&*store)).await;
    }
}
