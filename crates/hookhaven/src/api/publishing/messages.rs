//! `/messages`: what was published, as its publishers know it: each a delivery of the source `publish`, with the queue,
//! group and label that it went out under.
//!
//! Not here: its headers and body, which are its event's (`events`); cancelling and replaying (`deliveries`).

use axum::{Json, extract::State};
use hookhaven_core::{DeliveryId, DeliveryState, Lane, Time, event::PUBLISHED};
use hookhaven_store::{DeliveryFilter, DeliveryRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{found, schedules, url_groups};
use crate::{
    api::{
        Api, Shared, deliveries,
        page::{self, Name, Params},
        problem::{self, Problem},
        schema,
        view::{DeliveryDetail, DeliveryView, Listing},
    },
    jobs,
    publications::{MessageAddress, MessageSettings},
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// The address that it goes to, whole.
    destination: Option<String>,
    /// In this queue.
    queue: Option<String>,
    /// Under this flow-control key, and in no queue.
    flow_control: Option<String>,
    /// Published to this URL group, to one of its present endpoints.
    group: Option<String>,
    /// Published by this schedule, at a tick of its present cron expression.
    schedule: Option<String>,
    /// With this as its first label; `*` stands for any run of characters.
    label: Option<String>,
    /// In this state only.
    state: Option<DeliveryState>,
    /// Dead, neither replayed nor dismissed.
    #[serde(default)]
    dead_letters: bool,
    /// HTTP status of the last attempt.
    #[param(minimum = 100, maximum = 999)]
    status: Option<u16>,
    #[param(schema_with = schema::class)]
    class: Option<String>,
    /// Published at or after; of dead letters, dead at or after.
    since: Option<Time>,
    /// Before.
    until: Option<Time>,
    /// `next` of the page before.
    after: Option<DeliveryId>,
    #[param(schema_with = schema::limit)]
    limit: Option<usize>,
}

/// A published message, and its delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessageView {
    #[serde(flatten)]
    pub delivery: DeliveryView,
    #[serde(flatten)]
    pub address: MessageAddress,
}

/// A published message with what its publisher asked for, and all its attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessageDetail {
    #[serde(flatten)]
    pub delivery: DeliveryDetail,
    #[serde(flatten)]
    pub address: MessageAddress,
    /// `null` if its event is gone.
    pub settings: Option<MessageSettings>,
}

/// Lists published messages, newest first.
///
/// Callbacks are messages too.
#[utoipa::path(
    get,
    path = "/messages",
    operation_id = "list_messages",
    params(ListParams),
    responses((status = 200, body = Listing<MessageView>)),
    extensions(("x-codes" = json!([problem::SCHEDULE_NOT_FOUND.code, problem::URL_GROUP_NOT_FOUND.code]))),
)]
async fn list(
    State(api): State<Shared>,
    Params(params): Params<ListParams>,
) -> Result<Json<Listing<MessageView>>, Problem> {
    let page = page::page(params.after, params.limit)?;
    let filter = jobs::with_ages(&*api.parts.store, filter(&params)?).await?;
    let (store, publications) = (&*api.parts.store, &*api.parts.publications);
    let looked = match (&params.schedule, &params.group) {
        (Some(_), Some(_)) => {
            let detail = "give group or schedule, not both; a schedule has one destination in any case";
            return Err(Problem::new(&problem::BAD_QUERY, detail));
        }
        (Some(schedule), None) => {
            let now = api.parts.clock.now();
            let looked = found::of_schedule(store, publications, (schedule, &filter), page, now).await?;
            looked.ok_or_else(|| schedules::unknown(schedule))?
        }
        (None, Some(group)) => {
            let routes = publications.routes_of_group(group).await?.ok_or_else(|| url_groups::unknown(group))?;
            found::on_routes(store, &filter, routes, page).await?
        }
        (None, None) => store.look_deliveries(&filter, page).await?,
    };
    let view = |row| message(&api, row);
    Ok(Json(page::looked(looked, &page, |row| row.delivery.id, view, DeliveryId::minted_at)))
}

/// Shows one message with all its attempts.
#[utoipa::path(
    get,
    path = "/messages/{id}",
    operation_id = "show_message",
    params((
        "id" = String,
        Path,
        description = "That its publisher got, or that of its delivery",
        example = "msg_06d2m3q8rne1v9h4t7x0k5w2ya",
    )),
    responses((status = 200, body = MessageDetail)),
    extensions(("x-codes" = json!([problem::MESSAGE_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Name(id): Name) -> Result<Json<MessageDetail>, Problem> {
    let unknown = || Problem::new(&problem::MESSAGE_NOT_FOUND, format!("there is no message {id}"));
    let delivery = api.parts.publications.delivery_of(&id).or_else(|| id.parse().ok());
    let delivery = delivery.ok_or_else(|| {
        let detail = format!("{id:?} is no id of a message, as msg_…, nor of a delivery, as {}…", DeliveryId::PREFIX);
        Problem::new(&problem::BAD_ID, detail)
    })?;
    let row = api.parts.store.delivery(delivery).await?;
    let row = row.filter(|row| &*row.delivery.source == PUBLISHED).ok_or_else(unknown)?;
    let event = api.parts.store.event(row.delivery.event).await?;
    let settings = event.map(|event| api.parts.publications.settings_of(&event, &row.delivery));
    let address = api.parts.publications.address_of(&row.delivery);
    Ok(Json(MessageDetail { delivery: deliveries::detail(&api, row).await?, address, settings }))
}

fn filter(params: &ListParams) -> Result<DeliveryFilter, Problem> {
    page::check_span(params.since, params.until)?;
    page::check_pattern(params.label.as_deref())?;
    let lane = match (&params.queue, &params.flow_control) {
        (Some(_), Some(_)) => {
            let detail = "give queue or flow_control, not both: what is in a queue waits there and nowhere else";
            return Err(Problem::new(&problem::BAD_QUERY, detail));
        }
        (Some(queue), None) => Some(Lane::of_queue(queue)),
        (None, Some(key)) => Some(Lane::of_flow(key)),
        (None, None) => None,
    };
    Ok(DeliveryFilter {
        source: Some(PUBLISHED.to_owned()),
        destination: params.destination.clone(),
        lane,
        event_type: params.label.clone(),
        state: params.state,
        dead_letters: params.dead_letters,
        status: deliveries::status(params.status)?,
        class: deliveries::class(params.class.as_deref())?,
        since: params.since,
        until: params.until,
        ..DeliveryFilter::default()
    })
}

fn message(api: &Api, row: DeliveryRow) -> MessageView {
    let address = api.parts.publications.address_of(&row.delivery);
    MessageView { delivery: DeliveryView::from(row), address }
}
