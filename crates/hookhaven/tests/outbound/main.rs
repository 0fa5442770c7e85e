//! The way out, over real sockets: `egress` against handlers that misbehave on the wire, and the
//! worker against them with the memory store and a clock that the tests move.
//!
//! No test sleeps. What takes real time is bounded by [`soon`], which fails instead of hanging.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod egress;
mod handler;
mod rig;
mod ssrf;
mod worker;

use std::time::Duration;

/// Fails a test that waits for what never comes.
pub async fn soon<F: Future>(future: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(30), future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain"),
    }
}

/// Waits until something holds that nobody announces.
pub async fn until(mut holds: impl FnMut() -> bool) {
    soon(async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
