//! Whether the database is there. Whoever cannot connect says so once; from then on everybody is told at
//! once, and one task alone tries again, with growing and jittered pauses, so that a database that comes
//! back is not run over.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{target::Target, trouble::Trouble};
use crate::clock::Entropy;

/// Between tries, at first and at most.
const AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(3)];

#[derive(Debug, Default)]
pub(super) struct Health {
    away: Mutex<Option<String>>,
    lost: Notify,
    /// The store is open. Before, whoever opens it is told, and nobody else.
    open: AtomicBool,
}

impl Health {
    pub fn opened(&self) {
        self.open.store(true, Relaxed);
    }

    pub fn check(&self) -> Result<(), Trouble> {
        match &*self.away.lock().unwrap_or_else(|e| e.into_inner()) {
            Some(why) => Err(Trouble::lost(why.clone())),
            None => Ok(()),
        }
    }

    /// No connection could be made.
    pub fn away(&self, why: &str) {
        let before = self.away.lock().unwrap_or_else(|e| e.into_inner()).replace(why.to_owned());
        if before.is_none() {
            if self.open.load(Relaxed) {
                tracing::warn!(why, "the database cannot be reached; nothing is accepted until it can");
            }
            self.lost.notify_one();
        }
    }

    fn back(&self) {
        *self.away.lock().unwrap_or_else(|e| e.into_inner()) = None;
        tracing::info!("the database is back");
    }
}

/// Brings the health back once a connection can be made again; tells through `back`. Runs until `stop`.
pub(super) async fn watch(
    health: Arc<Health>,
    target: Arc<Target>,
    entropy: Arc<dyn Entropy>,
    back: impl Fn() + Send,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = health.lost.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let [mut wait, longest] = AGAIN;
        loop {
            let jittered = wait.mul_f64(0.5 + entropy.unit());
            tokio::select! {
                () = tokio::time::sleep(jittered) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            if target.connect(None).await.is_ok() {
                break;
            }
            wait = (wait * 2).min(longest);
        }
        health.back();
        back();
    }
}
