//! Where the parts are wired together.

use std::sync::Arc;

use hookhaven_store::{
    Store, StoreError,
    clock::{Clock, Entropy},
    memory::MemoryStore,
};

use crate::config::{Config, Place};

/// Opens the store that a config names.
pub fn open_store(
    config: &Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Arc<dyn Store>, StoreError> {
    match &config.store.place {
        Place::Memory => Ok(Arc::new(MemoryStore::new(clock, entropy))),
        Place::Directory(dir) => Err(StoreError::Failed(format!("cannot open {}", dir.display()))),
    }
}
