//! `/nodes`: the processes that share the store, and when each was last heard of. Of a store that only one
//! can have, that one.

use std::time::Duration;

use axum::{Json, extract::State};
use hookhaven_core::Time;
use hookhaven_store::NodeRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Shared, problem::Problem, view::Listing};

/// How long a node may be silent before it is taken for gone: three signs of life.
pub const NODE_SILENCE_MAX: Duration = Duration::from_secs(30);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    pub id: String,
    /// `all`, `ingest` or `worker`.
    pub role: String,
    pub version: String,
    /// Of its admin side, as it is bound.
    pub address: String,
    /// Tells its configuration (sources, destinations, routes, their secrets) from others.
    pub config: String,
    pub started_at: Time,
    pub seen_at: Time,
    /// Heard of lately; else it ended without a word, or cannot reach the store.
    pub alive: bool,
    /// Deliveries it has in hand.
    pub leases: u64,
    /// It is the one that answers.
    pub this: bool,
}

/// Lists the nodes that share the store.
#[utoipa::path(
    get,
    path = "/nodes",
    operation_id = "list_nodes",
    responses((status = 200, body = Listing<NodeView>)),
)]
async fn list(State(api): State<Shared>) -> Result<Json<Listing<NodeView>>, Problem> {
    let (this, now) = (api.parts.signals.this_node(), api.parts.clock.now());
    let view = |NodeRow { report, seen_at, leases }| NodeView {
        this: this.as_ref().is_some_and(|this| this.id == report.id),
        id: report.id,
        role: report.role,
        version: report.version,
        address: report.address,
        config: report.config_hash,
        started_at: report.started_at,
        seen_at,
        alive: now.since(seen_at) <= NODE_SILENCE_MAX,
        leases,
    };
    let items = api.parts.store.nodes().await?.into_iter().map(view).collect();
    Ok(Json(Listing::whole(items)))
}
