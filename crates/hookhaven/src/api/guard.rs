//! Who may talk to the admin side: requests under a name of ours, from our own pages or from no page
//! at all, with a token whose scopes suffice. In this order, before anything else is looked at.
//!
//! The Host check is what stops DNS rebinding: a page of another site whose name was pointed at
//! 127.0.0.1 reaches our socket, but under its own name. The checks of Origin and of `Sec-Fetch-Site` stop a page
//! that asks across sites; a body that writes must be JSON, which no plain form can send.
//!
//! What is needed follows from method and path ([`scope::needed`]). Handlers find [`Who`] among the request's
//! extensions. What passes and may change something is written down (`audit`). Refusals of an address are counted;
//! beyond a few in a minute it is told to wait, while a right token is let in from anywhere.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hookhaven_core::Time;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri, header, request::Parts, uri::Authority};

use super::{
    Api, ApiParts, Shared, audit,
    problem::{self, Problem},
};
use crate::{
    access::{
        Refused, TokenHash, Who,
        failures::{FAILURES_MAX, FAILURES_WINDOW},
        scope::{self, Scopes},
    },
    server::Peer,
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets a request pass, or answers it.
pub(crate) async fn check(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let who = match judge(&api, &head, hyper::body::Body::is_end_stream(&body)).await {
        Ok(who) => who,
        Err(problem) => return refuse(&api, &head, problem).into_response(),
    };
    head.extensions.insert(who.clone());
    let request = Request::from_parts(head, body);
    if scope::only_reads(request.method()) {
        return next.run(request).await;
    }
    audit::run(api, who, request, next).await
}

/// A request of the dashboard on behalf of somebody who signed in: it comes from within, so what it could come from
/// was judged there. What it may do is judged here.
#[derive(Clone, Debug)]
pub struct Inside(pub Who);

async fn judge(api: &Api, head: &Parts, empty: bool) -> Result<Who, Problem> {
    if let Some(Inside(who)) = head.extensions.get() {
        check_scope(who, head)?;
        check_content_type(head, empty)?;
        return Ok(who.clone());
    }
    let host = check_host(&api.parts, &head.uri, &head.headers)?;
    check_origin(&head.headers, &host)?;
    let who = check_token(api, head).await?;
    check_scope(&who, head)?;
    check_content_type(head, empty)?;
    Ok(who)
}

/// Counts a refusal. Who was refused too often for want of a token is told to wait instead.
fn refuse(api: &Api, head: &Parts, mut problem: Problem) -> Problem {
    if problem.code == problem::UNAUTHORIZED.code
        && let Some(from) = address(&head.extensions)
        && api.parts.access.failures.too_many(from, api.parts.clock.now())
    {
        let detail = format!(
            "more than {FAILURES_MAX} requests from this address were refused within {} s; wait a minute, and come with \
             a right token",
            FAILURES_WINDOW.as_secs()
        );
        problem = Problem::new(&problem::TOO_MANY_FAILURES, detail);
    } else {
        let (method, path) = (head.method.as_str(), head.uri.path());
        let from = address(&head.extensions).map(tracing::field::display);
        tracing::info!(code = problem.code, from, method, path, "refused on the admin side");
    }
    api.parts.signals.refused(&problem.code);
    problem
}

pub(crate) fn address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical())
}

/// The name that a request came under, if it is one of ours.
pub(crate) fn check_host(parts: &ApiParts, uri: &Uri, headers: &HeaderMap) -> Result<Authority, Problem> {
    let host = host_of(uri, headers)?;
    if host_allowed(parts, host.host()) {
        return Ok(host);
    }
    let detail = format!(
        "{:?} is not a name of the admin side; add it to admin_hosts under [server] if it is yours",
        host.host()
    );
    Err(Problem::new(&problem::HOST_NOT_ALLOWED, detail))
}

/// The name that the client called: `:authority` in HTTP/2, `Host` in HTTP/1.
fn host_of(uri: &Uri, headers: &HeaderMap) -> Result<Authority, Problem> {
    let refuse = |detail: &str| Problem::new(&problem::HOST_NOT_ALLOWED, detail);
    let mut hosts = headers.get_all(header::HOST).iter();
    let authority = match (uri.authority(), hosts.next()) {
        (Some(authority), None) => authority.clone(),
        (authority, Some(host)) => {
            let host = Authority::try_from(host.as_bytes()).map_err(|_| refuse("the Host header is malformed"))?;
            if authority.is_some_and(|a| *a != host) {
                return Err(refuse("the Host header and the request's address differ"));
            }
            host
        }
        (None, None) => return Err(refuse("the Host header is missing")),
    };
    if hosts.next().is_some() || authority.as_str().contains('@') {
        return Err(refuse("the Host header is malformed"));
    }
    Ok(authority)
}

fn host_allowed(parts: &ApiParts, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(ip) = literal.parse::<IpAddr>() {
        // An address cannot be rebound. Bound to every address, any of them may be ours.
        let bound = parts.bound.ip();
        return ip.is_loopback() || ip == bound || bound.is_unspecified() || listed(parts, literal);
    }
    host.eq_ignore_ascii_case("localhost") || listed(parts, host)
}

fn listed(parts: &ApiParts, host: &str) -> bool {
    parts.config.load().server.admin_hosts.iter().any(|h| h.trim_end_matches('.').eq_ignore_ascii_case(host))
}

pub(crate) fn check_origin(headers: &HeaderMap, host: &Authority) -> Result<(), Problem> {
    let refuse = |detail: &str| Err(Problem::new(&problem::ORIGIN_NOT_ALLOWED, detail));
    // Browsers set it and pages cannot: `none` is an address that a person typed.
    let site = headers.get(&SEC_FETCH_SITE);
    if site.is_some_and(|site| *site != "same-origin" && *site != "none") {
        return refuse("the browser says that a page of another site asks");
    }
    match headers.get(header::ORIGIN) {
        Some(origin) if !same_origin(origin, host) => {
            refuse("the Origin header names another site than the Host header")
        }
        _ => Ok(()),
    }
}

/// `null` and what cannot be read are other sites. The scheme is the proxy's business.
fn same_origin(origin: &HeaderValue, host: &Authority) -> bool {
    let Some((scheme, rest)) = origin.to_str().ok().and_then(|o| o.split_once("://")) else { return false };
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let Ok(theirs) = rest.parse::<Authority>() else { return false };
    let port = |a: &Authority| a.port_u16().unwrap_or(default_port);
    theirs.host().eq_ignore_ascii_case(host.host()) && port(&theirs) == port(host)
}

async fn check_token(api: &Api, head: &Parts) -> Result<Who, Problem> {
    let unauthorized = |detail: String| Problem::new(&problem::UNAUTHORIZED, detail);
    let given = bearer(&head.headers).map_err(|detail| unauthorized(detail.to_owned()))?;
    let (access, store, now) = (&api.parts.access, &api.parts.store, api.parts.clock.now());
    let mut who = access.who(given, now);
    if who == Err(Refused::Unknown) && access.tokens.look_for(given, &**store, now).await {
        who = access.who(given, now);
    }
    let mut who = who.map_err(|refused| unauthorized(why(refused)))?;
    who.address = address(&head.extensions);
    if who.token.is_some() {
        access.tokens.note_use(store, &TokenHash::of(given), now);
    }
    Ok(who)
}

pub(super) fn bearer(headers: &HeaderMap) -> Result<&[u8], &'static str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(given), None) = (all.next(), all.next()) else {
        return Err(
            "send a token as \"Authorization: Bearer <token>\"; the admin token is in the file admin-token of the \
                    data directory, and `hookhaven tokens create` makes others",
        );
    };
    match given.as_bytes().split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => Ok(token.trim_ascii()),
        _ => Err("the Authorization header must begin with \"Bearer \""),
    }
}

/// Only who had the right token hears that it has expired.
fn why(refused: Refused) -> String {
    match refused {
        Refused::Unknown => "the token is none of this gateway's, or was revoked".to_owned(),
        Refused::Expired(end) => {
            let end = Time::from_s(end.as_s());
            format!("the token has expired at {end}; make a new one with `hookhaven tokens create`")
        }
    }
}

fn check_scope(who: &Who, head: &Parts) -> Result<(), Problem> {
    let (method, path) = (&head.method, head.uri.path());
    match scope::needed(method, path) {
        Some(needed) if !who.scopes.allow(needed) => {
            let (name, scopes) = (&who.name, shown(&who.scopes));
            let detail = format!("{method} {path} needs a token with the scope {needed}; {name:?} has {scopes}");
            Err(Problem::new(&problem::FORBIDDEN, detail))
        }
        _ => Ok(()),
    }
}

fn shown(scopes: &Scopes) -> String {
    if scopes.is_empty() { "none".to_owned() } else { scopes.to_string() }
}

/// What writes carries JSON or nothing: no form of another page can make such a request.
fn check_content_type(head: &Parts, empty: bool) -> Result<(), Problem> {
    if matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    match head.headers.get(header::CONTENT_TYPE) {
        None if empty => Ok(()),
        Some(kind) if is_json(kind) => Ok(()),
        _ => Err(Problem::new(&problem::MEDIA_TYPE, "send the header \"content-type: application/json\"")),
    }
}

fn is_json(kind: &HeaderValue) -> bool {
    let essence = kind.as_bytes().split(|b| *b == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// On every answer: nothing is cached, guessed, framed or shared across sites.
pub(crate) async fn harden(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_host_and_port_is_the_same_origin() {
        for (origin, host, want) in [
            ("http://127.0.0.1:8081", "127.0.0.1:8081", true),
            ("http://LOCALHOST:8081", "localhost:8081", true),
            ("https://admin.example.com", "admin.example.com", true),
            ("https://admin.example.com", "admin.example.com:443", true),
            ("http://127.0.0.1:9999", "127.0.0.1:8081", false),
            ("http://127.0.0.1.evil.example:8081", "127.0.0.1:8081", false),
            ("http://evil.example", "127.0.0.1:8081", false),
            ("null", "127.0.0.1:8081", false),
            ("file://", "127.0.0.1:8081", false),
        ] {
            let host: Authority = host.parse().unwrap();
            assert_eq!(same_origin(&HeaderValue::from_static(origin), &host), want, "{origin} {host}");
        }
    }

    #[test]
    fn json_is_json_with_or_without_a_charset() {
        for (kind, want) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/jsonp", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            assert_eq!(is_json(&HeaderValue::from_static(kind)), want, "{kind}");
        }
    }
}
