//! `/nodes`: the processes that share the store, and when each was last heard of. Of a store that only one
//! can have, that one.

use axum::{Json, Router, extract::State, routing::get};
use hookhaven_core::Time;
use hookhaven_store::{NODE_SILENCE_MAX, NodeRow};
use serde::{Deserialize, Serialize};

use super::{Shared, problem::Problem, view::Listing};

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/nodes", get(list))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

async fn list(State(api): State<Shared>) -> Result<Json<Listing<NodeView>>, Problem> {
    let (this, now) = (api.parts.signals.this_node(), api.parts.clock.now());
    let rows = match api.parts.store.nodes().await? {
        Some(rows) => rows,
        None => {
            let leased = api.parts.store.stats().await?.depths.iter().map(|depth| depth.leased).sum();
            this.iter().map(|node| NodeRow { node: node.clone(), seen_at: now, leases: leased }).collect()
        }
    };
    let items = rows.into_iter().map(|NodeRow { node, seen_at, leases }| NodeView {
        this: this.as_ref().is_some_and(|this| this.id == node.id),
        id: node.id.to_string(),
        role: node.role.to_string(),
        version: node.version.to_string(),
        address: node.address.to_string(),
        config: node.config.to_string(),
        started_at: node.started_at,
        seen_at,
        alive: now.since(seen_at) <= NODE_SILENCE_MAX,
        leases,
    });
    Ok(Json(Listing { items: items.collect(), next: None }))
}
