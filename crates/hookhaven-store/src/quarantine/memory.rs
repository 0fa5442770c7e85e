//! The reference backend: a queue a source.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use hookhaven_core::{Rejected, RejectedId, Time};

use super::{
    Bounds, Marked, Quarantine, QuarantineCount, Quarantined, RejectedFilter, RejectedRow, Released, page_of,
    write_rejected,
};
use crate::seam::{Page, StoreError};

/// Keeps in memory; for stores that are there too, and for tests.
#[derive(Debug, Default)]
pub struct MemoryQuarantine(Mutex<BTreeMap<Arc<str>, VecDeque<One>>>);

#[derive(Debug)]
struct One {
    it: Quarantined,
    bytes: u64,
}

impl MemoryQuarantine {
    fn rings(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, VecDeque<One>>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[async_trait]
impl Quarantine for MemoryQuarantine {
    async fn put(&self, source: &Arc<str>, rejected: Vec<Rejected>, bounds: Bounds) -> Result<(), StoreError> {
        let mut rings = self.rings();
        let ring = rings.entry(source.clone()).or_default();
        for rejected in rejected {
            let bytes = write_rejected(&rejected).len() as u64;
            ring.push_back(One { it: Quarantined { rejected, released: None }, bytes });
        }
        let mut total: u64 = ring.iter().map(|one| one.bytes).sum();
        while ring.len() as u64 > u64::from(bounds.count_max) || total > bounds.bytes_max {
            let Some(gone) = ring.pop_front() else { break };
            total -= gone.bytes;
        }
        Ok(())
    }

    async fn list(&self, filter: &RejectedFilter, page: Page<RejectedId>) -> Result<Vec<RejectedRow>, StoreError> {
        let rings = self.rings();
        let rows = rings.values().flatten().map(|one| RejectedRow::of(&one.it.rejected, one.it.released));
        Ok(page_of(rows.filter(|row| filter.takes(row)).collect(), page))
    }

    async fn get(&self, id: RejectedId) -> Result<Option<Quarantined>, StoreError> {
        let rings = self.rings();
        Ok(rings.values().flatten().find(|one| one.it.rejected.id == id).map(|one| one.it.clone()))
    }

    async fn mark_released(&self, id: RejectedId, released: Released) -> Result<Marked, StoreError> {
        let mut rings = self.rings();
        let Some(one) = rings.values_mut().flatten().find(|one| one.it.rejected.id == id) else {
            return Ok(Marked::Unknown);
        };
        match one.it.released {
            Some(before) => Ok(Marked::Already(before)),
            None => {
                one.it.released = Some(released);
                Ok(Marked::Done)
            }
        }
    }

    async fn forget(&self, source: &str, before: Time) -> Result<(), StoreError> {
        if let Some(ring) = self.rings().get_mut(source) {
            ring.retain(|one| one.it.rejected.received_at >= before);
        }
        Ok(())
    }

    async fn counts(&self) -> Result<Vec<QuarantineCount>, StoreError> {
        let count = |(source, ring): (&Arc<str>, &VecDeque<One>)| QuarantineCount {
            source: source.clone(),
            kept: ring.len() as u64,
            released: ring.iter().filter(|one| one.it.released.is_some()).count() as u64,
            bytes: ring.iter().map(|one| one.bytes).sum(),
        };
        Ok(self.rings().iter().filter(|(_, ring)| !ring.is_empty()).map(count).collect())
    }
}
