//! `/destinations`: where deliveries go, in which state, how much waits there; pause and resume, disable and enable.
//!
//! The config file says what a destination is and may itself pause or disable it. What a person does, or a
//! pause by the 410 rule, comes on top and is kept in the store's catalog, so that it survives a restart.
//! A destination gone from the file is listed as `missing` for as long as deliveries wait for it.
//!
//! What is known of one, and from where, is `scene`. Not here: trying one out (`trying`).

mod scene;

use axum::{Extension, Json, extract::State};
use hookhaven_store::CatalogEntry;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::scene::{DestinationView, PAUSED_KIND, Pause};
use self::scene::{Scene, state_name};
use super::{
    Api, Noted, Shared,
    page::{Input, Name},
    problem::{self, Problem},
    view::Listing,
};
use crate::{
    access::{Note, Who},
    switches::Disabled,
};

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
