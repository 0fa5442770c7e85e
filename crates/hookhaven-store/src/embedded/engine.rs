//! One run of the store, from opening its files to letting go of them. The one start-up path, after a
//! clean stop, a crash, a failed sync or a damaged index alike: open the journal, bring the index up to
//! it, make the live state from the index.
//!
//! Not here: the thread that writes (`writer`), how events and attempts are read back from the journal (`readback`),
//! and that one run may follow another.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use tokio::task::JoinError;

use super::{
    Shared,
    applier::{Applier, Heard, Keeper},
    damages::Damages,
    home,
    index::{
        Index, IndexError, IndexHistory, IndexWriter,
        readers::{Reader, Readers},
    },
    journal::{End, Entry, Journal, JournalReader},
    queue::JobQueue,
    readback::unreadable,
    recent::RecentEvents,
    segment::Damage,
    space::Space,
};
use crate::{codec, courtesy::Courtesy, live::Live, position::Position, seam::StoreError};

/// What one transaction takes while the index catches up at start.
const CATCH_UP_RECORDS: usize = 20_000;
const CATCH_UP_BYTES: u64 = 32 << 20;
/// Beside the copy of the newest segment: its last batch may have gone past the segment's length.
const COPY_SPARE_BYTES: u64 = 16 << 20;

/// What the writer and those who read share.
#[derive(Debug)]
pub struct Engine {
    live: Arc<Mutex<Live>>,
    /// As of the last batch, for those who only want the number.
    pub pending: AtomicU64,
    pub journal: JournalReader,
    pub recent: RecentEvents,
    pub applier: Applier,
    readers: Readers,
    /// How much is looked while events come in.
    pub courtesy: Courtesy,
    suspect: Arc<Suspect>,
    /// The writer is to begin a new segment.
    pub roll: AtomicBool,
    pub dismissed_by_age: AtomicU64,
    pub damages: Arc<Damages>,
    pub mode: Mode,
}

/// Where the work is done that blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On threads of its own.
    Threads,
    /// By whoever asks, and by [`super::Steps`]: nothing happens unless somebody makes it happen.
    Stepped,
}

/// Why the index must be made again, once somebody found out.
#[derive(Debug)]
pub struct Suspect {
    why: Mutex<Option<String>>,
    queue: Arc<JobQueue>,
}

impl Suspect {
    pub fn say(&self, why: String) {
        *self.why.lock().unwrap_or_else(|e| e.into_inner()) = Some(why);
        self.queue.nudge();
    }

    pub fn take(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(|e| e.into_inner()).take()
    }
}

/// What the writer alone has of a run.
pub struct Opened {
    pub engine: Arc<Engine>,
    pub journal: Journal,
    pub history: IndexHistory,
    keeping: Keeping,
}

/// Who keeps the index.
enum Keeping {
    Thread(JoinHandle<()>),
    Stepped(Box<Keeper>),
}

impl Opened {
    /// Ends the run: with everything in the index, or at once.
    pub fn stop(self, drain: bool) {
        self.engine.applier.stop(drain);
        match self.keeping {
            Keeping::Thread(thread) => {
                if thread.join().is_err() {
                    tracing::error!("the thread that keeps the index ended in a panic");
                }
            }
            Keeping::Stepped(keeper) => self.engine.applier.end(*keeper, drain),
        }
    }

    /// One transaction of the index and one step of its upkeep, where no thread sees to it.
    pub fn step_index(&mut self) {
        if let Keeping::Stepped(keeper) = &mut self.keeping {
            self.engine.applier.step(keeper);
        }
    }
}

struct ToLive {
    live: Arc<Mutex<Live>>,
    suspect: Arc<Suspect>,
    space: Arc<Space>,
}

impl Heard for ToLive {
    fn applied(&self, upto: Position) {
        self.live.lock().unwrap_or_else(|e| e.into_inner()).forget(upto);
    }

    fn damaged(&self, why: String) {
        self.suspect.say(why);
    }

    fn full(&self) {
        self.space.release();
    }
}

/// Opens everything. An index that turns out damaged is made again.
pub fn open(shared: &Shared, fresh_index: bool) -> Result<Opened, StoreError> {
    let Shared { options, space, damages, .. } = shared;
    let dir = home::journal_dir(&options.dir);
    // The newest segment is copied; a restart on a full disk must not wait for somebody to make room.
    space.release_below(options.segment_bytes.saturating_add(COPY_SPARE_BYTES));
    let (mut journal, found) =
        Journal::open(options.disk.clone(), &dir, options.segment_bytes, options.entropy.clone())?;
    journal.draw_on(space.clone());
    found.iter().for_each(|damage| damages.met(damage));
    let index = Index::new(options.disk.index_path(&options.dir));
    if fresh_index {
        index.discard()?;
    } else if let Some(lost) = index.beyond(&journal.reader()) {
        damages.met(&lost);
    }
    let (writer, live) = match remember(&index, &journal.reader(), shared) {
        Err(Trouble::Index(e)) if e.is_damage() => {
            tracing::warn!("{e}: it is made again");
            index.discard()?;
            remember(&index, &journal.reader(), shared)
        }
        done => done,
    }
    .map_err(StoreError::from)?;
    start(shared, journal, &index, writer, live)
}

fn start(
    shared: &Shared,
    journal: Journal,
    index: &Index,
    writer: IndexWriter,
    live: Live,
) -> Result<Opened, StoreError> {
    tracing::info!(dir = %shared.options.dir.display(), pending = live.pending_len(), "the store is open");
    let pending = AtomicU64::new(live.pending_len());
    let live = Arc::new(Mutex::new(live));
    let suspect = Arc::new(Suspect { why: Mutex::default(), queue: shared.queue.clone() });
    let history = IndexHistory::open(index)?;
    let heard = Box::new(ToLive { live: live.clone(), suspect: suspect.clone(), space: shared.space.clone() });
    let (applier, keeper) = (Applier::new(&writer), Keeper::new(writer, heard));
    let no_thread = |e| StoreError::Failed(format!("cannot start the thread that keeps the index: {e}"));
    let keeping = match shared.mode {
        Mode::Threads => Keeping::Thread(applier.start(keeper).map_err(no_thread)?),
        Mode::Stepped => Keeping::Stepped(Box::new(keeper)),
    };
    let engine = Engine {
        live,
        pending,
        journal: journal.reader(),
        recent: RecentEvents::default(),
        applier,
        readers: Readers::new(index.clone(), shared.mode),
        courtesy: Courtesy::new(shared.options.clock.clone()),
        suspect,
        mode: shared.mode,
        roll: AtomicBool::new(false),
        dismissed_by_age: AtomicU64::new(0),
        damages: shared.damages.clone(),
    };
    Ok(Opened { engine: Arc::new(engine), journal, history, keeping })
}

/// Why the past could not be made out.
pub(super) enum Trouble {
    Index(IndexError),
    Store(StoreError),
}

impl From<IndexError> for Trouble {
    fn from(e: IndexError) -> Self {
        Trouble::Index(e)
    }
}

impl From<StoreError> for Trouble {
    fn from(e: StoreError) -> Self {
        Trouble::Store(e)
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Index(e) => e.into(),
            Trouble::Store(e) => e,
        }
    }
}

/// The index, up to where the journal ends, and the live state made from it.
fn remember(index: &Index, journal: &JournalReader, shared: &Shared) -> Result<(IndexWriter, Live), Trouble> {
    let mut writer = index.open(journal)?;
    catch_up(&mut writer, journal, |seen| {
        if let Seen::Damage(damage) = seen {
            shared.damages.met(damage);
        }
    })?;
    // The power may have gone between a removal's record and its end.
    let removed = writer.removed_upto()?.unwrap_or(0);
    for number in journal.segments().into_iter().take_while(|number| *number <= removed) {
        journal.remove(number).map_err(|e| StoreError::Failed(format!("cannot remove segment {number}: {e}")))?;
    }
    let mut live = Live::new();
    live.set_begins(journal.first_segment());
    let mut epoch = [0; 8];
    shared.options.entropy.fill(&mut epoch);
    // Random, so that no session of an earlier run has the number of a later one.
    live.start_sessions_after(u64::from_le_bytes(epoch) >> 2);
    writer.pending(|image| live.restore_pending(image))?;
    let past = writer.remembered()?;
    for dead in past.dead_letters {
        live.restore_dead_letters(&dead.source, &dead.destination, dead.critical, dead.count);
    }
    past.catalog.into_iter().for_each(|entry| live.restore_catalog(entry));
    past.parking.iter().for_each(|delivery| live.restore_park(delivery));
    Ok((writer, live))
}

/// What is come upon while an index catches up.
pub(super) enum Seen<'a> {
    /// Everything up to here is in it.
    Applied(Position),
    Damage(&'a Damage),
}

/// Brings an index up to where the journal ends.
pub(super) fn catch_up(
    index: &mut IndexWriter,
    journal: &JournalReader,
    mut tell: impl FnMut(Seen<'_>),
) -> Result<(), Trouble> {
    let from = index.reached().map(|at| End { segment: at.segment, offset: at.end() });
    let mut entries = journal.iterate(from)?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    loop {
        let entry = entries.step().map_err(|e| StoreError::Failed(format!("cannot read the journal: {e}")))?;
        match &entry {
            Some(Entry::Frame(at, payload)) => {
                let of_frame = codec::decode(payload).map_err(|e| unreadable(*at, &e))?;
                records.extend(of_frame.into_iter().map(|record| (record, *at)));
                bytes += u64::from(at.len);
            }
            Some(Entry::Damage(damage)) => tell(Seen::Damage(damage)),
            None => {}
        }
        if entry.is_none() || records.len() >= CATCH_UP_RECORDS || bytes >= CATCH_UP_BYTES {
            index.apply(&records)?;
            if let Some((_, upto)) = records.last() {
                tell(Seen::Applied(*upto));
            }
            records.clear();
            bytes = 0;
        }
        if entry.is_none() {
            return Ok(());
        }
    }
}

impl Engine {
    pub fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub fn suspect(&self) -> &Suspect {
        &self.suspect
    }

    /// Asks the index once it knows everything that was committed before.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.applier.caught_up().await?;
        self.ask_now(question).await
    }

    /// As `ask`, for who looks at much: senders come first.
    pub async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.applier.caught_up().await?;
        self.courtesy.look(self.ask_now(question)).await
    }

    /// Asks the index as it is just now.
    pub async fn ask_now<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.ask(question).await.map_err(|e| {
            if e.is_damage() {
                self.suspect.say(e.to_string());
            }
            e.into()
        })
    }

    pub fn pending_is(&self, live: &Live) {
        self.pending.store(live.pending_len(), Ordering::Relaxed);
    }
}

impl Mode {
    /// Does what may block: on a thread for such things, or here and now.
    pub async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
        match self {
            Mode::Threads => tokio::task::spawn_blocking(work).await,
            Mode::Stepped => Ok(work()),
        }
    }
}
