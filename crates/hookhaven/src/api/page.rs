//! How requests are read: queries, bodies and ids into types, each mistake a problem; and how lists
//! are paged. Unknown names are mistakes everywhere: a misspelt filter must not mean "everything".

use std::{fmt::Display, str::FromStr};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
};
use hookhaven_core::Time;
use hookhaven_store::{Looked, Page};
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;

use super::{
    BODY_BYTES_MAX,
    problem::{self, Problem},
    view::Listing,
};

/// Most items in one page.
pub const LIMIT_MAX: usize = 500;
pub(crate) const LIMIT_DEFAULT: usize = 50;

/// Stars in a pattern of types.
const STARS_MAX: usize = 6;

/// The query, whole.
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(params)| Params(params))
            .map_err(|e| Problem::new(&problem::BAD_QUERY, innermost(&e)))
    }
}

/// The body as a JSON object; no body, or `null`, is `{}`.
pub(crate) struct Input<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await.map_err(|e| match e.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(&problem::BODY_TOO_LARGE, format!("at most {BODY_BYTES_MAX} bytes are read"))
            }
            _ => Problem::new(&problem::BAD_BODY, "the body could not be read"),
        })?;
        let text: &[u8] = if body.is_empty() || &*body == b"null" { b"{}" } else { &body };
        if text.trim_ascii_start().starts_with(b"[") {
            // Read as a list of what the object holds, it could be taken for one.
            return Err(Problem::new(&problem::BAD_BODY, "the body must be a JSON object, not a list"));
        }
        serde_json::from_slice(text).map(Input).map_err(|e| Problem::new(&problem::BAD_BODY, e.to_string()))
    }
}

/// The one id in the path.
pub(crate) struct Id<T>(pub T);

impl<T, S> FromRequestParts<S> for Id<T>
where
    T: FromStr<Err: Display>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let bad = |detail: String| Problem::new(&problem::BAD_ID, detail);
        let Path(text): Path<String> = Path::from_request_parts(parts, state).await.map_err(|e| bad(e.to_string()))?;
        text.parse().map(Id).map_err(|e: T::Err| bad(e.to_string()))
    }
}

/// A name as one segment of a path, whatever it holds: what [`Name`] reads again.
pub fn segment(name: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.~".contains(b);
    name.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The one name in the path.
pub(crate) struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        name.map(|Path(name)| Name(name)).map_err(|e| Problem::new(&problem::BAD_ID, e.to_string()))
    }
}

/// The store's page for `limit` items and one more, which tells whether there is a next page.
pub(crate) fn page<I>(after: Option<I>, limit: Option<usize>) -> Result<Page<I>, Problem> {
    match limit.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(Page { after, limit: limit + 1, oldest_first: false }),
        limit => Err(Problem::new(&problem::BAD_QUERY, format!("limit = {limit} is not within 1..{LIMIT_MAX}"))),
    }
}

/// Cuts the one item too many off, and names the last id if it was there.
pub(crate) fn listing<T, V, I: Display>(
    mut rows: Vec<T>,
    page: &Page<I>,
    id: impl Fn(&T) -> I,
    view: impl Fn(T) -> V,
) -> Listing<V> {
    let more = rows.len() >= page.limit;
    rows.truncate(page.limit.saturating_sub(1));
    let next = rows.last().filter(|_| more).map(|row| id(row).to_string());
    Listing { next, ..Listing::whole(rows.into_iter().map(view).collect()) }
}

/// The same of a look, which may have ended before the page was full.
pub(crate) fn looked<T, V, I: Display>(
    looked: Looked<T, I>,
    page: &Page<I>,
    id: impl Fn(&T) -> I,
    view: impl Fn(T) -> V,
    minted_at: impl Fn(&I) -> Time,
) -> Listing<V> {
    let listing = listing(looked.rows, page, id, view);
    match looked.upto {
        Some(upto) => Listing { looked_back_to: Some(minted_at(&upto)), next: Some(upto.to_string()), ..listing },
        None => listing,
    }
}

/// Refuses a pattern of types that would take for ever to match.
pub(crate) fn check_pattern(pattern: Option<&str>) -> Result<(), Problem> {
    let stars = pattern.map_or(0, |pattern| pattern.matches('*').count());
    match stars > STARS_MAX {
        true => {
            Err(Problem::new(&problem::BAD_QUERY, format!("a type may have at most {STARS_MAX} stars, not {stars}")))
        }
        false => Ok(()),
    }
}

/// Refuses a span of time that can hold nothing.
pub(crate) fn check_span(since: Option<Time>, until: Option<Time>) -> Result<(), Problem> {
    match (since, until) {
        (Some(since), Some(until)) if since >= until => {
            Err(Problem::new(&problem::BAD_QUERY, format!("since {since} is not before until {until}")))
        }
        _ => Ok(()),
    }
}

/// The cause that names the field, below axum's "failed to deserialize".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
