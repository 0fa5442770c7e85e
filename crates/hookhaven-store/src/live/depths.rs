//! Counts by source and destination, kept as things happen so that nobody has to scan.

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use hookhaven_core::delivery::counted_as;

use super::BirthKind;
use crate::seam::Depth;

#[derive(Debug, Default)]
pub(super) struct Depths(BTreeMap<(Arc<str>, Arc<str>), Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Leased ones included.
    pending: i64,
    leased: i64,
    dead: i64,
    dead_critical: i64,
}

impl Depths {
    fn of(&mut self, source: &Arc<str>, destination: &Arc<str>) -> &mut Counts {
        self.0.entry((source.clone(), counted_as(source, destination).clone())).or_default()
    }

    pub fn add_pending(&mut self, kind: &BirthKind, by: i64) {
        self.of(&kind.source, &kind.destination).pending += by;
    }

    pub fn add_leased(&mut self, kind: &BirthKind, by: i64) {
        self.of(&kind.source, &kind.destination).leased += by;
    }

    pub fn add_dead(&mut self, source: &Arc<str>, destination: &Arc<str>, critical: bool, by: i64) {
        let counts = self.of(source, destination);
        let dead = if critical { &mut counts.dead_critical } else { &mut counts.dead };
        *dead = (*dead + by).max(0);
    }

    pub fn all(&self) -> Vec<Depth> {
        let plain = |n: i64| u64::try_from(n).unwrap_or(0);
        let depth = |((source, destination), c): (&(Arc<str>, Arc<str>), &Counts)| Depth {
            source: source.clone(),
            destination: destination.clone(),
            pending: plain(c.pending - c.leased),
            leased: plain(c.leased),
            dead_letters: plain(c.dead),
            dead_letters_critical: plain(c.dead_critical),
        };
        self.0.iter().map(depth).collect()
    }
}
