//! Jobs: bulk work that lasts. Replay, cancel or dismiss whatever a filter names, however many there are, at a pace,
//! over restarts and the loss of nodes, each once.
//!
//! - *What is asked* (`spec`) never changes once it is stored, its upper bound in time least of all: what came later
//!   was asked about by nobody.
//! - *How far it is* (`kept::Progress`) is written by whoever runs the job, what people want of it meanwhile
//!   (`kept::Wish`) by the API. They are two entries of the catalog, since there the last writing stands.
//! - *Each once* is the store's, not the job's. Ids of the deliveries that a job makes follow from the job and from
//!   what is replayed ([`hookhaven_core::job`]), so the store answers "already" to a step that is taken twice, be it
//!   after a crash or by two nodes that both believe to run the job. What hangs on progress is the pace and the
//!   figures, nothing else; so it is written once a second, not at each step.
//! - *Who runs it* (`owner`): the node that was asked, if it works; when nothing was heard of it, another. Jobs take
//!   turns on their node, a bounded step each (`step`), and rest as long as a step took unless they have a rate, so that
//!   the store is never theirs alone.
//! - *Kinds.* A job walks through dead letters, through what is pending, or through events. "Delete" is both of the
//!   first two: what waits is cancelled and what is dead dismissed, so that nothing is left to do. History stays (I7);
//!   retention removes it.
//!
//! Not here: the API's words (`api/jobs`), what the store makes of a step.

mod first;
mod kept;
mod owner;
mod runner;
mod spec;
mod step;
#[cfg(test)]
mod tests;
mod walk;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hookhaven_core::{Delivery, JobId, job::Mark};
use hookhaven_store::{
    Store, StoreError,
    clock::{Clock, Entropy},
};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::config::Config;

pub use kept::{Counts, Job, Progress, State, Wish, with_ages};
pub use spec::{Act, BadJob, JobFilter, Of, Order, Spec};

/// Jobs that have not ended, at most.
pub const OPEN_MAX: usize = 16;
/// Ended jobs that are remembered.
pub const KEPT_MAX: usize = 100;
/// One that was counted waits so long for somebody to say go.
const GO_PATIENCE: Duration = Duration::from_secs(3_600);

/// What jobs need.
#[derive(Clone, Debug)]
pub struct JobsParts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub config: Arc<ArcSwap<Config>>,
    /// What this node is known by, which its runner is too.
    pub node: String,
    /// Whether this process runs jobs.
    pub runs: bool,
}

/// Where jobs are asked for and looked at.
#[derive(Debug)]
pub struct Jobs {
    parts: JobsParts,
    /// Wakes the runner of this process.
    wake: Arc<Notify>,
    /// One is made at a time, so that what was asked for twice is seen.
    making: Mutex<()>,
}

/// Why a job was not made, or does not do what is wanted of it.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error(transparent)]
    Bad(#[from] BadJob),
    #[error("{OPEN_MAX} jobs have not ended; wait for one of them, or cancel one (`hookhaven jobs list`)")]
    TooMany,
    #[error("this idempotency key was used for another job, {0}")]
    KeyInUse(JobId),
    #[error("there is no job {0}; ended ones are kept until {KEPT_MAX} others have ended")]
    Unknown(JobId),
    #[error("{id} has ended, {state}")]
    Ended { id: JobId, state: State },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What somebody wants of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    Pause,
    /// Of one that was counted also the go that it waits for.
    Resume,
    Cancel,
}

impl Jobs {
    pub fn new(parts: JobsParts) -> Self {
        Jobs { parts, wake: Arc::default(), making: Mutex::default() }
    }

    /// Runs jobs until told to stop; then another node, or the next start, goes on.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        runner::Runner::new(self.parts.clone(), self.wake.clone()).run(stop).await;
    }

    /// Makes a job, or finds the one that was made with this idempotency key, on whatever node; says whether it is new.
    pub async fn make(&self, order: Order, key: Option<String>) -> Result<(Job, bool), JobError> {
        let JobsParts { store, clock, entropy, config, node, runs } = &self.parts;
        order.check(&config.load())?;
        let _making = self.making.lock().await;
        let all = kept::all(&**store).await?;
        if let Some(known) = all.iter().find(|job| key.is_some() && job.spec.key == key) {
            return match known.spec.order == order {
                true => Ok((known.clone(), false)),
                false => Err(JobError::KeyInUse(known.spec.id)),
            };
        }
        if all.iter().filter(|job| !job.progress.state.is_final()).count() >= OPEN_MAX {
            return Err(JobError::TooMany);
        }
        let now = clock.now();
        let fresh = JobId::mint(now, entropy.id_bytes());
        // Of two nodes that are asked at the same moment both go on with the id of the first. So does who asks again
        // after a node died right here.
        let id = match &key {
            None => fresh,
            Some(key) => kept::claim_key(&**store, key, fresh).await?,
        };
        let asked = Spec { id, asked_at: now, key, order };
        let progress = Progress { runner: runs.then(|| node.clone()), beat_at: now, ..Progress::default() };
        // In this order: what has no spec is nobody's.
        let progress = kept::add_progress(&**store, id, &progress).await?;
        let spec = kept::add_spec(&**store, &asked).await?;
        if spec.order != asked.order {
            return Err(JobError::KeyInUse(id));
        }
        kept::forget_oldest(&**store, &all).await?;
        tracing::info!(job = %id, act = ?spec.order.act, "a job was asked for");
        self.wake.notify_one();
        Ok((Job { spec, progress, wish: Wish::default() }, id == fresh))
    }

    /// All that are remembered, newest first.
    pub async fn all(&self) -> Result<Vec<Job>, StoreError> {
        kept::all(&*self.parts.store).await
    }

    pub async fn one(&self, id: JobId) -> Result<Job, JobError> {
        let all = kept::all(&*self.parts.store).await?;
        all.into_iter().find(|job| job.spec.id == id).ok_or(JobError::Unknown(id))
    }

    /// Says what is wanted of a job; whoever runs it heeds that before its next step.
    pub async fn want(&self, id: JobId, want: Want) -> Result<Job, JobError> {
        let mut job = self.one(id).await?;
        let state = job.progress.state;
        if state.is_final() {
            let is_so = state == State::Cancelled && want == Want::Cancel;
            return if is_so { Ok(job) } else { Err(JobError::Ended { id, state }) };
        }
        let at = self.parts.clock.now();
        job.wish = match want {
            Want::Pause => Wish { pause: true, at, ..job.wish },
            // Nobody says go to what was not counted yet: who asked to be asked would not be.
            Want::Resume => Wish { pause: false, go: job.wish.go || state != State::Counting, at, ..job.wish },
            Want::Cancel => Wish { cancel: true, at, ..job.wish },
        };
        kept::put_wish(&*self.parts.store, id, &job.wish).await?;
        self.wake.notify_one();
        Ok(job)
    }
}

/// Whether this job made that delivery.
pub fn is_own(job: JobId, delivery: &Delivery) -> bool {
    let replays = |old| job.replay_of(old) == delivery.id;
    let sends = || Mark::of_route(&delivery.route).is_some_and(|mark| mark.job == job);
    job.may_have_made(delivery.id) && delivery.replaces.map_or_else(sends, replays)
}
