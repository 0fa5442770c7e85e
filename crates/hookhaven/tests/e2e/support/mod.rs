//! What the cases stand on: the gateway, the handlers it delivers to, the SDKs that sign, and load.
#![allow(dead_code, reason = "each case takes what it needs")]

pub mod chance;
pub mod clocked;
pub mod collector;
pub mod dev;
pub mod follow;
pub mod gateway;
pub mod handler;
pub mod leaks;
pub mod load;
pub mod marks_first;
pub mod output;
pub mod publisher;
pub mod relay;
pub mod script;
pub mod sdk;
pub mod sign;
pub mod smtp;
pub mod stage;

use std::time::Duration;

/// How long anything may take that a case waits for. Reaching it is a failure, never a result.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that has to come.
///
/// # Panics
/// If it does not come in `PATIENCE`.
pub async fn soon<F: Future>(what: &str, coming: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, coming).await {
        Ok(came) => came,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}
