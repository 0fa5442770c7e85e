//! How much callers may make, and how large a call may be. What the operator may change stands in the configuration.

/// Endpoints of a URL group.
pub const ENDPOINTS_MAX: usize = 100;
pub const GROUPS_MAX: usize = 10_000;
pub const QUEUES_MAX: usize = 10_000;
pub const SCHEDULES_MAX: usize = 10_000;
/// Width of a queue.
pub const PARALLELISM_MAX: u32 = 10_000;
/// Body of a call that manages something.
pub const CALL_BYTES_MAX: usize = 1 << 20;
