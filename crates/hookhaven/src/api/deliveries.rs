//! `/deliveries`: list, one with its attempts, its replay and its end.

use axum::{Extension, Json, extract::State};
use hookhaven_core::{DeliveryId, DeliveryState, ErrorClass, EventId, Time};
use hookhaven_store::{Cancelled, DeliveryFilter, DeliveryRow, Replayed};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, Noted, Shared, masked,
    page::{self, Id, Params},
    problem::{self, Problem},
    schema,
    view::{AttemptView, DeliveryDetail, DeliveryView, Listing, ReplayAnswer, ReplayedView, WaitsFor},
};
use crate::{access::Note, jobs};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(replay)).routes(routes!(cancel))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// Of this event only.
    event: Option<EventId>,
    /// Name of a source in the config file; `publish` for published messages.
    source: Option<String>,
    /// Name of a destination in the config file; of a published message, its address.
    destination: Option<String>,
    /// Name of a route, e.g. `stripe#1`; of a published message, its URL group.
    route: Option<String>,
    /// The type as the sender names it; `*` stands for any run of characters.
    #[serde(rename = "type")]
    #[param(example = "invoice.*")]
    event_type: Option<String>,
    /// The idempotency key of the event, whole.
    key: Option<String>,
    /// HTTP status of the last attempt.
    #[param(minimum = 100, maximum = 999)]
    status: Option<u16>,
    /// In this state only.
    state: Option<DeliveryState>,
    #[param(schema_with = schema::class)]
    class: Option<String>,
    /// Accepted at or after.
    since: Option<Time>,
    /// Accepted before.
    until: Option<Time>,
    /// `next` of the page before.
    after: Option<DeliveryId>,
    #[param(schema_with = schema::limit)]
    limit: Option<usize>,
}

/// Lists deliveries, newest first.
#[utoipa::path(
    get,
    path = "/deliveries",
    operation_id = "list_deliveries",
    params(ListParams),
    responses((status = 200, body = Listing<DeliveryView>)),
)]
async fn list(
    State(api): State<Shared>,
    Params(params): Params<ListParams>,
) -> Result<Json<Listing<DeliveryView>>, Problem> {
    page::check_span(params.since, params.until)?;
    page::check_pattern(params.event_type.as_deref())?;
    let filter = DeliveryFilter {
        route: params.route,
        idempotency_key: params.key,
        status: status(params.status)?,
        event: params.event,
        source: params.source,
        destination: params.destination,
        lane: None,
        event_type: params.event_type,
        state: params.state,
        dead_letters: false,
        class: class(params.class.as_deref())?,
        since: params.since,
        until: params.until,
        minted_since: None,
    };
    let filter = jobs::with_ages(&*api.parts.store, filter).await?;
    self::page(&api, &filter, params.after, params.limit).await
}

/// One page of whatever deliveries the filter names; dead letters are listed by it too.
pub(super) async fn page(
    api: &Api,
    filter: &DeliveryFilter,
    after: Option<DeliveryId>,
    limit: Option<usize>,
) -> Result<Json<Listing<DeliveryView>>, Problem> {
    let page = page::page(after, limit)?;
    let looked = api.parts.store.look_deliveries(filter, page).await?;
    Ok(Json(page::looked(looked, &page, |row| row.delivery.id, DeliveryView::from, DeliveryId::minted_at)))
}

/// A status that an answer can have.
pub(super) fn status(status: Option<u16>) -> Result<Option<u16>, Problem> {
    match status {
        Some(odd) if !(100..1_000).contains(&odd) => {
            Err(Problem::new(&problem::BAD_QUERY, format!("status = {odd} is no HTTP status: they have three digits")))
        }
        status => Ok(status),
    }
}

/// An error class by its name in a filter.
pub(super) fn class(name: Option<&str>) -> Result<Option<ErrorClass>, Problem> {
    let Some(name) = name else { return Ok(None) };
    ErrorClass::parse(name).map(Some).ok_or_else(|| {
        let known: Vec<_> = ErrorClass::ALL.iter().map(|c| c.as_str()).collect();
        Problem::new(&problem::BAD_QUERY, format!("class {name:?} is none of {}", known.join(", ")))
    })
}

/// Shows one delivery with all its attempts.
#[utoipa::path(
    get,
    path = "/deliveries/{id}",
    operation_id = "show_delivery",
    params(("id" = DeliveryId, Path, description = "Of the delivery")),
    responses((status = 200, body = DeliveryDetail)),
    extensions(("x-codes" = json!([problem::DELIVERY_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Id(id): Id<DeliveryId>) -> Result<Json<DeliveryDetail>, Problem> {
    let row = api.parts.store.delivery(id).await?.ok_or_else(|| unknown(id))?;
    detail(&api, row).await.map(Json)
}

pub(super) async fn detail(api: &Api, row: DeliveryRow) -> Result<DeliveryDetail, Problem> {
    let (store, id) = (&api.parts.store, row.delivery.id);
    let attempts = store.attempts(id).await?;
    let stands = match row.delivery.order {
        Some(_) => store.in_line(&[id]).await?.pop().flatten(),
        None => None,
    };
    let mut delivery = DeliveryView::from(row);
    if let Some(ordering) = &mut delivery.ordering {
        ordering.waits_for = stands.and_then(WaitsFor::of);
    }
    let config = api.parts.config.load();
    let view = |attempt| AttemptView::from(masked::attempt(&config, &delivery.source, attempt));
    let attempts = attempts.into_iter().map(view).collect();
    Ok(DeliveryDetail { delivery, attempts })
}

/// Replays a delivery that has ended, a delivered one too.
///
/// Asked twice, it answers the same new delivery.
#[utoipa::path(
    post,
    path = "/deliveries/{id}/replay",
    operation_id = "replay_delivery",
    params(("id" = DeliveryId, Path, description = "Of the delivery")),
    responses((status = 200, body = ReplayAnswer)),
    extensions(("x-codes" = json!([problem::DELIVERY_NOT_FOUND.code, problem::NOT_ENDED.code]))),
)]
async fn replay(State(api): State<Shared>, Id(id): Id<DeliveryId>) -> Result<Noted<ReplayAnswer>, Problem> {
    let became = api.parts.store.replay(&[id]).await?.into_iter().next();
    let (replaced_by, already) = match became {
        Some(Replayed::New(new)) => (new, false),
        Some(Replayed::Already(new)) => (new, true),
        Some(Replayed::NotEnded) => {
            let detail = format!("{id} is still to be delivered; it will be tried again by itself");
            return Err(Problem::new(&problem::NOT_ENDED, detail));
        }
        Some(Replayed::Unknown) | None => return Err(unknown(id)),
    };
    let replayed = vec![ReplayedView { delivery: id, replaced_by, already }];
    let answer = ReplayAnswer { replayed, ..ReplayAnswer::default() };
    Ok((Extension(Note::after(&answer)), Json(answer)))
}

/// What became of a wish to end a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancelAnswer {
    pub delivery: DeliveryId,
    pub became: CancelBecame,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelBecame {
    /// It has ended, cancelled.
    Done,
    /// It is being attempted: unless that succeeds it ends cancelled.
    Asked,
    /// It had ended, or somebody had asked before.
    Before,
}

/// Ends a delivery that has not ended.
#[utoipa::path(
    post,
    path = "/deliveries/{id}/cancel",
    operation_id = "cancel_delivery",
    params(("id" = DeliveryId, Path, description = "Of the delivery")),
    responses((status = 200, body = CancelAnswer)),
    extensions(("x-codes" = json!([problem::DELIVERY_NOT_FOUND.code]))),
)]
async fn cancel(State(api): State<Shared>, Id(id): Id<DeliveryId>) -> Result<Noted<CancelAnswer>, Problem> {
    let became = match api.parts.store.cancel(&[id]).await?.into_iter().next() {
        Some(Cancelled::Done) => CancelBecame::Done,
        Some(Cancelled::Asked) => CancelBecame::Asked,
        Some(Cancelled::Before) => CancelBecame::Before,
        Some(Cancelled::Unknown) | None => return Err(unknown(id)),
    };
    let answer = CancelAnswer { delivery: id, became };
    Ok((Extension(Note::after(answer)), Json(answer)))
}

fn unknown(id: DeliveryId) -> Problem {
    Problem::new(&problem::DELIVERY_NOT_FOUND, format!("there is no delivery {id}"))
}
