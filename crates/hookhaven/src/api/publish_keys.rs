//! `/publish/keys`: what published messages are signed with. GET shows both keys, since receivers need them;
//! POST `/publish/keys/rotate` makes the next one the current one.
//!
//! Not here: where the keys are kept, and that nodes agree on them ([`Ring`] stands for both).

use async_trait::async_trait;
use axum::{Extension, Json, extract::State};
use hookhaven_store::StoreError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Noted, Shared,
    problem::{self, KEYS_FROM_CONFIG, NO_KEYS, Problem},
};
use crate::access::Note;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(rotate))
}

/// The one answer that holds secrets: whoever has the admin token may have them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SigningKeysView {
    pub current: String,
    pub next: String,
    /// The configuration gives them, so they are rotated there.
    pub configured: bool,
}

/// Keeps the signing keys. Implemented where everything is wired together.
#[async_trait]
pub trait Ring: Send + Sync + std::fmt::Debug {
    async fn show(&self) -> Result<SigningKeysView, RingError>;
    async fn rotate(&self) -> Result<SigningKeysView, RingError>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RingError {
    /// No gateway has started on this store.
    None,
    /// They are not ours to change; in words.
    Configured(String),
    Store(StoreError),
}

impl From<RingError> for Problem {
    fn from(error: RingError) -> Self {
        match error {
            RingError::None => Problem::new(&NO_KEYS, "`hookhaven serve` makes them when it starts"),
            RingError::Configured(why) => Problem::new(&KEYS_FROM_CONFIG, why),
            RingError::Store(error) => error.into(),
        }
    }
}

/// Shows the keys that published messages are signed with.
///
/// Both, since receivers need them.
#[utoipa::path(
    get,
    path = "/publish/keys",
    operation_id = "show_signing_keys",
    responses((status = 200, body = SigningKeysView)),
    extensions(("x-codes" = json!([problem::NO_KEYS.code]))),
)]
async fn show(State(api): State<Shared>) -> Result<Json<SigningKeysView>, Problem> {
    Ok(Json(api.parts.keys.show().await?))
}

/// Makes the next signing key the current one.
///
/// Each request moves on by one key: not to be repeated blindly.
#[utoipa::path(
    post,
    path = "/publish/keys/rotate",
    operation_id = "rotate_signing_keys",
    responses((status = 200, body = SigningKeysView)),
    extensions(("x-codes" = json!([problem::NO_KEYS.code, problem::KEYS_FROM_CONFIG.code]))),
)]
async fn rotate(State(api): State<Shared>) -> Result<Noted<SigningKeysView>, Problem> {
    let note = Note { subject: Some("signing keys".to_owned()), ..Note::default() };
    Ok((Extension(note), Json(api.parts.keys.rotate().await?)))
}
