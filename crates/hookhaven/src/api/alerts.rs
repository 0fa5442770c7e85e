//! `/alerts`: what fires, waits and ended lately, who was told when, and whether that worked; the rules, the channels and
//! what is silenced.

mod view;

use std::{collections::HashMap, sync::Arc};

use axum::{Extension, Json, extract::State};
use hookhaven_core::{
    DeliveryState, EventId, Time,
    alert::{Episode, Silence},
    event::ALERTS,
    glob::Glob,
};
use hookhaven_store::{CatalogEntry, DeliveryFilter, DeliveryRow, Page};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::view::{
    AlertView, Alerting, ChannelView, RuleView, SilenceView, State as AlertState, TellingView, ToldView, TrialView,
};
use super::{
    Api, LIMIT_MAX, Noted, Shared,
    page::{Input, Name, Params},
    problem::{self, Problem},
    view::Listing,
};
use crate::{
    access::Note,
    alerting::{ALERT_KIND, Holding, Look, SILENCE_KIND, channel_of, silences},
    config::duration,
};

/// Longest text of a silence.
const TEXT_BYTES_MAX: usize = 500;
/// Silences at once.
const SILENCES_MAX: usize = 1_000;
/// The longest silence.
const SILENCE_MAX: std::time::Duration = std::time::Duration::from_secs(365 * 86_400);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(rules))
        .routes(routes!(channels))
        .routes(routes!(test))
        .routes(routes!(list_silences, silence))
        .routes(routes!(unsilence))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// Name of a rule.
    rule: Option<String>,
    /// Name of a source, destination or route.
    scope: Option<String>,
    /// How it stands.
    state: Option<view::State>,
}

/// Lists what fires, waits and ended lately, with who was told of it.
#[utoipa::path(
    get,
    path = "/alerts",
    operation_id = "list_alerts",
    params(ListParams),
    responses((status = 200, body = Alerting)),
)]
async fn list(State(api): State<Shared>, Params(wanted): Params<ListParams>) -> Result<Json<Alerting>, Problem> {
    let (store, now) = (&*api.parts.store, api.parts.clock.now());
    let config = api.parts.config.load_full();
    let entries = store.catalog(ALERT_KIND).await?;
    let look = api.parts.alerts.as_ref().map(|desk| desk.look()).unwrap_or_default();
    let mut known: Vec<Episode> =
        entries.iter().filter_map(|entry| serde_json::from_slice(&entry.value).ok()).collect();
    known.retain(|kept| look.unsaved.iter().all(|late| (&late.rule, &late.scope) != (&kept.rule, &kept.scope)));
    known.extend(look.unsaved.iter().cloned());
    let silences = silences(store, now).await?;
    let told = tellings(&api).await?;
    let mut items: Vec<AlertView> = Vec::new();
    for episode in &known {
        let holding = holding(&look, &episode.rule, &episode.scope);
        items.extend(AlertView::of(episode, holding, &config, &silences, &told, now));
    }
    // What has not been kept yet is pending on this node only.
    let listed = |h: &Holding| {
        known.iter().any(|e| (&e.rule, &e.scope) == (&h.rule, &h.scope) && (e.is_firing() || e.is_pending()))
    };
    let waiting = look.holding.iter().filter(|holding| !listed(holding));
    items.extend(waiting.filter_map(|holding| AlertView::waiting(holding, &config, &silences, now)));
    items.retain(|alert| {
        wanted.rule.as_ref().is_none_or(|rule| *rule == alert.rule)
            && wanted.scope.as_ref().is_none_or(|scope| *scope == alert.scope)
            && wanted.state.is_none_or(|state| state == alert.state)
    });
    items.sort_by(|a, b| (a.state, a.severity, b.since()).cmp(&(b.state, b.severity, a.since())));
    Ok(Json(Alerting { enabled: config.alerts.enabled, looked_at: look.at, items }))
}

fn holding<'l>(look: &'l Look, rule: &str, scope: &str) -> Option<&'l Holding> {
    look.holding.iter().find(|holding| holding.rule == rule && holding.scope == scope)
}

/// The latest deliveries to channels, by the event that they bring.
async fn tellings(api: &Api) -> Result<HashMap<EventId, Vec<ToldView>>, Problem> {
    let filter = DeliveryFilter { source: Some(ALERTS.to_owned()), ..DeliveryFilter::default() };
    let rows = api.parts.store.deliveries(&filter, Page::first(LIMIT_MAX)).await?;
    let mut by_event: HashMap<EventId, Vec<ToldView>> = HashMap::new();
    for row in rows {
        by_event.entry(row.delivery.event).or_default().push(told(&row));
    }
    by_event.values_mut().for_each(|all| all.sort_by(|a, b| a.channel.cmp(&b.channel)));
    Ok(by_event)
}

fn told(DeliveryRow { delivery, last }: &DeliveryRow) -> ToldView {
    let state = match delivery.state {
        DeliveryState::Delivered => "told",
        DeliveryState::Dead | DeliveryState::Cancelled => "failed",
        DeliveryState::Pending | DeliveryState::Leased => "waiting",
    };
    let error = last.as_ref().filter(|_| delivery.state != DeliveryState::Delivered).map(|last| last.error.to_string());
    ToldView {
        channel: channel_of(&delivery.destination).unwrap_or(&delivery.destination).to_owned(),
        state: state.to_owned(),
        delivery: delivery.id,
        attempts: delivery.tries,
        last_attempt_at: last.as_ref().map(|last| last.at),
        error: error.filter(|error| !error.is_empty()),
    }
}

/// Lists the rules that alerts go by, with their runbooks.
#[utoipa::path(
    get,
    path = "/alerts/rules",
    operation_id = "list_alert_rules",
    responses((status = 200, body = Listing<RuleView>)),
)]
async fn rules(State(api): State<Shared>) -> Json<Listing<RuleView>> {
    let config = api.parts.config.load();
    Json(Listing::whole(config.alerts.rules.iter().map(|rule| RuleView::of(rule, &config.alerts)).collect()))
}

/// Lists the channels that alerts are told to.
#[utoipa::path(
    get,
    path = "/alerts/channels",
    operation_id = "list_alert_channels",
    responses((status = 200, body = Listing<ChannelView>)),
)]
async fn channels(State(api): State<Shared>) -> Json<Listing<ChannelView>> {
    let config = api.parts.config.load();
    let items = config.alerts.channels.values().map(|channel| ChannelView {
        name: channel.name.to_string(),
        kind: channel.kind.as_str().to_owned(),
        severities: channel.severities.clone(),
    });
    Json(Listing::whole(items.collect()))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestRequest {}

/// Tells a channel at once that nothing is wrong, and answers what came of it.
#[utoipa::path(
    post,
    path = "/alerts/channels/{name}/test",
    operation_id = "test_alert_channel",
    params(("name" = String, Path, description = "Its name in the config file", example = "ops")),
    request_body = Option<TestRequest>,
    responses((status = 200, body = TrialView)),
    extensions(("x-codes" = json!([problem::CHANNEL_NOT_FOUND.code, problem::NO_GATEWAY.code]))),
)]
async fn test(
    State(api): State<Shared>,
    Name(name): Name,
    Input(TestRequest {}): Input<TestRequest>,
) -> Result<Noted<TrialView>, Problem> {
    let Some(desk) = &api.parts.alerts else {
        let detail = "channels are told by a running gateway; start one with `hookhaven serve`";
        return Err(Problem::new(&problem::NO_GATEWAY, detail));
    };
    let Some(sent) = desk.trial(&name).await else {
        let known: Vec<_> = api.parts.config.load().alerts.channels.keys().map(ToString::to_string).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let detail = format!("there is no [alerts.channels.{name}] in the config file; there are: {known}");
        return Err(Problem::new(&problem::CHANNEL_NOT_FOUND, detail));
    };
    let view = TrialView::of(name, &sent);
    Ok((Extension(Note::after(json!({ "ok": view.ok, "status": view.status }))), Json(view)))
}

/// Lists the silences that are not over.
#[utoipa::path(
    get,
    path = "/alerts/silences",
    operation_id = "list_alert_silences",
    responses((status = 200, body = Listing<SilenceView>)),
)]
async fn list_silences(State(api): State<Shared>) -> Result<Json<Listing<SilenceView>>, Problem> {
    let all = silences(&*api.parts.store, api.parts.clock.now()).await?;
    Ok(Json(Listing::whole(all.into_iter().map(SilenceView::from).collect())))
}

/// A silence as it is asked for. One for the same rule and scope takes the place of an earlier one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceRequest {
    /// A rule's name, or a pattern with `*`.
    pub rule: String,
    /// The same for the scope; every scope if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Until when; or `for`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// For how long from now, such as `2h`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasting: Option<String>,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub by: String,
}

/// Tells nobody for a while that alerts of a rule fire; one for the same rule and scope is replaced.
#[utoipa::path(
    post,
    path = "/alerts/silences",
    operation_id = "silence_alerts",
    request_body(content = SilenceRequest, example = json!({ "rule": "*", "for": "2h", "reason": "billing is being moved" })),
    responses((status = 201, body = SilenceView)),
)]
async fn silence(
    State(api): State<Shared>,
    Input(request): Input<SilenceRequest>,
) -> Result<(StatusCode, Noted<SilenceView>), Problem> {
    let now = api.parts.clock.now();
    let (store, config) = (&api.parts.store, api.parts.config.load_full());
    let bad = |detail: String| Problem::new(&problem::BAD_BODY, detail);
    let until = until(&request, now).map_err(bad)?;
    let names: Vec<&str> = config.alerts.rules.iter().map(|rule| &*rule.name).collect();
    check_rule(&request.rule, &names).map_err(bad)?;
    let too_long = |text: &str| text.len() > TEXT_BYTES_MAX;
    if request.scope.as_deref().is_some_and(too_long) || too_long(&request.reason) || too_long(&request.by) {
        return Err(bad(format!("scope, reason and by are at most {TEXT_BYTES_MAX} bytes each")));
    }
    let id = id_of(&request.rule, request.scope.as_deref());
    let SilenceRequest { rule, scope, reason, by, .. } = request;
    let silence = Silence { id: id.clone(), rule, scope, until, reason, by, at: now };
    let standing = silences(&**store, now).await?;
    if standing.len() >= SILENCES_MAX && standing.iter().all(|other| other.id != id) {
        return Err(bad(format!("there are {SILENCES_MAX} silences already; take some away first")));
    }
    let value = serde_json::to_vec(&silence).unwrap_or_default();
    let before = standing.into_iter().find(|other| other.id == id).map(SilenceView::from);
    store.put_catalog(CatalogEntry { kind: SILENCE_KIND.to_owned(), name: id, value }).await?;
    let view = SilenceView::from(silence);
    let before = before.and_then(|before| serde_json::to_value(before).ok());
    let note = Note { subject: Some(view.rule.clone()), before, ..Note::after(&view) };
    Ok((StatusCode::CREATED, (Extension(note), Json(view))))
}

fn until(request: &SilenceRequest, now: Time) -> Result<Time, String> {
    let until = match (request.until, &request.lasting) {
        (Some(until), None) => until,
        (None, Some(text)) => {
            let lasting = duration::parse(text);
            now.plus(lasting.ok_or_else(|| format!("for: {text:?} is not a duration; write {}", duration::EXAMPLES))?)
        }
        _ => return Err("say either until when (until), or for how long (for)".to_owned()),
    };
    match until {
        until if until <= now => Err(format!("until {until} has passed")),
        until if until > now.plus(SILENCE_MAX) => Err("a silence lasts a year at most; switch the rule off".to_owned()),
        until => Ok(until),
    }
}

/// A silence that covers nothing would be found out at 3 am.
fn check_rule(pattern: &str, names: &[&str]) -> Result<(), String> {
    let glob = Glob::parse(pattern).map_err(|error| format!("rule: {error}"))?;
    if names.iter().any(|name| glob.matches(name)) {
        return Ok(());
    }
    let mend = crate::config::suggest::mend(pattern, names.iter().copied(), "rules");
    Err(format!("no rule is called {pattern:?}; {mend}"))
}

/// Of one rule and scope there is one silence.
fn id_of(rule: &str, scope: Option<&str>) -> String {
    let text = format!("{rule}\n{}", scope.map_or(String::new(), |scope| format!("={scope}")));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    hex::encode(&digest.as_ref()[..6])
}

/// Takes a silence away.
#[utoipa::path(
    delete,
    path = "/alerts/silences/{id}",
    operation_id = "unsilence_alerts",
    params(("id" = String, Path, description = "Of the silence", example = "3f9a2c41d07b")),
    responses((status = 200, body = SilenceView)),
    extensions(("x-codes" = json!([problem::SILENCE_NOT_FOUND.code]))),
)]
async fn unsilence(State(api): State<Shared>, Name(id): Name) -> Result<Noted<SilenceView>, Problem> {
    let store: &Arc<_> = &api.parts.store;
    let all = silences(&**store, api.parts.clock.now()).await?;
    let Some(silence) = all.into_iter().find(|silence| silence.id == id) else {
        return Err(Problem::new(&problem::SILENCE_NOT_FOUND, format!("there is no silence {id:?}")));
    };
    store.delete_catalog(SILENCE_KIND, &id).await?;
    let view = SilenceView::from(silence);
    let before = serde_json::to_value(&view).ok();
    Ok((Extension(Note { subject: Some(view.rule.clone()), before, ..Note::default() }), Json(view)))
}
