//! `/jobs`: bulk work that lasts. Ask for it, look at it, pause it, let it go on, end it; and what became of each
//! delivery that a replay made.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hookhaven_core::{DeliveryId, EventId, JobId, Time};
use hookhaven_store::{DeliveryFilter, DeliveryRow, Page, Store, StoreError};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    LIMIT_MAX, Shared,
    page::{Id, Input, Params},
    problem::{self, Problem},
    view::{DeliveryView, Listing},
};
use crate::jobs::{Act, Counts, Job, JobError, Of, Order, Want, is_own};

/// Longest idempotency key.
const KEY_BYTES_MAX: usize = 255;
/// Items of a page unless told otherwise.
const LIMIT_DEFAULT: usize = 100;
/// Deliveries of one event that are looked at for what was answered before.
const OF_EVENT_MAX: usize = 100;
/// Events asked for at once.
const AT_ONCE: usize = 8;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/jobs", get(list).post(make))
        .route("/jobs/{id}", get(show))
        .route("/jobs/{id}/deliveries", get(deliveries))
        .route("/jobs/{id}/pause", post(async |api, id| want(api, id, Want::Pause).await))
        .route("/jobs/{id}/resume", post(async |api, id| want(api, id, Want::Resume).await))
        .route("/jobs/{id}/cancel", post(async |api, id| want(api, id, Want::Cancel).await))
}

/// A job, and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    pub id: JobId,
    #[serde(flatten)]
    pub order: Order,
    /// What it walks through.
    pub walks: Of,
    /// `counting`, `counted` (waits for `resume`), `running`, `paused`, `done`, `cancelled` or `failed`.
    pub state: String,
    /// What came after this is not touched.
    pub asked_at: Time,
    /// How many it is about; grows while it counts.
    pub matched: u64,
    #[serde(flatten)]
    pub counts: Counts,
    /// The one that goes before all others, once it was made.
    pub first: Option<DeliveryId>,
    /// The node that runs it.
    pub runner: Option<String>,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
    /// Why it failed.
    pub error: Option<String>,
    /// Why it does not get on just now.
    pub waits: Option<String>,
}

impl From<Job> for JobView {
    fn from(Job { spec, progress, wish }: Job) -> Self {
        let paused = wish.pause && !progress.state.is_final();
        JobView {
            id: spec.id,
            walks: spec.order.of(),
            order: spec.order,
            state: if paused { "paused".to_owned() } else { progress.state.to_string() },
            asked_at: spec.asked_at,
            matched: progress.matched,
            counts: progress.counts,
            first: progress.first,
            runner: progress.runner,
            started_at: progress.started_at,
            ended_at: progress.ended_at,
            error: progress.error,
            waits: progress.waits.filter(|_| !paused),
        }
    }
}

impl JobView {
    pub fn has_ended(&self) -> bool {
        self.ended_at.is_some()
    }

    /// How many of those it is about were looked after.
    pub fn seen(&self) -> u64 {
        let Counts { done, already, refused, unknown } = self.counts;
        done + already + refused + unknown
    }
}

/// A delivery that a job made, beside what was answered to the same event before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobDelivery {
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// HTTP statuses that the event's earlier deliveries ended with: of a replay, the one that it replaces.
    pub original_statuses: Vec<u16>,
    /// It was answered, the earlier ones were too, and none of them with the same status.
    pub differs: bool,
}

async fn make(State(api): State<Shared>, headers: HeaderMap, Input(order): Input<Order>) -> Result<Response, Problem> {
    let key = headers.get("idempotency-key").map(|key| {
        let text = key.to_str().ok().filter(|text| !text.is_empty() && text.len() <= KEY_BYTES_MAX);
        let bad = || Problem::new(&problem::BAD_QUERY, "Idempotency-Key is not 1 to 255 visible characters");
        text.map(str::to_owned).ok_or_else(bad)
    });
    let (job, new) = api.parts.jobs.make(order, key.transpose()?).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(JobView::from(job))).into_response())
}

async fn list(State(api): State<Shared>) -> Result<Json<Listing<JobView>>, Problem> {
    let all = api.parts.jobs.all().await?;
    Ok(Json(Listing { items: all.into_iter().map(JobView::from).collect(), next: None }))
}

async fn show(State(api): State<Shared>, Id(id): Id<JobId>) -> Result<Json<JobView>, Problem> {
    Ok(Json(api.parts.jobs.one(id).await?.into()))
}

async fn want(State(api): State<Shared>, Id(id): Id<JobId>, want: Want) -> Result<Json<JobView>, Problem> {
    Ok(Json(api.parts.jobs.want(id, want).await?.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageParams {
    after: Option<DeliveryId>,
    limit: Option<usize>,
}

/// What a replay made, oldest first.
async fn deliveries(
    State(api): State<Shared>,
    Id(id): Id<JobId>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listing<JobDelivery>>, Problem> {
    let limit = params.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::new(&problem::BAD_QUERY, format!("limit = {limit} is not within 1..{LIMIT_MAX}")));
    }
    let job = api.parts.jobs.one(id).await?;
    if job.spec.order.act != Act::Replay {
        return Ok(Json(Listing { items: Vec::new(), next: None }));
    }
    let store = &*api.parts.store;
    let filter = DeliveryFilter { destination: job.spec.order.to.clone(), ..DeliveryFilter::default() };
    let after = params.after.unwrap_or_else(|| id.before_its_own());
    let rows = store.deliveries(&filter, Page { after: Some(after), limit, oldest_first: true }).await?;
    // Its own are all of one millisecond of ids: behind the last of those there is none.
    let more = rows.len() == limit && rows.last().is_some_and(|last| id.may_have_made(last.delivery.id));
    let next = rows.last().filter(|_| more).map(|row| row.delivery.id.to_string());
    let own: Vec<_> = rows.into_iter().filter(|row| is_own(id, &row.delivery)).collect();
    let before = Originals::of(store, &job, &own).await?;
    let items = own.into_iter().map(|row| before.beside(row)).collect();
    Ok(Json(Listing { items, next }))
}

/// What was answered before, by event.
struct Originals(BTreeMap<EventId, Vec<DeliveryRow>>);

impl Originals {
    async fn of(store: &dyn Store, job: &Job, own: &[DeliveryRow]) -> Result<Self, StoreError> {
        let mut events: Vec<EventId> = own.iter().map(|row| row.delivery.event).collect();
        events.sort_unstable();
        events.dedup();
        let of_event = async |event: EventId| {
            let filter = DeliveryFilter { event: Some(event), ..DeliveryFilter::default() };
            let mut rows = store.deliveries(&filter, Page::first(OF_EVENT_MAX).oldest_first()).await?;
            rows.retain(|row| row.delivery.accepted_at <= job.spec.asked_at && !is_own(job.spec.id, &row.delivery));
            Ok::<_, StoreError>((event, rows))
        };
        Ok(Originals(stream::iter(events.into_iter().map(of_event)).buffered(AT_ONCE).try_collect().await?))
    }

    fn beside(&self, row: DeliveryRow) -> JobDelivery {
        let (event, replaces) = (row.delivery.event, row.delivery.replaces);
        let earlier = self.0.get(&event).into_iter().flatten();
        let same = |earlier: &&DeliveryRow| replaces.is_none_or(|old| earlier.delivery.id == old);
        let status = |row: &DeliveryRow| row.last.as_ref().and_then(|last| last.status);
        let mut original_statuses: Vec<u16> = earlier.filter(same).filter_map(status).collect();
        original_statuses.sort_unstable();
        original_statuses.dedup();
        let now = status(&row);
        let differs = !original_statuses.is_empty() && now.is_some_and(|now| !original_statuses.contains(&now));
        JobDelivery { delivery: DeliveryView::from(row), original_statuses, differs }
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        let code = match error {
            JobError::Store(error) => return error.into(),
            JobError::Bad(_) => &problem::BAD_JOB,
            JobError::TooMany => &problem::TOO_MANY_JOBS,
            JobError::KeyInUse(_) => &problem::KEY_IN_USE,
            JobError::Unknown(_) => &problem::JOB_NOT_FOUND,
            JobError::Ended { .. } => &problem::JOB_ENDED,
        };
        Problem::new(code, error.to_string())
    }
}
