//! The nodes of a store that has no others than this process: what they told, and when.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use hookhaven_core::Time;

use crate::seam::{NodeReport, NodeRow, SessionId};

/// A node that has not told for so long is forgotten.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

#[derive(Debug, Default)]
pub(crate) struct Nodes(Mutex<BTreeMap<String, (NodeReport, Time)>>);

impl Nodes {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, (NodeReport, Time)>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub fn report(&self, report: NodeReport, now: Time) {
        let mut all = self.all();
        all.insert(report.id.clone(), (report, now));
        all.retain(|_, (_, seen_at)| now.since(*seen_at) < FORGOTTEN_AFTER);
    }

    pub fn forget(&self, id: &str) {
        self.all().remove(id);
    }

    pub fn rows(&self, leases: impl Fn(SessionId) -> u64) -> Vec<NodeRow> {
        let row = |(report, seen_at): &(NodeReport, Time)| NodeRow {
            report: report.clone(),
            seen_at: *seen_at,
            leases: report.session.map_or(0, &leases),
        };
        self.all().values().map(row).collect()
    }
}
