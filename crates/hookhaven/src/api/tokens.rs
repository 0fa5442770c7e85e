//! `/tokens`: making, listing and revoking tokens. `/me`: whose token a request came with.
//!
//! Not here: how they are kept (`access::tokens`), what they open (`access::scope`).

use std::{fmt, time::Duration};

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use hookhaven_core::Time;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Noted, Shared,
    page::{Input, Name},
    problem::{self, Problem},
    view::Listing,
};
use crate::access::{
    Note, Scope, Scopes, Who,
    tokens::{CannotMake, EXPIRES_AFTER, EXPIRES_AFTER_MAX, Listed, Wanted},
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke)).routes(routes!(me))
}

/// A token that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// 1 to 64 letters, digits and `-_.@`; no two tokens have the same.
    #[schema(pattern = "^[A-Za-z0-9_.@-]{1,64}$", example = "ci")]
    pub name: String,
    /// At least one; `operate` holds `read`, and `admin` everything.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// Seconds from now; without it, 90 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub expires_in_s: Option<u64>,
    /// Instead of an end.
    #[serde(default)]
    pub never_expires: bool,
}

/// A token, without what opens anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    pub id: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// `active` or `expired`.
    pub state: String,
    pub created_at: Time,
    pub created_by: String,
    /// `null`: never.
    pub expires_at: Option<Time>,
    /// To the hour; `null`: not yet.
    pub last_used_at: Option<Time>,
}

/// The one answer that holds the token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// It cannot be had again.
    pub token: String,
    #[serde(flatten)]
    pub view: TokenView,
}

impl fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedToken").field("view", &self.view).finish_non_exhaustive()
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeView {
    /// The token's name, or `admin token`.
    pub name: String,
    /// `null` for the admin token.
    pub id: Option<String>,
    pub scopes: Vec<Scope>,
    /// `null`: never.
    pub expires_at: Option<Time>,
    /// Where the request came from.
    pub address: Option<String>,
}

/// Shows whose token this is.
///
/// Any right token may ask, whatever it opens.
#[utoipa::path(get, path = "/me", operation_id = "show_me", responses((status = 200, body = MeView)))]
async fn me(Extension(who): Extension<Who>) -> Json<MeView> {
    Json(MeView {
        name: who.name.to_string(),
        id: who.token.map(|id| id.to_string()),
        scopes: who.scopes.iter().collect(),
        expires_at: who.expires_at,
        address: who.address.map(|address| address.to_string()),
    })
}

/// Lists tokens, by name.
///
/// Without what opens anything: that was shown once, when each was made.
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "list_tokens",
    responses((status = 200, body = Listing<TokenView>)),
)]
async fn list(State(api): State<Shared>) -> Result<Json<Listing<TokenView>>, Problem> {
    let (tokens, now) = (&api.parts.access.tokens, api.parts.clock.now());
    tokens.load(&*api.parts.store).await?;
    Ok(Json(Listing::whole(tokens.list().into_iter().map(|listed| view(listed, now)).collect())))
}

/// Makes a token.
///
/// The answer is the only one that holds it: the gateway keeps its SHA-256.
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "create_token",
    request_body = CreateToken,
    responses((status = 201, body = CreatedToken)),
    extensions(("x-codes" = json!([problem::TOKEN_NAME_TAKEN.code, problem::TOO_MANY_TOKENS.code]))),
)]
async fn create(
    State(api): State<Shared>,
    Extension(who): Extension<Who>,
    Input(request): Input<CreateToken>,
) -> Result<Response, Problem> {
    let (parts, now) = (&api.parts, api.parts.clock.now());
    let wanted = wanted(request, &who, now)?;
    let (secret, listed) = parts.access.tokens.make(&*parts.store, wanted, now, &*parts.entropy).await?;
    let view = view(listed, now);
    let note = Note { subject: Some(view.name.clone()), ..Note::after(&view) };
    let created = CreatedToken { token: String::from_utf8_lossy(secret.expose()).into_owned(), view };
    Ok((StatusCode::CREATED, Extension(note), Json(created)).into_response())
}

/// Revokes a token.
///
/// It opens nothing on the node that answers from then on, and on the others a moment later.
#[utoipa::path(
    delete,
    path = "/tokens/{name}",
    operation_id = "revoke_token",
    params(("name" = String, Path, description = "Its name, or its id", example = "ci")),
    responses((status = 200, body = TokenView)),
    extensions(("x-codes" = json!([problem::TOKEN_NOT_FOUND.code]))),
)]
async fn revoke(State(api): State<Shared>, Name(which): Name) -> Result<Noted<TokenView>, Problem> {
    let revoked = api.parts.access.tokens.revoke(&*api.parts.store, &which).await?;
    let unknown = || Problem::new(&problem::TOKEN_NOT_FOUND, format!("there is no token {which:?}"));
    let view = view(revoked.ok_or_else(unknown)?, api.parts.clock.now());
    let note = Note { subject: Some(view.name.clone()), before: serde_json::to_value(&view).ok(), after: None };
    Ok((Extension(note), Json(view)))
}

fn wanted(request: CreateToken, who: &Who, now: Time) -> Result<Wanted, Problem> {
    let bad = |detail: String| Problem::new(&problem::BAD_BODY, detail);
    let CreateToken { name, scopes, expires_in_s, never_expires } = request;
    if scopes.is_empty() {
        return Err(bad(format!("say what the token may: scopes, of {}", Scope::ALL.map(Scope::as_str).join(", "))));
    }
    let expires_at = match (expires_in_s.map(Duration::from_secs), never_expires) {
        (Some(_), true) => return Err(bad("expires_in_s and never_expires contradict each other".to_owned())),
        (Some(after), false) if after.is_zero() || after > EXPIRES_AFTER_MAX => {
            let max = EXPIRES_AFTER_MAX.as_secs();
            return Err(bad(format!("expires_in_s is not within 1..{max}; never_expires makes one without an end")));
        }
        (after, false) => Some(now.plus(after.unwrap_or(EXPIRES_AFTER))),
        (None, true) => None,
    };
    Ok(Wanted { name, scopes: scopes.into_iter().collect::<Scopes>(), expires_at, created_by: who.name.to_string() })
}

fn view(listed: Listed, now: Time) -> TokenView {
    let Listed { id, token, used_at } = listed;
    let expired = token.expires_at.is_some_and(|end| now >= end);
    TokenView {
        id,
        name: token.name.clone(),
        scopes: token.scopes.iter().collect(),
        state: if expired { "expired" } else { "active" }.to_owned(),
        created_at: token.created_at,
        created_by: token.created_by.clone(),
        expires_at: token.expires_at,
        last_used_at: used_at,
    }
}

impl From<CannotMake> for Problem {
    fn from(error: CannotMake) -> Self {
        let code = match error {
            CannotMake::BadName(_) => &problem::BAD_BODY,
            CannotMake::NameTaken(_) => &problem::TOKEN_NAME_TAKEN,
            CannotMake::TooMany => &problem::TOO_MANY_TOKENS,
            CannotMake::Store(error) => return error.into(),
        };
        Problem::new(code, error.to_string())
    }
}
