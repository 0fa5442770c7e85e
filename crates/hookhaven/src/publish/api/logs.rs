//! Logs: what happened to messages, newest first unless asked otherwise. Those of named messages are told from the
//! messages themselves, all others from the store's steps; a cursor is a place in that order, so a page goes
//! on exactly where the last one ended, whatever has happened since.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use hookhaven_core::{Attempt, DeliveryId, Time};
use hookhaven_store::{Page, Step, StepFilter};
use serde_json::{Value, json};

use super::{Answer, Received, found, ok};
use crate::publish::{
    error::ApiError,
    ids, redact,
    selection::{self, Kind, Selection},
    story::{self, Told},
    view::{self, Object, Seen},
};

const COUNT_DEFAULT: usize = 100;
/// Steps read at once.
const PAGE: usize = 200;
/// Steps looked at in one call; what is left is for the next, with its cursor.
const LOOKED_AT_MAX: usize = 20_000;
/// Messages whose story is kept at hand within a call.
const STORIES_MAX: usize = 1_000;

/// A message with its attempts.
type Story = Arc<(Seen, Vec<Arc<Attempt>>)>;

/// `GET /v2/events`, `GET /v2/logs`
pub(super) async fn list(request: &Received<'_>, query: &str) -> Answer {
    let selection = selection::from_query(Kind::Logs, query)?;
    let named = selection.ids.iter().flatten().chain(&selection.message).cloned().collect::<Vec<_>>();
    let (entries, cursor) = if selection.ids.is_some() || selection.message.is_some() {
        of_messages(request, &selection, &named).await?
    } else {
        of_steps(request, &selection).await?
    };
    // Documented under both names.
    let mut answer = json!({ "events": entries, "logs": entries });
    if let Some(cursor) = cursor {
        answer["cursor"] = cursor.into();
    }
    ok(&answer)
}

/// Place of an entry: its step, and which of the step's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    step: u64,
    entry: usize,
}

async fn of_steps(request: &Received<'_>, selection: &Selection) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let oldest_first = selection.oldest_first.unwrap_or(false);
    let limit = selection.count.unwrap_or(COUNT_DEFAULT);
    let mut filter = StepFilter { since: selection.from, until: selection.before() };
    let from = match selection.cursor.as_deref().map(cursor).transpose()? {
        Some(Cursor::Place(place)) => Some(place),
        Some(Cursor::OlderThan(time)) => {
            filter.until = Some(filter.until.map_or(time, |until| until.min(time)));
            None
        }
        None => None,
    };
    let (mut entries, mut last, mut looked_at) = (Vec::new(), from, 0);
    let mut stories = HashMap::new();
    let mut page = Page { after: None, limit: PAGE, oldest_first };
    // The step that the last page ended in may have more to tell.
    page.after = from.map(|place| if oldest_first { place.step.saturating_sub(1) } else { place.step + 1 });
    loop {
        let steps = request.store().steps(&filter, page).await?;
        let is_last = steps.len() < page.limit;
        for step in steps {
            looked_at += 1;
            page = page.after(step.number);
            let Some(story) = story(request, &mut stories, step.delivery).await? else { continue };
            for (entry, told) in tell(&step, &story, oldest_first) {
                let place = Place { step: step.number, entry };
                if from.is_some_and(|from| !is_after(place, from, oldest_first)) {
                    continue;
                }
                if !means(selection, &story.0, &told) {
                    continue;
                }
                if entries.len() == limit {
                    return Ok((entries, last.map(print)));
                }
                entries.push(Value::Object(entry_of(&story.0, &told)));
                last = Some(place);
            }
        }
        if is_last {
            return Ok((entries, None));
        }
        if looked_at >= LOOKED_AT_MAX {
            let end = page.after.map(|step| Place { step, entry: if oldest_first { usize::MAX } else { 0 } });
            return Ok((entries, end.map(print)));
        }
    }
}

/// A step's entries in the order of the list, each with its number in the step.
fn tell(step: &Step, story: &Story, oldest_first: bool) -> Vec<(usize, Told)> {
    let mut told: Vec<_> = story::step(step.kind, step.at, &story.0, &story.1).into_iter().enumerate().collect();
    if !oldest_first {
        told.reverse();
    }
    told
}

fn is_after(place: Place, from: Place, oldest_first: bool) -> bool {
    let (place, from) = ((place.step, place.entry), (from.step, from.entry));
    if oldest_first { place > from } else { place < from }
}

/// Of named messages: few, so they are told whole and cut to the page.
async fn of_messages(
    request: &Received<'_>,
    selection: &Selection,
    named: &[String],
) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let by_the_rest = Selection { message: None, ..selection.clone() };
    let mut entries: Vec<(Time, DeliveryId, usize, Value)> = Vec::new();
    let mut ids: Vec<_> = named.iter().filter_map(|id| ids::parse_message(id)).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let Some(story) = story(request, &mut HashMap::new(), id).await? else { continue };
        for (at, told) in story::whole(&story.0, &story.1).iter().enumerate() {
            if means(&by_the_rest, &story.0, told) {
                entries.push((told.at, id, at, Value::Object(entry_of(&story.0, told))));
            }
        }
    }
    entries.sort_by_key(|(time, id, at, _)| (*time, *id, *at));
    let oldest_first = selection.oldest_first.unwrap_or(false);
    if !oldest_first {
        entries.reverse();
    }
    let key = |(time, id, at, _): &(Time, DeliveryId, usize, Value)| format!("{}-{id}-{at}", time.as_us());
    let begin = match &selection.cursor {
        Some(cursor) => entries.iter().position(|entry| key(entry) == *cursor).map_or(entries.len(), |at| at + 1),
        None => 0,
    };
    let limit = selection.count.unwrap_or(COUNT_DEFAULT);
    let page = entries.get(begin..).unwrap_or_default();
    let cursor = (page.len() > limit).then(|| page.get(limit - 1).map(key)).flatten();
    Ok((page.iter().take(limit).map(|(.., entry)| entry.clone()).collect(), cursor))
}

fn means(selection: &Selection, seen: &Seen, told: &Told) -> bool {
    selection.state(told.state.as_str()) && selection.covers(told.at) && selection.matches(&seen.message)
}

async fn story(
    request: &Received<'_>,
    stories: &mut HashMap<DeliveryId, Option<Story>>,
    id: DeliveryId,
) -> Result<Option<Story>, ApiError> {
    if let Some(story) = stories.get(&id) {
        return Ok(story.clone());
    }
    let story = match found::one(request.store(), id).await? {
        Some(seen) => {
            let attempts = request.store().attempts(id).await?.into_iter().map(Arc::new).collect();
            Some(Arc::new((seen, attempts)))
        }
        None => None,
    };
    if stories.len() >= STORIES_MAX {
        stories.clear();
    }
    stories.insert(id, story.clone());
    Ok(story)
}

fn entry_of(seen: &Seen, told: &Told) -> Object {
    let settings = &seen.message.settings;
    let mut object = Object::new();
    view::put(&mut object, "time", told.at.as_ms());
    view::put(&mut object, "messageId", &seen.message.id);
    view::put(&mut object, "state", told.state.as_str());
    view::place(&mut object, &seen.message);
    view::put(&mut object, "method", settings.method.as_str());
    view::put(&mut object, "maxRetries", settings.retries());
    view::header(&mut object, settings);
    let body = &seen.event.body;
    if !body.is_empty() {
        let shown = if settings.redact.body { redact::hidden(body).into_bytes() } else { body.to_vec() };
        view::put(&mut object, "body", STANDARD.encode(shown));
    }
    view::maybe(&mut object, "timeout", settings.timeout.map(|timeout| timeout.as_millis()));
    view::settings(&mut object, settings);
    renamed(&mut object);
    view::maybe(&mut object, "callerIP", seen.message.caller.as_deref());
    view::maybe(&mut object, "nextDeliveryTime", told.next_at.map(Time::as_ms));
    if let Some(attempt) = &told.attempt {
        answered(&mut object, attempt);
    }
    object
}

/// Names that a log entry has otherwise than a message, or in two spellings.
fn renamed(object: &mut Object) {
    if let Some(expression) = object.get("retryDelayExpression").cloned() {
        object.insert("retryDelayExpr".to_owned(), expression);
    }
    for (name, plural) in [("callbackHeader", "callbackHeaders"), ("failureCallbackHeader", "failureCallbackHeaders")] {
        if let Some(headers) = object.remove(name) {
            object.insert(plural.to_owned(), headers);
        }
    }
}

fn answered(object: &mut Object, attempt: &Attempt) {
    view::maybe(object, "responseStatus", attempt.status);
    if !attempt.response_headers.is_empty() {
        let headers = view::header_map(&attempt.response_headers, |_| false);
        object.insert("responseHeaders".to_owned(), headers.clone());
        object.insert("responseHeader".to_owned(), headers);
    }
    if !attempt.response_excerpt.is_empty() {
        view::put(object, "responseBody", STANDARD.encode(&attempt.response_excerpt));
    }
    if !attempt.error.is_empty() {
        view::put(object, "error", &*attempt.error);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cursor {
    Place(Place),
    /// As older clients page: by a time in milliseconds.
    OlderThan(Time),
}

fn cursor(text: &str) -> Result<Cursor, ApiError> {
    let bad = || ApiError::bad("invalid cursor");
    match text.split_once('-') {
        Some((step, entry)) => {
            let place = step.parse().ok().zip(entry.parse().ok());
            place.map(|(step, entry)| Cursor::Place(Place { step, entry })).ok_or_else(bad)
        }
        None => text.parse().map(|ms| Cursor::OlderThan(Time::from_ms(ms).min(Time::MAX))).map_err(|_| bad()),
    }
}

fn print(place: Place) -> String {
    format!("{}-{}", place.step, place.entry)
}
