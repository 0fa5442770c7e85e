//! The thread that keeps the index up with the journal: gathers what was synced for a moment, applies it
//! in one transaction, and tells those who wait how far it came.
//!
//! Only synced records come here. Its queue has a limit in bytes, kept by the writer, which stops
//! accepting when this thread cannot keep up.

use std::{
    collections::VecDeque,
    io,
    pin::pin,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::JoinHandle,
    time::Duration,
};

use hookhaven_core::Time;
use tokio::sync::{Notify, oneshot};

use super::index::{IndexError, IndexWriter, forget::Step, readers::READ_MAX};
use crate::{position::Position, record::Record, seam::StoreError};

/// How long records are gathered, unless a reader waits. Keys lie anywhere in their tree: the more of them
/// one transaction brings, the more of them share a page.
const GATHER: Duration = Duration::from_millis(800);
const TRANSACTION_RECORDS_MAX: usize = 20_000;
/// Between two tries after an error.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two steps of upkeep while nothing else is to do, so that readers and the disk have their turn.
const PACE: Duration = Duration::from_millis(2);

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
    index: IndexWriter,
    heard: Box<dyn Heard>,
    /// Under way, and what it let go of so far.
    upkeep: Option<Wanted>,
    upkept: Upkept,
    /// Its index was damaged: nothing is done with it any more.
    ended: bool,
}

impl Keeper {
    pub fn new(index: IndexWriter, heard: Box<dyn Heard>) -> Self {
        Keeper { index, heard, upkeep: None, upkept: Upkept::default(), ended: false }
    }
}

/// The handle on the thread. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Applier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// More was applied. Wakes who waits in the order in which they came, so that a simulation is the same each
    /// time; a watch channel would draw the order at random.
    applied: Notify,
}

/// What upkeep let go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkept {
    pub events: u64,
    pub keys: u64,
}

/// Somebody waits until removed segments and keys expired by then are forgotten.
#[derive(Debug)]
struct Wanted {
    now: Time,
    answer: oneshot::Sender<Upkept>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    records: usize,
    /// Of the frames queued or being applied.
    bytes: u64,
    /// The last frame handed over.
    last: Position,
    /// The last frame in the index.
    applied: Position,
    /// Somebody waits for the index: do not gather.
    hurry: bool,
    upkeep: Option<Wanted>,
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

impl Queue {
    /// Once it is to end, nobody would ever answer.
    fn want(&mut self, upkeep: Wanted) {
        self.upkeep = (self.stop == Stop::No).then_some(upkeep);
    }
}

impl Applier {
    /// For an index that has come so far. Nothing is applied before [`Applier::start`] or [`Applier::step`].
    pub fn new(index: &IndexWriter) -> Applier {
        let at = index.reached().unwrap_or(Position::NONE);
        let queue = Mutex::new(Queue { last: at, applied: at, ..Queue::default() });
        Applier(Arc::new(Shared { queue, changed: Condvar::new(), applied: Notify::new() }))
    }

    /// Starts the thread.
    pub fn start(&self, keeper: Keeper) -> io::Result<JoinHandle<()>> {
        let shared = self.clone();
        std::thread::Builder::new().name("hookhaven-index".into()).spawn(move || shared.run(keeper))
    }

    /// In place of the thread: one transaction of what is queued now, and one step of upkeep.
    pub fn step(&self, keeper: &mut Keeper) {
        if !keeper.ended {
            let frames = Self::take(&mut self.queue());
            keeper.ended = self.turn(keeper, frames).is_none();
        }
    }

    /// In place of the thread's end, after [`Applier::stop`].
    pub fn end(&self, mut keeper: Keeper, drain: bool) {
        while drain && !keeper.ended && self.lag().1 > 0 {
            self.step(&mut keeper);
        }
        keeper.index.settle_down();
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
        self.caught_up_within(READ_MAX).await
    }

    /// The same with another limit, for those who are in no hurry.
    pub async fn caught_up_within(&self, limit: Duration) -> Result<(), StoreError> {
        let target = {
            let mut queue = self.queue();
            if queue.applied >= queue.last {
                return Ok(());
            }
            queue.hurry = true;
            queue.last
        };
        self.0.changed.notify_one();
        let late = |_| StoreError::Unavailable("the index is too far behind; ask again later".into());
        tokio::time::timeout(limit, self.reached(target)).await.map_err(late)
    }

    async fn reached(&self, target: Position) {
        loop {
            let mut more = pin!(self.0.applied.notified());
            more.as_mut().enable();
            if self.queue().applied >= target {
                return;
            }
            more.await;
        }
    }

    /// Forgets what lay in removed segments, and keys expired by `now`, in small steps beside the applying.
    /// Waits until it is done. One at a time: whoever asked before is left without an answer.
    pub async fn upkeep(&self, now: Time) -> Result<Upkept, StoreError> {
        let (answer, done) = oneshot::channel();
        self.queue().want(Wanted { now, answer });
        self.0.changed.notify_one();
        done.await.map_err(|_| StoreError::Unavailable("the store is closing".into()))
    }

    /// Ends the thread, after what is queued or at once. What is left is in the journal.
    pub fn stop(&self, drain: bool) {
        let mut queue = self.queue();
        queue.stop = if drain { Stop::Drained } else { Stop::Now };
        // Told to whoever waits for it; it is asked for again in the next run.
        queue.upkeep = None;
        drop(queue);
        self.0.changed.notify_all();
    }

    fn run(&self, mut keeper: Keeper) {
        self.keep_up(&mut keeper);
        keeper.index.settle_down();
    }

    fn keep_up(&self, keeper: &mut Keeper) {
        while let Some(frames) = self.gather(keeper.upkeep.is_some()) {
            if self.turn(keeper, frames).is_none() {
                return;
            }
        }
    }

    /// One transaction, and one step of upkeep if it is wanted; `None` when it is time to end.
    fn turn(&self, keeper: &mut Keeper, frames: Vec<Frame>) -> Option<()> {
        let Keeper { index, heard, upkeep, upkept, .. } = keeper;
        let heard = &**heard;
        if !frames.is_empty() {
            let bytes = frames.iter().map(|(_, at)| u64::from(at.len)).sum();
            let of_frame = |(records, at): Frame| records.into_iter().map(move |record| (record, at));
            let records: Vec<_> = frames.into_iter().flat_map(of_frame).collect();
            self.retried(heard, || index.apply(&records))?;
            self.tell(&records, bytes, heard);
        }
        // Records that were handed over before upkeep was asked for are in the index first.
        if upkeep.is_none() && self.queue().frames.is_empty() {
            *upkeep = self.queue().upkeep.take();
        }
        if let Some(wanted) = upkeep.take() {
            let (step, done) = self.retried(heard, || upkeep_step(index, wanted.now))?;
            (upkept.events, upkept.keys) = (upkept.events + step.events, upkept.keys + step.keys);
            if done {
                // Whoever asked may have gone; it is done all the same.
                let _ = wanted.answer.send(std::mem::take(upkept));
            } else {
                *upkeep = Some(wanted);
            }
        }
        Some(())
    }

    /// Does it, again and again if need be; `None` when it is time to end.
    fn retried<T>(&self, heard: &dyn Heard, mut act: impl FnMut() -> Result<T, IndexError>) -> Option<T> {
        loop {
            match act() {
                Ok(done) => return Some(done),
                Err(e) if e.is_damage() => {
                    heard.damaged(e.to_string());
                    return None;
                }
                Err(e) => {
                    if e.is_full() {
                        heard.full();
                    }
                    tracing::error!("{e}; it will be tried again");
                }
            }
            if self.pause() {
                return None;
            }
        }
    }

    fn tell(&self, records: &[(Record, Position)], bytes: u64, heard: &dyn Heard) {
        let mut queue = self.queue();
        queue.bytes -= bytes;
        queue.records -= records.len();
        let Some((_, upto)) = records.last() else { return };
        queue.applied = *upto;
        drop(queue);
        self.0.applied.notify_waiters();
        heard.applied(*upto);
    }

    /// Whole frames for one transaction, none if upkeep should go on; `None` when it is time to end.
    fn gather(&self, upkeep: bool) -> Option<Vec<Frame>> {
        let idle =
            |queue: &mut Queue| queue.frames.is_empty() && queue.stop == Stop::No && (upkeep || queue.upkeep.is_none());
        let few = |queue: &mut Queue| {
            queue.records < TRANSACTION_RECORDS_MAX && !queue.hurry && queue.stop == Stop::No && queue.upkeep.is_none()
        };
        let mut queue = if upkeep {
            self.0.changed.wait_timeout_while(self.queue(), PACE, idle).unwrap_or_else(|e| e.into_inner()).0
        } else {
            let queue = self.0.changed.wait_while(self.queue(), idle).unwrap_or_else(|e| e.into_inner());
            self.0.changed.wait_timeout_while(queue, GATHER, few).unwrap_or_else(|e| e.into_inner()).0
        };
        if queue.stop == Stop::Now || (queue.stop == Stop::Drained && queue.frames.is_empty()) {
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

/// One step of whatever is left to forget, and whether that was the last.
fn upkeep_step(index: &IndexWriter, now: Time) -> Result<(Upkept, bool), IndexError> {
    let events = index.forget_removed()?;
    if events.more || index.forget_steps()? {
        return Ok((Upkept { events: events.gone, keys: 0 }, false));
    }
    let Step { gone, more } = index.forget_keys(now)?;
    Ok((Upkept { events: events.gone, keys: gone }, !more))
}
