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
    page::Input,
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

/// Which key is to be the current one.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RotateRequest {
    /// The `next` that was shown: if it is the current one by now, nothing is done. Without it, each request moves on by
    /// one key.
    #[schema(examples("sig_7RvPz3kQ2mW9aYtL5cXd8eUf"))]
    next: Option<String>,
}

/// Makes the next signing key the current one.
///
/// With `next`, a request may be sent again when its answer was lost.
#[utoipa::path(
    post,
    path = "/publish/keys/rotate",
    operation_id = "rotate_signing_keys",
    request_body(content = Option<RotateRequest>, example = json!({ "next": "sig_7RvPz3kQ2mW9aYtL5cXd8eUf" })),
    responses((status = 200, body = SigningKeysView)),
    extensions(("x-codes" = json!([
        problem::NO_KEYS.code,
        problem::KEYS_FROM_CONFIG.code,
        problem::KEYS_CHANGED.code,
    ]))),
)]
async fn rotate(
    State(api): State<Shared>,
    Input(request): Input<RotateRequest>,
) -> Result<Noted<SigningKeysView>, Problem> {
    let note = Note { subject: Some("signing keys".to_owned()), ..Note::default() };
    // Between the look and the change nobody else of this node may rotate.
    let _turn = api.rotation.lock().await;
    if let Some(next) = request.next {
        let keys = api.parts.keys.show().await?;
        if next == keys.current {
            return Ok((Extension(note), Json(keys)));
        }
        if next != keys.next {
            let detail = "neither the current nor the next key is the one that you named; look at them again";
            return Err(Problem::new(&problem::KEYS_CHANGED, detail));
        }
    }
    Ok((Extension(note), Json(api.parts.keys.rotate().await?)))
}
