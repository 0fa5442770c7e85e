//! What waits for the writer. It takes everything that queued up while the last batch was synced, and
//! never waits to gather more.

use std::{
    collections::VecDeque,
    mem,
    sync::{Condvar, Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    rules::{Answer, Command},
    seam::{Leave, StoreError},
};

/// Commands in one batch at most, and bytes of bodies: claims wait while a batch is decided.
const BATCH_MAX: usize = 1_024;
const BATCH_BYTES_MAX: usize = 8 << 20;

/// A command and who waits for its answer.
#[derive(Debug)]
pub struct Job {
    pub command: Command,
    pub answer: oneshot::Sender<Result<Answer, StoreError>>,
}

impl Job {
    fn bytes(&self) -> usize {
        match &self.command {
            Command::Accept(one) => one.event.body.len(),
            Command::AcceptTogether(all) => all.iter().map(|one| one.event.body.len()).sum(),
            _ => 0,
        }
    }

    /// Whoever waited may have gone.
    pub fn fail(self, e: StoreError) {
        let _ = self.answer.send(Err(e));
    }
}

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Commands (`store.queue_max`).
    pub jobs_max: usize,
    /// Bytes of their event bodies (`store.queue_bodies_max`).
    pub bodies_bytes_max: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        QueueLimits { jobs_max: 65_536, bodies_bytes_max: 256 << 20 }
    }
}

#[derive(Debug, Default)]
pub struct JobQueue {
    state: Mutex<State>,
    changed: Condvar,
    limits: QueueLimits,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Something is to be looked at although no job came.
    nudged: bool,
    closed: bool,
    /// Why nothing is taken just now.
    refusing: Option<String>,
}

/// What the writer is woken for.
#[derive(Debug)]
pub enum Work {
    Batch(Vec<Job>),
    Closed,
}

impl JobQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub fn new(limits: QueueLimits) -> Self {
        JobQueue { limits, ..JobQueue::default() }
    }

    /// Whether a job that leaves so much free would be taken.
    pub fn ready(&self, leave: Leave) -> Result<(), StoreError> {
        self.state().ready(&self.limits, leave)
    }

    /// Queues commands, all or none; answers where their answers will come.
    pub fn push(
        &self,
        commands: Vec<Command>,
    ) -> Result<Vec<oneshot::Receiver<Result<Answer, StoreError>>>, StoreError> {
        let mut answers = Vec::with_capacity(commands.len());
        let mut state = self.state();
        state.ready(&self.limits, Leave::NOTHING)?;
        for command in commands {
            let (answer, receiver) = oneshot::channel();
            let job = Job { command, answer };
            state.bytes += job.bytes();
            state.jobs.push_back(job);
            answers.push(receiver);
        }
        drop(state);
        self.changed.notify_one();
        Ok(answers)
    }

    /// Waits for jobs; `first` are those that the last batch left over.
    pub fn take(&self, first: Vec<Job>) -> Work {
        let idle = |state: &mut State| {
            first.is_empty() && state.jobs.is_empty() && !state.closed && !mem::take(&mut state.nudged)
        };
        let mut state = self.changed.wait_while(self.state(), idle).unwrap_or_else(|e| e.into_inner());
        if first.is_empty() && state.jobs.is_empty() && state.closed {
            return Work::Closed;
        }
        Work::Batch(state.batch(first))
    }

    /// What waits now, which may be nothing; `first` are those that the last batch left over.
    pub fn take_now(&self, first: Vec<Job>) -> Vec<Job> {
        self.state().batch(first)
    }

    /// Wakes the writer to look at what else there is.
    pub fn nudge(&self) {
        self.state().nudged = true;
        self.changed.notify_one();
    }

    /// Takes no more, and fails what waits.
    pub fn refuse(&self, why: &str) {
        let mut state = self.state();
        state.refusing = Some(why.to_owned());
        let jobs = mem::take(&mut state.jobs);
        state.bytes = 0;
        drop(state);
        for job in jobs {
            job.fail(StoreError::Unavailable(why.to_owned()));
        }
    }

    pub fn accept_again(&self) {
        self.state().refusing = None;
    }

    /// Takes no more; what waits is still served.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Waits, at most so long, for the queue to be closed; whether it is.
    pub fn closed_within(&self, wait: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), wait, |state| !state.closed);
        waited.unwrap_or_else(|e| e.into_inner()).0.closed
    }
}

impl State {
    fn batch(&mut self, first: Vec<Job>) -> Vec<Job> {
        let mut bytes: usize = first.iter().map(Job::bytes).sum();
        let mut batch = first;
        while batch.len() < BATCH_MAX
            && bytes < BATCH_BYTES_MAX
            && let Some(job) = self.jobs.pop_front()
        {
            self.bytes -= job.bytes();
            bytes += job.bytes();
            batch.push(job);
        }
        batch
    }

    fn ready(&self, limits: &QueueLimits, leave: Leave) -> Result<(), StoreError> {
        if self.closed {
            return Err(StoreError::Unavailable("the store is closed".into()));
        }
        if let Some(why) = &self.refusing {
            return Err(StoreError::Unavailable(why.clone()));
        }
        if self.jobs.len() as u64 >= leave.of(limits.jobs_max as u64) {
            return Err(StoreError::Full { limit: "store.queue_max", value: limits.jobs_max as u64 });
        }
        if self.bytes as u64 >= leave.of(limits.bodies_bytes_max as u64) {
            return Err(StoreError::Full { limit: "store.queue_bodies_max", value: limits.bodies_bytes_max as u64 });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release() -> Command {
        Command::ReleaseLapsed
    }

    #[test]
    fn a_batch_is_what_queued_up_after_what_was_left_over() {
        let queue = JobQueue::default();
        let _answers = queue.push(vec![release(), release()]).unwrap();
        let Work::Batch(first) = queue.take(vec![]) else { panic!("closed") };
        assert_eq!(first.len(), 2);
        let _more = queue.push((0..BATCH_MAX).map(|_| release()).collect()).unwrap();
        let Work::Batch(second) = queue.take(first) else { panic!("closed") };
        assert_eq!(second.len(), BATCH_MAX);
    }

    #[test]
    fn the_queue_has_a_limit() {
        let queue = JobQueue::new(QueueLimits { jobs_max: 3, ..QueueLimits::default() });
        let _answers = queue.push((0..3).map(|_| release()).collect()).unwrap();
        let told = queue.push(vec![release()]).unwrap_err();
        assert_eq!(told, StoreError::Full { limit: "store.queue_max", value: 3 });
    }

    #[test]
    fn those_who_wait_are_told_when_nothing_is_taken() {
        let queue = JobQueue::default();
        let mut waiting = queue.push(vec![release()]).unwrap();
        queue.refuse("broken");
        let told = StoreError::Unavailable("broken".into());
        assert_eq!(waiting.remove(0).try_recv(), Ok(Err(told.clone())));
        assert_eq!(queue.push(vec![release()]).unwrap_err(), told);
        queue.accept_again();
        let _answers = queue.push(vec![release()]).unwrap();
        queue.close();
        assert!(queue.push(vec![release()]).is_err());
        assert!(matches!(queue.take(vec![]), Work::Batch(jobs) if jobs.len() == 1));
        assert!(matches!(queue.take(vec![]), Work::Closed));
    }
}
