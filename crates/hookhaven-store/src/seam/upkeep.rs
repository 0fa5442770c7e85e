//! What retention and backup are told, and what they answer.

use std::sync::Arc;

use hookhaven_core::Time;

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// What was received before this may go, once nothing of it is pending or a dead letter.
    pub before: Time,
    /// Dead letters that died before this are dismissed; `None`: never.
    pub dead_before: Option<Time>,
}

/// What one step of retention did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Journal segments removed.
    pub segments: u64,
    /// Events that went with all their deliveries and attempts.
    pub events: u64,
    /// Events carried forward because something of them is not over.
    pub carried: u64,
    /// Dead letters dismissed because of their age.
    pub dismissed: u64,
    /// Expired idempotency keys forgotten.
    pub keys: u64,
    /// There is more to do at once.
    pub more: bool,
}

/// How far a backup has come, or what it came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupProgress {
    pub bytes_done: u64,
    /// As far as is known: the index is counted once it was copied.
    pub bytes_total: u64,
}

/// Told now and then while a backup is written, from any thread.
pub type OnBackup = Arc<dyn Fn(BackupProgress) + Send + Sync>;
