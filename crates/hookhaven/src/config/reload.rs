//! Picking up a changed config file, or a changed secret file, without a restart.
//!
//! A fingerprint of the files' content is polled; file events would miss the renames and symbolic links
//! by which editors and orchestrators replace files. A change is parsed and swapped in as one value, or
//! refused with every problem logged while the old one stays. Polling acts on a change only when it has
//! stood still for a whole round: a file caught half-written can be valid TOML and lack half its sources.
//!
//! What cannot change while the process runs (addresses, the store, limits) keeps its old value in the
//! swapped configuration, so that nothing in the process can disagree about it; a warning says so.

mod fixed;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hookhaven_core::Time;
use hookhaven_store::clock::Clock;
use tokio::sync::{mpsc, oneshot, watch};

use self::fixed::{at_next_start, keep_fixed};
use super::{
    environment::Environment,
    files::Files,
    load::{self, Loaded, Origin, Reading},
    model::Config,
    problem::{Problem, Refused, Severity},
    written::Written,
};

/// How often the files are looked at. With the round of standing still, a change counts within twice that.
pub const POLL: Duration = Duration::from_secs(2);

/// How the last reading went; for `/readyz` and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadState {
    /// When the configuration in use, or one equal to it, was last read.
    pub last_ok_at: Time,
    /// Why the files as they stand now are refused: every problem, one a line. `None` if they are in use.
    pub last_error: Option<String>,
    /// Since when they are refused.
    pub refused_at: Option<Time>,
    /// Counts the configurations taken, the first one as 1.
    pub generation: u64,
    /// What the file says as it was last read, refused or not; `None` if it could not be read.
    pub file: Option<Arc<Written>>,
}

/// What a reading came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// In use now. Warnings have been logged.
    Taken { generation: u64 },
    /// The old one stays.
    Refused(Refused),
}

/// The configuration in use. Cheap to clone; one value is shared by all.
#[derive(Clone, Debug)]
pub struct Live {
    config: Arc<ArcSwap<Config>>,
    state: watch::Receiver<ReloadState>,
    ask: mpsc::Sender<oneshot::Sender<Reload>>,
}

impl Live {
    /// The configuration as it is now. Taken once for one piece of work, so that it sees one value.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// The cell itself, for parts that read it at every request.
    pub fn shared(&self) -> Arc<ArcSwap<Config>> {
        self.config.clone()
    }

    /// The state now; its `changed()` tells of every reading.
    pub fn state(&self) -> watch::Receiver<ReloadState> {
        self.state.clone()
    }

    /// Reads the files now (SIGHUP), whether they changed or not. `None` once the watcher has stopped.
    pub async fn reload(&self) -> Option<Reload> {
        let (answer, answered) = oneshot::channel();
        self.ask.send(answer).await.ok()?;
        answered.await.ok()
    }
}

/// The one task that reads the files again.
#[derive(Debug)]
pub struct Watcher {
    origin: Origin,
    environment: Environment,
    clock: Arc<dyn Clock>,
    config: Arc<ArcSwap<Config>>,
    state: watch::Sender<ReloadState>,
    asked: mpsc::Receiver<oneshot::Sender<Reload>>,
    /// The files as last read.
    read: Files,
    /// The files as last looked at; a change counts once two looks agree.
    seen: Files,
}

/// Begins with what was loaded at start. The watcher does nothing until [`Watcher::run`].
pub fn watch(loaded: Loaded, environment: Environment, clock: Arc<dyn Clock>) -> (Live, Watcher) {
    let file = Some(loaded.config.written.clone());
    let state = ReloadState { last_ok_at: clock.now(), last_error: None, refused_at: None, generation: 1, file };
    let (state, state_now) = watch::channel(state);
    let (ask, asked) = mpsc::channel(1);
    let config = Arc::new(ArcSwap::from_pointee(loaded.config));
    let watcher = Watcher {
        origin: loaded.origin,
        environment,
        clock,
        config: config.clone(),
        state,
        asked,
        read: loaded.files.clone(),
        seen: loaded.files,
    };
    (Live { config, state: state_now, ask }, watcher)
}

impl Watcher {
    /// Polls and answers until every [`Live`] is gone or the future is dropped.
    pub async fn run(mut self) {
        loop {
            let round = self.clock.sleep_until(self.clock.now().plus(POLL));
            tokio::select! {
                () = round => {
                    if self.changed().await {
                        self.read().await;
                    }
                }
                asked = self.asked.recv() => {
                    let Some(answer) = asked else { return };
                    let reload = self.read().await;
                    // Whoever asked may have gone away; the reading counts all the same.
                    let _ = answer.send(reload);
                }
            }
        }
    }

    /// Whether the files differ from those last read, and have stood still since the last look.
    async fn changed(&mut self) -> bool {
        let read = self.read.clone();
        // Files may lie on a slow disk or a network mount.
        let Ok(now) = tokio::task::spawn_blocking(move || read.look()).await else { return false };
        let still = now == self.seen;
        self.seen = now;
        still && self.seen != self.read
    }

    async fn read(&mut self) -> Reload {
        let (origin, environment) = (self.origin.clone(), self.environment.clone());
        let reading = tokio::task::spawn_blocking(move || load::read(&origin, &environment)).await;
        let Ok(Reading { outcome, warnings, files, written, .. }) = reading else {
            let problem = Problem::of(Severity::Error, "", "reading the configuration failed", "");
            return self.refuse(Refused { problems: vec![problem] }, None);
        };
        self.seen = files.clone();
        self.read = files;
        match outcome {
            Ok(config) => self.take(config, &warnings),
            Err(refused) => self.refuse(refused, written),
        }
    }

    fn take(&self, new: Config, warnings: &[Problem]) -> Reload {
        let old = self.config.load_full();
        for warning in warnings.iter().chain(&at_next_start(&old, &new)) {
            tracing::warn!(problem = %warning, "config");
        }
        let file = Some(new.written.clone());
        self.config.store(Arc::new(keep_fixed(&old, new)));
        let at = self.clock.now();
        let generation = self.state.borrow().generation + 1;
        self.state.send_replace(ReloadState { last_ok_at: at, last_error: None, refused_at: None, generation, file });
        tracing::info!(generation, "config read again and in use");
        Reload::Taken { generation }
    }

    fn refuse(&self, refused: Refused, file: Option<Arc<Written>>) -> Reload {
        for problem in &refused.problems {
            tracing::error!(problem = %problem, "config refused, the old one stays");
        }
        let at = self.clock.now();
        self.state.send_modify(|state| {
            state.last_error = Some(refused.to_string());
            state.refused_at.get_or_insert(at);
            state.file = file;
        });
        Reload::Refused(refused)
    }
}

#[cfg(test)]
mod tests;
