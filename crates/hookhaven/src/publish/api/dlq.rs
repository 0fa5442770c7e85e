//! The dead letter queue: looking, deleting (which dismisses), retrying (which replays).

use hookhaven_core::DeliveryId;
use hookhaven_store::{Dismissed, Replayed};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Answer, Received, empty,
    found::{self, Found, Stretch},
    json as answer_json, messages, ok,
};
use crate::publish::{
    error::ApiError,
    ids,
    selection::{self, Kind, Selection},
    view::{self, Object, Seen},
};

/// Of a page, and of a bulk call.
const COUNT_DEFAULT: usize = 100;
/// In a cursor, before the dead letter that was the newest when somebody began.
const BOUND: char = '.';

/// `GET /v2/dlq`
pub(super) async fn list(request: &Received<'_>, query: &str) -> Answer {
    let selection = selection::from_query(Kind::DeadLetters, query)?;
    let found = select(request, &selection, None).await?;
    let mut shown = Vec::with_capacity(found.seen.len());
    for seen in &found.seen {
        shown.push(Value::Object(show(request, seen).await?));
    }
    ok(&with_cursor(json!({ "messages": shown }), found.next))
}

/// `GET /v2/dlq/{dlqId}`
pub(super) async fn get(request: &Received<'_>, id: &str) -> Answer {
    let seen = one(request, id).await?.ok_or_else(unknown)?;
    ok(&show(request, &seen).await?)
}

/// `DELETE /v2/dlq/{dlqId}`
pub(super) async fn delete(request: &Received<'_>, id: &str) -> Answer {
    let seen = one(request, id).await?.ok_or_else(unknown)?;
    match dismiss(request, &[seen.row.delivery.id]).await? {
        0 => Err(unknown()),
        _ => empty(),
    }
}

/// `DELETE /v2/dlq`: by ids, by filter, or all; at most `count` at once.
pub(super) async fn delete_many(request: &Received<'_>, query: &str) -> Answer {
    let selection = messages::of_query_or_body(Kind::DeadLetters, request, query)?;
    let found = meant(request, &selection, None).await?;
    let deleted = dismiss(request, &ids_of(&found)).await?;
    ok(&with_cursor(json!({ "deleted": deleted }), found.next))
}

/// `POST /v2/dlq/retry/{dlqId}`
pub(super) async fn retry(request: &Received<'_>, id: &str) -> Answer {
    let seen = one(request, id).await?.ok_or_else(unknown)?;
    let replayed = replay(request, &[seen.row.delivery.id]).await?;
    let id = replayed.first().ok_or_else(unknown)?;
    answer_json(StatusCode::CREATED, &json!({ "messageId": id }))
}

/// `POST /v2/dlq/retry`: each becomes a new message and leaves the queue in the same commit.
///
/// Whoever goes on by the cursor retries what was there at the first call: a message that is dead again meanwhile is a
/// newer one, and would be met over and over.
pub(super) async fn retry_many(request: &Received<'_>, query: &str) -> Answer {
    let selection = messages::of_query_or_body(Kind::DeadLetters, request, query)?;
    let newest = match selection.cursor.as_deref().and_then(|cursor| cursor.split_once(BOUND)) {
        Some((_, newest)) => Some(ids::parse_dead_letter(newest).ok_or_else(bad_cursor)?),
        None => found::newest(request.store()).await?,
    };
    let found = meant(request, &selection, newest).await?;
    let asked_for_some = selection.ids.as_ref().is_some_and(|ids| !ids.is_empty());
    if asked_for_some && found.seen.is_empty() {
        return Err(unknown());
    }
    let replayed = replay(request, &ids_of(&found)).await?;
    let responses: Value = replayed.iter().map(|id| json!({ "messageId": id })).collect();
    let mut answer = with_cursor(json!({ "responses": responses }), found.next);
    if let (Some(next), Some(newest)) = (found.next, newest) {
        answer["cursor"] = format!("{}{BOUND}{}", ids::dead_letter(next), ids::dead_letter(newest)).into();
    }
    answer_json(StatusCode::CREATED, &answer)
}

/// By ids, of which unknown ones are skipped, or by filter.
async fn meant(request: &Received<'_>, selection: &Selection, newest: Option<DeliveryId>) -> Result<Found, ApiError> {
    let Some(ids) = &selection.ids else { return select(request, selection, newest).await };
    let mut found = Found::default();
    for id in ids {
        if let Some(seen) = one(request, id).await? {
            let known = found.seen.iter().any(|other: &Seen| other.row.delivery.id == seen.row.delivery.id);
            if !known {
                found.seen.push(seen);
            }
        }
    }
    Ok(found)
}

async fn select(request: &Received<'_>, selection: &Selection, newest: Option<DeliveryId>) -> Result<Found, ApiError> {
    if let Some(texts) = &selection.ids {
        let by_ids = Selection { ids: None, ..selection.clone() };
        let mut found = Found::default();
        for text in texts {
            found.seen.extend(one(request, text).await?.filter(|seen| by_ids.matches(&seen.message)));
        }
        return Ok(found);
    }
    let after = selection.cursor.as_deref().map(|cursor| cursor.split_once(BOUND).map_or(cursor, |(after, _)| after));
    let after = after.map(|id| ids::parse_dead_letter(id).ok_or_else(bad_cursor)).transpose()?;
    let limit = selection.count.unwrap_or(COUNT_DEFAULT);
    found::dead_letters(request.store(), selection, Stretch { after, newest }, limit).await
}

/// A message that is a dead letter now.
async fn one(request: &Received<'_>, id: &str) -> Result<Option<Seen>, ApiError> {
    let Some(id) = ids::parse_dead_letter(id) else { return Ok(None) };
    let seen = found::one(request.store(), id).await?;
    Ok(seen.filter(|seen| seen.row.delivery.is_dead_letter()))
}

async fn show(request: &Received<'_>, seen: &Seen) -> Result<Object, ApiError> {
    let attempts = request.store().attempts(seen.row.delivery.id).await?;
    Ok(view::dead_letter(seen, attempts.last()))
}

async fn dismiss(request: &Received<'_>, ids: &[DeliveryId]) -> Result<u64, ApiError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let dismissed = request.store().dismiss(ids).await?;
    Ok(dismissed.iter().filter(|d| **d == Dismissed::Done).count() as u64)
}

/// Ids of the new messages. Who was replayed meanwhile by somebody else is theirs.
async fn replay(request: &Received<'_>, ids: &[DeliveryId]) -> Result<Vec<String>, ApiError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let replayed = request.store().replay(ids).await?;
    let new = replayed.iter().filter_map(|r| match r {
        Replayed::New(id) => Some(ids::message(*id)),
        Replayed::Already(_) | Replayed::NotEnded | Replayed::Unknown => None,
    });
    Ok(new.collect())
}

fn ids_of(found: &Found) -> Vec<DeliveryId> {
    found.seen.iter().map(|seen| seen.row.delivery.id).collect()
}

/// Left out on the last page.
fn with_cursor(mut answer: Value, next: Option<DeliveryId>) -> Value {
    if let Some(next) = next {
        answer["cursor"] = ids::dead_letter(next).into();
    }
    answer
}

fn bad_cursor() -> ApiError {
    ApiError::bad("invalid cursor")
}

fn unknown() -> ApiError {
    ApiError::not_found("dlq message not found")
}
