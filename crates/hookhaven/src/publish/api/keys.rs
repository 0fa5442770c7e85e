//! The signing keys: looking, rotating.

use http::StatusCode;
use serde_json::json;

use super::{Answer, Received, ok};
use crate::{
    config::SigningKeys,
    publish::{
        error::ApiError,
        keys::{self, KeysError},
    },
};

/// `GET /v2/keys`
pub(super) fn get(request: &Received<'_>) -> Answer {
    shown(&request.parts.keys.now())
}

/// `POST /v2/keys/rotate`: the next key becomes the current one.
pub(super) async fn rotate(request: &Received<'_>) -> Answer {
    let rotated = keys::rotate(request.store(), &request.config.publish, &*request.parts.entropy).await;
    let rotated = rotated.map_err(|error| match error {
        KeysError::Store(error) => error.into(),
        KeysError::Configured => ApiError::bad(error.to_string()),
        KeysError::Unreadable => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    })?;
    tracing::info!("the signing keys of published messages were rotated");
    request.parts.keys.take(rotated.clone());
    shown(&rotated)
}

fn shown(keys: &SigningKeys) -> Answer {
    let [current, next] = [&keys.current, &keys.next].map(|key| String::from_utf8_lossy(key.expose()).into_owned());
    ok(&json!({ "current": current, "next": next }))
}
