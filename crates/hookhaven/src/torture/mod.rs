//! `hookhaven torture`: shows that nothing acknowledged is lost. It starts the gateway as a child process, loads
//! it with signed events of four senders among duplicates and forgeries, lets handlers fail and hang, kills the
//! gateway with SIGKILL again and again (under load, at the end of a segment, while it starts), and keeps an
//! account of its own (`ledger`) of what was acknowledged and what arrived. At the end handlers are mended,
//! everything must drain, dead letters are replayed, and the ledger is held against the gateway's list.
//!
//! Everything random comes from one seed. Senders and handlers live in this process (`field`), the gateway in
//! its own (`lives`), or, on a store that nodes share, several of it (`fleet`): one that takes in, some that
//! deliver, and a database that may be crashed as well. They end with this process, however that ends.
//!
//! Not shown here: that a power cut loses nothing. SIGKILL leaves what was written in the system's memory; the
//! store's own tests cut the power.

pub mod chance;
pub mod field;
mod fleet;
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

use anyhow::Result;
use hookhaven_core::Secret;
use hookhaven_store::clock::SystemClock;

pub use self::verdict::Verdict;
use self::{
    field::Field,
    fleet::Fleet,
    lives::Lives,
    verdict::{Kills, Recovery},
};
use crate::cli::client::Client;

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

/// What is tortured.
#[derive(Clone, Debug)]
pub enum Store {
    /// A gateway on a data directory of its own.
    Embedded,
    Postgres(SharedStore),
}

/// Nodes on a database that nobody else uses.
#[derive(Clone, Debug)]
pub struct SharedStore {
    pub url: Secret,
    /// A line for `sh` that crashes the database and has it come back; done at random moments.
    pub restart: Option<String>,
}

#[derive(Debug)]
pub struct Torture {
    pub seed: u64,
    pub until: Until,
    /// The gateway's binary.
    pub binary: PathBuf,
    pub store: Store,
}

/// The gateway under torture, as one process or several.
trait Gateways {
    /// From a moment at which it takes requests to one at which something was done to it.
    ///
    /// # Errors
    /// If it does not start, or ends in any other way than by our kill.
    async fn live_and_die(&mut self, field: &Field) -> Result<()>;

    /// A life that is to last; the admin API of it.
    async fn last(&mut self, field: &Field) -> Result<Client>;

    /// Told to stop; what was wrong with that.
    async fn stop(&mut self) -> Result<Option<String>>;

    fn kills(&self) -> Kills;
    fn recovery(&self) -> Recovery;
}

impl Torture {
    /// Runs to the verdict, in a directory of its own.
    ///
    /// # Errors
    /// If the gateway does not start, dies by itself or does not answer: a breach too, but one that lets
    /// nothing be counted.
    pub async fn run(&self, directory: &Path, watcher: &impl Watcher) -> Result<Verdict> {
        let field = Field::start(self.seed, Arc::new(SystemClock::start())).await?;
        match &self.store {
            Store::Embedded => {
                let lives = Lives::new(self.seed, self.binary.clone(), directory);
                let url = format!("file:{}", lives.home().data().display());
                lives.home().write_config(&field.config(&url))?;
                self.torture(lives, field, watcher).await
            }
            Store::Postgres(store) => {
                let fleet = Fleet::new(self.seed, &self.binary, directory, store, &field)?;
                self.torture(fleet, field, watcher).await
            }
        }
    }

    async fn torture(&self, mut gateways: impl Gateways, field: Field, watcher: &impl Watcher) -> Result<Verdict> {
        let started = Instant::now();
        while self.goes_on(started, gateways.kills().all()) {
            gateways.live_and_die(&field).await?;
            let (kills, acknowledged) = (gateways.kills().all(), *field.acknowledged().borrow());
            watcher.progress(Progress { kills, acknowledged, elapsed: started.elapsed() });
        }
        let api = gateways.last(&field).await?;
        let mut verdict = field.settle(&api, &|text| watcher.say(text)).await?;
        verdict.kills = gateways.kills();
        verdict.recovery = gateways.recovery();
        let stopped = gateways.stop().await?;
        verdict.stuck = verdict.stuck.or(stopped);
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
