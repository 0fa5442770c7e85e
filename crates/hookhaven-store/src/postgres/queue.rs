//! What waits for a commit: jobs gather while others commit, and each committer takes all there is.
//!
//! Batches begin a little apart. A commit of two jobs costs the database nearly as much as one of ten, most
//! of it for planning the same statement again (`pool` says why nothing is prepared); without that pause it is kept so
//! busy with small ones, from a thousand jobs a second on, that every answer waits for it. What comes alone waits for
//! nothing, nor do so many that it is no small batch any more ([`MANY`]).

use std::{
    collections::{HashSet, VecDeque},
    hash::Hash,
    pin::pin,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::{
    embedded::queue::QueueLimits,
    seam::{Leave, StoreError},
};

/// Something to be committed together with others.
pub(super) trait Job: Send {
    /// Of what it carries.
    fn bytes(&self) -> usize;

    /// Whether it has to be in one batch with the one before it, however large that gets.
    fn with_last(&self) -> bool {
        false
    }
}

#[derive(Debug)]
pub(super) struct Queue<J> {
    state: Mutex<State<J>>,
    more: Notify,
    /// Whoever has it takes the next batch, and waits for it.
    turn: tokio::sync::Mutex<()>,
    limits: QueueLimits,
    batch_max: usize,
    apart: Duration,
}

#[derive(Debug)]
struct State<J> {
    jobs: VecDeque<J>,
    bytes: usize,
    closed: bool,
    /// Not before that does a small batch begin.
    next_at: Option<Instant>,
}

/// The first of each key, and the others, which have to wait for the next batch.
pub(super) fn once_each<J, K: Eq + Hash>(jobs: Vec<J>, key: impl Fn(&J) -> K) -> (Vec<J>, Vec<J>) {
    let mut seen = HashSet::new();
    jobs.into_iter().partition(|job| seen.insert(key(job)))
}

/// Bytes of bodies in one batch at most.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Jobs that wait for nothing.
const MANY: usize = 32;

impl<J: Job> Queue<J> {
    /// `batch_max` jobs make a batch at most; `apart`: from the beginning of one to that of the next, if that is small.
    pub fn new(limits: QueueLimits, batch_max: usize, apart: Duration) -> Self {
        let state = State { jobs: VecDeque::new(), bytes: 0, closed: false, next_at: None };
        Queue { state: Mutex::new(state), more: Notify::new(), turn: Default::default(), limits, batch_max, apart }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Whether a job that leaves so much free would be taken.
    pub fn ready(&self, leave: Leave) -> Result<(), StoreError> {
        let (state, QueueLimits { jobs_max, bodies_bytes_max }) = (self.state(), self.limits);
        if state.closed {
            return Err(StoreError::Unavailable("the store is closed".into()));
        }
        if state.jobs.len() as u64 >= leave.of(jobs_max as u64) {
            return Err(StoreError::Full { limit: "store.queue_max", value: jobs_max as u64 });
        }
        if state.bytes as u64 >= leave.of(bodies_bytes_max as u64) {
            return Err(StoreError::Full { limit: "store.queue_bodies_max", value: bodies_bytes_max as u64 });
        }
        Ok(())
    }

    /// Queues jobs, all or none.
    pub fn push(&self, jobs: impl IntoIterator<Item = J>) -> Result<(), StoreError> {
        self.ready(Leave::NOTHING)?;
        let mut state = self.state();
        for job in jobs {
            state.bytes += job.bytes();
            state.jobs.push_back(job);
        }
        drop(state);
        self.more.notify_one();
        Ok(())
    }

    /// All that waits, up to a batch; `first` is what the last one left over, and waits for nothing. `None` once closed
    /// and empty.
    pub async fn take(&self, first: Vec<J>) -> Option<Vec<J>> {
        if !first.is_empty() {
            return Some(self.batch(&mut self.state(), first));
        }
        let _turn = self.turn.lock().await;
        loop {
            let mut more = pin!(self.more.notified());
            more.as_mut().enable();
            match self.next() {
                Next::Batch(batch) => return Some(batch),
                Next::At(at) => drop(tokio::time::timeout_at(at, more).await),
                Next::Wait => more.await,
                Next::Never => return None,
            }
        }
    }

    fn next(&self) -> Next<J> {
        let mut state = self.state();
        if state.jobs.is_empty() {
            return if state.closed { Next::Never } else { Next::Wait };
        }
        let may_wait = !state.closed && state.jobs.len() < MANY.min(self.batch_max);
        match state.next_at.filter(|at| may_wait && Instant::now() < *at) {
            Some(at) => Next::At(at),
            None => Next::Batch(self.batch(&mut state, Vec::new())),
        }
    }

    /// What there is, behind what was left over.
    fn batch(&self, state: &mut State<J>, mut batch: Vec<J>) -> Vec<J> {
        let mut bytes: usize = batch.iter().map(Job::bytes).sum();
        let room = |taken: usize, bytes: usize| taken < self.batch_max && bytes < BATCH_BYTES_MAX;
        while let Some(job) = state.jobs.pop_front_if(|job| room(batch.len(), bytes) || job.with_last()) {
            state.bytes -= job.bytes();
            bytes += job.bytes();
            batch.push(job);
        }
        state.next_at = Some(Instant::now() + self.apart);
        batch
    }

    /// Takes no more; what waits is still served.
    pub fn close(&self) {
        self.state().closed = true;
        self.more.notify_one();
    }
}

enum Next<J> {
    Batch(Vec<J>),
    /// Then there is one.
    At(Instant),
    /// Until there is more.
    Wait,
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    const APART: Duration = Duration::from_millis(4);

    #[derive(Debug, PartialEq)]
    struct One(usize);

    impl Job for One {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    fn queue(jobs_max: usize) -> Queue<One> {
        Queue::new(QueueLimits { jobs_max, bodies_bytes_max: 100 }, 3, APART)
    }

    #[tokio::test]
    async fn a_batch_is_what_was_left_over_and_what_came_since() {
        let queue = queue(10);
        queue.push((1..=5).map(One)).unwrap();
        let first = queue.take(vec![]).await.unwrap();
        assert_eq!(first, [One(1), One(2), One(3)]);
        let second = queue.take(vec![One(9)]).await.unwrap();
        assert_eq!(second, [One(9), One(4), One(5)]);
        queue.push([One(6)]).unwrap();
        queue.close();
        assert!(queue.push([One(7)]).is_err());
        assert_eq!(queue.take(vec![]).await, Some(vec![One(6)]));
        assert_eq!(queue.take(vec![]).await, None);
        assert_eq!(queue.take(vec![]).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn small_batches_begin_apart() {
        let (queue, soon) = (queue(10), APART / 2);
        let take = |within| tokio::time::timeout(within, queue.take(vec![]));
        queue.push([One(1)]).unwrap();
        assert_eq!(take(Duration::ZERO).await.unwrap(), Some(vec![One(1)]), "what comes alone waits for nothing");
        queue.push([One(2)]).unwrap();
        take(soon).await.expect_err("the last one began a moment ago");
        queue.push([One(3)]).unwrap();
        assert_eq!(take(APART).await.unwrap(), Some(vec![One(2), One(3)]), "what came meanwhile goes with it");
        queue.push([One(4)]).unwrap();
        let what_is_left_over = tokio::time::timeout(Duration::ZERO, queue.take(vec![One(9)]));
        assert_eq!(
            what_is_left_over.await.unwrap(),
            Some(vec![One(9), One(4)]),
            "what was left over waits for nothing"
        );
        queue.push((5..=8).map(One)).unwrap();
        assert_eq!(take(Duration::ZERO).await.unwrap(), Some(vec![One(5), One(6), One(7)]), "so many wait for nothing");
        assert_eq!(take(APART).await.unwrap(), Some(vec![One(8)]));
    }

    #[test]
    fn the_queue_has_limits_and_some_must_leave_a_share_free() {
        let queue = queue(4);
        queue.push([One(60), One(1)]).unwrap();
        assert_eq!(queue.ready(Leave::NOTHING), Ok(()));
        assert_eq!(queue.ready(Leave::percent(50)), Err(StoreError::Full { limit: "store.queue_max", value: 4 }));
        queue.push([One(60)]).unwrap();
        assert_eq!(queue.push([One(1)]), Err(StoreError::Full { limit: "store.queue_bodies_max", value: 100 }));
    }
}
