//! Events: the list, with filters and a search ([`list`], [`search`]); the live view ([`live`]); one event with all that
//! became of it ([`one`]), what can be done about it ([`acts`]), and beside another ([`compare`]).
//!
//! What senders and handlers wrote is foreign text: it is escaped like everything, isolated (`<bdi>`, `dir="auto"`) so
//! that it cannot rearrange what stands beside it, and cut where it has no end. Of a body so much is shown, and the rest
//! is a download, which browsers never read as a page.

mod acts;
mod body;
mod compare;
mod curl;
mod filter;
mod list;
mod live;
mod one;
mod row;
mod search;
mod timeline;
mod told;

use axum::{Router, body::Body, response::Response};
use http::{HeaderValue, Method, header};

use super::{Shared, Trouble, Visit};

pub(super) use self::body::Body as ShownBody;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .merge(list::routes())
        .merge(live::routes())
        .merge(one::routes())
        .merge(compare::routes())
        .merge(acts::routes())
}

/// Foreign text, cut where it would take a list's room.
pub(super) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Bytes of strangers as a file, whatever they are: nothing is guessed, nothing is run.
pub(super) async fn download(visit: &Visit, path: &str, name: &str) -> Result<Response, Trouble> {
    let answer = visit.api.raw(Method::GET, path, Body::empty()).await?;
    let mut response = Response::new(answer.into_body());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let attachment = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    headers.insert(header::CONTENT_DISPOSITION, attachment.unwrap_or(HeaderValue::from_static("attachment")));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    Ok(response)
}

#[cfg(test)]
mod tests;
