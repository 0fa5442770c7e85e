//! `/status`: the gateway at one glance: version, uptime, what waits, whether it accepts.

use axum::{Json, extract::State};
use hookhaven_core::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{ReloadState, Shared, health, problem::Problem};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    pub version: String,
    /// What this node does: `all`, `ingest` or `worker`.
    #[serde(default)]
    pub role: String,
    pub now: Time,
    pub started_at: Time,
    pub uptime_ms: u64,
    /// Whether it can do what its role is (accept requests, or make attempts), and why not.
    pub accepting: bool,
    pub reasons: Vec<String>,
    pub config: ReloadState,
    pub sources: usize,
    pub destinations: usize,
    pub routes: usize,
    pub store: StoreStatus,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoreStatus {
    /// Deliveries that have not ended, and how many there may be.
    pub pending: u64,
    pub pending_max: u64,
    pub dead_letters: u64,
    pub dead_letters_critical: u64,
    /// Journal records not yet in the index.
    pub index_lag: u64,
    /// On disk; the journal consists of so many segment files.
    pub journal_bytes: u64,
    pub segments: u64,
    pub index_bytes: u64,
    /// When the oldest event that is kept was received.
    pub oldest_event_at: Option<Time>,
    /// Dead letters dismissed because of their age, since the start.
    pub dismissed_by_age: u64,
    pub sessions: u64,
    /// Bytes free on the disk, and below how many nothing is accepted. Absent where there is no disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    #[serde(default)]
    pub free_min_bytes: u64,
    /// Damaged places met since the start, and the first of them in words; `hookhaven doctor` finds all.
    #[serde(default)]
    pub damages: u64,
    #[serde(default)]
    pub damage: Vec<String>,
    pub depths: Vec<DepthView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DepthView {
    pub source: String,
    pub destination: String,
    pub pending: u64,
    pub leased: u64,
    /// Of all routes, and of critical ones.
    pub dead_letters: u64,
    pub dead_letters_critical: u64,
}

/// Shows the gateway at one glance.
#[utoipa::path(
    get,
    path = "/status",
    operation_id = "show_status",
    responses((status = 200, body = Status)),
)]
async fn show(State(api): State<Shared>) -> Result<Json<Status>, Problem> {
    let stats = api.parts.store.stats().await?.without_alerts();
    let config = api.parts.config.load();
    let now = api.parts.clock.now();
    let reasons = health::reasons(&api);
    let depths: Vec<_> = stats
        .depths
        .iter()
        .map(|d| DepthView {
            source: d.source.to_string(),
            destination: d.destination.to_string(),
            pending: d.pending,
            leased: d.leased,
            dead_letters: d.dead_letters + d.dead_letters_critical,
            dead_letters_critical: d.dead_letters_critical,
        })
        .collect();
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        role: config.server.role.as_str().to_owned(),
        now,
        started_at: api.started_at,
        uptime_ms: u64::try_from(now.since(api.started_at).as_millis()).unwrap_or(u64::MAX),
        accepting: reasons.is_empty(),
        reasons,
        config: api.parts.signals.reload_state(),
        sources: config.sources.len(),
        destinations: config.destinations.len(),
        routes: config.routes.len(),
        store: StoreStatus {
            pending: stats.pending,
            pending_max: stats.pending_max,
            dead_letters: depths.iter().map(|d| d.dead_letters).sum(),
            dead_letters_critical: depths.iter().map(|d| d.dead_letters_critical).sum(),
            index_lag: stats.index_lag,
            journal_bytes: stats.journal_bytes,
            segments: stats.segments,
            index_bytes: stats.index_bytes,
            oldest_event_at: stats.oldest_event,
            dismissed_by_age: stats.dismissed_by_age,
            sessions: stats.sessions,
            free_bytes: stats.free_bytes,
            free_min_bytes: stats.free_min_bytes,
            damages: stats.damages,
            damage: stats.damage,
            depths,
        },
    }))
}
