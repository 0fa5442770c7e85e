//! Several nodes on a store that they share: one takes in, two deliver. One of them is killed with SIGKILL, under
//! load or while it starts, or the database is crashed by a command that the person gave, also while a node is
//! down. What is killed comes back by itself or after the next mishap, so that others have to do its work.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use hookhaven_load::gateway::{Home, Running};
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

use super::{
    Gateways, SharedStore,
    chance::Chance,
    field::Field,
    lives::{api_of, put_log_aside, stopped},
    verdict::{Kills, Recovery},
};
use crate::cli::client::Client;

/// Nodes that deliver.
const WORKERS: usize = 2;
/// Something is done after at most so many acknowledged events, or so long.
const ACKNOWLEDGED_MAX: u64 = 800;
const LIFE_MAX: Duration = Duration::from_secs(5);
/// After the moment that was waited for, at most so long.
const LATER_MAX: Duration = Duration::from_millis(20);
/// While a node starts it is killed within so long: mostly before it listens.
const START_UP_MAX: Duration = Duration::from_millis(150);
/// Until the command that restarts the database must have ended.
const RESTART_TIMEOUT: Duration = Duration::from_secs(120);

/// What is done to them.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    /// To the node that takes in.
    KillIngest,
    /// To one that delivers.
    KillWorker(usize),
    /// To any, just after it was killed and started again.
    KillAtStartUp(usize),
    RestartStore,
}

#[derive(Debug)]
pub struct Fleet {
    seed: u64,
    /// The first one takes in.
    nodes: Vec<Node>,
    restart: Option<String>,
    count: u64,
    kills: Kills,
    recoveries: Vec<Duration>,
}

#[derive(Debug)]
struct Node {
    name: String,
    home: Home,
    running: Option<Running>,
    starts: u64,
}

impl Fleet {
    /// Lays out a directory for each node.
    pub fn new(seed: u64, binary: &Path, directory: &Path, store: &SharedStore, field: &Field) -> Result<Self> {
        let url = String::from_utf8_lossy(store.url.expose()).into_owned();
        let token = format!("{:032x}", Chance::of(seed, 3).next());
        let mut nodes = Vec::new();
        for n in 0..=WORKERS {
            let (role, name) = if n == 0 { ("ingest", "ingest".to_owned()) } else { ("worker", format!("worker-{n}")) };
            let home = Home { shared: true, ..Home::new(binary.to_owned(), directory.join(&name)) };
            std::fs::create_dir(&home.directory).with_context(|| format!("no directory for {name}"))?;
            std::fs::write(home.token(), &token).context("the token cannot be written")?;
            home.write_config(&field.config_of_node(role, &url))?;
            nodes.push(Node { name, home, running: None, starts: 0 });
        }
        let (kills, recoveries) = (Kills::default(), Vec::new());
        Ok(Fleet { seed, nodes, restart: store.restart.clone(), count: 0, kills, recoveries })
    }

    fn mishap(&self, chance: &Chance) -> Mishap {
        let worker = 1 + usize::try_from(chance.below(WORKERS as u64)).unwrap_or(0);
        let any = usize::try_from(chance.below(self.nodes.len() as u64)).unwrap_or(0);
        match chance.below(if self.restart.is_some() { 5 } else { 4 }) {
            0 | 1 => Mishap::KillWorker(worker),
            2 => Mishap::KillIngest,
            3 => Mishap::KillAtStartUp(any),
            _ => Mishap::RestartStore,
        }
    }

    /// Starts what is down. One worker may stay so, if the others are up.
    async fn raise(&mut self, field: &Field, chance: Option<&Chance>) -> Result<()> {
        let down: Vec<_> = (0..self.nodes.len()).filter(|n| self.nodes[*n].running.is_none()).collect();
        let may_stay = chance.is_some_and(|chance| chance.one_in(2));
        let first = self.count == 1;
        let stays = down.iter().copied().find(|n| *n > 0 && may_stay && down.len() == 1 && !first);
        for n in down.into_iter().filter(|n| Some(*n) != stays) {
            let started = Instant::now();
            self.nodes[n].serve().await?;
            if n == 0 {
                // The first found nothing to recover.
                if self.nodes[0].starts > 1 {
                    self.recoveries.push(started.elapsed());
                }
                field.aim(self.nodes[0].running.as_ref().map(|ingest| ingest.ingest));
            }
        }
        Ok(())
    }

    async fn kill(&mut self, n: usize, field: &Field) -> Result<()> {
        if n == 0 {
            field.aim(None);
        }
        self.nodes[n].kill().await
    }

    /// The nodes live through it: one that does not ends the run.
    async fn restart_store(&mut self) -> Result<()> {
        let Some(line) = &self.restart else { return Ok(()) };
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let ended = timeout(RESTART_TIMEOUT, command.output()).await;
        let limit = RESTART_TIMEOUT.as_secs();
        let output = ended.with_context(|| format!("--store-restart takes more than {limit} s"))?.context("sh")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("--store-restart ended with {}: {}", output.status, said.trim_end());
        }
        self.kills.of_store += 1;
        Ok(())
    }

    fn all_alive(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Node::must_live)
    }
}

impl Gateways for Fleet {
    async fn live_and_die(&mut self, field: &Field) -> Result<()> {
        let chance = Chance::of(self.seed, self.count ^ (1 << 56));
        field.begin_life(self.count);
        self.count += 1;
        self.raise(field, Some(&chance)).await?;
        let mut acknowledged = field.acknowledged();
        let until = *acknowledged.borrow_and_update() + 1 + chance.below(1 + chance.below(ACKNOWLEDGED_MAX));
        // It may be slow, or its senders may wait, or the database be away: then time ends it.
        let _ = timeout(LIFE_MAX, acknowledged.wait_for(|count| *count >= until)).await;
        sleep(chance.up_to(LATER_MAX)).await;
        self.all_alive()?;
        match self.mishap(&chance) {
            Mishap::KillIngest => {
                self.kill(0, field).await?;
                self.kills.under_load += 1;
            }
            Mishap::KillWorker(n) => {
                self.kill(n, field).await?;
                self.kills.of_workers += 1;
            }
            Mishap::KillAtStartUp(n) => {
                self.kill(n, field).await?;
                let starting = self.nodes[n].start()?;
                sleep(chance.up_to(START_UP_MAX)).await;
                starting.kill().await?;
                self.kills.at_start_up += 1;
            }
            Mishap::RestartStore => self.restart_store().await?,
        }
        self.all_alive()
    }

    async fn last(&mut self, field: &Field) -> Result<Client> {
        self.raise(field, None).await?;
        let ingest = self.nodes[0].running.as_ref().context("the node that takes in is down")?;
        api_of(&ingest.admin)
    }

    async fn stop(&mut self) -> Result<Option<String>> {
        let mut wrong = None;
        for node in &mut self.nodes {
            if let Some(running) = node.running.take() {
                wrong = wrong.or(stopped(running, &node.name).await?);
            }
        }
        Ok(wrong)
    }

    fn kills(&self) -> Kills {
        self.kills
    }

    fn recovery(&self) -> Recovery {
        Recovery::of(self.recoveries.clone())
    }
}

impl Node {
    fn start(&mut self) -> Result<hookhaven_load::gateway::Starting> {
        put_log_aside(&self.home)?;
        self.starts += 1;
        self.home.start()
    }

    async fn serve(&mut self) -> Result<()> {
        let listening = self.start()?.listening().await;
        self.running = Some(listening.with_context(|| format!("starting {}", self.name))?);
        Ok(())
    }

    /// One that is down is as good.
    async fn kill(&mut self) -> Result<()> {
        self.must_live()?;
        match self.running.take() {
            Some(running) => running.kill().await.with_context(|| format!("killing {}", self.name)),
            None => Ok(()),
        }
    }

    fn must_live(&mut self) -> Result<()> {
        match self.running.as_mut().and_then(Running::ended) {
            Some(status) => bail!("{} ended by itself with {status}", self.name),
            None => Ok(()),
        }
    }
}
