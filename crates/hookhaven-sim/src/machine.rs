//! The machine that the store lives on: a disk that loses what was not synced, and the embedded store on it,
//! stepped. The writer decides when there is work, its sync takes a while, in which everything else goes on
//! and the power may go; the index follows when it gets to it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hookhaven_store::{
    StoreError,
    clock::SeededEntropy,
    embedded::{
        EmbeddedOptions, EmbeddedStore, Steps,
        disk::{Disk, SimDisk},
    },
};
use tokio::sync::Notify;

use crate::{chance::Chance, mutation::Mutation, world::World};

/// The data directory, on a disk that is not there.
const DATA: &str = "/data";

/// Between two looks for work that nobody told of.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Clones are the same machine.
#[derive(Clone)]
pub struct Machine(Arc<Shared>);

struct Shared {
    world: Arc<World>,
    state: Mutex<State>,
}

struct State {
    disk: SimDisk,
    /// `None` while the machine is down.
    running: Option<Running>,
    boots: u64,
    chance: Chance,
    /// Whether syncs are slow now.
    slow: bool,
    /// Whether syncs do nothing, once the directory is made; planted bugs only.
    lies: bool,
}

struct Running {
    store: Arc<EmbeddedStore>,
    steps: Steps,
    /// A call was made: there may be something to write.
    work: Arc<Notify>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

impl Machine {
    /// A machine that is down, with an empty disk. `dir` is a real directory for the index.
    pub fn new(world: Arc<World>, dir: &Path, mutation: Option<Mutation>) -> Self {
        let disk = SimDisk::new(world.plan.seed, dir);
        let chance = world.plan.chance.fork("machine");
        let lies = mutation == Some(Mutation::SyncSkipped);
        let state = State { disk, running: None, boots: 0, chance, slow: false, lies };
        Machine(Arc::new(Shared { world, state: Mutex::new(state) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the process: opens the store by its start-up path.
    pub fn boot(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        state.boots += 1;
        let (disk, boots, config) = (state.disk.clone(), state.boots, &self.0.world.plan.config.store);
        let entropy = SeededEntropy::new(state.chance.draw());
        let (store, steps) = EmbeddedStore::open_stepped(EmbeddedOptions {
            dir: DATA.into(),
            pending_max: config.pending_max,
            segment_bytes: config.segment_bytes,
            index_lag_bytes_max: config.index_lag_bytes_max,
            queue: Default::default(),
            space: Default::default(),
            disk: Arc::new(disk),
            clock: Arc::new(self.0.world.clock.clone()),
            entropy: Arc::new(entropy),
        })?;
        let (work, written) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        if state.lies {
            state.disk.lie_about_syncs();
        }
        state.running = Some(Running { store: Arc::new(store), steps, work: work.clone() });
        drop(state);
        self.0.world.say(format_args!("machine: up, boot {boots}"));
        tokio::spawn(self.clone().write(boots, work, written.clone()));
        tokio::spawn(self.clone().keep_index(boots, written));
        Ok(())
    }

    pub fn store(&self) -> Option<Arc<EmbeddedStore>> {
        self.state().running.as_ref().map(|running| running.store.clone())
    }

    /// A call into the store was made.
    pub fn called(&self) {
        if let Some(running) = &self.state().running {
            running.work.notify_one();
        }
    }

    pub fn set_slow(&self, slow: bool) {
        self.state().slow = slow;
    }

    /// The sync after `n` more fails.
    pub fn fail_sync_after(&self, n: u32) {
        self.state().disk.fail_sync_after(n);
    }

    /// The append after `n` more finds the disk full.
    pub fn fill_after(&self, n: u32) {
        self.state().disk.fill_after(n);
    }

    /// The power goes in the middle of the sync after `n` more.
    pub fn cut_at_sync_after(&self, n: u32) {
        self.state().disk.cut_at_sync_after(n);
    }

    /// Whether the power went during a sync.
    pub fn lost_power(&self) -> bool {
        self.state().disk.is_dead()
    }

    /// The process ends at once: by the power, or by a kill that leaves the machine alone. The index's files
    /// are found again by the next, or not.
    pub fn crash(&self, power: bool) {
        let mut state = self.state();
        state.running = None;
        let seed = state.chance.draw();
        let before = state.disk.index_path(Path::new(DATA));
        state.disk = if power || state.disk.is_dead() { state.disk.power_cut(seed) } else { state.disk.kill() };
        let after = state.disk.index_path(Path::new(DATA));
        let kept = state.chance.percent(50);
        drop(state);
        if kept {
            for suffix in ["", "-wal"] {
                // None was made yet, perhaps; the next process makes one.
                let _ = fs::copy(with(&before, suffix), with(&after, suffix));
            }
        }
        self.0.world.say(format_args!("machine: down, power {power}, index kept {kept}"));
    }

    fn is_run(&self, boot: u64) -> bool {
        let state = self.state();
        state.boots == boot && state.running.is_some()
    }

    /// Acts on the store's hands, if it is still this run's.
    fn step<T>(&self, boot: u64, act: impl FnOnce(&mut Steps) -> T) -> Option<T> {
        let mut state = self.state();
        let of_run = state.boots == boot;
        state.running.as_mut().filter(|_| of_run).map(|running| act(&mut running.steps))
    }

    fn draw_ms(&self, calm: u64, slow: u64) -> Duration {
        let mut state = self.state();
        let most = if state.slow { slow } else { calm };
        state.chance.ms(1..=most)
    }

    /// Waits to be told, or for a moment: what a call asks for after its first step is not told.
    async fn notified(&self, of: &Notify) {
        tokio::select! {
            biased;
            () = of.notified() => {}
            () = self.0.world.clock.sleep(LOOK_EVERY) => {}
        }
    }

    /// The writer: one batch after another.
    async fn write(self, boot: u64, work: Arc<Notify>, written: Arc<Notify>) {
        let clock = &self.0.world.clock;
        let mut more = true;
        while self.is_run(boot) {
            if !more {
                self.notified(&work).await;
            }
            let decided = self.step(boot, Steps::decide).unwrap_or(false);
            if decided {
                clock.sleep(self.draw_ms(4, 2_500)).await;
                more = self.step(boot, Steps::commit).unwrap_or(false);
                written.notify_one();
            } else {
                more = false;
            }
            while self.step(boot, |steps| steps.is_broken()).unwrap_or(false) {
                self.0.world.disturb(Duration::from_secs(3));
                // Leases ended with the run; who held them does not know yet.
                self.0.world.ledger().watch.unsteady = Some(self.0.world.now());
                clock.sleep(self.draw_ms(200, 3_000)).await;
                let opened = self.step(boot, Steps::reopen).map(|opened| opened.is_ok());
                self.0.world.say(format_args!("machine: opened again {opened:?}"));
                if self.lost_power() {
                    self.0.world.disturb(Duration::from_secs(100));
                    return;
                }
                more = true;
            }
        }
    }

    /// The index, behind.
    async fn keep_index(self, boot: u64, written: Arc<Notify>) {
        while self.is_run(boot) {
            self.notified(&written).await;
            self.0.world.clock.sleep(self.draw_ms(100, 2_000)).await;
            self.step(boot, Steps::index);
        }
    }
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
