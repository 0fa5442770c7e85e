//! A URL to be called, read once: where it leads by the rules of browsers (WHATWG, the `url` crate), what is
//! asked for there byte for byte as it was written.
//!
//! The host is read by one parser and from then on handed around as it understood it: an address in any of
//! its spellings has become a plain one, so no second reader can see another host in the same text. Path and
//! query are not parsed at all: `/a//b`, `/a/../b`, `%7E` mean what the destination makes of them.
//!
//! Not here: what may be reached (`address`).

use std::net::IpAddr;

use http::{Uri, uri::PathAndQuery};
use url::{Host, Url};

/// Longer ones are refused; what comes over HTTP is bounded by the limit on headers anyway.
const BYTES_MAX: usize = 32 << 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactUrl {
    /// Scheme, host and port, and nothing else.
    origin: Url,
    path_and_query: PathAndQuery,
}

/// Why a text is no URL that can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExactUrlError {
    #[error("it is too long")]
    TooLong,
    #[error("only http:// and https:// can be called")]
    Scheme,
    #[error("its host cannot be read")]
    Host,
    #[error("its path cannot be sent")]
    Path,
}

impl ExactUrl {
    /// Reads a URL as somebody wrote it. A user name and password in it are left out, a fragment too. In path
    /// and query only what no request can carry is percent-encoded (a blank, for one).
    pub fn parse(text: &str) -> Result<Self, ExactUrlError> {
        if text.len() > BYTES_MAX {
            return Err(ExactUrlError::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(ExactUrlError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err(ExactUrlError::Scheme);
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // A backslash would end the host for some readers, a line break or tab would vanish, a blank be cut off.
        let odd = |c: char| c == '\\' || c.is_whitespace() || c.is_control();
        if authority.is_empty() || authority.contains(odd) {
            return Err(ExactUrlError::Host);
        }
        let mut origin = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| ExactUrlError::Host)?;
        // Errors mean that the URL has no host, and one of these schemes always has.
        let _ = origin.set_username("");
        let _ = origin.set_password(None);
        let asked = rest.split('#').next().unwrap_or_default();
        ExactUrl { origin, path_and_query: path_and_query(asked)? }.callable()
    }

    /// A URL that was parsed before: of the config file, or of a test.
    pub fn of(url: &Url) -> Result<Self, ExactUrlError> {
        let mut origin = url.clone();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(ExactUrlError::Scheme);
        }
        let _ = origin.set_username("");
        let _ = origin.set_password(None);
        origin.set_fragment(None);
        let path_and_query = path_and_query(&origin[url::Position::BeforePath..])?;
        origin.set_query(None);
        origin.set_path("/");
        ExactUrl { origin, path_and_query }.callable()
    }

    /// As the HTTP client takes it: host and port as they were understood, the rest as it was written.
    pub fn uri(&self) -> Result<Uri, ExactUrlError> {
        let authority = match (self.origin.host_str(), self.origin.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => return Err(ExactUrlError::Host),
        };
        let uri = Uri::builder().scheme(self.origin.scheme()).authority(authority);
        uri.path_and_query(self.path_and_query.clone()).build().map_err(|_| ExactUrlError::Host)
    }

    /// In the spelling that connects: lower case, ASCII, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.origin.host_str().unwrap_or_default()
    }

    /// Its port, 80 or 443 if it names none.
    pub fn port(&self) -> u16 {
        self.origin.port_or_known_default().unwrap_or_default()
    }

    pub fn path(&self) -> &str {
        self.path_and_query.path()
    }

    /// The host, if it is an address.
    pub fn literal(&self) -> Option<IpAddr> {
        match self.origin.host()? {
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
            Host::Domain(_) => None,
        }
    }

    /// As it may be shown (I6): without the query, where credentials stand.
    pub fn shown(&self) -> String {
        let origin = self.origin.as_str().trim_end_matches('/');
        let query = if self.path_and_query.query().is_some() { "?…" } else { "" };
        format!("{origin}{}{query}", self.path())
    }

    fn callable(self) -> Result<Self, ExactUrlError> {
        let uri = self.uri()?;
        if uri.host().is_none_or(str::is_empty) { Err(ExactUrlError::Host) } else { Ok(self) }
    }
}

fn path_and_query(asked: &str) -> Result<PathAndQuery, ExactUrlError> {
    let slash = if asked.starts_with('/') { "" } else { "/" };
    let text = format!("{slash}{asked}");
    PathAndQuery::try_from(text.as_str())
        .or_else(|_| PathAndQuery::try_from(encoded(&text)))
        .map_err(|_| ExactUrlError::Path)
}

/// With everything encoded that may not stand in a request line.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>`".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Result<String, ExactUrlError> {
        ExactUrl::parse(text)?.uri().map(|uri| uri.to_string())
    }

    #[test]
    fn path_and_query_stay_as_they_were_written() {
        for asked in [
            "/",
            "/a//b?x=1&y=b%20c",
            "/%7Euser/%7euser",
            "/a/../b/./c",
            "/?",
            "/a?b?c=/d//e",
            "/a;b=c,d'(e)*!~$&+=:@",
            "/%2e%2E/%zz%",
            "/a\\b",
            "/{\"x\":1}?q={a|b}^[`]",
            "/ü",
        ] {
            assert_eq!(uri(&format!("https://example.com{asked}")), Ok(format!("https://example.com{asked}")));
        }
        assert_eq!(uri("https://example.com?a=b"), Ok("https://example.com/?a=b".to_owned()));
        assert_eq!(uri("HTTPS://Example.COM"), Ok("https://example.com/".to_owned()));
        assert_eq!(uri("https://example.com/a b#c"), Ok("https://example.com/a%20b".to_owned()));
        assert_eq!(uri("https://example.com/?q=\"a\"&b={c}"), Ok("https://example.com/?q=%22a%22&b={c}".to_owned()));
        assert_eq!(uri("https://example.com/a\r\nx: y"), Ok("https://example.com/a%0D%0Ax:%20y".to_owned()));
    }

    #[test]
    fn the_host_is_what_browsers_read() {
        for (authority, read) in [
            ("2130706433", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0177.0.0.01", "127.0.0.1"),
            ("%31%32%37.0.0.1", "127.0.0.1"),
            ("127。0。0。1", "127.0.0.1"),
            ("user:pass@example.com:8080", "example.com:8080"),
            ("example.com@127.0.0.1", "127.0.0.1"),
            ("example.com:443", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("[::FFFF:127.0.0.1]:81", "[::ffff:7f00:1]:81"),
        ] {
            assert_eq!(uri(&format!("https://{authority}/p")), Ok(format!("https://{read}/p")), "{authority}");
        }
    }

    #[test]
    fn what_readers_could_read_in_two_ways_is_refused() {
        for authority in [
            "",
            "example.com\\@127.0.0.1",
            "127.0.0.1\\.example.com",
            "exa\tmple.com",
            "127.0.0.1\r\nhost: x",
            " example.com",
            "example.com ",
            "[fe80::1%25eth0]",
            "[::1",
            "::1",
            "1.2.3.256",
            "0x100000000",
            "1.2.3.08",
            "exa%00mple.com",
            "exa%2Fmple.com",
            "example.com:65536",
            "user@",
            ":80",
        ] {
            assert_eq!(uri(&format!("http://{authority}/")), Err(ExactUrlError::Host), "{authority:?}");
        }
        for text in ["//example.com/", "example.com", "ftp://example.com/", "https:/example.com/", " http://a/", ""] {
            assert_eq!(uri(text), Err(ExactUrlError::Scheme), "{text:?}");
        }
        assert_eq!(uri("http:///example.com/"), Err(ExactUrlError::Host));
        assert_eq!(uri(&format!("http://a/{}", "x".repeat(BYTES_MAX))), Err(ExactUrlError::TooLong));
    }

    #[test]
    fn a_parsed_url_is_the_same() {
        for text in ["https://example.com/a?b=c", "http://127.0.0.1:3000/", "http://[::1]:81/x%20y?"] {
            assert_eq!(ExactUrl::of(&text.parse().unwrap()), ExactUrl::parse(text), "{text}");
        }
        let secret = "http://user:pass@example.com/a?token=b#c";
        assert_eq!(ExactUrl::of(&secret.parse().unwrap()).unwrap().shown(), "http://example.com/a?…");
        assert_eq!(ExactUrl::of(&"mailto:a@b.c".parse().unwrap()), Err(ExactUrlError::Scheme));
    }
}
