//! Publishing and enqueueing one message: from the raw destination and the request's headers to one accept.
//!
//! Nothing is read from the store on the way: groups, queues and flow-control keys are at hand.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::event::PUBLISHED;
use hookhaven_store::{Accepted, NewEvent, StoreError};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Answer, Received, json as answer_json, schedules, trace};
use crate::{
    egress,
    publish::{
        book::Queue,
        compose::{self, Draft, Ids, Occasion, Published, Sent, Target},
        destination::{self, Destination},
        error::ApiError,
        limits::QUEUES_MAX,
        lines::{self, Line, Reading},
        names,
        settings::Settings,
    },
};

/// How long an accept may take before the caller is told to come again.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(15);

/// `POST /v2/publish/{destination}`, `POST /v2/enqueue/{queue}/{destination}`
pub(super) async fn publish(request: &Received<'_>, queue: Option<String>, raw: &str) -> Answer {
    let (raw, in_query) = lines::take_from_query(raw)?;
    let read = |reading| lines::of_request(&request.head.headers, &in_query, reading);
    let draft = draft(request, &raw, queue, request.body.clone(), read).await?;
    if draft.settings.cron.is_some() {
        return schedules::create_from(request, &raw, draft).await;
    }
    prepare(request, std::slice::from_ref(&draft)).await?;
    let is_group = matches!(draft.target, Target::Group { .. });
    let occasion = request.occasion();
    let mut ids = Ids::new(request.now, &*request.parts.entropy);
    let events = compose::events(draft, &occasion, &mut ids);
    let published = accept(request, &occasion, vec![events]).await?.into_iter().next().unwrap_or_default();
    let all_known = published.iter().all(|one| one.deduplicated);
    let status = if all_known { StatusCode::ACCEPTED } else { StatusCode::OK };
    answer_json(status, &shown(&published, is_group))
}

/// A message, checked, and not yet stored. `read` gives its lines.
pub(super) async fn draft(
    request: &Received<'_>,
    destination: &str,
    queue: Option<String>,
    body: Bytes,
    read: impl FnOnce(Reading) -> Result<Vec<Line>, ApiError>,
) -> Result<Draft, ApiError> {
    if let Some(queue) = &queue {
        names::check("queue name", queue)?;
    }
    let target = target(request, destination).await?;
    let reading = Reading { forward_all: forwards_all(&target), authorized_by_header: request.access.by_header };
    let mut lines = read(reading)?;
    if let Target::Group { group, .. } = &target {
        lines::add_defaults(&mut lines, &group.defaults.0);
    }
    let settings = Settings::parse(&lines)?;
    settings.check(request.limits(), request.now)?;
    let callbacks = [&settings.callback, &settings.failure_callback].into_iter().flatten();
    for callback in callbacks {
        judge(request, &callback.url)?;
    }
    Ok(Draft { target, lines, settings, queue, body })
}

async fn target(request: &Received<'_>, text: &str) -> Result<Target, ApiError> {
    match destination::parse(text)? {
        Destination::Url(url) => judge(request, &url).map(|()| Target::Url(url)),
        Destination::Group(name) => match request.book().groups.find(request.store(), &name).await? {
            Some(group) => Ok(Target::Group { name, group }),
            None => Err(destination::unknown_group()),
        },
    }
}

fn forwards_all(target: &Target) -> bool {
    match target {
        Target::Group { group, .. } => {
            let forward = group.defaults.0.iter().find(|(name, _)| &**name == "upstash-header-forward");
            forward.is_some_and(|(_, value)| lines::is_true(value))
        }
        Target::Url(_) => false,
    }
}

/// Literal addresses that messages may not go to are refused at once; names are judged when they are connected to.
pub(super) fn judge(request: &Received<'_>, url: &str) -> Result<(), ApiError> {
    let judged = egress::judge_literal(url, &request.config.net.allow);
    judged.map_err(|why| ApiError::bad(format!("invalid destination url: {why}")))
}

/// Queues and flow-control keys must be known before what waits for them is.
pub(super) async fn prepare(request: &Received<'_>, drafts: &[Draft]) -> Result<(), ApiError> {
    for draft in drafts {
        if let Some(queue) = &draft.queue {
            make_queue(request, queue).await?;
        }
        if let Some(flow) = &draft.settings.flow {
            request.book().carry_flow(request.store(), flow).await?;
        }
    }
    Ok(())
}

async fn make_queue(request: &Received<'_>, name: &str) -> Result<(), ApiError> {
    let queues = &request.book().queues;
    if queues.find(request.store(), name).await?.is_some() {
        return Ok(());
    }
    if queues.len() >= QUEUES_MAX {
        return Err(ApiError::quota(format!("quota maxQueues exceeded, current limit: {QUEUES_MAX}")));
    }
    let now = request.now;
    let queue = Queue { created_at: now, updated_at: now, parallelism: 1, paused: false };
    queues.change(request.store(), name, |was| Ok::<_, ApiError>(was.is_none().then_some(queue))).await
}

/// Stores all of it in one accept. Answers what was published, message by message.
pub(super) async fn accept(
    request: &Received<'_>,
    occasion: &Occasion,
    messages: Vec<Vec<NewEvent>>,
) -> Result<Vec<Vec<Published>>, ApiError> {
    let sent: Vec<Vec<Sent>> = messages.iter().map(|events| events.iter().map(Sent::from).collect()).collect();
    let types: Vec<Arc<str>> = messages.iter().flatten().map(|new| new.event.event_type.clone()).collect();
    let events: Vec<NewEvent> = messages.into_iter().flatten().collect();
    let began_at = request.parts.clock.now();
    let accepted = timeout(ACCEPT_TIMEOUT, request.store().accept(events)).await;
    let accepted = accepted.map_err(|_| StoreError::Unavailable("it did not answer in time".to_owned()));
    let accepted = accepted.and_then(|accepted| accepted);
    if let Some(span) = request.span {
        trace::stored(span, began_at, request.parts.clock.now(), accepted.as_ref().err());
    }
    let accepted = accepted?;
    tell(request, occasion, &types, &accepted, sent.iter().flatten().next());
    let mut accepted = accepted.iter();
    let published = sent.iter().map(|events| {
        let each =
            events.iter().flat_map(|event| accepted.next().map(|a| compose::published(event, a)).unwrap_or_default());
        each.collect()
    });
    Ok(published.collect())
}

/// Counts each event, and logs one line for the request.
fn tell(request: &Received<'_>, occasion: &Occasion, types: &[Arc<str>], accepted: &[Accepted], first: Option<&Sent>) {
    let (took, source) = (request.took(), Arc::from(PUBLISHED));
    for (event_type, accepted) in types.iter().zip(accepted) {
        request.parts.metrics.received(PUBLISHED, event_type, took);
        if !matches!(accepted, Accepted::New { .. }) {
            request.parts.metrics.duplicate(&source);
        }
    }
    let duplicates = accepted.iter().filter(|a| **a != Accepted::New { twin: None }).count();
    let status = if duplicates == accepted.len() { "duplicate" } else { "queued" };
    let duration_ms = took.as_micros() as f64 / 1_000.0;
    let event_id = first.map(|sent| tracing::field::display(sent.event));
    let event_type = types.first().map(|t| &**t);
    let (events, correlation_id) = (accepted.len(), &*occasion.correlation_id);
    let trace_id = request.span.map(|span| tracing::field::display(span.context().trace_id()));
    if let Some((first, event_type)) = first.zip(types.first()) {
        // Set once: a call publishes once.
        let _ = request.first.set((first.event, event_type.clone()));
    }
    tracing::info!(
        source = PUBLISHED,
        event_id,
        event_type,
        events,
        duplicates,
        status,
        duration_ms,
        correlation_id,
        trace_id,
        "request"
    );
}

/// An object for an address; a list for a group.
pub(super) fn shown(published: &[Published], is_group: bool) -> Value {
    let one = |one: &Published| {
        let mut object = json!({ "messageId": one.id, "url": &*one.url });
        if one.deduplicated {
            object["deduplicated"] = true.into();
        }
        object
    };
    match published {
        [only] if !is_group => one(only),
        all => all.iter().map(one).collect(),
    }
}
