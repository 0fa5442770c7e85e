//! `/sources`: where senders post, in which state, how much of theirs waits.
//!
//! What a source is only the config file says. Not here: its secrets (`secrets`), what was refused there (`rejected`).

use axum::{Json, extract::State};
use hookhaven_core::source::Source;
use hookhaven_store::Stats;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared,
    page::Name,
    problem::{self, Problem},
    view::Listing,
};
use crate::config::Config;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// A source as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceView {
    pub name: String,
    /// `active`; `unrouted`: no route takes its events; `awaiting_secret`: its sender has not handed one over yet.
    pub state: String,
    /// Its path on the ingest address.
    pub path: String,
    /// The kind of third party that posts there.
    pub sender: String,
    /// How many secrets a signature may be made with.
    pub secret_count: usize,
    pub tolerance_ms: u64,
    pub dedupe_window_ms: u64,
    pub body_bytes_max: u64,
    /// Whether only some addresses or certificates may post there.
    pub restricted: bool,
    /// Whether it may use what other sources must leave free.
    pub reserved: bool,
    /// Routes that take from it, in the file's order.
    pub routes: Vec<String>,
    /// Deliveries of its events that wait, those in hand included.
    pub depth: u64,
    pub dead_letters: u64,
}

/// Lists sources, by name.
#[utoipa::path(
    get,
    path = "/sources",
    operation_id = "list_sources",
    responses((status = 200, body = Listing<SourceView>)),
)]
async fn list(State(api): State<Shared>) -> Result<Json<Listing<SourceView>>, Problem> {
    let (stats, config) = (api.parts.store.stats().await?, api.parts.config.load());
    let items = config.sources.values().map(|source| view(&config, source, &stats)).collect();
    Ok(Json(Listing::whole(items)))
}

/// Shows one source.
#[utoipa::path(
    get,
    path = "/sources/{name}",
    operation_id = "show_source",
    params(("name" = String, Path, description = "Its name in the config file", example = "stripe")),
    responses((status = 200, body = SourceView)),
    extensions(("x-codes" = json!([problem::SOURCE_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Name(name): Name) -> Result<Json<SourceView>, Problem> {
    let (stats, config) = (api.parts.store.stats().await?, api.parts.config.load());
    let unknown =
        || Problem::new(&problem::SOURCE_NOT_FOUND, format!("there is no source {name:?} in the config file"));
    let source = config.sources.get(name.as_str()).ok_or_else(unknown)?;
    Ok(Json(view(&config, source, &stats)))
}

fn view(config: &Config, source: &Source, stats: &Stats) -> SourceView {
    let routes: Vec<_> =
        config.routes.iter().filter(|route| route.source == source.name).map(|route| route.name.to_string()).collect();
    let state = match (source.handover.is_some() && source.secrets.is_empty(), routes.is_empty()) {
        (true, _) => "awaiting_secret",
        (false, true) => "unrouted",
        (false, false) => "active",
    };
    let depths = || stats.depths.iter().filter(|depth| depth.source == source.name);
    let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    SourceView {
        name: source.name.to_string(),
        state: state.to_owned(),
        path: format!("/webhooks/{}", source.name),
        sender: source.sender.name().to_owned(),
        secret_count: source.secrets.len(),
        tolerance_ms: ms(source.tolerance),
        dedupe_window_ms: ms(source.dedupe_window),
        body_bytes_max: source.body_bytes_max as u64,
        restricted: !source.allow.is_empty() || source.allow_published || !source.client_names.is_empty(),
        reserved: source.reserved,
        routes,
        depth: depths().map(|depth| depth.pending + depth.leased).sum(),
        dead_letters: depths().map(|depth| depth.dead_letters + depth.dead_letters_critical).sum(),
    }
}
