//! What waits for a commit: jobs gather while others commit, and each committer takes all there is. Nobody
//! waits to gather more.

use std::{
    collections::{HashSet, VecDeque},
    hash::Hash,
    pin::pin,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::Notify;

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
    limits: QueueLimits,
    batch_max: usize,
}

#[derive(Debug)]
struct State<J> {
    jobs: VecDeque<J>,
    bytes: usize,
    closed: bool,
}

/// The first of each key, and the others, which have to wait for the next batch.
pub(super) fn once_each<J, K: Eq + Hash>(jobs: Vec<J>, key: impl Fn(&J) -> K) -> (Vec<J>, Vec<J>) {
    let mut seen = HashSet::new();
    jobs.into_iter().partition(|job| seen.insert(key(job)))
}

/// Bytes of bodies in one batch at most.
const BATCH_BYTES_MAX: usize = 8 << 20;

impl<J: Job> Queue<J> {
    /// `batch_max` jobs make a batch at most.
    pub fn new(limits: QueueLimits, batch_max: usize) -> Self {
        let state = State { jobs: VecDeque::new(), bytes: 0, closed: false };
        Queue { state: Mutex::new(state), more: Notify::new(), limits, batch_max }
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

    /// All that waits, up to a batch; `first` is what the last one left over. `None` once closed and empty.
    pub async fn take(&self, first: Vec<J>) -> Option<Vec<J>> {
        loop {
            let mut more = pin!(self.more.notified());
            more.as_mut().enable();
            if let Some(taken) = self.take_now(&first) {
                let mut batch = first;
                batch.extend(taken);
                return (!batch.is_empty()).then_some(batch);
            }
            more.await;
        }
    }

    /// `None`: wait.
    fn take_now(&self, first: &[J]) -> Option<Vec<J>> {
        let mut state = self.state();
        let mut bytes: usize = first.iter().map(Job::bytes).sum();
        let mut taken = Vec::new();
        let room = |taken: usize, bytes: usize| first.len() + taken < self.batch_max && bytes < BATCH_BYTES_MAX;
        while let Some(job) = state.jobs.pop_front_if(|job| room(taken.len(), bytes) || job.with_last()) {
            state.bytes -= job.bytes();
            bytes += job.bytes();
            taken.push(job);
        }
        let idle = first.is_empty() && taken.is_empty() && !state.closed;
        if !state.jobs.is_empty() || state.closed {
            // For the next committer.
            self.more.notify_one();
        }
        (!idle).then_some(taken)
    }

    /// Takes no more; what waits is still served.
    pub fn close(&self) {
        self.state().closed = true;
        self.more.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct One(usize);

    impl Job for One {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    fn queue(jobs_max: usize) -> Queue<One> {
        Queue::new(QueueLimits { jobs_max, bodies_bytes_max: 100 }, 3)
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
