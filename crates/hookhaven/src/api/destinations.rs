//! `/destinations`: where deliveries go, in which state, how much waits there; pause and resume, disable and enable.
//!
//! The config file says what a destination is and may itself pause or disable it. What a person does, or a
//! pause by the 410 rule, comes on top and is kept in the store's catalog, so that it survives a restart.
//! A destination gone from the file is listed as `missing` for as long as deliveries wait for it.

use std::collections::BTreeMap;

use axum::{Extension, Json, extract::State};
use hookhaven_core::{Destination, Time, destination::DestinationState};
use hookhaven_store::{CatalogEntry, Stats};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, Breaker, Noted, Shared,
    page::{Input, Name},
    problem::{self, Problem},
    view::{Listing, shown_url},
};
use crate::{
    access::{Note, Who},
    switches::Disabled,
};

/// Kind of the catalog entries that say who paused a destination.
pub const PAUSED_KIND: &str = "destination-paused";
/// Kind of the catalog entries that say whose breaker is open.
pub const BREAKER_KIND: &str = "destination-breaker";
/// Longest reason that is kept.
const REASON_BYTES_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(disable))
        .routes(routes!(enable))
}

/// The value of a `destination-paused` entry, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pause {
    /// `operator` for a person, else the name of the rule.
    #[serde(default)]
    pub by: String,
    #[serde(default)]
    pub at: Option<Time>,
    #[serde(default)]
    pub reason: String,
    /// A token's name, if it was a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub who: String,
}

/// A destination as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DestinationView {
    pub name: String,
    /// What holds: `active`, `paused`, `disabled`, or `missing` from the config file.
    pub state: String,
    /// What the config file says: `active`, `paused`, `disabled` or `missing`.
    pub configured: String,
    /// Who paused it, beyond the config file.
    pub paused: Option<Pause>,
    /// Who disabled it, beyond the config file.
    pub disabled: Option<Disabled>,
    /// Without credentials; `null` if missing.
    pub url: Option<String>,
    pub timeout_ms: Option<u64>,
    pub concurrency: Option<u32>,
    pub breaker: Breaker,
    /// Until when nothing is sent there (breaker, `Retry-After`).
    pub hold_until: Option<Time>,
    pub in_flight: u32,
    /// Deliveries that wait, those in hand included.
    pub depth: u64,
    pub dead_letters: u64,
    pub dead_letters_critical: u64,
    pub oldest_due_at: Option<Time>,
}

/// Lists destinations, by name.
///
/// Those of the config file, and those that deliveries still wait for.
#[utoipa::path(
    get,
    path = "/destinations",
    operation_id = "list_destinations",
    responses((status = 200, body = Listing<DestinationView>)),
)]
async fn list(State(api): State<Shared>) -> Result<Json<Listing<DestinationView>>, Problem> {
    let scene = Scene::of(&api).await?;
    let config = api.parts.config.load();
    let mut names: Vec<&str> = config.destinations.keys().map(|n| &**n).collect();
    names.extend(scene.tallies.keys().map(String::as_str).filter(|n| !config.destinations.contains_key(*n)));
    names.sort_unstable();
    let items = names.into_iter().map(|n| scene.view(&api, n, config.destinations.get(n).map(|d| &**d))).collect();
    Ok(Json(Listing::whole(items)))
}

/// Shows one destination.
#[utoipa::path(
    get,
    path = "/destinations/{name}",
    operation_id = "show_destination",
    params(("name" = String, Path, description = "Its name in the config file", example = "billing")),
    responses((status = 200, body = DestinationView)),
    extensions(("x-codes" = json!([problem::DESTINATION_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Name(name): Name) -> Result<Json<DestinationView>, Problem> {
    known(&api, &name).await.map(Json)
}

/// Why, for whoever asks later.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "billing is being moved" }))]
struct ReasonRequest {
    /// At most 1,000 bytes.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: String,
}

/// Nothing is to be said.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoRequest {}

/// Pauses a destination.
///
/// Events are accepted and deliveries wait, over restarts too, until it is resumed. Paused again, it keeps the new reason.
#[utoipa::path(
    post,
    path = "/destinations/{name}/pause",
    operation_id = "pause_destination",
    params(("name" = String, Path, description = "Its name in the config file", example = "billing")),
    request_body = Option<ReasonRequest>,
    responses((status = 200, body = DestinationView)),
    extensions(("x-codes" = json!([problem::DESTINATION_NOT_FOUND.code]))),
)]
async fn pause(
    State(api): State<Shared>,
    Extension(who): Extension<Who>,
    Name(name): Name,
    Input(ReasonRequest { reason }): Input<ReasonRequest>,
) -> Result<Noted<DestinationView>, Problem> {
    let before = before(&api, &name, &reason).await?;
    let at = Some(api.parts.clock.now());
    let pause = Pause { by: "operator".to_owned(), at, reason, who: who.name.to_string() };
    let value = serde_json::to_vec(&pause).unwrap_or_default();
    let entry = CatalogEntry { kind: PAUSED_KIND.to_owned(), name: name.clone(), value };
    api.parts.store.put_catalog(entry).await?;
    changed(&api, before).await
}

/// Resumes a destination.
///
/// What the config file says only the config file can change.
#[utoipa::path(
    post,
    path = "/destinations/{name}/resume",
    operation_id = "resume_destination",
    params(("name" = String, Path, description = "Its name in the config file", example = "billing")),
    request_body = Option<NoRequest>,
    responses((status = 200, body = DestinationView)),
    extensions(("x-codes" = json!([problem::DESTINATION_NOT_FOUND.code, problem::STATE_FROM_CONFIG.code]))),
)]
async fn resume(
    State(api): State<Shared>,
    Name(name): Name,
    Input(NoRequest {}): Input<NoRequest>,
) -> Result<Noted<DestinationView>, Problem> {
    let before = known(&api, &name).await?;
    api.parts.store.delete_catalog(PAUSED_KIND, &name).await?;
    changed_unless_in_file(&api, before, &["paused", "disabled"]).await
}

/// Disables a destination.
///
/// New events make no delivery there, on all nodes and over restarts, until it is enabled; what waits there stays.
#[utoipa::path(
    post,
    path = "/destinations/{name}/disable",
    operation_id = "disable_destination",
    params(("name" = String, Path, description = "Its name in the config file", example = "billing")),
    request_body = Option<ReasonRequest>,
    responses((status = 200, body = DestinationView)),
    extensions(("x-codes" = json!([problem::DESTINATION_NOT_FOUND.code]))),
)]
async fn disable(
    State(api): State<Shared>,
    Extension(who): Extension<Who>,
    Name(name): Name,
    Input(ReasonRequest { reason }): Input<ReasonRequest>,
) -> Result<Noted<DestinationView>, Problem> {
    let before = before(&api, &name, &reason).await?;
    let by = Disabled { who: who.name.to_string(), at: Some(api.parts.clock.now()), reason };
    api.parts.config.load().switches.disable(&*api.parts.store, &name, by).await?;
    changed(&api, before).await
}

/// Enables a destination.
///
/// What the config file says only the config file can change. A pause stays.
#[utoipa::path(
    post,
    path = "/destinations/{name}/enable",
    operation_id = "enable_destination",
    params(("name" = String, Path, description = "Its name in the config file", example = "billing")),
    request_body = Option<NoRequest>,
    responses((status = 200, body = DestinationView)),
    extensions(("x-codes" = json!([problem::DESTINATION_NOT_FOUND.code, problem::STATE_FROM_CONFIG.code]))),
)]
async fn enable(
    State(api): State<Shared>,
    Name(name): Name,
    Input(NoRequest {}): Input<NoRequest>,
) -> Result<Noted<DestinationView>, Problem> {
    let before = known(&api, &name).await?;
    api.parts.config.load().switches.enable(&*api.parts.store, &name).await?;
    changed_unless_in_file(&api, before, &["disabled"]).await
}

/// As it is before a person holds it back: it must be in the config file.
async fn before(api: &Api, name: &str, reason: &str) -> Result<DestinationView, Problem> {
    if reason.len() > REASON_BYTES_MAX {
        return Err(Problem::new(&problem::BAD_BODY, format!("the reason is longer than {REASON_BYTES_MAX} bytes")));
    }
    let view = known(api, name).await?;
    if view.configured == state_name(None) { Err(unknown(name)) } else { Ok(view) }
}

async fn known(api: &Api, name: &str) -> Result<DestinationView, Problem> {
    let (scene, config) = (Scene::of(api).await?, api.parts.config.load());
    let configured = config.destinations.get(name);
    let heard_of = scene.tallies.contains_key(name) || scene.pauses.contains_key(name);
    if configured.is_none() && !heard_of && !config.switches.is_disabled(name) {
        return Err(unknown(name));
    }
    Ok(scene.view(api, name, configured.map(|d| &**d)))
}

/// How it stands after a change.
async fn changed(api: &Api, before: DestinationView) -> Result<Noted<DestinationView>, Problem> {
    let name = before.name.as_str();
    api.parts.signals.destination_paused_changed(name);
    let configured = api.parts.config.load().destinations.get(name).cloned();
    let after = Scene::of(api).await?.view(api, name, configured.as_deref());
    let state =
        |view: &DestinationView| json!({ "state": view.state, "paused": view.paused, "disabled": view.disabled });
    let note = Note::change(state(&before), state(&after));
    Ok((Extension(note), Json(after)))
}

async fn changed_unless_in_file(
    api: &Api,
    before: DestinationView,
    states: &[&str],
) -> Result<Noted<DestinationView>, Problem> {
    let done = changed(api, before).await?;
    let (_, Json(DestinationView { name, configured, .. })) = &done;
    if states.contains(&configured.as_str()) {
        let detail =
            format!("state = {configured:?} stands under [destinations.{name}] in the config file; change it there");
        return Err(Problem::new(&problem::STATE_FROM_CONFIG, detail));
    }
    Ok(done)
}

fn unknown(name: &str) -> Problem {
    Problem::new(&problem::DESTINATION_NOT_FOUND, format!("there is no destination {name:?} in the config file"))
}

fn state_name(state: Option<DestinationState>) -> &'static str {
    match state {
        Some(DestinationState::Active) => "active",
        Some(DestinationState::Paused) => "paused",
        Some(DestinationState::Disabled) => "disabled",
        None => "missing",
    }
}

async fn pauses(api: &Api) -> Result<BTreeMap<String, Pause>, Problem> {
    let entries = api.parts.store.catalog(PAUSED_KIND).await?;
    // A value that we cannot read is still a pause.
    let read = |e: CatalogEntry| (e.name, serde_json::from_slice(&e.value).unwrap_or_default());
    Ok(entries.into_iter().map(read).collect())
}

async fn rests(api: &Api) -> Result<BTreeMap<String, Option<Time>>, Problem> {
    /// What counts here of an entry.
    #[derive(Deserialize)]
    struct Until {
        until: Time,
    }
    let entries = api.parts.store.catalog(BREAKER_KIND).await?;
    let read = |e: CatalogEntry| (e.name, serde_json::from_slice(&e.value).ok().map(|Until { until }| until));
    Ok(entries.into_iter().map(read).collect())
}

#[derive(Default)]
struct Tally {
    depth: u64,
    dead_letters: u64,
    dead_letters_critical: u64,
    oldest_due_at: Option<Time>,
}

/// What the store says of all destinations at one moment.
struct Scene {
    pauses: BTreeMap<String, Pause>,
    /// Until when destinations rest, as nodes told each other.
    rests: BTreeMap<String, Option<Time>>,
    tallies: BTreeMap<String, Tally>,
}

impl Scene {
    async fn of(api: &Api) -> Result<Self, Problem> {
        let stats = api.parts.store.stats().await?.without_alerts();
        api.parts.config.load().switches.load(&*api.parts.store).await?;
        Ok(Scene { pauses: pauses(api).await?, rests: rests(api).await?, tallies: tallies(&stats) })
    }

    fn view(&self, api: &Api, name: &str, destination: Option<&Destination>) -> DestinationView {
        let configured = destination.map(|d| d.state);
        let paused = self.pauses.get(name).cloned();
        let disabled = api.parts.config.load().switches.disabled(name).map(|by| (*by).clone());
        let state = match configured {
            Some(_) if disabled.is_some() => "disabled",
            Some(DestinationState::Active) if paused.is_some() => "paused",
            other => state_name(other),
        };
        let mut lane = api.parts.signals.lane(name);
        if let (Breaker::Closed, Some(until)) = (lane.breaker, self.rests.get(name)) {
            lane.breaker = Breaker::Open;
            lane.hold_until = lane.hold_until.max(*until);
        }
        let none = Tally::default();
        let tally = self.tallies.get(name).unwrap_or(&none);
        DestinationView {
            name: name.to_owned(),
            state: state.to_owned(),
            configured: state_name(configured).to_owned(),
            paused,
            disabled,
            url: destination.map(|d| shown_url(&d.url)),
            timeout_ms: destination.map(|d| u64::try_from(d.timeout.as_millis()).unwrap_or(u64::MAX)),
            concurrency: destination.map(|d| d.concurrency.get()),
            breaker: lane.breaker,
            hold_until: lane.hold_until,
            in_flight: lane.in_flight,
            depth: tally.depth,
            dead_letters: tally.dead_letters,
            dead_letters_critical: tally.dead_letters_critical,
            oldest_due_at: tally.oldest_due_at,
        }
    }
}

fn tallies(stats: &Stats) -> BTreeMap<String, Tally> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for depth in &stats.depths {
        let tally = tallies.entry(depth.destination.to_string()).or_default();
        tally.depth += depth.pending + depth.leased;
        tally.dead_letters += depth.dead_letters + depth.dead_letters_critical;
        tally.dead_letters_critical += depth.dead_letters_critical;
    }
    for (destination, due_at) in &stats.oldest_due {
        let oldest = &mut tallies.entry(destination.to_string()).or_default().oldest_due_at;
        *oldest = Some(oldest.map_or(*due_at, |o| o.min(*due_at)));
    }
    tallies.retain(|_, t| t.depth + t.dead_letters > 0 || t.oldest_due_at.is_some());
    tallies
}
