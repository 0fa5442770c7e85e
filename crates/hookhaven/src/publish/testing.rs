//! What tests of publishing share: a store in memory on a clock that stands still.

use std::sync::Arc;

use hookhaven_core::Time;
use hookhaven_store::{
    clock::{ManualClock, SeededEntropy},
    memory::MemoryStore,
};

pub const NOW: Time = Time::from_s(1_700_000_000);

pub fn store() -> MemoryStore {
    store_on(&ManualClock::at(NOW))
}

pub fn store_on(clock: &ManualClock) -> MemoryStore {
    MemoryStore::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(7)))
}
