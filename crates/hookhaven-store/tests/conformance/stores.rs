//! The stores under test.

use std::sync::Arc;

use async_trait::async_trait;
use hookhaven_store::{
    Store,
    clock::{ManualClock, SeededEntropy},
    memory::MemoryStore,
};

use crate::bench::{Bench, PENDING_MAX, start};

pub struct Memory {
    clock: ManualClock,
}

impl Default for Memory {
    fn default() -> Self {
        Memory { clock: ManualClock::at(start()) }
    }
}

#[async_trait]
impl Bench for Memory {
    async fn open(&self) -> Arc<dyn Store> {
        let entropy = Arc::new(SeededEntropy::new(7));
        Arc::new(MemoryStore::with_pending_max(Arc::new(self.clock.clone()), entropy, PENDING_MAX))
    }

    async fn reopen(&self, _: Arc<dyn Store>) -> Option<Arc<dyn Store>> {
        None
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}
