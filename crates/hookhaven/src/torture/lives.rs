//! The gateway's lives: its own executable as a child process, started, killed with SIGKILL at a moment that
//! the seed chooses, and started again on the same data.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use hookhaven_core::Secret;
use hookhaven_load::gateway::{Admin, Home, Running};
use tokio::time::{sleep, timeout};

use super::{
    Gateways,
    chance::Chance,
    field::Field,
    verdict::{Kills, Recovery},
};
use crate::cli::client::Client;

/// A life under load ends after at most so many acknowledged events, or so long.
const ACKNOWLEDGED_MAX: u64 = 800;
const LIFE_MAX: Duration = Duration::from_secs(5);
/// After the moment that was waited for, at most so long: not each kill should fall just behind a commit.
const LATER_MAX: Duration = Duration::from_millis(4);
/// Until a recovery was measured, one is taken to last so long.
const RECOVERY_GUESS: Duration = Duration::from_millis(50);

/// When a life ends.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after its start, as a share of a thousand of what a recovery takes: mostly before it listens.
    StartUp { permille: u32 },
    /// When the journal begins a new segment.
    SegmentRoll,
    /// After so many more acknowledged events.
    UnderLoad { acknowledged: u64 },
}

#[derive(Debug)]
pub struct Lives {
    seed: u64,
    home: Home,
    count: u64,
    kills: Kills,
    recoveries: Vec<Duration>,
    /// The one that lasts.
    lasting: Option<Running>,
}

impl Lives {
    pub fn new(seed: u64, binary: PathBuf, directory: &Path) -> Self {
        let home = Home::new(binary, directory.to_owned());
        Lives { seed, home, count: 0, kills: Kills::default(), recoveries: Vec::new(), lasting: None }
    }

    pub fn home(&self) -> &Home {
        &self.home
    }
}

impl Gateways for Lives {
    fn kills(&self) -> Kills {
        self.kills
    }

    fn recovery(&self) -> Recovery {
        Recovery::of(self.recoveries.clone())
    }

    async fn last(&mut self, field: &Field) -> Result<Client> {
        let gateway = self.serve(field).await?;
        api_of(&self.lasting.insert(gateway).admin)
    }

    async fn stop(&mut self) -> Result<Option<String>> {
        match self.lasting.take() {
            Some(gateway) => stopped(gateway, "the gateway").await,
            None => Ok(None),
        }
    }

    async fn live_and_die(&mut self, field: &Field) -> Result<()> {
        let chance = Chance::of(self.seed, self.count ^ (1 << 56));
        let moment = self.moment(&chance);
        let later = chance.up_to(LATER_MAX);
        match moment {
            Moment::StartUp { permille } => {
                self.begin(field)?;
                let starting = self.home.start()?;
                sleep(self.usual_recovery() * permille / 1_000).await;
                starting.kill().await?;
                self.kills.at_start_up += 1;
            }
            Moment::SegmentRoll => {
                let gateway = self.serve(field).await?;
                let before = self.segments()?;
                // If nothing rolls for so long, it is a life under load like others.
                let rolled = timeout(LIFE_MAX, self.until_rolled(before)).await;
                if rolled.is_err() {
                    sleep(later).await;
                }
                self.kill(gateway, field).await?;
                match rolled {
                    Ok(rolled) => {
                        rolled?;
                        self.kills.at_segment_roll += 1;
                    }
                    Err(_) => self.kills.under_load += 1,
                }
            }
            Moment::UnderLoad { acknowledged } => {
                let gateway = self.serve(field).await?;
                let mut count = field.acknowledged();
                let until = *count.borrow_and_update() + acknowledged;
                // It may be slow, or its senders may wait: then time ends its life.
                let _ = timeout(LIFE_MAX, count.wait_for(|count| *count >= until)).await;
                sleep(later).await;
                self.kill(gateway, field).await?;
                self.kills.under_load += 1;
            }
        }
        Ok(())
    }
}

impl Lives {
    /// Starts it, and lets senders and handlers know.
    async fn serve(&mut self, field: &Field) -> Result<Running> {
        self.begin(field)?;
        let started = Instant::now();
        let gateway = self.home.serve().await?;
        // The first found nothing to recover.
        if self.count > 1 {
            self.recoveries.push(started.elapsed());
        }
        field.aim(Some(gateway.ingest));
        Ok(gateway)
    }

    /// The first life is under load, or the others would find an empty store.
    fn moment(&self, chance: &Chance) -> Moment {
        let acknowledged = 1 + chance.below(1 + chance.below(ACKNOWLEDGED_MAX));
        match chance.below(4) {
            0 if self.count > 0 => Moment::StartUp { permille: u32::try_from(chance.below(1_200)).unwrap_or(0) },
            1 => Moment::SegmentRoll,
            _ => Moment::UnderLoad { acknowledged },
        }
    }

    fn begin(&mut self, field: &Field) -> Result<()> {
        field.begin_life(self.count);
        self.count += 1;
        put_log_aside(&self.home)
    }

    async fn kill(&self, mut gateway: Running, field: &Field) -> Result<()> {
        if let Some(status) = gateway.ended() {
            bail!("the gateway ended by itself with {status}");
        }
        gateway.kill().await?;
        field.aim(None);
        Ok(())
    }

    fn usual_recovery(&self) -> Duration {
        let sum: Duration = self.recoveries.iter().sum();
        match u32::try_from(self.recoveries.len()) {
            Ok(count @ 1..) => sum / count,
            _ => RECOVERY_GUESS,
        }
    }

    async fn until_rolled(&self, before: usize) -> Result<()> {
        let mut look = tokio::time::interval(Duration::from_millis(1));
        while self.segments()? <= before {
            look.tick().await;
        }
        Ok(())
    }

    fn segments(&self) -> Result<usize> {
        let journal = self.home.data().join("journal");
        let entries =
            fs::read_dir(&journal).with_context(|| format!("there is no journal at {}", journal.display()))?;
        Ok(entries.count())
    }
}

/// Tells it to stop; what was wrong with how it did.
pub(super) async fn stopped(gateway: Running, name: &str) -> Result<Option<String>> {
    let status = gateway.terminate().await.with_context(|| format!("stopping {name}"))?;
    Ok((!status.success()).then(|| format!("told to stop, {name} ended with {status}")))
}

/// The log of the life before is kept, no more: it grows with every request.
pub(super) fn put_log_aside(home: &Home) -> Result<()> {
    let log = home.log();
    match fs::rename(&log, log.with_extension("previous.log")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("the log cannot be put aside"),
        _ => Ok(()),
    }
}

/// The gateway's admin API.
pub fn api_of(admin: &Admin) -> Result<Client> {
    ensure!(!admin.token.is_empty(), "the gateway left no admin token in its data directory");
    Client::remote(&format!("http://{}", admin.address), Secret::new(admin.token.clone()))
}
