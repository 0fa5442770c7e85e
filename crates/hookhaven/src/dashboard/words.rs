//! What may not be there, as pages say it: a dash where there is nothing. And links to lists with a filter. Beside
//! [`super::show`], which says what is there.

use std::{fmt::Display, time::Duration};

use super::{query, show};
use crate::api::view::Text;

const NOTHING: &str = "–";

/// Anything, or a dash.
pub(crate) fn or_dash<T: Display>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| NOTHING.to_owned(), ToString::to_string)
}

/// Milliseconds, or a dash.
pub(crate) fn ms(ms: &Option<f64>) -> String {
    ms.as_ref().map_or_else(|| NOTHING.to_owned(), show::ms)
}

/// A limit in whole milliseconds, or a dash.
pub(crate) fn limit(limit_ms: &Option<u64>) -> String {
    ms(&limit_ms.map(|ms| ms as f64))
}

/// A length of time in milliseconds, in the two largest units.
pub(crate) fn whole_ms(ms: &u64) -> String {
    show::span(&Duration::from_millis(*ms))
}

/// A phase in microseconds, or a dash.
pub(crate) fn phase(us: &Option<u64>) -> String {
    ms(&us.map(|us| us as f64 / 1_000.0))
}

/// Microseconds.
pub(crate) fn us(us: &u64) -> String {
    show::ms(&(*us as f64 / 1_000.0))
}

/// Seconds as people read them, or a dash.
pub(crate) fn seconds(s: &Option<u64>) -> String {
    s.map_or_else(|| NOTHING.to_owned(), |s| show::span(&Duration::from_secs(s)))
}

/// Bytes that are mostly text.
pub(crate) fn text(text: &Text) -> String {
    String::from_utf8_lossy(&text.to_bytes()).into_owned()
}

/// A list with one filter.
pub(crate) fn link(path: &str, name: &str, value: &str) -> String {
    query::path(path, &[(name, value)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_a_dash() {
        assert_eq!([ms(&None), seconds(&None), or_dash::<u8>(&None)], ["–"; 3]);
        assert_eq!(
            [ms(&Some(23.4)), limit(&Some(10_000)), phase(&Some(80)), us(&12_000)],
            ["23 ms", "10.0 s", "0.1 ms", "12 ms"]
        );
        assert_eq!(seconds(&Some(3_660)), "1 h 1 min");
        assert_eq!(link("/events", "source", "a&b"), "/events?source=a%26b");
        assert_eq!(text(&Text::of(b"\xffx")), "\u{fffd}x");
    }
}
