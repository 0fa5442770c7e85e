//! Who reads: a session in a cookie, begun on the sign-in page with a token or with a one-time link, ended by signing
//! out. And what a browser may send here: requests under names of ours, of our own pages; from other sites only what a
//! person clicked to look at (a link in an alert).

use askama::Template;
use axum::{
    Form, Router,
    extract::{Query, Request, State},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use serde::Deserialize;

use super::{
    Shared, query, shell,
    visit::{self, Visit},
};
use crate::{
    access::{
        Refused, Who,
        failures::{FAILURES_MAX, FAILURES_WINDOW},
        sessions::SESSION_MAX,
    },
    api::{Problem, guard, problem},
};

/// What the browser holds.
const COOKIE: &str = "hookhaven_session";
/// The same on https: browsers take what has this prefix from this very host only, and send it nowhere else.
const SECURE_COOKIE: &str = "__Host-hookhaven_session";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/sign-in", get(form).post(sign_in)).route("/sign-out", post(sign_out))
}

/// Lets who has a session see a page; others are led to where one begins.
pub(super) async fn check(State(dashboard): State<Shared>, mut request: Request, next: Next) -> Response {
    match reader(&dashboard, request.headers()).await {
        Some(who) => {
            let who = Who { address: guard::address(request.extensions()), ..who };
            let visit = Visit::new(&dashboard, who, &request);
            request.extensions_mut().insert(visit.clone());
            shell::framed(next.run(request).await, &visit).await
        }
        None => lead_to_sign_in(&request),
    }
}

fn is_https(dashboard: &Shared) -> bool {
    dashboard.parts.config.load().server.tls.admin.is_some()
}

fn cookie_name(dashboard: &Shared) -> &'static str {
    if is_https(dashboard) { SECURE_COOKIE } else { COOKIE }
}

async fn reader(dashboard: &Shared, headers: &HeaderMap) -> Option<Who> {
    let session = visit::cookie(headers, cookie_name(dashboard))?;
    let parts = &dashboard.parts;
    parts.access.who_of_session(session.as_bytes(), &*parts.store, parts.clock.now()).await.ok()
}

fn lead_to_sign_in(request: &Request) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let next = if request.method() == Method::GET && wanted != "/" { wanted } else { "" };
    let to = query::path("/sign-in", &[("next", next)]);
    if shell::is_htmx(request.headers()) {
        // A fragment must not become the sign-in page.
        return ([("hx-redirect", to)], StatusCode::UNAUTHORIZED).into_response();
    }
    Redirect::to(&to).into_response()
}

/// Host, Origin and where the browser says that a request comes from.
pub(super) fn judge(dashboard: &Shared, head: &Parts) -> Result<(), Problem> {
    let host = guard::check_host(&dashboard.parts, &head.uri, &head.headers)?;
    let clicked = matches!(head.method, Method::GET | Method::HEAD)
        && head.headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
        && head.headers.get("sec-fetch-dest").is_some_and(|dest| dest == "document");
    if clicked {
        return Ok(());
    }
    guard::check_origin(&head.headers, &host)
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    theme: &'a str,
    next: &'a str,
    error: &'a str,
}

#[derive(Deserialize)]
struct Asked {
    next: Option<String>,
    /// Of a one-time link.
    once: Option<String>,
}

async fn form(State(dashboard): State<Shared>, Query(asked): Query<Asked>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let next = asked.next.unwrap_or_default();
    if let Some(once) = asked.once {
        let parts = &dashboard.parts;
        let (from, now) = (guard::address(&head.extensions), parts.clock.now());
        let begun = parts.access.sign_in_by_link(once.as_bytes(), from, &*parts.store, now, &*parts.entropy);
        return answer(
            &dashboard,
            &head,
            begun.await,
            &next,
            "this link was used already, or is too old; a token does it",
        );
    }
    page(&head.headers, StatusCode::OK, &next, "")
}

#[derive(Deserialize)]
struct Given {
    token: String,
    next: Option<String>,
}

async fn sign_in(State(dashboard): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let request = Request::from_parts(head.clone(), body);
    let Ok(Form(given)) = <Form<Given> as axum::extract::FromRequest<_>>::from_request(request, &()).await else {
        return page(&head.headers, StatusCode::BAD_REQUEST, "", "the form could not be read");
    };
    let parts = &dashboard.parts;
    let next = given.next.unwrap_or_default();
    let token = given.token.trim();
    let (from, now) = (guard::address(&head.extensions), parts.clock.now());
    let begun = parts.access.sign_in(token.as_bytes(), from, &*parts.store, now, &*parts.entropy);
    answer(&dashboard, &head, begun.await, &next, "that token is none of this gateway's, or was revoked")
}

fn answer(
    dashboard: &Shared,
    head: &Parts,
    begun: Result<Result<hookhaven_core::Secret, Refused>, hookhaven_store::StoreError>,
    next: &str,
    unknown: &str,
) -> Response {
    let (status, error) = match begun {
        Ok(Ok(session)) => return signed_in(dashboard, session.expose(), next),
        Ok(Err(refused)) => refusal(dashboard, head, refused, unknown),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("the store cannot keep a session just now: {error}")),
    };
    page(&head.headers, status, next, &error)
}

/// Guesses are counted together with those on the API.
fn refusal(dashboard: &Shared, head: &Parts, refused: Refused, unknown: &str) -> (StatusCode, String) {
    let parts = &dashboard.parts;
    parts.signals.refused(problem::UNAUTHORIZED.code);
    let too_many =
        guard::address(&head.extensions).is_some_and(|from| parts.access.failures.too_many(from, parts.clock.now()));
    let error = match refused {
        _ if too_many => {
            let s = FAILURES_WINDOW.as_secs();
            let error = format!("more than {FAILURES_MAX} tries from this address failed within {s} s; wait a minute");
            return (StatusCode::TOO_MANY_REQUESTS, error);
        }
        Refused::Unknown => unknown.to_owned(),
        Refused::Expired(end) => format!("that token has expired at {end}"),
    };
    (StatusCode::UNAUTHORIZED, error)
}

fn page(headers: &HeaderMap, status: StatusCode, next: &str, error: &str) -> Response {
    let theme = visit::theme(headers);
    let mut response = shell::render(&SignIn { theme, next: query::ours(next), error });
    *response.status_mut() = status;
    response
}

fn signed_in(dashboard: &Shared, session: &[u8], next: &str) -> Response {
    let next = query::ours(next);
    let mut response = Redirect::to(if next.is_empty() { "/" } else { next }).into_response();
    let session = std::str::from_utf8(session).unwrap_or_default();
    set_cookie(&mut response, dashboard, session, SESSION_MAX.as_secs());
    response
}

async fn sign_out(State(dashboard): State<Shared>, request: Request) -> Response {
    if let Some(session) = visit::cookie(request.headers(), cookie_name(&dashboard)) {
        let parts = &dashboard.parts;
        if let Err(error) = parts.access.sign_out(session.as_bytes(), &*parts.store).await {
            tracing::warn!(%error, "a session that was signed out of could not be ended in the store");
        }
    }
    let mut response = Redirect::to("/sign-in").into_response();
    set_cookie(&mut response, &dashboard, "", 0);
    response
}

/// `Lax`, so that a link in an alert finds who clicked it signed in; what changes anything comes by `POST` from our own
/// pages only.
fn set_cookie(response: &mut Response, dashboard: &Shared, session: &str, max_age_s: u64) {
    let (name, secure) = (cookie_name(dashboard), if is_https(dashboard) { "; Secure" } else { "" });
    let cookie = format!("{name}={session}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
