//! `hookhaven torture`: shows that nothing acknowledged is lost. It starts the gateway as a child process, loads
//! it with signed events of four senders among duplicates and forgeries, lets handlers fail and hang, kills the
//! gateway with SIGKILL again and again (under load, at the end of a segment, while it starts), and keeps an
//! account of its own (`ledger`) of what was acknowledged and what arrived. At the end handlers are mended,
//! everything must drain, dead letters are replayed, and the ledger is held against the gateway's list.
//!
//! Everything random comes from one seed. Senders and handlers live in this process (`field`), the gateway in
//! its own (`lives`). It ends with this process, however that ends.
//!
//! Not shown here: that a power cut loses nothing. SIGKILL leaves what was written in the system's memory; the
//! store's own tests cut the power.

pub mod chance;
pub mod field;
mod handlers;
mod ledger;
mod lives;
mod senders;
mod traffic;
mod verdict;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hookhaven_store::clock::SystemClock;

pub use self::verdict::Verdict;
use self::{field::Field, lives::Lives};

/// When no more lives begin.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    Time(Duration),
    Kills(u64),
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub kills: u64,
    pub acknowledged: u64,
    pub elapsed: Duration,
}

/// Whoever wants to know how it goes.
pub trait Watcher: Sync {
    /// After each kill.
    fn progress(&self, progress: Progress);
    fn say(&self, text: &str);
}

#[derive(Debug)]
pub struct Torture {
    pub seed: u64,
    pub until: Until,
    /// The gateway's binary.
    pub binary: PathBuf,
}

impl Torture {
    /// Runs to the verdict, in a directory of its own.
    ///
    /// # Errors
    /// If the gateway does not start, dies by itself or does not answer: a breach too, but one that lets
    /// nothing be counted.
    pub async fn run(&self, directory: &Path, watcher: &impl Watcher) -> Result<Verdict> {
        let field = Field::start(self.seed, Arc::new(SystemClock::start())).await?;
        let mut lives = Lives::new(self.seed, self.binary.clone(), directory);
        lives.home().write_config(&field.config(&format!("file:{}", lives.home().data().display())))?;
        let started = Instant::now();
        while self.goes_on(started, lives.kills().all()) {
            lives.live_and_die(&field).await?;
            let (kills, acknowledged) = (lives.kills().all(), *field.acknowledged().borrow());
            watcher.progress(Progress { kills, acknowledged, elapsed: started.elapsed() });
        }
        let gateway = lives.serve(&field).await?;
        let api = lives::api_of(&gateway.admin)?;
        let mut verdict = field.settle(&api, &|text| watcher.say(text)).await?;
        verdict.kills = lives.kills();
        verdict.recovery = lives.recovery();
        let stopped = gateway.terminate().await.context("stopping the gateway")?;
        if !stopped.success() && verdict.stuck.is_none() {
            verdict.stuck = Some(format!("told to stop, the gateway ended with {stopped}"));
        }
        verdict.holds = verdict.breaches().is_empty();
        Ok(verdict)
    }

    fn goes_on(&self, started: Instant, kills: u64) -> bool {
        match self.until {
            Until::Time(time) => started.elapsed() < time,
            Until::Kills(count) => kills < count,
        }
    }
}
