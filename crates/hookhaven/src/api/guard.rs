//! Who may talk to the admin side: requests under a name of ours, from our own pages or from no page
//! at all, with the token. In this order, before anything else is looked at.
//!
//! The Host check is what stops DNS rebinding: a page of another site whose name was pointed at
//! 127.0.0.1 reaches our socket, but under its own name. The Origin check stops a page that posts
//! across sites; a body that writes must be JSON, which no plain form can send.

use std::net::IpAddr;

use aws_lc_rs::{constant_time, digest};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::Authority};

use super::{
    Api, Shared,
    problem::{self, Problem},
};

/// Tokens are compared by their hashes, so that neither content nor length shows in the time taken.
pub(crate) fn token_hash(token: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, token)
}

/// Lets a request pass, or answers it.
pub(crate) async fn check(State(api): State<Shared>, request: Request, next: Next) -> Response {
    match judge(&api, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn judge(api: &Api, request: &Request) -> Result<(), Problem> {
    let host = check_host(api, request.uri(), request.headers())?;
    check_origin(request.headers(), &host)?;
    check_token(api, request.headers())?;
    check_content_type(request)
}

/// The name that a request came under, if it is one of ours.
pub(crate) fn check_host(api: &Api, uri: &Uri, headers: &HeaderMap) -> Result<Authority, Problem> {
    let host = host_of(uri, headers)?;
    if host_allowed(api, host.host()) {
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

fn host_allowed(api: &Api, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(ip) = literal.parse::<IpAddr>() {
        // An address cannot be rebound. Bound to every address, any of them may be ours.
        let bound = api.parts.bound.ip();
        return ip.is_loopback() || ip == bound || bound.is_unspecified() || listed(api, literal);
    }
    host.eq_ignore_ascii_case("localhost") || listed(api, host)
}

fn listed(api: &Api, host: &str) -> bool {
    api.parts.config.load().server.admin_hosts.iter().any(|h| h.trim_end_matches('.').eq_ignore_ascii_case(host))
}

fn check_origin(headers: &HeaderMap, host: &Authority) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    if same_origin(origin, host) {
        return Ok(());
    }
    Err(Problem::new(&problem::ORIGIN_NOT_ALLOWED, "the Origin header names another site than the Host header"))
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

fn check_token(api: &Api, headers: &HeaderMap) -> Result<(), Problem> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(given), None) = (all.next(), all.next()) else {
        let detail =
            "send it as \"Authorization: Bearer <token>\"; it is in the file admin-token of the data directory";
        return Err(Problem::new(&problem::UNAUTHORIZED, detail));
    };
    let token = match given.as_bytes().split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
        _ => return Err(Problem::new(&problem::UNAUTHORIZED, "the Authorization header must begin with \"Bearer \"")),
    };
    constant_time::verify_slices_are_equal(token_hash(token).as_ref(), api.token_hash.as_ref())
        .map_err(|_| Problem::new(&problem::UNAUTHORIZED, "the token is not the admin token of this gateway"))
}

/// What writes carries JSON or nothing: no form of another page can make such a request.
fn check_content_type(request: &Request) -> Result<(), Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let headers = request.headers();
    let empty = hyper::body::Body::is_end_stream(request.body());
    match headers.get(header::CONTENT_TYPE) {
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
