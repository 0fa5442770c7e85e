//! The quarantine: rejected requests, kept for a while so that somebody can find out why they were refused and
//! release them once it is mended. A seam of its own beside [`Store`](crate::Store): nothing here is a promise to
//! anybody. What is put is never synced, may be left out, and goes when its source has newer ones.
//!
//! Each source has a ring of its own, bounded in count, bytes and age, so that a flood at one address evicts nothing
//! of another's. Three backends keep the same contract, and `tests/quarantine` is its specification: `memory`,
//! `files` (beside the journal in the data directory) and the PostgreSQL store's `postgres/quarantine`.
//!
//! Not here: what is worth keeping, how many in a second (the gateway's `quarantine`), diagnosis, release.

mod entry;
mod files;
mod memory;
mod ring;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use hookhaven_core::{EventId, Rejected, RejectedId, Time, sender::Rejection};

pub(crate) use self::entry::{read_rejected, write_rejected};
pub use self::{files::FileQuarantine, memory::MemoryQuarantine};
use crate::seam::{Page, StoreError};

/// How much of one source is kept. The newest stay; a backend may keep up to an eighth less than it is allowed to,
/// and what is older than `max_age` up to an eighth of that longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub count_max: u32,
    /// Of everything kept of a request, not of bodies alone.
    pub bytes_max: u64,
    pub max_age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { count_max: 1_000, bytes_max: 8 << 20, max_age: Duration::from_secs(14 * 86_400) }
    }
}

/// A rejected request that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    pub rejected: Rejected,
    pub released: Option<Released>,
}

/// What a rejected request became once it was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    pub at: Time,
    /// The event stored for it, or the one that it repeats.
    pub event: EventId,
}

/// A rejected request as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    pub id: RejectedId,
    pub received_at: Time,
    pub source: Arc<str>,
    pub reason: Rejection,
    pub remote: Arc<str>,
    /// How long the body was.
    pub body_bytes: u64,
    /// Whether all of it is kept.
    pub whole: bool,
    pub released: Option<Released>,
}

impl RejectedRow {
    pub(crate) fn of(it: &Rejected, released: Option<Released>) -> Self {
        RejectedRow {
            id: it.id,
            received_at: it.received_at,
            source: it.source.clone(),
            reason: it.reason,
            remote: it.remote.clone(),
            body_bytes: it.body_bytes,
            whole: it.is_whole(),
            released,
        }
    }
}

/// All set fields must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectedFilter {
    pub source: Option<String>,
    pub reason: Option<Rejection>,
    /// Received at or after.
    pub since: Option<Time>,
    /// Received before.
    pub until: Option<Time>,
    pub released: Option<bool>,
}

impl RejectedFilter {
    pub(crate) fn takes(&self, row: &RejectedRow) -> bool {
        self.source.as_deref().is_none_or(|source| *source == *row.source)
            && self.reason.is_none_or(|reason| reason == row.reason)
            && self.since.is_none_or(|since| row.received_at >= since)
            && self.until.is_none_or(|until| row.received_at < until)
            && self.released.is_none_or(|released| released == row.released.is_some())
    }
}

/// What became of the wish to mark one as released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    Done,
    /// Somebody did before.
    Already(Released),
    /// It is not there, or not any more.
    Unknown,
}

/// How much is kept of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineCount {
    pub source: Arc<str>,
    pub kept: u64,
    pub released: u64,
    pub bytes: u64,
}

/// See the module's text. All calls may be made at once from many tasks.
#[async_trait]
pub trait Quarantine: Send + Sync + fmt::Debug {
    /// Keeps requests of one source, evicting older ones of it as its bounds demand. Not synced: a crash may lose
    /// what was put last.
    async fn put(&self, source: &Arc<str>, rejected: Vec<Rejected>, bounds: Bounds) -> Result<(), StoreError>;

    /// Newest first, whatever the page says.
    async fn list(&self, filter: &RejectedFilter, page: Page<RejectedId>) -> Result<Vec<RejectedRow>, StoreError>;

    async fn get(&self, id: RejectedId) -> Result<Option<Quarantined>, StoreError>;

    /// Marks one as released, once.
    async fn mark_released(&self, id: RejectedId, released: Released) -> Result<Marked, StoreError>;

    /// Lets go of what one source has from before this time.
    async fn forget(&self, source: &str, before: Time) -> Result<(), StoreError>;

    /// By source, in the order of their names; those of which nothing is kept are left out.
    async fn counts(&self) -> Result<Vec<QuarantineCount>, StoreError>;
}

/// A page of rows: newest first, behind `after`.
fn page_of(mut rows: Vec<RejectedRow>, page: Page<RejectedId>) -> Vec<RejectedRow> {
    rows.retain(|row| page.after.is_none_or(|after| row.id < after));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    rows.truncate(page.limit);
    rows
}
