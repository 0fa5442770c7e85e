//! The one writer: takes everything that queued up, decides each command in order, appends what follows,
//! syncs once, and only then applies and answers. It never waits to make a batch larger.
//!
//! A failed append costs its batch and nothing else. After a failed sync nothing is known of the disk, so
//! the run ends and the next one begins by the one start-up path (`engine::open`), tried again until it
//! succeeds or the store is closed; meanwhile everyone is refused.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hookhaven_core::Event;
use tokio::sync::oneshot;

use super::{
    Shared,
    engine::{self, Engine, Opened},
    journal::{CommitError, Journal},
    queue::{Job, Work},
};
use crate::{
    codec,
    position::Position,
    record::Record,
    rules::{Answer, Change, Command, Decision, Rules, Touched, withdraw},
    seam::StoreError,
};

/// Between two tries to open again: from this, doubling, to that.
const REOPEN_FIRST: Duration = Duration::from_millis(100);
const REOPEN_LAST: Duration = Duration::from_secs(5);

/// Why a run ended.
pub enum Ended {
    Closed,
    Broken { why: String, fresh_index: bool },
}

/// A command decided, its records written and not yet synced.
pub struct Staged {
    changes: Vec<Change>,
    at: Position,
    answer: Answer,
    waiter: oneshot::Sender<Result<Answer, StoreError>>,
}

/// Leaves nobody waiting for a writer that is no more, should it end in a panic.
struct Farewell<'a>(&'a Shared);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        self.0.set_engine(None);
        self.0.queue.refuse(if std::thread::panicking() { "its writer has failed" } else { "the store is closed" });
    }
}

/// The thread: one run after another, until the store is closed.
pub fn run(shared: &Shared, first: Opened) {
    let _farewell = Farewell(shared);
    let mut next = Some(first);
    while let Some(mut opened) = next.take() {
        match serve(shared, &mut opened) {
            Ended::Closed => opened.stop(true),
            Ended::Broken { why, fresh_index } => {
                break_off(shared, opened, &why);
                next = open_again(shared, fresh_index);
            }
        }
    }
}

fn open_again(shared: &Shared, fresh_index: bool) -> Option<Opened> {
    let mut pause = REOPEN_FIRST;
    loop {
        match reopen(shared, fresh_index) {
            Ok(opened) => return Some(opened),
            Err(e) => tracing::error!("the store cannot be opened again yet: {e}"),
        }
        if shared.queue.closed_within(pause) {
            return None;
        }
        pause = (pause * 2).min(REOPEN_LAST);
    }
}

/// The next run, open to everyone.
pub fn reopen(shared: &Shared, fresh_index: bool) -> Result<Opened, StoreError> {
    let opened = engine::open(shared, fresh_index)?;
    shared.set_engine(Some(opened.engine.clone()));
    shared.queue.accept_again();
    shared.wake.notify_one();
    Ok(opened)
}

/// A run ends: whoever waits is refused until the next one begins.
pub fn break_off(shared: &Shared, opened: Opened, why: &str) {
    tracing::error!("the store stops and opens again: {why}");
    shared.queue.refuse(&format!("it is being opened again after a failure: {why}"));
    shared.set_engine(None);
    // A removal under way ends first; the next run must not see half of it.
    drop(shared.pins());
    opened.stop(false);
}

fn serve(shared: &Shared, opened: &mut Opened) -> Ended {
    let mut left = Vec::new();
    loop {
        let jobs = match shared.queue.take(left) {
            Work::Closed => return Ended::Closed,
            Work::Batch(jobs) => jobs,
        };
        if shared.space.may_restore() {
            shared.space.restore();
        }
        if let Some(why) = opened.engine.suspect().take() {
            fail_all(jobs, &why);
            return Ended::Broken { why, fresh_index: true };
        }
        if jobs.is_empty() {
            left = jobs;
            continue;
        }
        match one_batch(shared, opened, jobs) {
            Ok(waiting) => left = waiting,
            Err(ended) => return ended,
        }
    }
}

fn fail_all(jobs: Vec<Job>, why: &str) {
    for job in jobs {
        job.fail(StoreError::Unavailable(why.to_owned()));
    }
}

/// A batch decided and not yet durable, and the jobs that must wait for the next.
pub type Decided = (Vec<Staged>, Vec<Job>);

/// Decides, makes durable, applies, answers. Gives back the jobs that must wait for the next batch.
fn one_batch(shared: &Shared, opened: &mut Opened, jobs: Vec<Job>) -> Result<Vec<Job>, Ended> {
    let decided = decide_batch(shared, opened, jobs)?;
    commit_batch(shared, opened, decided)
}

/// The first half of a batch: what follows from its jobs.
pub fn decide_batch(shared: &Shared, opened: &mut Opened, jobs: Vec<Job>) -> Result<Decided, Ended> {
    if opened.engine.roll.swap(false, Ordering::Relaxed) {
        opened.journal.roll();
    }
    match opened.journal.begin() {
        Ok(()) => Ok(decide(shared, opened, jobs)),
        Err(CommitError::Refused(e)) => {
            jobs.into_iter().for_each(|job| job.fail(e.clone()));
            Ok((Vec::new(), Vec::new()))
        }
        Err(CommitError::Poisoned(why)) => {
            fail_all(jobs, &why);
            Err(Ended::Broken { why, fresh_index: false })
        }
    }
}

/// The second half: durable, applied, answered; or none of it.
pub fn commit_batch(shared: &Shared, opened: &mut Opened, (staged, waiting): Decided) -> Result<Vec<Job>, Ended> {
    let committed = opened.journal.commit();
    match committed {
        Ok(()) => {
            finish(shared, &opened.engine, staged);
            match opened.history.take_damage() {
                None => Ok(waiting),
                Some(why) => {
                    fail_all(waiting, &why);
                    Err(Ended::Broken { why, fresh_index: true })
                }
            }
        }
        Err(CommitError::Refused(e)) => {
            undo(&opened.engine, staged, &e);
            Ok(waiting)
        }
        Err(CommitError::Poisoned(why)) => {
            // First of all: once the waiters know, nobody may be told by a state whose end is unknown.
            shared.queue.refuse(&why);
            shared.set_engine(None);
            undo(&opened.engine, staged, &StoreError::Unavailable(why.clone()));
            fail_all(waiting, &why);
            Err(Ended::Broken { why, fresh_index: false })
        }
    }
}

/// Decides each job. The live state is locked throughout, so that the index cannot make it forget what
/// the snapshot of history does not show yet.
fn decide(shared: &Shared, opened: &mut Opened, jobs: Vec<Job>) -> (Vec<Staged>, Vec<Job>) {
    let Opened { engine, journal, history, .. } = opened;
    let options = &shared.options;
    let lag_max = options.index_lag_bytes_max;
    let behind = engine.applier.lag().0 > lag_max;
    let no_room = shared.space.look(options.clock.now()).err();
    let (mut staged, mut waiting) = (Vec::with_capacity(jobs.len()), Vec::new());
    let mut live = engine.live();
    if let Err(e) = history.begin() {
        if e.is_damage() {
            engine.suspect().say(e.to_string());
        }
        let e = StoreError::from(e);
        jobs.into_iter().for_each(|job| job.fail(e.clone()));
        return (staged, waiting);
    }
    let mut touched = Touched::default();
    for mut job in jobs {
        if behind && matches!(job.command, Command::Accept(_) | Command::AcceptTogether(_)) {
            job.fail(StoreError::Full { limit: "store.index_lag_max", value: lag_max });
            continue;
        }
        // What ends work goes on for as long as the disk takes it.
        if let Some(full) = no_room.as_ref().filter(|_| job.command.makes_work()) {
            job.fail(full.clone());
            continue;
        }
        let mut rules = Rules {
            live: &mut live,
            history: &*history,
            entropy: &*options.entropy,
            now: options.clock.now(),
            pending_max: options.pending_max,
        };
        match rules.decide(&mut job.command, &mut touched) {
            Err(e) => job.fail(e),
            Ok(Decision::Wait) => waiting.push(job),
            Ok(Decision::Go { changes, answer }) if changes.is_empty() => {
                let _ = job.answer.send(Ok(answer));
            }
            Ok(Decision::Go { changes, answer }) => match stage(journal, &changes) {
                Ok(at) => staged.push(Staged { changes, at, answer, waiter: job.answer }),
                Err(e) => {
                    withdraw(&mut live, &changes);
                    job.fail(e);
                }
            },
        }
    }
    if let Err(e) = history.end() {
        tracing::error!("{e}");
    }
    (staged, waiting)
}

fn stage(journal: &mut Journal, changes: &[Change]) -> Result<Position, StoreError> {
    let records = changes.iter().map(|(record, _)| record);
    let pushed = journal.push(|buffer| codec::encode_into(buffer, records));
    pushed.map_err(|e| StoreError::Failed(format!("{} bytes are too many for one record of the journal", e.bytes)))
}

/// After the sync: what was decided becomes true, history is told, and everyone is answered.
fn finish(shared: &Shared, engine: &Engine, staged: Vec<Staged>) {
    if staged.is_empty() {
        return;
    }
    engine.recent.add(staged.iter().flat_map(|s| &s.changes).filter_map(|(record, _)| accepted(record)));
    let (mut frames, mut answers) = (Vec::with_capacity(staged.len()), Vec::with_capacity(staged.len()));
    let mut more = false;
    let mut live = engine.live();
    for Staged { changes, at, answer, waiter } in staged {
        let mut records = Vec::with_capacity(changes.len());
        for (record, recalled) in changes {
            more |= live.apply(&record, at, recalled);
            records.push(record);
        }
        frames.push((records, at));
        answers.push((waiter, answer));
    }
    engine.pending_is(&live);
    drop(live);
    engine.applier.push(frames);
    for (waiter, answer) in answers {
        // Whoever waited may have gone; what they asked for is done.
        let _ = waiter.send(Ok(answer));
    }
    if more {
        shared.wake.notify_one();
    }
}

fn accepted(record: &Record) -> Option<Arc<Event>> {
    match record {
        Record::Accepted { event, deliveries, .. } if !deliveries.is_empty() => Some(event.clone()),
        _ => None,
    }
}

fn undo(engine: &Engine, staged: Vec<Staged>, e: &StoreError) {
    let mut live = engine.live();
    staged.iter().for_each(|s| withdraw(&mut live, &s.changes));
    drop(live);
    for Staged { waiter, .. } in staged {
        let _ = waiter.send(Err(e.clone()));
    }
}
