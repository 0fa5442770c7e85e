//! Many messages in one request: all of them are checked first, and all are stored in one accept, or none.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Answer, Received, ok, publish};
use crate::publish::{
    compose::{self, Ids, Target},
    error::ApiError,
    lines,
};

#[derive(Deserialize)]
struct Entry {
    destination: String,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    queue: Option<String>,
}

/// `POST /v2/batch`
pub(super) async fn batch(request: &Received<'_>) -> Answer {
    let entries: Vec<Entry> = serde_json::from_slice(request.body)
        .map_err(|why| ApiError::bad(format!("invalid body: expected a JSON array of messages: {why}")))?;
    let batch_max = request.config.publish.batch_max;
    if entries.len() > batch_max {
        return Err(ApiError::quota(format!("quota maxBatchSize exceeded, current limit: {batch_max}")));
    }
    let mut drafts = Vec::with_capacity(entries.len());
    for (at, entry) in entries.into_iter().enumerate() {
        let draft = draft(request, entry).await;
        drafts.push(draft.map_err(|why| ApiError::new(why.status, format!("batch entry {at}: {}", why.text)))?);
    }
    if drafts.is_empty() {
        return ok(&Value::Array(Vec::new()));
    }
    publish::prepare(request, &drafts).await?;
    let are_groups: Vec<bool> = drafts.iter().map(|d| matches!(d.target, Target::Group { .. })).collect();
    let occasion = request.occasion();
    let mut ids = Ids::new(request.now, &*request.parts.entropy);
    let events = drafts.into_iter().map(|draft| compose::events(draft, &occasion, &mut ids)).collect();
    let published = publish::accept(request, &occasion, events).await?;
    let shown = published.iter().zip(are_groups).map(|(each, is_group)| publish::shown(each, is_group));
    ok(&shown.collect::<Value>())
}

async fn draft(request: &Received<'_>, entry: Entry) -> Result<compose::Draft, ApiError> {
    let body = Bytes::from(entry.body.unwrap_or_default());
    let bytes_max = request.config.publish.body_bytes_max;
    if body.len() > bytes_max {
        return Err(ApiError::quota(format!("quota maxMessageSize exceeded, current limit: {bytes_max}")));
    }
    let (destination, in_query) = lines::take_from_query(&entry.destination)?;
    let headers = entry.headers.unwrap_or_default();
    let queue = entry.queue.filter(|queue| !queue.is_empty());
    publish::draft(request, &destination, queue, body, |_| {
        let mut lines = lines::of_json(&headers)?;
        lines::add_defaults(&mut lines, &in_query);
        Ok(lines)
    })
    .await
}
