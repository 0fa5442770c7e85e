//! Where a message goes: a URL, kept as it was written, or the name of a URL group.
//!
//! Nothing is resolved here, and no address judged: names are checked when they are connected to, and
//! literal addresses by `egress`.

use http::Uri;
use url::Url;

use super::{error::ApiError, names};

/// Longest address that is taken.
pub const URL_BYTES_MAX: usize = 8_192;

const NO_SCHEME: &str = "invalid destination url: endpoint has invalid scheme, add http:// or https://";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Sent as it stands, path and query byte for byte.
    Url(String),
    Group(String),
}

/// Of the raw text behind `/v2/publish/`, or of a batch entry.
pub fn parse(text: &str) -> Result<Destination, ApiError> {
    if has_scheme(text) {
        return url(text).map(Destination::Url);
    }
    // A group's name holds no slash, so nothing of ours is lost.
    if text.starts_with("api/") {
        return Err(ApiError::out_of_scope("publishing to api/…"));
    }
    let name = text.strip_suffix('/').unwrap_or(text);
    if names::is_name(name) { Ok(Destination::Group(name.to_owned())) } else { Err(ApiError::bad(NO_SCHEME)) }
}

/// The refusal of a group that does not exist.
pub fn unknown_group() -> ApiError {
    ApiError::bad(NO_SCHEME)
}

/// A http or https address. Text that cannot stand in a request (blanks, other scripts, a fragment) is
/// written as a browser would send it; everything else stays as it is.
pub fn url(text: &str) -> Result<String, ApiError> {
    let bad = |why: &str| ApiError::bad(format!("invalid destination url: {why}"));
    if text.len() > URL_BYTES_MAX {
        return Err(bad(&format!("longer than {URL_BYTES_MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(bad("it holds control characters"));
    }
    if !has_scheme(text) {
        return Err(ApiError::bad(NO_SCHEME));
    }
    let text = with_both_slashes(text);
    let parsed = Url::parse(&text).map_err(|why| bad(&why.to_string()))?;
    let has_host = parsed.host_str().is_some_and(|host| !host.is_empty());
    if !has_host || authority(&text).is_empty() {
        return Err(bad("endpoint has no host"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(bad("a user name or password in it is not sent; forward an Authorization header instead"));
    }
    let sendable = text.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'#' && b != b'\\');
    if sendable && text.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty())) {
        return Ok(text);
    }
    let mut plain = parsed;
    plain.set_fragment(None);
    let plain = String::from(plain);
    if plain.len() > URL_BYTES_MAX || plain.parse::<Uri>().is_err() {
        return Err(bad("it cannot be requested"));
    }
    Ok(plain)
}

/// `http:` or `https:` with at least one slash, in any case.
fn has_scheme(text: &str) -> bool {
    rest_of(text).is_some_and(|rest| rest.starts_with('/'))
}

/// A proxy may have merged the slashes of `https://` in a path.
fn with_both_slashes(text: &str) -> String {
    match rest_of(text) {
        Some(rest) if !rest.starts_with("//") => {
            let scheme = &text[..text.len() - rest.len()];
            format!("{scheme}/{rest}")
        }
        _ => text.to_owned(),
    }
}

/// What follows the scheme's colon.
fn rest_of(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(rest)
}

/// Between `//` and what ends it. Parsers of URLs skip further slashes; no request does.
fn authority(text: &str) -> &str {
    let rest = rest_of(text).and_then(|rest| rest.strip_prefix("//")).unwrap_or_default();
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn addresses_stay_as_they_were_written() {
        for text in [
            "https://example.com",
            "https://example.com/a//b?x=1&y=b%20c",
            "http://example.com:8080/%7Euser/../b?q=https://other.example/",
            "HTTPS://EXAMPLE.com/A?",
            "https://example.com/?a=,;:@$!*'()[]",
            "http://[2001:db8::1]:8080/x",
        ] {
            assert_eq!(parse(text), Ok(Destination::Url(text.to_owned())));
        }
    }

    #[test]
    fn what_cannot_be_requested_is_written_as_it_would_be() {
        let table = [
            ("https:/example.com/a?b", "https://example.com/a?b"),
            ("https://example.com/ä b#part", "https://example.com/%C3%A4%20b"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            ("https://example.com/a#b", "https://example.com/a"),
        ];
        for (text, expected) in table {
            assert_eq!(url(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn groups_and_what_is_neither() {
        assert_eq!(parse("my-group"), Ok(Destination::Group("my-group".into())));
        assert_eq!(parse("my-group/"), Ok(Destination::Group("my-group".into())));
        for text in ["", "ftp://example.com/", "https%3A%2F%2Fexample.com", "a b", "example.com/path", "mailto:a@b"] {
            assert_eq!(parse(text), Err(ApiError::bad(NO_SCHEME)), "{text}");
        }
        for text in ["api/llm", "api/email"] {
            assert_eq!(parse(text).unwrap_err().status, StatusCode::NOT_IMPLEMENTED);
        }
    }

    #[test]
    fn addresses_without_a_host_or_with_controls_are_refused() {
        let long = format!("https://example.com/{}", "x".repeat(URL_BYTES_MAX));
        for text in [
            "https://",
            "https:///path",
            "http://:80/",
            "http://?x",
            "https://a\r\nb/",
            "http://h:99999/",
            "https:///",
            "https://us:pw@example.com/",
            "https://us@example.com/",
            &long,
        ] {
            assert_eq!(parse(text).map_err(|e| e.status), Err(StatusCode::BAD_REQUEST), "{text:?}");
        }
    }
}
