//! `/queues`: how they stand, pausing, deleting. They are made by the publishing API, and by the first message.

use axum::{Extension, Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
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
    publications::{Emptied, QueueView},
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, delete))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// Lists queues, by name.
#[utoipa::path(
    get,
    path = "/queues",
    operation_id = "list_queues",
    params(NamesParams),
    responses((status = 200, body = Listing<QueueView>)),
)]
async fn list(
    State(api): State<Shared>,
    Params(params): Params<NamesParams>,
) -> Result<Json<Listing<QueueView>>, Problem> {
    let names = params.names()?;
    let queues = api.parts.publications.queues(&names).await?;
    Ok(Json(page::listing(queues, &names.page, |queue| queue.name.clone(), |queue| queue)))
}

/// Shows one queue.
#[utoipa::path(
    get,
    path = "/queues/{name}",
    operation_id = "show_queue",
    params(("name" = String, Path, description = "Of the queue", example = "emails")),
    responses((status = 200, body = QueueView)),
    extensions(("x-codes" = json!([problem::QUEUE_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Name(name): Name) -> Result<Json<QueueView>, Problem> {
    known(&api, &name).await.map(Json)
}

/// Pauses a queue.
///
/// It takes messages in and begins none; what is being attempted goes on. It stays so over restarts.
#[utoipa::path(
    post,
    path = "/queues/{name}/pause",
    operation_id = "pause_queue",
    params(("name" = String, Path, description = "Of the queue", example = "emails")),
    request_body = Option<NoRequest>,
    responses((status = 200, body = QueueView)),
    extensions(("x-codes" = json!([problem::QUEUE_NOT_FOUND.code]))),
)]
async fn pause(
    State(api): State<Shared>,
    Name(name): Name,
    Input(NoRequest {}): Input<NoRequest>,
) -> Result<Noted<QueueView>, Problem> {
    change(&api, &name, true).await
}

/// Resumes a queue.
#[utoipa::path(
    post,
    path = "/queues/{name}/resume",
    operation_id = "resume_queue",
    params(("name" = String, Path, description = "Of the queue", example = "emails")),
    request_body = Option<NoRequest>,
    responses((status = 200, body = QueueView)),
    extensions(("x-codes" = json!([problem::QUEUE_NOT_FOUND.code]))),
)]
async fn resume(
    State(api): State<Shared>,
    Name(name): Name,
    Input(NoRequest {}): Input<NoRequest>,
) -> Result<Noted<QueueView>, Problem> {
    change(&api, &name, false).await
}

/// What became of a wish to delete a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedQueue {
    /// As it was.
    pub queue: QueueView,
    /// Messages that were cancelled now; of those being attempted, the ones that succeed are delivered all the same.
    pub cancelled: u64,
    /// More waits in it than is cancelled at once (some 10,000): the queue is still there, and the same request goes on.
    pub more: bool,
}

/// Deletes a queue, and cancels what waits in it.
#[utoipa::path(
    delete,
    path = "/queues/{name}",
    operation_id = "delete_queue",
    params(("name" = String, Path, description = "Of the queue", example = "emails")),
    responses((status = 200, body = DeletedQueue)),
    extensions(("x-codes" = json!([problem::QUEUE_NOT_FOUND.code]))),
)]
async fn delete(State(api): State<Shared>, Name(name): Name) -> Result<Noted<DeletedQueue>, Problem> {
    let queue = known(&api, &name).await?;
    let Emptied { cancelled, more } = api.parts.publications.delete_queue(&name).await?;
    let note = Note::change(&queue, json!({ "cancelled": cancelled, "more": more }));
    Ok((Extension(note), Json(DeletedQueue { queue, cancelled, more })))
}

async fn change(api: &Api, name: &str, paused: bool) -> Result<Noted<QueueView>, Problem> {
    let before = known(api, name).await?;
    api.parts.publications.pause_queue(name, paused).await?;
    let after = known(api, name).await?;
    let note = Note::change(json!({ "paused": before.paused }), json!({ "paused": after.paused }));
    Ok((Extension(note), Json(after)))
}

async fn known(api: &Api, name: &str) -> Result<QueueView, Problem> {
    let unknown = || Problem::new(&problem::QUEUE_NOT_FOUND, format!("there is no queue {name:?}"));
    api.parts.publications.queue(name).await?.ok_or_else(unknown)
}
