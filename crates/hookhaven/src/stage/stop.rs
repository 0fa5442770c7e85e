//! Ctrl-C and its kin: they end a run early, and it still cleans up behind itself.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals are taken from here on, so listen before there is anything to clean up.
#[derive(Debug)]
pub struct Stop([Signal; 3]);

impl Stop {
    pub fn listen() -> io::Result<Self> {
        let kinds = [SignalKind::interrupt, SignalKind::terminate, SignalKind::hangup];
        let [interrupt, terminate, hangup] = kinds.map(|kind| signal(kind()));
        Ok(Stop([interrupt?, terminate?, hangup?]))
    }

    /// Resolves at the next of them.
    pub async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
