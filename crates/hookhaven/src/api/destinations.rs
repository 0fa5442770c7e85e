//! `/destinations`: where deliveries go, in which state, how much waits there; pause and resume.
//!
//! The config file says what a destination is and may itself pause or disable it. A pause by a person
//! or by the 410 rule comes on top and is kept in the store's catalog, so that it survives a restart.
//! A destination gone from the file is listed as `missing` for as long as deliveries wait for it.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use hookhaven_core::{Destination, Time, destination::DestinationState};
use hookhaven_store::{CatalogEntry, Stats};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, Breaker, Shared,
    page::{Input, Name},
    problem::{self, Problem},
    view::{Listing, shown_url},
};

/// Kind of the catalog entries that say who paused a destination.
pub const PAUSED_KIND: &str = "destination-paused";
/// Kind of the catalog entries that say whose breaker is open.
pub const BREAKER_KIND: &str = "destination-breaker";
/// Longest reason that is kept.
const REASON_BYTES_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(pause)).routes(routes!(resume))
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
    Ok(Json(Listing { items, next: None }))
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
    let scene = Scene::of(&api).await?;
    let configured = api.parts.config.load().destinations.get(name.as_str()).cloned();
    if configured.is_none() && !scene.tallies.contains_key(&name) && !scene.pauses.contains_key(&name) {
        return Err(unknown(&name));
    }
    Ok(Json(scene.view(&api, &name, configured.as_deref())))
}

/// How it stands after a change.
async fn changed(api: &Api, name: &str) -> Result<Json<DestinationView>, Problem> {
    api.parts.signals.destination_paused_changed(name);
    let scene = Scene::of(api).await?;
    let configured = api.parts.config.load().destinations.get(name).cloned();
    Ok(Json(scene.view(api, name, configured.as_deref())))
}

/// Why, for whoever asks later.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PauseRequest {
    /// At most 1,000 bytes.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: String,
}

/// Pauses a destination.
///
/// Events are accepted and deliveries wait, over restarts too, until it is resumed. Paused again, it keeps the new reason.
#[utoipa::path(
    post,
    path = "/destinations/{name}/pause",
    operation_id = "pause_destination",
    params(("name" = String, Path, description = "Its name in the config file", example = "billing")),
    request_body = PauseRequest,
    responses((status = 200, body = DestinationView)),
    extensions(("x-codes" = json!([problem::DESTINATION_NOT_FOUND.code]))),
)]
async fn pause(
    State(api): State<Shared>,
    Name(name): Name,
    Input(request): Input<PauseRequest>,
) -> Result<Json<DestinationView>, Problem> {
    if !api.parts.config.load().destinations.contains_key(name.as_str()) {
        return Err(unknown(&name));
    }
    if request.reason.len() > REASON_BYTES_MAX {
        return Err(Problem::new(&problem::BAD_BODY, format!("the reason is longer than {REASON_BYTES_MAX} bytes")));
    }
    let pause = Pause { by: "operator".to_owned(), at: Some(api.parts.clock.now()), reason: request.reason };
    let value = serde_json::to_vec(&pause).unwrap_or_default();
    let entry = CatalogEntry { kind: PAUSED_KIND.to_owned(), name: name.clone(), value };
    api.parts.store.put_catalog(entry).await?;
    changed(&api, &name).await
}

/// Nothing is to be said.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResumeRequest {}

/// Resumes a destination.
///
/// What the config file says only the config file can change.
#[utoipa::path(
    post,
    path = "/destinations/{name}/resume",
    operation_id = "resume_destination",
    params(("name" = String, Path, description = "Its name in the config file", example = "billing")),
    request_body = ResumeRequest,
    responses((status = 200, body = DestinationView)),
    extensions(("x-codes" = json!([problem::DESTINATION_NOT_FOUND.code, problem::STATE_FROM_CONFIG.code]))),
)]
async fn resume(
    State(api): State<Shared>,
    Name(name): Name,
    Input(ResumeRequest {}): Input<ResumeRequest>,
) -> Result<Json<DestinationView>, Problem> {
    let configured = api.parts.config.load().destinations.get(name.as_str()).map(|d| d.state);
    if configured.is_none() && !pauses(&api).await?.contains_key(&name) {
        return Err(unknown(&name));
    }
    api.parts.store.delete_catalog(PAUSED_KIND, &name).await?;
    let view = changed(&api, &name).await?;
    match configured {
        Some(state @ (DestinationState::Paused | DestinationState::Disabled)) => {
            let detail = format!(
                "state = {:?} stands under [destinations.{name}] in the config file; change it there",
                state_name(Some(state))
            );
            Err(Problem::new(&problem::STATE_FROM_CONFIG, detail))
        }
        _ => Ok(view),
    }
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
        Ok(Scene { pauses: pauses(api).await?, rests: rests(api).await?, tallies: tallies(&stats) })
    }

    fn view(&self, api: &Api, name: &str, destination: Option<&Destination>) -> DestinationView {
        let configured = destination.map(|d| d.state);
        let paused = self.pauses.get(name).cloned();
        let state = match configured {
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
