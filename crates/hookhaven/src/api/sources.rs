//! `/sources`: where senders post, in which state, how much of theirs waits, what came lately; and how one is set up at
//! its sender.
//!
//! What a source is only the config file says. Not here: its secrets (`secrets`), what was refused there (`rejected`),
//! trying one out (`trials`).

mod setup;

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use futures_util::{StreamExt, TryStreamExt, stream};
use hookhaven_core::{Time, senders, source::Source};
use hookhaven_store::{EventFilter, EventRow, Page, Stats, Store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::setup::SetupView;
use super::{
    Api, Shared,
    lately::{ArrivalsView, Lately},
    page::Name,
    problem::{self, Problem},
    view::Listing,
};
use crate::{config::Config, ingest::PATH_PREFIX, server::local_url};

/// Sources whose last event is looked for in a list, and how many looks are under way at once.
const LOOKS_MAX: usize = 100;
const LOOKS_AT_ONCE: usize = 8;
/// Events of one source that its types are taken from.
const TYPES_EVENTS_MAX: usize = 200;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// A source as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceView {
    pub name: String,
    /// `active`; `unrouted`: no route takes its events; `awaiting_secret`: its sender has not handed one over yet.
    pub state: String,
    /// Its path on the ingest address.
    pub path: String,
    /// The whole address, to be entered at the sender.
    pub url: String,
    /// Whether that is the address as the sender knows it; else `public_url` is not set under `[server]`, and it is how
    /// this machine calls itself.
    pub url_is_public: bool,
    /// The kind of third party that posts there.
    pub sender: String,
    /// The same for people.
    pub title: String,
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
    /// When the newest event that is kept came in; `null` if there is none. In a list of the first 100 sources only.
    pub last_event_at: Option<Time>,
    /// Of all nodes; where there are several, up to the last whole minute.
    pub last_hour: ArrivalsView,
}

/// A source with all that is known of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceDetail {
    #[serde(flatten)]
    pub source: SourceView,
    /// How it is set up at its sender; `null` of a sender that is not in the catalogue.
    pub setup: Option<SetupView>,
    /// Types of its newest 200 events, the most frequent first.
    pub types: Vec<TypeView>,
    /// Types of which there are samples to try it with.
    pub sample_types: Vec<String>,
}

/// A type of events that came lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TypeView {
    #[serde(rename = "type")]
    pub event_type: String,
    /// Of the newest 200 events.
    pub count: u64,
    pub last_at: Time,
}

/// Lists sources, by name.
#[utoipa::path(
    get,
    path = "/sources",
    operation_id = "list_sources",
    responses((status = 200, body = Listing<SourceView>)),
)]
async fn list(State(api): State<Shared>) -> Result<Json<Listing<SourceView>>, Problem> {
    let scene = Scene::of(&api).await?;
    let store = &*api.parts.store;
    let views = api.parts.config.load().sources.values().map(|source| scene.view(&api, source)).collect::<Vec<_>>();
    let with_last = stream::iter(views.into_iter().enumerate()).map(|(n, view)| async move {
        let last = if n < LOOKS_MAX { newest(store, &view.name, 1).await? } else { Vec::new() };
        Ok::<_, Problem>(SourceView { last_event_at: last.first().map(|event| event.received_at), ..view })
    });
    Ok(Json(Listing::whole(with_last.buffered(LOOKS_AT_ONCE).try_collect().await?)))
}

/// Shows one source, with how it is set up at its sender and what came lately.
#[utoipa::path(
    get,
    path = "/sources/{name}",
    operation_id = "show_source",
    params(("name" = String, Path, description = "Its name in the config file", example = "stripe")),
    responses((status = 200, body = SourceDetail)),
    extensions(("x-codes" = json!([problem::SOURCE_NOT_FOUND.code]))),
)]
async fn show(State(api): State<Shared>, Name(name): Name) -> Result<Json<SourceDetail>, Problem> {
    let unknown =
        || Problem::new(&problem::SOURCE_NOT_FOUND, format!("there is no source {name:?} in the config file"));
    let source = api.parts.config.load().sources.get(name.as_str()).cloned().ok_or_else(unknown)?;
    let lately = async { newest(&*api.parts.store, &name, TYPES_EVENTS_MAX).await.map_err(Problem::from) };
    let (scene, events) = tokio::try_join!(Scene::of(&api), lately)?;
    let last_event_at = events.first().map(|event| event.received_at);
    Ok(Json(SourceDetail {
        source: SourceView { last_event_at, ..scene.view(&api, &source) },
        setup: SetupView::of(source.sender.name()),
        types: types(&events),
        sample_types: source.sender.sample_types().iter().map(ToString::to_string).collect(),
    }))
}

/// The newest events of a source, as far as one bounded look finds them.
async fn newest(store: &dyn Store, source: &str, limit: usize) -> Result<Vec<EventRow>, StoreError> {
    let filter = EventFilter { source: Some(source.to_owned()), ..EventFilter::default() };
    Ok(store.look_events(&filter, Page::first(limit)).await?.rows)
}

fn types(newest_first: &[EventRow]) -> Vec<TypeView> {
    let mut by_type: BTreeMap<&str, TypeView> = BTreeMap::new();
    for event in newest_first {
        let first = || TypeView { event_type: event.event_type.to_string(), count: 0, last_at: event.received_at };
        by_type.entry(&event.event_type).or_insert_with(first).count += 1;
    }
    let mut types: Vec<TypeView> = by_type.into_values().collect();
    types.sort_by_key(|of| std::cmp::Reverse(of.count));
    types
}

/// What counts for all sources at one moment.
struct Scene {
    stats: Stats,
    lately: Lately,
}

impl Scene {
    async fn of(api: &Api) -> Result<Self, Problem> {
        let stats = async { api.parts.store.stats().await.map_err(Problem::from) };
        let (stats, lately) = tokio::try_join!(stats, Lately::read(api))?;
        Ok(Scene { stats, lately })
    }

    fn view(&self, api: &Api, source: &Source) -> SourceView {
        let config = api.parts.config.load();
        let last_hour = self.lately.at_source(&source.name);
        SourceView { last_hour, ..view(&config, source, &self.stats) }
    }
}

/// What a sender posts to, and whether it is so that the sender can reach it.
fn address(config: &Config, source: &Source) -> (String, bool) {
    match &source.public_url {
        Some(url) => (url.to_string(), true),
        None => {
            let base = local_url(config.server.ingest, config.server.tls.ingest.is_some());
            (format!("{base}{PATH_PREFIX}{}", source.name), false)
        }
    }
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
    let (url, url_is_public) = address(config, source);
    let sender = source.sender.name();
    SourceView {
        name: source.name.to_string(),
        state: state.to_owned(),
        path: format!("{PATH_PREFIX}{}", source.name),
        url,
        url_is_public,
        sender: sender.to_owned(),
        title: senders::find(sender).map_or(sender, |known| known.title).to_owned(),
        secret_count: source.secrets.len(),
        tolerance_ms: ms(source.tolerance),
        dedupe_window_ms: ms(source.dedupe_window),
        body_bytes_max: source.body_bytes_max as u64,
        restricted: !source.allow.is_empty() || source.allow_published || !source.client_names.is_empty(),
        reserved: source.reserved,
        routes,
        depth: depths().map(|depth| depth.pending + depth.leased).sum(),
        dead_letters: depths().map(|depth| depth.dead_letters + depth.dead_letters_critical).sum(),
        ..SourceView::default()
    }
}
