//! The machine's wall clock, which the load and the sink share although they are two processes.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time; this is its one place")]
pub fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Seconds since 1970, as senders sign them.
pub fn unix_s() -> u64 {
    unix_us() / 1_000_000
}
