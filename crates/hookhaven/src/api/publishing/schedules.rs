//! `/schedules`: when they tick and what became of the last tick; pausing, deleting. They are made by the publishing API.

use axum::{Extension, Json, extract::State};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::NamesParams;
use crate::{
    access::Note,
    api::{
        Api, Noted, Shared,
        destinations::NoRequest,
        page::{self, Input, Name, Params},
        problem::{self, Problem},
        view::Listing,
    },
    publications::ScheduleView,
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, delete))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// Lists schedules, by id, each with its next ticks and what became of the last.
#[utoipa::path(
    get,
    path = "/schedules",
    operation_id = "list_schedules",
    params(NamesParams),
    responses((status = 200, body = Listing<ScheduleView>)),
)]
async fn list(
    State(api): State<Shared>,
    Params(params): Params<NamesParams>,
) -> Result<Json<Listing<ScheduleView>>, Problem> {
    let names = params.names()?;
    let schedules = api.parts.publications.schedules(&names).await?;
    Ok(Json(page::listing(schedules, &names.page, |schedule| schedule.id.clone(), |schedule| schedule)))
}

/// Shows one schedule.
#[utoipa::path(
    get,
    path = "/schedules/{id}",
    operation_id = "show_schedule",
    params(("id" = String, Path, description = "Of the schedule", example = "daily-report")),
    responses((status = 200, body = ScheduleView)),
    extensions(("x-codes" = json!([problem::SCHEDULE_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Name(id): Name) -> Result<Json<ScheduleView>, Problem> {
    known(&api, &id).await.map(Json)
}

/// Pauses a schedule.
///
/// What would have ticked meanwhile is not made up when it is resumed.
#[utoipa::path(
    post,
    path = "/schedules/{id}/pause",
    operation_id = "pause_schedule",
    params(("id" = String, Path, description = "Of the schedule", example = "daily-report")),
    request_body = Option<NoRequest>,
    responses((status = 200, body = ScheduleView)),
    extensions(("x-codes" = json!([problem::SCHEDULE_NOT_FOUND.code]))),
)]
async fn pause(
    State(api): State<Shared>,
    Name(id): Name,
    Input(NoRequest {}): Input<NoRequest>,
) -> Result<Noted<ScheduleView>, Problem> {
    change(&api, &id, true).await
}

/// Resumes a schedule.
#[utoipa::path(
    post,
    path = "/schedules/{id}/resume",
    operation_id = "resume_schedule",
    params(("id" = String, Path, description = "Of the schedule", example = "daily-report")),
    request_body = Option<NoRequest>,
    responses((status = 200, body = ScheduleView)),
    extensions(("x-codes" = json!([problem::SCHEDULE_NOT_FOUND.code]))),
)]
async fn resume(
    State(api): State<Shared>,
    Name(id): Name,
    Input(NoRequest {}): Input<NoRequest>,
) -> Result<Noted<ScheduleView>, Problem> {
    change(&api, &id, false).await
}

/// Deletes a schedule.
///
/// What it published goes on its way. The answer is the schedule as it was.
#[utoipa::path(
    delete,
    path = "/schedules/{id}",
    operation_id = "delete_schedule",
    params(("id" = String, Path, description = "Of the schedule", example = "daily-report")),
    responses((status = 200, body = ScheduleView)),
    extensions(("x-codes" = json!([problem::SCHEDULE_NOT_FOUND.code]))),
)]
async fn delete(State(api): State<Shared>, Name(id): Name) -> Result<Noted<ScheduleView>, Problem> {
    let schedule = known(&api, &id).await?;
    api.parts.publications.delete_schedule(&id).await?;
    let before = json!({ "cron": schedule.cron, "destination": schedule.destination, "paused": schedule.paused });
    Ok((Extension(Note { before: Some(before), ..Note::default() }), Json(schedule)))
}

async fn change(api: &Api, id: &str, paused: bool) -> Result<Noted<ScheduleView>, Problem> {
    let before = known(api, id).await?;
    api.parts.publications.pause_schedule(id, paused).await?;
    let after = known(api, id).await?;
    let note = Note::change(json!({ "paused": before.paused }), json!({ "paused": after.paused }));
    Ok((Extension(note), Json(after)))
}

async fn known(api: &Api, id: &str) -> Result<ScheduleView, Problem> {
    api.parts.publications.schedule(id).await?.ok_or_else(|| unknown(id))
}

pub(super) fn unknown(id: &str) -> Problem {
    Problem::new(&problem::SCHEDULE_NOT_FOUND, format!("there is no schedule {id:?}"))
}
