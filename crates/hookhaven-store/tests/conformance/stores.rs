//! The stores under test.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use hookhaven_store::{
    Store,
    clock::{ManualClock, SeededEntropy},
    embedded::{
        EmbeddedOptions, EmbeddedStore,
        disk::{Disk, RealDisk, SimDisk},
    },
    faulty::Faulty,
    memory::MemoryStore,
    postgres::{PostgresOptions, PostgresStore},
};

use hookhaven_testbed::pooler;

use crate::bench::{Bench, PENDING_MAX, start};

pub struct Memory {
    clock: ManualClock,
}

impl Default for Memory {
    fn default() -> Self {
        Memory { clock: ManualClock::at(start()) }
    }
}

#[async_trait]
impl Bench for Memory {
    async fn open(&self) -> Arc<dyn Store> {
        let entropy = Arc::new(SeededEntropy::new(7));
        Arc::new(MemoryStore::with_pending_max(Arc::new(self.clock.clone()), entropy, PENDING_MAX))
    }

    async fn reopen(&self, _: Arc<dyn Store>) -> Option<Arc<dyn Store>> {
        None
    }

    fn survives(&self) -> bool {
        false
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

/// The decorator, without a fault, must not show.
#[derive(Default)]
pub struct Decorated(Memory);

#[async_trait]
impl Bench for Decorated {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(Faulty::over(self.0.open().await))
    }

    async fn reopen(&self, _: Arc<dyn Store>) -> Option<Arc<dyn Store>> {
        None
    }

    fn survives(&self) -> bool {
        false
    }

    fn clock(&self) -> &ManualClock {
        self.0.clock()
    }
}

/// The embedded store, on files or on a simulated disk.
pub struct Embedded {
    clock: ManualClock,
    entropy: Arc<SeededEntropy>,
    simulated: bool,
    /// The directory of the store opened last.
    home: Mutex<Option<(tempfile::TempDir, Arc<dyn Disk>)>>,
}

impl Embedded {
    pub fn on_files() -> Self {
        Self::new(false)
    }

    pub fn simulated() -> Self {
        Self::new(true)
    }

    fn new(simulated: bool) -> Self {
        let entropy = Arc::new(SeededEntropy::new(7));
        Embedded { clock: ManualClock::at(start()), entropy, simulated, home: Mutex::default() }
    }

    fn open_at(&self, dir: &Path, disk: Arc<dyn Disk>) -> Arc<dyn Store> {
        let store = EmbeddedStore::open(EmbeddedOptions {
            dir: dir.join("data"),
            pending_max: PENDING_MAX,
            // Small, so that the cases cross from one segment into the next.
            segment_bytes: 4_096,
            index_lag_bytes_max: 64 << 20,
            queue: Default::default(),
            space: Default::default(),
            disk,
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
        });
        Arc::new(store.unwrap())
    }
}

#[async_trait]
impl Bench for Embedded {
    async fn open(&self) -> Arc<dyn Store> {
        let dir = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> =
            if self.simulated { Arc::new(SimDisk::new(7, dir.path())) } else { Arc::new(RealDisk) };
        let store = self.open_at(dir.path(), disk.clone());
        *self.home.lock().unwrap() = Some((dir, disk));
        store
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Option<Arc<dyn Store>> {
        store.close().await;
        let home = self.home.lock().unwrap();
        home.as_ref().map(|(dir, disk)| self.open_at(dir.path(), disk.clone()))
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

/// A database of its own on the tests' PostgreSQL, directly or through a pooler.
pub struct Postgres {
    pooled: bool,
    clock: ManualClock,
    entropy: Arc<SeededEntropy>,
    url: Mutex<String>,
}

impl Postgres {
    pub fn direct() -> Self {
        let entropy = Arc::new(SeededEntropy::new(7));
        Postgres { pooled: false, clock: ManualClock::at(start()), entropy, url: Mutex::default() }
    }

    pub fn behind_a_pooler() -> Self {
        Postgres { pooled: true, ..Self::direct() }
    }

    async fn open_at(&self, url: String) -> Arc<dyn Store> {
        let options = PostgresOptions {
            pending_max: PENDING_MAX,
            clock: Some(Arc::new(self.clock.clone())),
            // Patient: the machine may be busy with other tests.
            answer_timeout: Duration::from_secs(120),
            ..PostgresOptions::new(url, self.entropy.clone())
        };
        Arc::new(PostgresStore::open(options).await.unwrap())
    }
}

#[async_trait]
impl Bench for Postgres {
    async fn open(&self) -> Arc<dyn Store> {
        let mut url = hookhaven_testbed::shared().unwrap().create().unwrap();
        if self.pooled {
            url = pooler::shared().unwrap().url(url.rsplit('/').next().unwrap());
        }
        *self.url.lock().unwrap() = url.clone();
        self.open_at(url).await
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Option<Arc<dyn Store>> {
        store.close().await;
        let url = self.url.lock().unwrap().clone();
        Some(self.open_at(url).await)
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}
