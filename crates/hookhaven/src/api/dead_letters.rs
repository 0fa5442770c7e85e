//! `/dead-letters`: dead deliveries that nobody replayed or dismissed, and acting on many of them.
//!
//! A bulk act names ids, or a filter. By filter it goes through the list newest first, a page at a
//! time, and stops after [`BULK_DELIVERIES_MAX`]; `next` in the answer lets the caller go on. Replays
//! are newer than all they replace, so the walk never meets its own work. The store knows nothing of groups: where one
//! is asked for, the rest of the filter names letters, and each is asked what it died of.

use std::time::Duration;

use axum::{Extension, Json, extract::State};
use hookhaven_core::{DeliveryId, EventId, GroupId, Time};
use hookhaven_store::{DeliveryFilter, Dismissed, Looked, Page, Replayed};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, LIMIT_MAX, Noted, Shared, deliveries,
    page::{self, Input, Params},
    problem::{self, Problem},
    schema,
    view::{BulkAnswer, DeliveryView, Listing},
};
use crate::{access::Note, causes::member};

/// Pages of letters that are gone through for one page of those of a group.
const LOOKS_MAX: usize = 8;
/// Most deliveries that one bulk request acts on.
pub const BULK_DELIVERIES_MAX: usize = 5_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(replay)).routes(routes!(dismiss))
}

/// Which dead letters; all set fields must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The type as the sender names it; `*` stands for any run of characters.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// The idempotency key of the event, whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// HTTP status of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 100, maximum = 999)]
    pub status: Option<u16>,
    /// Died at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Died before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Class of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::class_or_null)]
    pub class: Option<String>,
    /// With this root cause: an id of `/dead-letters/groups`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
}

impl DeadLetterFilter {
    fn to_store(&self) -> Result<DeliveryFilter, Problem> {
        page::check_span(self.since, self.until)?;
        page::check_pattern(self.event_type.as_deref())?;
        Ok(DeliveryFilter {
            event: self.event,
            source: self.source.clone(),
            destination: self.destination.clone(),
            route: self.route.clone(),
            event_type: self.event_type.clone(),
            idempotency_key: self.key.clone(),
            status: deliveries::status(self.status)?,
            dead_letters: true,
            class: deliveries::class(self.class.as_deref())?,
            since: self.since,
            until: self.until,
            ..DeliveryFilter::default()
        })
    }
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
    /// Died at or after.
    since: Option<Time>,
    /// Died before.
    until: Option<Time>,
    #[param(schema_with = schema::class)]
    class: Option<String>,
    /// With this root cause: an id of `/dead-letters/groups`.
    group: Option<GroupId>,
    /// `next` of the page before.
    after: Option<DeliveryId>,
    #[param(schema_with = schema::limit)]
    limit: Option<usize>,
}

/// Lists dead letters, newest first.
#[utoipa::path(
    get,
    path = "/dead-letters",
    operation_id = "list_dead_letters",
    params(ListParams),
    responses((status = 200, body = Listing<DeliveryView>)),
)]
async fn list(
    State(api): State<Shared>,
    Params(p): Params<ListParams>,
) -> Result<Json<Listing<DeliveryView>>, Problem> {
    let filter = DeadLetterFilter {
        event: p.event,
        source: p.source,
        destination: p.destination,
        route: p.route,
        event_type: p.event_type,
        key: p.key,
        status: p.status,
        since: p.since,
        until: p.until,
        class: p.class,
        group: p.group,
    };
    match p.group {
        None => deliveries::page(&api, &filter.to_store()?, p.after, p.limit).await,
        Some(group) => page_of(&api, group, &filter.to_store()?, p.after, p.limit).await,
    }
}

/// One page of the letters of a group.
async fn page_of(
    api: &Api,
    group: GroupId,
    filter: &DeliveryFilter,
    after: Option<DeliveryId>,
    limit: Option<usize>,
) -> Result<Json<Listing<DeliveryView>>, Problem> {
    let page = page::page(after, limit)?;
    let store = &*api.parts.store;
    let (mut rows, mut upto) = (Vec::new(), after);
    for _ in 0..LOOKS_MAX {
        let looked = store.look_deliveries(filter, Page { after: upto, limit: LIMIT_MAX, oldest_first: false }).await?;
        let full = looked.rows.len() >= LIMIT_MAX;
        let last = looked.rows.last().map(|row| row.delivery.id).filter(|_| full);
        let room = page.limit - rows.len();
        rows.extend(member::those_of(store, Some(group), looked.rows, room).await?);
        upto = last.or(looked.upto);
        if rows.len() >= page.limit || upto.is_none() {
            upto = None;
            break;
        }
    }
    let looked = Looked { rows, upto };
    Ok(Json(page::looked(looked, &page, |row| row.delivery.id, DeliveryView::from, DeliveryId::minted_at)))
}

/// Exactly one of `ids` and `filter`; an empty filter is every dead letter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<DeliveryId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<DeadLetterFilter>,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
    /// `next` of the answer before; with a filter only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<DeliveryId>,
}

#[derive(Clone, Copy)]
enum Act {
    Replay,
    Dismiss,
}

/// Replays many dead letters.
///
/// By ids, or by a filter; at most 5,000 in one request, `next` goes on. What was replayed before is left alone.
#[utoipa::path(
    post,
    path = "/dead-letters/replay",
    operation_id = "replay_dead_letters",
    request_body(content = BulkRequest, example = json!({ "filter": { "destination": "billing" }, "dry_run": true })),
    responses((status = 200, body = BulkAnswer)),
    extensions(("x-codes" = json!([problem::BAD_QUERY.code]))),
)]
async fn replay(State(api): State<Shared>, Input(request): Input<BulkRequest>) -> Result<Noted<BulkAnswer>, Problem> {
    noted(&api, Act::Replay, request).await
}

/// Dismisses many dead letters.
///
/// By ids, or by a filter; at most 5,000 in one request, `next` goes on. They stay in the history.
#[utoipa::path(
    post,
    path = "/dead-letters/dismiss",
    operation_id = "dismiss_dead_letters",
    request_body(content = BulkRequest, example = json!({ "filter": { "destination": "billing" }, "dry_run": true })),
    responses((status = 200, body = BulkAnswer)),
    extensions(("x-codes" = json!([problem::BAD_QUERY.code]))),
)]
async fn dismiss(State(api): State<Shared>, Input(request): Input<BulkRequest>) -> Result<Noted<BulkAnswer>, Problem> {
    noted(&api, Act::Dismiss, request).await
}

async fn noted(api: &Api, act: Act, request: BulkRequest) -> Result<Noted<BulkAnswer>, Problem> {
    let (ids, filter) = (request.ids.as_ref().map(Vec::len), request.filter.clone());
    let answer = bulk(api, act, request).await?;
    let note = Note::after(json!({ "ids": ids, "filter": filter, "answer": answer }));
    Ok((Extension(note), Json(answer)))
}

async fn bulk(api: &Api, act: Act, request: BulkRequest) -> Result<BulkAnswer, Problem> {
    let bad = |detail: &str| Err(Problem::new(&problem::BAD_BODY, detail));
    match (request.ids, request.filter) {
        (Some(_), None) if request.after.is_some() => bad("after goes with a filter, not with ids"),
        (Some(ids), None) if ids.len() > LIMIT_MAX => bad("at most 500 ids in one request"),
        (Some(ids), None) => by_ids(api, act, &ids, request.dry_run).await,
        (None, Some(filter)) => by_filter(api, act, &filter, request.after, request.dry_run).await,
        _ => bad("say which: either \"ids\": […] or \"filter\": {…}; an empty filter is every dead letter"),
    }
}

async fn by_ids(api: &Api, act: Act, ids: &[DeliveryId], dry_run: bool) -> Result<BulkAnswer, Problem> {
    let mut answer = BulkAnswer { dry_run, ..BulkAnswer::default() };
    let mut letters = Vec::with_capacity(ids.len());
    for id in ids {
        match api.parts.store.delivery(*id).await? {
            None => answer.unknown += 1,
            Some(row) if row.delivery.is_dead_letter() => letters.push(*id),
            Some(row) if row.delivery.replaced_by.is_some() || row.delivery.dismissed_at.is_some() => {
                answer.already += 1
            }
            Some(_) => answer.refused += 1,
        }
    }
    answer.matched = letters.len() as u64;
    if !dry_run {
        act_on(api, act, &letters, &mut answer).await?;
    }
    Ok(answer)
}

async fn by_filter(
    api: &Api,
    act: Act,
    filter: &DeadLetterFilter,
    mut after: Option<DeliveryId>,
    dry_run: bool,
) -> Result<BulkAnswer, Problem> {
    let group = filter.group;
    let mut filter = filter.to_store()?;
    // What dies from now on was asked about by nobody. `until` itself is excluded, now is not.
    let now = api.parts.clock.now().plus(Duration::from_micros(1));
    filter.until = Some(filter.until.map_or(now, |until| until.min(now)));
    let mut answer = BulkAnswer { dry_run, until: filter.until, ..BulkAnswer::default() };
    for _ in 0..BULK_DELIVERIES_MAX / LIMIT_MAX {
        let rows = api.parts.store.deliveries(&filter, Page { after, limit: LIMIT_MAX, oldest_first: false }).await?;
        after = rows.last().map(|row| row.delivery.id).filter(|_| rows.len() >= LIMIT_MAX);
        let rows = member::those_of(&*api.parts.store, group, rows, LIMIT_MAX).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.delivery.id).collect();
        answer.matched += ids.len() as u64;
        if !dry_run {
            act_on(api, act, &ids, &mut answer).await?;
        }
        if after.is_none() {
            return Ok(answer);
        }
    }
    answer.next = after;
    Ok(answer)
}

async fn act_on(api: &Api, act: Act, ids: &[DeliveryId], answer: &mut BulkAnswer) -> Result<(), Problem> {
    if ids.is_empty() {
        return Ok(());
    }
    match act {
        Act::Replay => {
            for became in api.parts.store.replay(ids).await? {
                match became {
                    Replayed::New(_) => answer.done += 1,
                    Replayed::Already(_) => answer.already += 1,
                    Replayed::NotEnded => answer.refused += 1,
                    Replayed::Unknown => answer.unknown += 1,
                }
            }
        }
        Act::Dismiss => {
            for became in api.parts.store.dismiss(ids).await? {
                match became {
                    Dismissed::Done => answer.done += 1,
                    Dismissed::NotDeadLetter => answer.already += 1,
                    Dismissed::Unknown => answer.unknown += 1,
                }
            }
        }
    }
    Ok(())
}
