//! `/sign-in-links`: a link that signs a browser in to the dashboard, once, for whoever has a token already: so that
//! the token itself need not be typed or pasted.
//!
//! Not here: what becomes of it (`access::sessions`), the page that it leads to (the dashboard).

use std::fmt;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use hookhaven_core::Time;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared, guard,
    problem::{self, Problem},
};
use crate::access::sessions::LINK_MAX;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(create))
}

/// A link that signs in once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInLink {
    /// On the admin address of the node that made it. Whoever opens it first may do what the token may.
    pub path: String,
    pub expires_at: Time,
}

impl fmt::Debug for SignInLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInLink").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Makes a link that signs a browser in to the dashboard.
///
/// Any right token may ask, whatever it opens; the session opens the same, and ends with it. The link is good once,
/// within 10 minutes, on the node that made it.
#[utoipa::path(
    post,
    path = "/sign-in-links",
    operation_id = "create_sign_in_link",
    responses((status = 201, body = SignInLink)),
)]
async fn create(State(api): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let token = guard::bearer(&headers).map_err(|detail| Problem::new(&problem::UNAUTHORIZED, detail))?;
    let (parts, now) = (&api.parts, api.parts.clock.now());
    let path = parts.access.link(token, now, &*parts.entropy);
    let link = SignInLink { path, expires_at: now.plus(LINK_MAX) };
    Ok((StatusCode::CREATED, Json(link)).into_response())
}
