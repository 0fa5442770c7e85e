//! The signing keys: looking, rotating.

use super::{Answer, Received};
use crate::publish::error::ApiError;

/// `GET /v2/keys`
pub(super) fn get(_request: &Received<'_>) -> Answer {
    Err(ApiError::out_of_scope("keys"))
}

/// `POST /v2/keys/rotate`
pub(super) async fn rotate(_request: &Received<'_>) -> Answer {
    Err(ApiError::out_of_scope("keys"))
}
