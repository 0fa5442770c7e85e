//! `/routes`: the routes of the config in force; and what they say of one event.

use axum::{Json, extract::State};
use hookhaven_core::{Event, EventId, filter::Finding, route};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared, events, masked,
    page::Id,
    problem::{self, Problem},
    view::{FindingView, GoesTo, ListedRoute, Listing, RouteView, Routing},
};
use crate::config::Config;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(of_event))
}

/// Lists the routes of the config in force, in the file's order.
///
/// All of them: there are as many as somebody wrote.
#[utoipa::path(
    get,
    path = "/routes",
    operation_id = "list_routes",
    responses((status = 200, body = Listing<ListedRoute>)),
)]
async fn list(State(api): State<Shared>) -> Json<Listing<ListedRoute>> {
    let config = api.parts.config.load();
    let items = config.routes.iter().map(|route| ListedRoute {
        name: route.name.to_string(),
        state: if route.to.iter().all(|name| config.is_disabled(name)) { "disabled" } else { "active" }.to_owned(),
        source: route.source.to_string(),
        events: patterns(route),
        when: route.when.iter().flat_map(|filter| filter.conditions()).map(ToString::to_string).collect(),
        to: destinations(route),
        critical: route.policy.critical,
        ordering: route.ordering.as_ref().map(|ordering| ordering.mode.as_str().to_owned()),
        answer_within_ms: route.answer_within.and_then(|within| u64::try_from(within.as_millis()).ok()),
        ordering_key: route.ordering.iter().flat_map(|ordering| ordering.places.key_texts()).cloned().collect(),
    });
    Json(Listing::whole(items.collect()))
}

/// Explains what the routes in force make of an event.
#[utoipa::path(
    get,
    path = "/events/{id}/routes",
    operation_id = "explain_event_routes",
    params(("id" = EventId, Path, description = "Of the event")),
    responses((status = 200, body = Routing)),
    extensions(("x-codes" = json!([problem::EVENT_NOT_FOUND.code]))),
)]
async fn of_event(State(api): State<Shared>, Id(id): Id<EventId>) -> Result<Json<Routing>, Problem> {
    let event = events::find(&api, id).await?;
    Ok(Json(routing(&api.parts.config.load(), &event)))
}

/// What a configuration says of an event.
pub fn routing(config: &Config, event: &Event) -> Routing {
    let source = config.sources.get(&event.source);
    // What is decided goes by the body as it is, what is said of it by the body as it may be shown.
    let masked = masked::event(config, event);
    let shown = masked.as_ref().map(|event| route::explain(&config.routes, event)).unwrap_or_default();
    let window = source.and_then(|source| source.sender.redelivery_window());
    let age = event.occurred_at.map(|at| event.received_at.since(at));
    let view = |(n, explained): (usize, route::Explained<'_>)| RouteView {
        name: explained.route.name.to_string(),
        events: patterns(explained.route),
        to: destinations(explained.route),
        takes_type: explained.takes_type,
        takes: explained.takes(),
        conditions: match shown.get(n) {
            Some(shown) => as_shown(explained.findings, &shown.findings),
            None => explained.findings.into_iter().map(Into::into).collect(),
        },
    };
    let goes_to = |found: route::Match<'_>| GoesTo {
        destination: found.destination.to_string(),
        route: found.route.name.to_string(),
        disabled: config.is_disabled(found.destination),
    };
    Routing {
        sender: source.map(|s| s.sender.name().to_owned()),
        old: age.zip(window).is_some_and(|(age, window)| age > window),
        secret_count: source.map_or(0, |s| s.secrets.len()),
        routes: route::explain(&config.routes, event).into_iter().enumerate().map(view).collect(),
        goes_to: route::matches(&config.routes, event).into_iter().map(goes_to).collect(),
    }
}

/// The same findings, with what was seen in a body that may be shown.
fn as_shown(findings: Vec<Finding>, shown: &[Finding]) -> Vec<FindingView> {
    let view = |(finding, shown): (Finding, &Finding)| FindingView {
        condition: finding.condition,
        holds: finding.holds,
        seen: shown.seen.clone(),
        conditions: as_shown(finding.parts, &shown.parts),
    };
    findings.into_iter().zip(shown).map(view).collect()
}

fn patterns(route: &route::Route) -> Vec<String> {
    route.events.iter().map(|glob| glob.as_str().to_owned()).collect()
}

fn destinations(route: &route::Route) -> Vec<String> {
    route.to.iter().map(ToString::to_string).collect()
}
