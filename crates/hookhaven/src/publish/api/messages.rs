//! Messages: looking at one, cancelling one or many.

use hookhaven_core::{DeliveryId, event::PUBLISHED};
use hookhaven_store::Cancelled;
use serde_json::json;

use super::{Answer, Received, found, ok};
use crate::publish::{
    error::ApiError,
    ids,
    selection::{self, Kind, Selection},
    view,
};

/// `GET /v2/messages/{id}`
pub(super) async fn get(request: &Received<'_>, id: &str) -> Answer {
    let id = ids::parse_message(id).ok_or_else(unknown)?;
    let seen = found::one(request.store(), id).await?.ok_or_else(unknown)?;
    ok(&view::message(&seen))
}

/// `DELETE /v2/messages/{id}`
pub(super) async fn cancel(request: &Received<'_>, id: &str) -> Answer {
    let id = ids::parse_message(id).ok_or_else(unknown)?;
    match cancel_ids(request, &[id]).await? {
        0 => Err(unknown()),
        n => ok(&json!({ "cancelled": n })),
    }
}

/// `DELETE /v2/messages`: by ids, by filter, or all; at most `count`.
pub(super) async fn cancel_many(request: &Received<'_>, query: &str) -> Answer {
    let selection = of_query_or_body(Kind::Messages, request, query)?;
    let cancelled = match &selection.ids {
        Some(texts) => {
            let ids: Vec<_> = texts.iter().filter_map(|text| ids::parse_message(text)).collect();
            cancel_ids(request, &ids).await?
        }
        None => cancel_selected(request, &selection).await?,
    };
    ok(&json!({ "cancelled": cancelled }))
}

/// Both clients say what they mean, one here, the other there; whoever says it in both places means both.
pub(super) fn of_query_or_body(kind: Kind, request: &Received<'_>, query: &str) -> Result<Selection, ApiError> {
    let by_query = selection::from_query(kind, query)?;
    if request.body.trim_ascii().is_empty() {
        return Ok(by_query);
    }
    let by_body = selection::from_json(kind, request.body)?;
    match (by_query.is_everything(), by_body.is_everything()) {
        (true, _) => Ok(Selection { count: by_body.count.or(by_query.count), ..by_body }),
        (false, true) => Ok(by_query),
        (false, false) => Err(ApiError::bad("give the selection in the query or in the body, not in both")),
    }
}

/// Everything of a selection that is pending, up to its count.
pub(super) async fn cancel_selected(request: &Received<'_>, selection: &Selection) -> Result<u64, ApiError> {
    let mut left = selection.count.unwrap_or(usize::MAX);
    let (mut cancelled, mut after) = (0, None);
    loop {
        let (mut ids, next) = found::pending(request.store(), selection, after).await?;
        ids.truncate(left);
        let done = cancel_published(request, &ids).await?;
        cancelled += done;
        left = left.saturating_sub(usize::try_from(done).unwrap_or(usize::MAX));
        after = next;
        if left == 0 || after.is_none() {
            return Ok(cancelled);
        }
    }
}

/// Only what was published is anybody's to cancel here.
async fn cancel_ids(request: &Received<'_>, ids: &[DeliveryId]) -> Result<u64, ApiError> {
    let mut published = Vec::with_capacity(ids.len());
    for id in ids {
        let row = request.store().delivery(*id).await?;
        if row.is_some_and(|row| &*row.delivery.source == PUBLISHED) && !published.contains(id) {
            published.push(*id);
        }
    }
    cancel_published(request, &published).await
}

/// How many were pending until now.
async fn cancel_published(request: &Received<'_>, ids: &[DeliveryId]) -> Result<u64, ApiError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let cancelled = request.store().cancel(ids).await?;
    let counted = cancelled.iter().filter(|c| matches!(c, Cancelled::Done | Cancelled::Asked)).count();
    Ok(counted as u64)
}

fn unknown() -> ApiError {
    ApiError::not_found("message not found")
}
