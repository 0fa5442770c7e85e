//! The thread that keeps the index up with the journal: gathers what was synced for a moment, applies it
//! in one transaction, and tells those who wait how far it came.
//!
//! Only synced records come here. Its queue has a limit in bytes, kept by the writer, which stops
//! accepting when this thread cannot keep up.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::watch;

use super::index::{IndexWriter, lists::READ_MAX};
use crate::{position::Position, record::Record, seam::StoreError};

/// How long records are gathered, unless a reader waits.
const GATHER: Duration = Duration::from_millis(100);
const TRANSACTION_RECORDS_MAX: usize = 20_000;
/// Between two tries after an error.
const PAUSE: Duration = Duration::from_secs(1);

/// The records of one frame.
pub type Frame = (Vec<Record>, Position);

/// What the thread tells: that it has come so far, or that the index is damaged.
pub trait Heard: Send {
    fn applied(&self, upto: Position);
    fn damaged(&self, why: String);
    /// The disk is full.
    fn full(&self);
}

/// What the index is kept with: its writing connection, and who is told.
pub struct Keeper {
    pub index: IndexWriter,
    pub heard: Box<dyn Heard>,
}

/// The handle on the thread. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Applier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    applied: watch::Sender<Position>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    records: usize,
    /// Of the frames queued or being applied.
    bytes: u64,
    /// The last frame handed over.
    last: Position,
    /// Somebody waits for the index: do not gather.
    hurry: bool,
    stop: Stop,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stop {
    #[default]
    No,
    /// After everything queued.
    Drained,
    Now,
}

impl Applier {
    /// For an index that has come so far. Nothing is applied before [`Applier::start`] or [`Applier::step`].
    pub fn new(index: &IndexWriter) -> Applier {
        let at = index.reached().unwrap_or(Position::NONE);
        let queue = Mutex::new(Queue { last: at, ..Queue::default() });
        Applier(Arc::new(Shared { queue, changed: Condvar::new(), applied: watch::Sender::new(at) }))
    }

    /// Starts the thread.
    pub fn start(&self, keeper: Keeper) -> io::Result<JoinHandle<()>> {
        let shared = self.clone();
        std::thread::Builder::new().name("hookhaven-index".into()).spawn(move || shared.run(keeper))
    }

    /// In place of the thread: one transaction of what is queued now.
    pub fn step(&self, keeper: &mut Keeper) {
        let frames = Self::take(&mut self.queue());
        if !frames.is_empty() {
            self.apply(keeper, frames);
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Hands over synced frames, in the order of the journal.
    pub fn push(&self, frames: Vec<Frame>) {
        let Some((_, last)) = frames.last() else { return };
        let mut queue = self.queue();
        queue.last = *last;
        queue.bytes += frames.iter().map(|(_, at)| u64::from(at.len)).sum::<u64>();
        queue.records += frames.iter().map(|(records, _)| records.len()).sum::<usize>();
        queue.frames.extend(frames);
        drop(queue);
        self.0.changed.notify_one();
    }

    /// Bytes and records not yet in the index.
    pub fn lag(&self) -> (u64, u64) {
        let queue = self.queue();
        (queue.bytes, queue.records as u64)
    }

    /// Waits until everything handed over by now is in the index, at most [`READ_MAX`].
    pub async fn caught_up(&self) -> Result<(), StoreError> {
        let mut applied = self.0.applied.subscribe();
        let target = {
            let mut queue = self.queue();
            if *applied.borrow() >= queue.last {
                return Ok(());
            }
            queue.hurry = true;
            queue.last
        };
        self.0.changed.notify_one();
        match tokio::time::timeout(READ_MAX, applied.wait_for(|at| *at >= target)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(StoreError::Unavailable("the store is closing".into())),
            Err(_) => Err(StoreError::Unavailable("the index is too far behind; ask again later".into())),
        }
    }

    /// Ends the thread, after what is queued or at once. What is left is in the journal.
    pub fn stop(&self, drain: bool) {
        self.queue().stop = if drain { Stop::Drained } else { Stop::Now };
        self.0.changed.notify_all();
    }

    fn run(&self, mut keeper: Keeper) {
        self.keep_up(&mut keeper);
        keeper.index.settle_down();
    }

    fn keep_up(&self, keeper: &mut Keeper) {
        while let Some(frames) = self.gather() {
            if !self.apply(keeper, frames) {
                return;
            }
        }
    }

    /// One transaction; `false` when it is time to end.
    fn apply(&self, keeper: &mut Keeper, frames: Vec<Frame>) -> bool {
        let (mut records, mut bytes) = (Vec::with_capacity(frames.len()), 0);
        for (of_frame, at) in frames {
            bytes += u64::from(at.len);
            records.extend(of_frame.into_iter().map(|record| (record, at)));
        }
        while let Err(e) = keeper.index.apply(&records) {
            if e.is_damage() {
                keeper.heard.damaged(e.to_string());
                return false;
            }
            if e.is_full() {
                keeper.heard.full();
            }
            tracing::error!("{e}; it will be tried again");
            if self.pause() {
                return false;
            }
        }
        let mut queue = self.queue();
        queue.bytes -= bytes;
        queue.records -= records.len();
        drop(queue);
        if let Some((_, upto)) = records.last() {
            self.0.applied.send_replace(*upto);
            keeper.heard.applied(*upto);
        }
        true
    }

    /// Whole frames for one transaction; `None` when it is time to end.
    fn gather(&self) -> Option<Vec<Frame>> {
        let idle = |queue: &mut Queue| queue.frames.is_empty() && queue.stop == Stop::No;
        let few = |queue: &mut Queue| queue.records < TRANSACTION_RECORDS_MAX && !queue.hurry && queue.stop == Stop::No;
        let queue = self.0.changed.wait_while(self.queue(), idle).unwrap_or_else(|e| e.into_inner());
        let gathered = self.0.changed.wait_timeout_while(queue, GATHER, few);
        let mut queue = gathered.unwrap_or_else(|e| e.into_inner()).0;
        if queue.stop == Stop::Now || queue.frames.is_empty() {
            return None;
        }
        Some(Self::take(&mut queue))
    }

    fn take(queue: &mut Queue) -> Vec<Frame> {
        let (mut frames, mut records) = (Vec::new(), 0);
        while records < TRANSACTION_RECORDS_MAX
            && let Some(frame) = queue.frames.pop_front()
        {
            records += frame.0.len();
            frames.push(frame);
        }
        queue.hurry &= !queue.frames.is_empty();
        frames
    }

    /// Waits a moment; `true` when it is time to end: what cannot be applied now is in the journal.
    fn pause(&self) -> bool {
        let going = |queue: &mut Queue| queue.stop == Stop::No;
        let waited = self.0.changed.wait_timeout_while(self.queue(), PAUSE, going);
        waited.unwrap_or_else(|e| e.into_inner()).0.stop != Stop::No
    }
}
