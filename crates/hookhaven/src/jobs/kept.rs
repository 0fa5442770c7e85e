//! Jobs as the catalog keeps them: what was asked, how far it is, what is wanted meanwhile. Three entries a job, since
//! of an entry the last writing stands and each of them has one writer; and one for its idempotency key, which the
//! first who asks writes.

use std::{collections::HashMap, fmt, time::Duration};

use hookhaven_core::{DeliveryId, JobId, Time};
use hookhaven_store::{CatalogEntry, DeliveryFilter, Store, StoreError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::{
    KEPT_MAX,
    spec::{Act, Spec},
};

const SPEC_KIND: &str = "job";
const PROGRESS_KIND: &str = "job-progress";
const WISH_KIND: &str = "job-wish";
/// By idempotency key: the job's id.
const KEY_KIND: &str = "job-key";

/// Of who ran a job and who asks.
const CLOCKS_APART: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    #[default]
    Counting,
    /// It was counted, and waits for somebody to say go.
    Counted,
    Running,
    Done,
    Cancelled,
    /// It stopped by itself; `error` says why.
    Failed,
}

impl State {
    pub fn is_final(self) -> bool {
        matches!(self, State::Done | State::Cancelled | State::Failed)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Counting => "counting",
            State::Counted => "counted",
            State::Running => "running",
            State::Done => "done",
            State::Cancelled => "cancelled",
            State::Failed => "failed",
        })
    }
}

/// What became of those that a job named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = JobCounts)]
pub struct Counts {
    pub done: u64,
    /// Somebody else had done it.
    pub already: u64,
    /// Not in a state for it by the time it was its turn.
    pub refused: u64,
    /// Gone with its retention meanwhile.
    pub unknown: u64,
}

impl Counts {
    pub fn add(&mut self, more: Counts) {
        self.done += more.done;
        self.already += more.already;
        self.refused += more.refused;
        self.unknown += more.unknown;
    }
}

/// How far a job is. Written by whoever runs it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub state: State,
    /// Which of its walks it is on.
    pub walk: usize,
    /// The last id of that walk that was looked at.
    pub after: Option<String>,
    /// How many it is about, as counted.
    pub matched: u64,
    pub counts: Counts,
    /// The one that is replayed before all others.
    pub first: Option<DeliveryId>,
    /// It was delivered.
    pub first_delivered: bool,
    pub runner: Option<String>,
    /// When the runner last wrote this.
    pub beat_at: Time,
    /// Since when it waits for a go.
    pub counted_at: Option<Time>,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
    /// Why it failed, or was cancelled by itself.
    pub error: Option<String>,
    /// Why it does not get on just now.
    pub waits: Option<String>,
}

/// What people want of it. Written by the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// What was counted may be done.
    pub go: bool,
    pub pause: bool,
    pub cancel: bool,
    pub at: Time,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub spec: Spec,
    pub progress: Progress,
    pub wish: Wish,
}

impl Job {
    /// Whether it gets on by itself.
    pub fn is_active(&self) -> bool {
        self.wish.cancel || (!self.wish.pause && (self.progress.state != State::Counted || self.wish.go))
    }
}

/// All jobs, newest first. What another version wrote and this one cannot read is not its business.
pub async fn all(store: &dyn Store) -> Result<Vec<Job>, StoreError> {
    let (mut specs, mut progress, mut wishes) = (Vec::new(), HashMap::new(), HashMap::new());
    for entry in store.catalog_of(&[SPEC_KIND, PROGRESS_KIND, WISH_KIND]).await? {
        match &*entry.kind {
            SPEC_KIND => specs.extend(read::<Spec>(&entry)),
            PROGRESS_KIND => drop(read::<Progress>(&entry).map(|read| progress.insert(entry.name, read))),
            _ => drop(read::<Wish>(&entry).map(|read| wishes.insert(entry.name, read))),
        }
    }
    specs.sort_unstable_by_key(|spec: &Spec| std::cmp::Reverse(spec.id));
    let job = |spec: Spec| {
        let name = spec.id.to_string();
        let (progress, wish) = (progress.remove(&name).unwrap_or_default(), wishes.remove(&name).unwrap_or_default());
        Job { spec, progress, wish }
    };
    Ok(specs.into_iter().map(job).collect())
}

/// The filter with how old the ids may be of what was accepted since its time: deliveries of a job bear the time at
/// which it was asked for, however late they are made.
pub async fn with_ages(store: &dyn Store, filter: DeliveryFilter) -> Result<DeliveryFilter, StoreError> {
    let Some(since) = filter.since.filter(|_| !filter.dead_letters) else { return Ok(filter) };
    let may_have_made = |job: &&Job| {
        let makes = job.spec.order.act == Act::Replay && !job.spec.order.dry_run;
        makes && job.progress.ended_at.is_none_or(|ended_at| ended_at.plus(CLOCKS_APART) >= since)
    };
    let all = all(store).await?;
    let asked_at = all.iter().filter(may_have_made).map(|job| job.spec.id.asked_at());
    let minted_since = asked_at.filter(|asked_at| *asked_at < since).min();
    Ok(DeliveryFilter { minted_since, ..filter })
}

/// Gives an idempotency key to a job, unless another has it. Answers which has.
pub async fn claim_key(store: &dyn Store, key: &str, id: JobId) -> Result<JobId, StoreError> {
    let (kind, name) = (KEY_KIND.to_owned(), key.to_owned());
    let stands = store.add_catalog(CatalogEntry { kind, name, value: id.to_string().into() }).await?;
    let text = String::from_utf8_lossy(&stands.value);
    text.parse().map_err(|_| StoreError::Failed(format!("the idempotency key {key} stands for no job: {text}")))
}

/// Answers what stands.
pub async fn add_spec(store: &dyn Store, spec: &Spec) -> Result<Spec, StoreError> {
    add(store, SPEC_KIND, spec.id, spec).await
}

/// Answers what stands.
pub async fn add_progress(store: &dyn Store, id: JobId, progress: &Progress) -> Result<Progress, StoreError> {
    add(store, PROGRESS_KIND, id, progress).await
}

pub async fn put_progress(store: &dyn Store, id: JobId, progress: &Progress) -> Result<(), StoreError> {
    put(store, PROGRESS_KIND, id, progress).await
}

pub async fn put_wish(store: &dyn Store, id: JobId, wish: &Wish) -> Result<(), StoreError> {
    put(store, WISH_KIND, id, wish).await
}

/// Lets go of ended ones beyond [`KEPT_MAX`]. `all` is newest first.
pub async fn forget_oldest(store: &dyn Store, all: &[Job]) -> Result<(), StoreError> {
    for job in all.iter().filter(|job| job.progress.state.is_final()).skip(KEPT_MAX - 1) {
        let name = job.spec.id.to_string();
        // First: under the id of a job that has run, another would find everything done.
        if let Some(key) = &job.spec.key {
            store.delete_catalog(KEY_KIND, key).await?;
        }
        for kind in [SPEC_KIND, PROGRESS_KIND, WISH_KIND] {
            store.delete_catalog(kind, &name).await?;
        }
    }
    Ok(())
}

fn read<T: DeserializeOwned>(entry: &CatalogEntry) -> Option<T> {
    let read = serde_json::from_slice(&entry.value);
    read.inspect_err(|error| tracing::debug!(kind = entry.kind, job = entry.name, %error, "not readable")).ok()
}

async fn put(store: &dyn Store, kind: &str, id: JobId, value: &impl Serialize) -> Result<(), StoreError> {
    store.put_catalog(entry(kind, id, value)?).await
}

async fn add<T: Serialize + DeserializeOwned>(
    store: &dyn Store,
    kind: &str,
    id: JobId,
    value: &T,
) -> Result<T, StoreError> {
    let stands = store.add_catalog(entry(kind, id, value)?).await?;
    serde_json::from_slice(&stands.value).map_err(|error| StoreError::Failed(format!("{kind} {id}: {error}")))
}

fn entry(kind: &str, id: JobId, value: &impl Serialize) -> Result<CatalogEntry, StoreError> {
    let value = serde_json::to_vec(value).map_err(|error| StoreError::Failed(error.to_string()))?;
    Ok(CatalogEntry { kind: kind.to_owned(), name: id.to_string(), value })
}
