//! `/events`: list, one whole story, its raw bytes, and the way back.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hookhaven_core::{DeliveryState, Event, EventId, Time, event::Part};
use hookhaven_store::{DeliveryFilter, EventFilter, Page, Replayed, Routed};
use http::{HeaderValue, header};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, LIMIT_MAX, Noted, Shared, deliveries, masked,
    page::{self, Id, Params},
    problem::{self, Problem},
    routes::routing,
    schema,
    view::{EventDetail, EventView, Listing, ReplayAnswer, ReplayedView},
};
use crate::{access::Note, routing::deliveries as deliveries_of};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(body))
        .routes(routes!(request))
        .routes(routes!(replay))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// The event's own id.
    id: Option<EventId>,
    /// Name of a source in the config file; `publish` for published messages.
    source: Option<String>,
    /// The type as the sender names it; `*` stands for any run of characters.
    #[serde(rename = "type")]
    #[param(example = "invoice.*")]
    event_type: Option<String>,
    /// The idempotency key, whole.
    key: Option<String>,
    /// Only events with a delivery to this destination; with `state`, with one there in that state.
    destination: Option<String>,
    /// Only events with a delivery in this state.
    state: Option<DeliveryState>,
    /// Received at or after.
    since: Option<Time>,
    /// Received before.
    until: Option<Time>,
    /// Only events that made no delivery.
    #[serde(default)]
    unrouted: bool,
    /// `next` of the page before.
    after: Option<EventId>,
    #[param(schema_with = schema::limit)]
    limit: Option<usize>,
}

/// Lists events, newest first.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "list_events",
    params(ListParams),
    responses((status = 200, body = Listing<EventView>)),
)]
async fn list(
    State(api): State<Shared>,
    Params(params): Params<ListParams>,
) -> Result<Json<Listing<EventView>>, Problem> {
    page::check_span(params.since, params.until)?;
    page::check_pattern(params.event_type.as_deref())?;
    let page = page::page(params.after, params.limit)?;
    let filter = EventFilter {
        id: params.id,
        destination: params.destination,
        state: params.state,
        source: params.source,
        event_type: params.event_type,
        idempotency_key: params.key,
        since: params.since,
        until: params.until,
        unrouted: params.unrouted,
    };
    let looked = api.parts.store.look_events(&filter, page).await?;
    Ok(Json(page::looked(looked, &page, |row| row.id, EventView::from, EventId::minted_at)))
}

/// Shows one event with all that became of it.
///
/// Its headers, its deliveries with every attempt, and what the config in force says of it.
#[utoipa::path(
    get,
    path = "/events/{id}",
    operation_id = "show_event",
    params(("id" = EventId, Path, description = "Of the event")),
    responses((status = 200, body = EventDetail)),
    extensions(("x-codes" = json!([problem::EVENT_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Id(id): Id<EventId>) -> Result<Json<EventDetail>, Problem> {
    let event = find(&api, id).await?;
    let filter = DeliveryFilter { event: Some(id), ..DeliveryFilter::default() };
    let rows = api.parts.store.deliveries(&filter, Page::first(LIMIT_MAX)).await?;
    let mut whole = Vec::with_capacity(rows.len());
    for row in rows.into_iter().rev() {
        whole.push(deliveries::detail(&api, row).await?);
    }
    let routing = routing(&api.parts.config.load(), &event);
    Ok(Json(EventDetail::new(&event, whole, routing)))
}

/// Downloads the body of an event, byte for byte.
///
/// As bytes: a browser must not read them as a page. A credential in it is masked where it is known that there is one,
/// and fields that are named in `redact`.
#[utoipa::path(
    get,
    path = "/events/{id}/body",
    operation_id = "download_event_body",
    params(("id" = EventId, Path, description = "Of the event")),
    responses((
        status = 200,
        body = schema::Raw,
        content_type = "application/octet-stream",
        description = "The body as it was received"
    )),
    extensions(("x-codes" = json!([problem::EVENT_NOT_FOUND.code]))),
)]
async fn body(State(api): State<Shared>, Id(id): Id<EventId>) -> Result<Response, Problem> {
    let event = find(&api, id).await?;
    Ok(download(masked::body(&api.parts.config.load(), &event)))
}

/// Downloads the body of the request that an event came in.
///
/// Where it came with others; its own where it came alone. Fields that are named in `redact` are masked.
#[utoipa::path(
    get,
    path = "/events/{id}/request",
    operation_id = "download_event_request",
    params(("id" = EventId, Path, description = "Of the event")),
    responses((
        status = 200,
        body = schema::Raw,
        content_type = "application/octet-stream",
        description = "The body as it was received"
    )),
    extensions(("x-codes" = json!([problem::EVENT_NOT_FOUND.code]))),
)]
async fn request(State(api): State<Shared>, Id(id): Id<EventId>) -> Result<Response, Problem> {
    let event = find(&api, id).await?;
    match &event.part {
        None => Ok(download(masked::body(&api.parts.config.load(), &event))),
        Some(Part { whole: Some(whole), .. }) => {
            Ok(download(masked::of_source(&api.parts.config.load(), &event.source, whole.clone())))
        }
        Some(Part { whole: None, .. }) => {
            let what = format!("the request of {id} has gone with its retention; the event itself is kept");
            Err(Problem::new(&problem::EVENT_NOT_FOUND, what))
        }
    }
}

fn download(bytes: Bytes) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    response
}

pub(super) async fn find(api: &Api, id: EventId) -> Result<Arc<Event>, Problem> {
    let event = api.parts.store.event(id).await?;
    event.ok_or_else(|| Problem::new(&problem::EVENT_NOT_FOUND, format!("there is no event {id}")))
}

/// Replays the dead letters of an event.
///
/// An event that had gone nowhere is routed by the config in force. Asked twice, it answers the same deliveries.
#[utoipa::path(
    post,
    path = "/events/{id}/replay",
    operation_id = "replay_event",
    params(("id" = EventId, Path, description = "Of the event")),
    responses((status = 200, body = ReplayAnswer)),
    extensions(("x-codes" = json!([
        problem::EVENT_NOT_FOUND.code,
        problem::NOTHING_TO_REPLAY.code,
        problem::NO_ROUTE.code,
    ]))),
)]
async fn replay(State(api): State<Shared>, Id(id): Id<EventId>) -> Result<Noted<ReplayAnswer>, Problem> {
    let answer = replay_one(&api, id).await?;
    Ok((Extension(Note::after(&answer)), Json(answer)))
}

async fn replay_one(api: &Api, id: EventId) -> Result<ReplayAnswer, Problem> {
    let event = find(api, id).await?;
    let filter = DeliveryFilter { event: Some(id), ..DeliveryFilter::default() };
    let rows = api.parts.store.deliveries(&filter, Page::first(LIMIT_MAX)).await?;
    if rows.is_empty() {
        return route_again(api, &event).await;
    }
    let dead: Vec<_> = rows.iter().filter(|r| r.delivery.is_dead_letter()).map(|r| r.delivery.id).collect();
    if dead.is_empty() {
        let detail = "none of its deliveries is a dead letter; to deliver one again, replay that delivery by its id";
        return Err(Problem::new(&problem::NOTHING_TO_REPLAY, detail));
    }
    let mut answer = ReplayAnswer::default();
    for (delivery, became) in dead.iter().zip(api.parts.store.replay(&dead).await?) {
        let (replaced_by, already) = match became {
            Replayed::New(new) => (new, false),
            Replayed::Already(new) => (new, true),
            Replayed::NotEnded | Replayed::Unknown => continue,
        };
        answer.replayed.push(ReplayedView { delivery: *delivery, replaced_by, already });
    }
    Ok(answer)
}

async fn route_again(api: &Api, event: &Event) -> Result<ReplayAnswer, Problem> {
    let (config, now) = (api.parts.config.load(), api.parts.clock.now());
    let deliveries = deliveries_of(&config, event, now, &*api.parts.entropy);
    if deliveries.is_empty() {
        let detail = format!(
            "no route of source {:?} takes this event, of type {:?}, to a destination that is not disabled; `hookhaven routes \
             test {}` says why not, and [[routes]] is where to change it",
            event.source, event.event_type, event.id
        );
        return Err(Problem::new(&problem::NO_ROUTE, detail));
    }
    match api.parts.store.route(event.id, deliveries).await? {
        Routed::Made(routed) => Ok(ReplayAnswer { routed, ..ReplayAnswer::default() }),
        Routed::Unknown => Err(Problem::new(&problem::EVENT_NOT_FOUND, format!("there is no event {}", event.id))),
    }
}
