//! Paths with what they ask for: written here, so that nobody forgets to escape.

pub(crate) use crate::api::segment;

/// Longest path that is led to.
const PATH_BYTES_MAX: usize = 2_048;

/// `path` with these parameters; those that are empty are left out. Names of resources within a path go through
/// [`segment`].
pub(crate) fn path(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut text = path.to_owned();
    let mut sign = if path.contains('?') { '&' } else { '?' };
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        text.push(sign);
        text.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
        text.push('=');
        text.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
        sign = '&';
    }
    text
}

/// A path of ours, or nothing: neither a sign-in nor an action may lead elsewhere.
pub(crate) fn ours(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.len() <= PATH_BYTES_MAX
        && next.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if is_ours { next } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_cannot_end_its_place() {
        assert_eq!(
            path("/events", &[("type", "a&b=c d"), ("key", ""), ("id", "é")]),
            "/events?type=a%26b%3Dc+d&id=%C3%A9"
        );
        assert_eq!(path("/events?x=1", &[("y", "2")]), "/events?x=1&y=2");
        assert_eq!(segment("a/../b?c#d e"), "a%2F..%2Fb%3Fc%23d%20e");
    }

    #[test]
    fn nothing_leads_elsewhere() {
        for (next, want) in [
            ("/events?type=a", "/events?type=a"),
            ("//evil.example", ""),
            ("/\\evil.example", ""),
            ("https://evil.example", ""),
            ("javascript:alert(1)", ""),
            ("/a\nset-cookie: x", ""),
            ("", ""),
        ] {
            assert_eq!(ours(next), want, "{next:?}");
        }
    }
}
