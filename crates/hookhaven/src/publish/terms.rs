//! What the operator has set for publishing: who may, and how much.
//!
//! Not the settings of a message, which its publisher chooses within these limits.

use std::{sync::Arc, time::Duration};

use hookhaven_core::Secret;
use ipnet::IpNet;

use super::settings::Limits;

/// Endpoints of a URL group.
pub const ENDPOINTS_MAX: usize = 100;
pub const GROUPS_MAX: usize = 10_000;
pub const QUEUES_MAX: usize = 10_000;
pub const SCHEDULES_MAX: usize = 10_000;
/// Width of a queue.
pub const PARALLELISM_MAX: u32 = 10_000;
/// Body of a call that manages something.
pub const CALL_BYTES_MAX: usize = 1 << 20;

#[derive(Clone, Debug)]
pub struct Terms {
    pub tokens: Vec<Secret>,
    /// Whoever has one may look and nothing else.
    pub read_tokens: Vec<Secret>,
    /// How long a deduplication id is remembered.
    pub dedupe_window: Duration,
    /// Of one message.
    pub body_bytes_max: usize,
    /// Messages in one batch.
    pub batch_max: usize,
    /// Of a whole batch as it is sent.
    pub batch_bytes_max: usize,
    pub limits: Limits,
    /// Nets that messages may go to, although they are not public.
    pub allow: Arc<[IpNet]>,
}

impl Default for Terms {
    fn default() -> Self {
        Terms {
            tokens: Vec::new(),
            read_tokens: Vec::new(),
            dedupe_window: Duration::from_secs(600),
            body_bytes_max: 1 << 20,
            batch_max: 1_000,
            batch_bytes_max: 16 << 20,
            limits: Limits { retries_max: 100, delay_max: Duration::from_secs(366 * 86_400) },
            allow: Arc::default(),
        }
    }
}
