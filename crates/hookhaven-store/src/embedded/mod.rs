//! The embedded store: a journal that is the truth, a live state that decides, and an index of history.
//!
//! A change goes through one thread (`writer`): decided from the live state and the index, appended to the
//! journal (`journal`, `segment`, `frame`, `codec`), synced once for everything that queued up meanwhile,
//! then applied to the live state, answered, and handed to a second thread (`applier`) that puts it into
//! SQLite (`index`) in large transactions. Claims touch only the live state, since leases die with the
//! process. Lists ask the index, after it has reached what was committed when they were asked.
//!
//! Whatever goes wrong, there is one way up: `engine::open`. The journal says what is true, the index is
//! brought up to it or made again, and the live state is made from the index. A failed sync, too, ends a
//! run and begins the next by it.
//!
//! Not here: rules (`rules`), the state they decide from (`live`), SQL outside `index`.

mod applier;
mod backup;
mod damages;
pub mod disk;
pub mod doctor;
mod engine;
pub(crate) mod export;
pub mod frame;
mod home;
pub mod index;
pub mod journal;
pub mod queue;
mod readback;
mod reader;
mod recent;
mod reindex;
mod retention;
pub mod seal;
mod search;
pub mod segment;
pub mod space;
mod stepped;
mod store;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::{Notify, watch};

pub use self::reindex::{ReindexRefused, Reindexed, reindex};
pub use self::stepped::Steps;
use self::{
    damages::Damages,
    disk::{Disk, Lock},
    engine::{Engine, Mode},
    queue::{JobQueue, QueueLimits},
    space::{Space, SpaceLimits},
};
use crate::{
    clock::{Clock, Entropy},
    nodes::Nodes,
    seam::{Leave, StoreError},
};

/// Whether this version can read what is in a data directory; one with nothing in it is fine. Takes no
/// lock and changes nothing.
///
/// # Errors
/// [`StoreError::Incompatible`] with the version needed, or that the directory is not ours.
pub fn check_dir(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    home::has_format(disk, dir).map(|_| ())
}

/// What the embedded store is opened with.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// The data directory; made if it is not there.
    pub dir: PathBuf,
    /// Pending deliveries beyond which nothing is accepted.
    pub pending_max: u64,
    /// Length of a segment file beyond which the next is begun.
    pub segment_bytes: u64,
    /// Journal bytes not yet in the index beyond which nothing is accepted.
    pub index_lag_bytes_max: u64,
    /// What may wait for the writer.
    pub queue: QueueLimits,
    /// What must stay free on the disk.
    pub space: SpaceLimits,
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// See the module's text. Dropping it lets go of the files soon after; `close` waits until it has.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    done: watch::Receiver<bool>,
}

/// What the store and its writer share over all runs.
#[derive(Debug)]
struct Shared {
    options: EmbeddedOptions,
    mode: Mode,
    queue: Arc<JobQueue>,
    wake: Arc<Notify>,
    space: Arc<Space>,
    damages: Arc<Damages>,
    nodes: Nodes,
    engine: Mutex<Option<Arc<Engine>>>,
    /// Held over all runs, until the last has let go of its files.
    lock: Mutex<Option<Box<dyn Lock>>>,
    /// Held while a step of retention is under way.
    retention: tokio::sync::Mutex<retention::Memo>,
    /// Backups under way, which need all segments to stay. Held while a segment is removed.
    pins: Mutex<usize>,
}

impl Shared {
    fn open(options: EmbeddedOptions, mode: Mode) -> Result<(Arc<Self>, engine::Opened), StoreError> {
        let lock = home::enter(&*options.disk, &options.dir, home::LOCK_WAIT)?;
        let shared = Arc::new(Shared {
            queue: Arc::new(JobQueue::new(options.queue)),
            wake: Arc::default(),
            space: Arc::new(Space::new(options.disk.clone(), &options.dir, options.space)),
            damages: Arc::default(),
            nodes: Nodes::default(),
            engine: Mutex::default(),
            lock: Mutex::new(Some(lock)),
            retention: Default::default(),
            pins: Mutex::default(),
            mode,
            options,
        });
        let opened = engine::open(&shared, false)?;
        shared.space.restore();
        shared.set_engine(Some(opened.engine.clone()));
        Ok((shared, opened))
    }

    fn engine_slot(&self) -> MutexGuard<'_, Option<Arc<Engine>>> {
        self.engine.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn pins(&self) -> MutexGuard<'_, usize> {
        self.pins.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn set_engine(&self, engine: Option<Arc<Engine>>) {
        *self.engine_slot() = engine;
    }

    fn engine(&self) -> Result<Arc<Engine>, StoreError> {
        let engine = self.engine_slot().clone();
        engine.ok_or_else(|| match self.queue.ready(Leave::NOTHING) {
            Err(e) => e,
            Ok(()) => StoreError::Unavailable("it is being opened again".into()),
        })
    }
}

impl EmbeddedStore {
    /// Opens or makes the data directory, waiting up to 10 s for another process to let go of it, and
    /// blocking until everything that survived is in place.
    pub fn open(options: EmbeddedOptions) -> Result<Self, StoreError> {
        let (shared, opened) = Shared::open(options, Mode::Threads)?;
        let (tell, done) = watch::channel(false);
        let of_thread = shared.clone();
        let thread = move || {
            writer::run(&of_thread, opened);
            of_thread.lock.lock().unwrap_or_else(|e| e.into_inner()).take();
            tell.send_replace(true);
        };
        std::thread::Builder::new()
            .name("hookhaven-writer".into())
            .spawn(thread)
            .map_err(|e| StoreError::Failed(format!("cannot start the writer's thread: {e}")))?;
        Ok(EmbeddedStore { shared, done })
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}
