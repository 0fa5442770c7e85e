//! Queues: making, listing, pausing, deleting.

use hookhaven_core::Lane;
use hookhaven_store::LaneSize;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Received, empty, ok};
use crate::publish::{
    book::Queue,
    error::ApiError,
    limits::{PARALLELISM_MAX, QUEUES_MAX},
    names,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Put {
    queue_name: String,
    parallelism: Option<u32>,
    /// Absent: as it was.
    paused: Option<bool>,
}

/// `POST /v2/queues`: makes it, or changes it.
pub(super) async fn put(request: &Received<'_>) -> Answer {
    let wanted: Put = serde_json::from_slice(request.body)
        .map_err(|why| ApiError::bad(format!("invalid body: expected queueName and parallelism: {why}")))?;
    let name = &wanted.queue_name;
    names::check("queue name", name)?;
    let was = request.book().queues.find(request.store(), name).await?;
    if was.is_none() && request.book().queues.len() >= QUEUES_MAX {
        return Err(ApiError::quota(format!("quota maxQueues exceeded, current limit: {QUEUES_MAX}")));
    }
    let was = was.as_deref();
    let parallelism = wanted.parallelism.unwrap_or_else(|| was.map_or(1, |was| was.parallelism));
    if !(1..=PARALLELISM_MAX).contains(&parallelism) {
        return Err(ApiError::bad(format!("invalid parallelism: must lie between 1 and {PARALLELISM_MAX}")));
    }
    let queue = Queue {
        created_at: was.map_or(request.now, |was| was.created_at),
        updated_at: request.now,
        parallelism,
        paused: wanted.paused.unwrap_or_else(|| was.is_some_and(|was| was.paused)),
    };
    request.book().put_queue(request.store(), name, queue).await?;
    empty()
}

/// `GET /v2/queues`
pub(super) async fn list(request: &Received<'_>) -> Answer {
    let queues = request.book().queues.all();
    let lanes: Vec<_> = queues.iter().map(|(name, _)| Lane::of_queue(name)).collect();
    let sizes = request.store().lane_sizes(&lanes).await?;
    let shown = queues.iter().zip(sizes).map(|((name, queue), size)| shown(name, queue, size));
    ok(&shown.collect::<Value>())
}

/// `GET /v2/queues/{name}`
pub(super) async fn get(request: &Received<'_>, name: &str) -> Answer {
    let queue = request.book().queues.find(request.store(), name).await?.ok_or_else(unknown)?;
    let sizes = request.store().lane_sizes(&[Lane::of_queue(name)]).await?;
    ok(&shown(name, &queue, sizes.first().copied().unwrap_or_default()))
}

/// `DELETE /v2/queues/{name}`: with all that waits in it.
pub(super) async fn delete(request: &Received<'_>, name: &str) -> Answer {
    names::check("queue name", name)?;
    request.book().delete_queue(request.store(), name, u64::MAX).await?;
    empty()
}

/// `POST /v2/queues/{name}/pause`, `/resume`
pub(super) async fn pause(request: &Received<'_>, name: &str, paused: bool) -> Answer {
    match request.book().pause_queue(request.store(), name, paused, request.now).await? {
        true => empty(),
        false => Err(unknown()),
    }
}

fn shown(name: &str, queue: &Queue, size: LaneSize) -> Value {
    json!({
        "name": name,
        "parallelism": queue.parallelism,
        "createdAt": queue.created_at.as_ms(),
        "updatedAt": queue.updated_at.as_ms(),
        "lag": size.waiting + size.leased,
        "paused": queue.paused,
    })
}

fn unknown() -> ApiError {
    ApiError::not_found("queue not found")
}
