//! Figures over time, for charts: what each node counted in each minute, kept in the store and added up when asked.
//!
//! A node counts into a [`Recorder`] and writes what it counted, each minute in which there was something, as one
//! entry of the catalog that is never written again ([`keep`]): small, whole, and no other node's. Minutes are kept
//! two days; then all of an hour become one entry, kept as long as events are by default. Readers add up the
//! nodes ([`read`]). Of the minute under way each knows its own part ([`Recorder::so_far`]). A node that is killed takes the minute that it was counting with it; the events themselves are
//! safe, and counted nowhere else. Names are bounded, so an entry is too.
//!
//! Not here: the counters that Prometheus scrapes (`metrics`), which are fed by the same calls.

pub mod figures;
pub mod keep;
pub mod read;
mod sketch;

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hookhaven_core::Time;

use self::figures::{Figures, PairFigures, SourceFigures};

/// How long figures of single minutes are kept.
pub const MINUTES_KEPT: Duration = Duration::from_secs(48 * 3_600);
/// How long figures of hours are kept.
pub const HOURS_KEPT: Duration = Duration::from_secs(35 * 86_400);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
/// Of single minutes; the name of the hour follows. One entry a node and minute.
const MINUTES_KIND: &str = "stats-minutes";
/// Of whole hours.
const HOURS_KIND: &str = "stats-hours";

/// What this node has counted since it last wrote it down.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Figures>);

impl Recorder {
    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event, new or not, was answered with success after so long.
    pub fn received(&self, source: &str, took: Duration) {
        self.source(source, |of| {
            of.received += 1;
            of.answer.add(took);
        });
    }

    pub fn rejected(&self, source: &str) {
        self.source(source, |of| of.rejected += 1);
    }

    pub fn duplicate(&self, source: &str) {
        self.source(source, |of| of.duplicates += 1);
    }

    /// An attempt is over, after so long. `outcome` is `delivered`, `retry` or `dead`.
    pub fn attempt(&self, source: &str, destination: &str, outcome: &str, took: Duration) {
        self.pair(source, destination, |of| {
            match outcome {
                "delivered" => of.delivered += 1,
                "retry" => of.retries += 1,
                _ => of.dead += 1,
            }
            of.attempt.add(took);
        });
    }

    /// A delivery succeeded so long after its event came.
    pub fn end_to_end(&self, source: &str, destination: &str, took: Duration) {
        self.pair(source, destination, |of| of.end_to_end.add(took));
    }

    /// So many deliveries wait or are in hand.
    pub fn depth(&self, source: &str, destination: &str, depth: u64) {
        self.pair(source, destination, |of| of.depth = of.depth.max(depth));
    }

    fn source(&self, source: &str, count: impl FnOnce(&mut SourceFigures)) {
        count(self.figures().source(source));
    }

    fn pair(&self, source: &str, destination: &str, count: impl FnOnce(&mut PairFigures)) {
        count(self.figures().pair(source, destination));
    }

    /// What was counted since it was last written down: mostly that of the minute under way.
    pub fn so_far(&self) -> Figures {
        self.figures().clone()
    }

    fn is_idle(&self) -> bool {
        self.figures().is_empty()
    }

    /// Takes what was counted; counting begins anew.
    fn take(&self) -> Figures {
        mem::take(&mut self.figures())
    }

    /// What could not be written down is counted with the next minute.
    fn give_back(&self, figures: &Figures) {
        self.figures().merge(figures);
    }
}

/// Whole hours since 1970, which are the names of hours.
fn hour_of(at: Time) -> i64 {
    at.as_s().div_euclid(3_600)
}

fn minutes_kind(hour: i64) -> String {
    format!("{MINUTES_KIND}:{hour}")
}
