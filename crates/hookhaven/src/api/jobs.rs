//! `/jobs`: bulk work that lasts. Ask for it, look at it, pause it, let it go on, end it; and what became of each
//! delivery that a replay made.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hookhaven_core::{DeliveryId, EventId, JobId, Time};
use hookhaven_store::{DeliveryFilter, DeliveryRow, Page, Store, StoreError};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Noted, Shared,
    page::{self, Id, Input, Params},
    problem::{self, Problem},
    schema,
    view::{DeliveryView, Listing},
};
use crate::access::Note;
use crate::jobs::{Act, Counts, Job, JobError, Order, State as Kept, Want, is_own};

/// Longest idempotency key.
const KEY_BYTES_MAX: usize = 255;
/// Deliveries of one event that are looked at for what was answered before.
const OF_EVENT_MAX: usize = 100;
/// Events asked for at once.
const AT_ONCE: usize = 8;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(show))
        .routes(routes!(deliveries))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(cancel))
}

/// A job, and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    pub id: JobId,
    pub order: Order,
    pub state: JobState,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Counting,
    /// It was counted, and waits for `resume`.
    Counted,
    Running,
    Paused,
    Done,
    Cancelled,
    Failed,
}

impl JobState {
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Counting => "counting",
            JobState::Counted => "counted",
            JobState::Running => "running",
            JobState::Paused => "paused",
            JobState::Done => "done",
            JobState::Cancelled => "cancelled",
            JobState::Failed => "failed",
        }
    }

    fn of(kept: Kept, paused: bool) -> Self {
        match kept {
            Kept::Done => JobState::Done,
            Kept::Cancelled => JobState::Cancelled,
            Kept::Failed => JobState::Failed,
            _ if paused => JobState::Paused,
            Kept::Counting => JobState::Counting,
            Kept::Counted => JobState::Counted,
            Kept::Running => JobState::Running,
        }
    }
}

impl From<Job> for JobView {
    fn from(Job { spec, progress, wish }: Job) -> Self {
        let state = JobState::of(progress.state, wish.pause);
        JobView {
            id: spec.id,
            order: spec.order,
            state,
            asked_at: spec.asked_at,
            matched: progress.matched,
            counts: progress.counts,
            first: progress.first,
            runner: progress.runner,
            started_at: progress.started_at,
            ended_at: progress.ended_at,
            error: progress.error,
            waits: progress.waits.filter(|_| state != JobState::Paused),
        }
    }
}

impl JobView {
    pub fn has_ended(&self) -> bool {
        matches!(self.state, JobState::Done | JobState::Cancelled | JobState::Failed)
    }

    /// How many of those it is about were looked after.
    pub fn seen(&self) -> u64 {
        let Counts { done, already, refused, unknown } = self.counts;
        done + already + refused + unknown
    }
}

/// A delivery that a job made, beside what was answered to the same event before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobDelivery {
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// HTTP statuses that the event's earlier deliveries ended with: of a replay, the one that it replaces.
    pub original_statuses: Vec<u16>,
    /// It was answered, the earlier ones were too, and none of them with the same status.
    pub differs: bool,
}

/// Asks for bulk work: replay, dismiss, cancel or delete whatever a filter names, each once.
///
/// With `dry_run` it only counts, with `ask` it counts and waits for `resume`. Asked again with the same
/// `Idempotency-Key`, it answers the job that was made the first time.
#[utoipa::path(
    post,
    path = "/jobs",
    operation_id = "make_job",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible characters")),
    request_body = Order,
    responses((status = 201, body = JobView), (status = 200, body = JobView, description = "It was asked for before")),
    extensions(("x-codes" = json!([
        problem::BAD_JOB.code, problem::BAD_QUERY.code, problem::TOO_MANY_JOBS.code, problem::KEY_IN_USE.code
    ]))),
)]
async fn make(State(api): State<Shared>, headers: HeaderMap, Input(order): Input<Order>) -> Result<Response, Problem> {
    let key = headers.get("idempotency-key").map(|key| {
        let text = key.to_str().ok().filter(|text| !text.is_empty() && text.len() <= KEY_BYTES_MAX);
        let bad = || Problem::new(&problem::BAD_QUERY, "Idempotency-Key is not 1 to 255 visible characters");
        text.map(str::to_owned).ok_or_else(bad)
    });
    let (job, new) = api.parts.jobs.make(order, key.transpose()?).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let note = Note::after(json!({ "job": job.spec.id, "order": job.spec.order }));
    Ok((status, Extension(note), Json(JobView::from(job))).into_response())
}

/// Lists jobs, newest first: those that have not ended, and the last hundred that have.
#[utoipa::path(get, path = "/jobs", operation_id = "list_jobs", responses((status = 200, body = Listing<JobView>)))]
async fn list(State(api): State<Shared>) -> Result<Json<Listing<JobView>>, Problem> {
    let all = api.parts.jobs.all().await?;
    Ok(Json(Listing::whole(all.into_iter().map(JobView::from).collect())))
}

/// Shows one job and how far it is.
#[utoipa::path(
    get,
    path = "/jobs/{id}",
    operation_id = "show_job",
    params(("id" = JobId, Path, description = "Of the job")),
    responses((status = 200, body = JobView)),
    extensions(("x-codes" = json!([problem::JOB_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Id(id): Id<JobId>) -> Result<Json<JobView>, Problem> {
    Ok(Json(api.parts.jobs.one(id).await?.into()))
}

/// Holds a job back after the step it is in.
#[utoipa::path(
    post,
    path = "/jobs/{id}/pause",
    operation_id = "pause_job",
    params(("id" = JobId, Path, description = "Of the job")),
    responses((status = 200, body = JobView)),
    extensions(("x-codes" = json!([problem::JOB_NOT_FOUND.code, problem::JOB_ENDED.code]))),
)]
async fn pause(api: State<Shared>, id: Id<JobId>) -> Result<Noted<JobView>, Problem> {
    want(api, id, Want::Pause).await
}

/// Lets a paused job go on, or one that was counted begin.
#[utoipa::path(
    post,
    path = "/jobs/{id}/resume",
    operation_id = "resume_job",
    params(("id" = JobId, Path, description = "Of the job")),
    responses((status = 200, body = JobView)),
    extensions(("x-codes" = json!([problem::JOB_NOT_FOUND.code, problem::JOB_ENDED.code]))),
)]
async fn resume(api: State<Shared>, id: Id<JobId>) -> Result<Noted<JobView>, Problem> {
    want(api, id, Want::Resume).await
}

/// Ends a job after the step it is in. What it did stays done.
#[utoipa::path(
    post,
    path = "/jobs/{id}/cancel",
    operation_id = "cancel_job",
    params(("id" = JobId, Path, description = "Of the job")),
    responses((status = 200, body = JobView)),
    extensions(("x-codes" = json!([problem::JOB_NOT_FOUND.code, problem::JOB_ENDED.code]))),
)]
async fn cancel(api: State<Shared>, id: Id<JobId>) -> Result<Noted<JobView>, Problem> {
    want(api, id, Want::Cancel).await
}

async fn want(State(api): State<Shared>, Id(id): Id<JobId>, want: Want) -> Result<Noted<JobView>, Problem> {
    let job = JobView::from(api.parts.jobs.want(id, want).await?);
    let note = Note::after(json!({ "state": job.state, "done": job.counts.done, "matched": job.matched }));
    Ok((Extension(note), Json(job)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PageParams {
    /// `next` of the page before.
    after: Option<DeliveryId>,
    #[param(schema_with = schema::limit)]
    limit: Option<usize>,
}

/// Lists the deliveries that a replay made, oldest first, beside what was answered before.
#[utoipa::path(
    get,
    path = "/jobs/{id}/deliveries",
    operation_id = "list_job_deliveries",
    params(("id" = JobId, Path, description = "Of the job"), PageParams),
    responses((status = 200, body = Listing<JobDelivery>)),
    extensions(("x-codes" = json!([problem::JOB_NOT_FOUND.code]))),
)]
async fn deliveries(
    State(api): State<Shared>,
    Id(id): Id<JobId>,
    Params(params): Params<PageParams>,
) -> Result<Json<Listing<JobDelivery>>, Problem> {
    let after = params.after.unwrap_or_else(|| id.before_its_own());
    let page = page::page(Some(after), params.limit)?.oldest_first();
    let job = api.parts.jobs.one(id).await?;
    if job.spec.order.act != Act::Replay {
        return Ok(Json(Listing::whole(Vec::new())));
    }
    let store = &*api.parts.store;
    let filter = DeliveryFilter { destination: job.spec.order.to.clone(), ..DeliveryFilter::default() };
    let rows = store.deliveries(&filter, page).await?;
    let Listing { mut items, next, .. } = page::listing(rows, &page, |row| row.delivery.id, |row| row);
    // Its own are all of one millisecond of ids: behind the last of those there is none.
    let last = items.last().filter(|_| next.is_some()).map(|row| row.delivery.id);
    let next = last.filter(|last| id.may_have_made(*last)).map(|last| last.to_string());
    items.retain(|row| is_own(id, &row.delivery));
    let before = Originals::of(store, &job, &items).await?;
    let items = items.into_iter().map(|row| before.beside(row)).collect();
    Ok(Json(Listing { next, ..Listing::whole(items) }))
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
