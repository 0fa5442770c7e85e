//! `/secrets`: which secrets there are, by fingerprint and age, and which of them can go. Never the secrets.

use axum::{Json, extract::State};
use hookhaven_core::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Shared, problem::Problem, view::Listing};
use crate::secrets::{Owner, Standing, Use, standings};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretView {
    /// `source` or `destination`.
    pub of: String,
    pub name: String,
    /// In its list, from 1; the first is current.
    pub position: usize,
    /// Tells it from others and nothing of it; `null` before a gateway has started on this store.
    pub fingerprint: Option<String>,
    /// When this store first knew of it.
    pub first_seen: Option<Time>,
    pub age_s: Option<u64>,
    /// When a request was last signed with it.
    pub last_matched: Option<Time>,
    /// `current`, `previous`, `never_matched`, `safe_to_remove` or `signs` (a destination's).
    #[serde(rename = "use")]
    pub usage: String,
    /// Since when nothing was signed with it, if it is safe to remove.
    pub idle_days: Option<u64>,
    pub max_age_s: u64,
    /// Older than that.
    pub too_old: bool,
    /// In words.
    pub verdict: String,
}

impl SecretView {
    fn new(standing: &Standing, now: Time) -> Self {
        let (of, name) = match &standing.owner {
            Owner::Source(name) => ("source", name),
            Owner::Destination(name) => ("destination", name),
        };
        let idle_days = match standing.usage {
            Use::SafeToRemove { idle_days } => Some(idle_days),
            _ => None,
        };
        SecretView {
            of: of.to_owned(),
            name: name.to_string(),
            position: standing.position,
            fingerprint: standing.fingerprint.clone(),
            first_seen: standing.seen.map(|seen| seen.first),
            age_s: standing.age(now).map(|age| age.as_secs()),
            last_matched: standing.seen.and_then(|seen| seen.matched),
            usage: standing.usage.as_str().to_owned(),
            idle_days,
            max_age_s: standing.max_age.as_secs(),
            too_old: standing.too_old,
            verdict: standing.verdict(),
        }
    }
}

/// Lists secrets by fingerprint and age, and which of them can go.
#[utoipa::path(
    get,
    path = "/secrets",
    operation_id = "list_secrets",
    responses((status = 200, body = Listing<SecretView>)),
)]
async fn list(State(api): State<Shared>) -> Result<Json<Listing<SecretView>>, Problem> {
    let (parts, now) = (&api.parts, api.parts.clock.now());
    let all = standings(&*parts.store, &parts.config.load(), parts.secrets.as_deref(), now).await?;
    Ok(Json(Listing::whole(all.iter().map(|standing| SecretView::new(standing, now)).collect())))
}
