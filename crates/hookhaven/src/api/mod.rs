//! The admin API: `/api/v1`, health and metrics, as an axum router over the store.
//!
//! One resource is one file: its routes, its handlers and what it answers. What a resource shows is
//! a *view* (`view`), a type of its own, so that a change of a noun is not by accident a change of
//! the API; the command line reads the same views. What the API must know of the running gateway
//! beyond the store (metrics, the state of a config reload, breakers) comes through [`Signals`].
//!
//! Every request passes the guard (`guard`) first: Host and Origin, the token, its scopes. What writes is written down
//! (`audit`); handlers may add what was before and after, as a [`Note`] among their answer's
//! extensions. `/healthz` and
//! `/readyz` are open. Every refusal is a problem document (`problem`) with a stable `code`.
//!
//! Not here: sockets and TLS (`server`), the ingest and publish addresses, pages for people.

mod alerts;
mod analysis;
mod audit;
mod backup;
mod config;
mod dead_letter_groups;
mod dead_letters;
mod deliveries;
mod destinations;
mod docs_page;
mod events;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod guard;
mod health;
mod jobs;
mod lately;
mod marks;
mod masked;
mod nodes;
mod openapi;
mod page;
pub(crate) mod problem;
mod publish_keys;
mod publishing;
mod rejected;
mod release;
mod routes;
mod schema;
mod search;
mod secrets;
mod sign_in_links;
mod signals;
mod sources;
mod stats;
mod status;
mod stream;
#[cfg(test)]
mod tests;
mod tokens;
mod trials;
pub mod view;

use std::{net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
use axum::{Extension, Json, Router, extract::DefaultBodyLimit, middleware};
use hookhaven_core::Time;
use hookhaven_store::{
    Store,
    clock::{Clock, Entropy},
    quarantine::Quarantine,
};

use utoipa_axum::router::OpenApiRouter;

use crate::{
    access::{Access, Note},
    alerting::Desk,
    causes::Causes,
    config::Config,
    jobs::Jobs,
    publications::Publications,
    quarantine::Rejections,
    secrets::SecretUse,
    trials::Trials,
};

pub use alerts::{
    AlertState, AlertView, Alerting, ChannelView, RuleView, SilenceRequest, SilenceView, TellingView, ToldView,
    TrialView,
};
pub use analysis::{AnalysisView, FoundView, SuggestionView, TooFewView};
pub use backup::{BackupRequest, BackupState, BackupView};
pub use config::{ConfigView, DifferenceView, SectionView, SettingView};
pub use dead_letter_groups::{GroupView, GroupsView, NamedCount};
pub use dead_letters::{BULK_DELIVERIES_MAX, BulkRequest, DeadLetterFilter};
pub use deliveries::{CancelAnswer, CancelBecame};
pub use destinations::{DestinationView, PAUSED_KIND, Pause};
pub use guard::Inside;
pub use health::Ready;
pub use jobs::{JobDelivery, JobState, JobView};
pub use lately::{ArrivalsView, AttemptsView};
pub use marks::TellMark;
pub use nodes::{NODE_SILENCE_MAX, NodeView};
pub use openapi::document;
pub use page::{LIMIT_MAX, segment};
pub use problem::{CODES, Problem};
pub use publish_keys::{Ring, RingError, SigningKeysView};
pub use publishing::{DeletedQueue, MessageDetail, MessageView, PinRequest};
pub use rejected::{CauseView, DiagnosisView, RejectedDetail, RejectedSelection, RejectedView};
pub use release::{ReleaseAnswer, ReleaseRequest, ReleasedView};
pub use routes::routing;
pub use search::{EndView, HitView, LookedView, SEARCH_EVENTS_MAX, SearchLine};
pub use secrets::SecretView;
pub use sign_in_links::SignInLink;
pub use signals::{Breaker, ConfigFile, LaneView, Offline, ReloadState, Signals};
pub use sources::{SetupView, SourceDetail, SourceView, TypeView};
pub use stats::{FiguresView, SeriesView, StatsView};
pub use status::{DepthView, Status, StoreStatus};
pub use stream::{AttemptTold, LAST_EVENT_ID, STREAMS_MAX};
pub use tokens::{CreateToken, CreatedToken, MeView, TokenView};
pub use trials::{DestinationTrial, SampleRequest, SampleView};

/// Longest body of a request to the API; ids in bulk are its largest use.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// What the API is made of.
#[derive(Clone, Debug)]
pub struct ApiParts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// The configuration in force; swapped whole when the file changes.
    pub config: Arc<ArcSwap<Config>>,
    /// Tokens, refusals, the audit log.
    pub access: Arc<Access>,
    /// The address that the admin side is bound to: one of the names it answers under.
    pub bound: SocketAddr,
    pub signals: Arc<dyn Signals>,
    /// The signing keys of published messages.
    pub keys: Arc<dyn Ring>,
    /// What publishers made.
    pub publications: Arc<dyn Publications>,
    /// Rejected requests that are kept, and what may be done with them.
    pub quarantine: Arc<dyn Quarantine>,
    pub rejections: Arc<dyn Rejections>,
    /// Where bulk work is asked for.
    pub jobs: Arc<Jobs>,
    /// Of the running gateway; `None` without one.
    pub secrets: Option<Arc<SecretUse>>,
    /// Of the running gateway; `None` without one.
    pub alerts: Option<Arc<dyn Desk>>,
    /// Of the running gateway; `None` without one.
    pub trials: Option<Arc<dyn Trials>>,
}

/// What every handler gets.
pub(crate) struct Api {
    pub parts: ApiParts,
    pub started_at: Time,
    backup: backup::Slot,
    causes: Arc<Causes>,
    analysis: analysis::Slot,
    /// Held while the signing keys are rotated.
    rotation: tokio::sync::Mutex<()>,
    searches: search::Slots,
    streams: stream::Seats,
    tried: trials::Tried,
}

type Shared = Arc<Api>;

/// An answer, and what the audit log is told beside it.
type Noted<T> = (Extension<Note>, Json<T>);

/// The whole admin side. The caller serves it and bounds connections, headers and time.
pub fn router(parts: ApiParts) -> Router {
    let api: Shared = Arc::new(Api {
        started_at: parts.clock.now(),
        backup: Default::default(),
        causes: Arc::new(Causes::new(parts.store.clone())),
        analysis: Default::default(),
        rotation: Default::default(),
        searches: Default::default(),
        streams: stream::seats(),
        tried: Default::default(),
        parts,
    });
    let guarded = Router::from(guarded())
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(api.clone(), guard::check));
    Router::from(open())
        .merge(docs_page::routes())
        .method_not_allowed_fallback(problem::method_not_allowed)
        .merge(guarded)
        .layer(middleware::map_response(guard::harden))
        .with_state(api)
}

/// What only those with a token may have. One line a resource.
fn guarded() -> OpenApiRouter<Shared> {
    let resources = OpenApiRouter::new()
        .merge(events::routes())
        .merge(deliveries::routes())
        .merge(dead_letters::routes())
        .merge(dead_letter_groups::routes())
        .merge(destinations::routes())
        .merge(trials::routes())
        .merge(routes::routes())
        .merge(status::routes())
        .merge(config::routes())
        .merge(stream::routes())
        .merge(stats::routes())
        .merge(nodes::routes())
        .merge(publish_keys::routes())
        .merge(publishing::routes())
        .merge(rejected::routes())
        .merge(release::routes())
        .merge(secrets::routes())
        .merge(backup::routes())
        .merge(analysis::routes())
        .merge(search::routes())
        .merge(alerts::routes())
        .merge(sources::routes())
        .merge(tokens::routes())
        .merge(sign_in_links::routes())
        .merge(audit::routes())
        .merge(jobs::routes())
        .merge(marks::routes());
    OpenApiRouter::new().nest("/api/v1", resources).merge(health::guarded_routes())
}

/// What anybody may have who reaches us under a name of ours.
fn open() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().merge(health::open_routes()).nest("/api/v1", openapi::routes())
}
