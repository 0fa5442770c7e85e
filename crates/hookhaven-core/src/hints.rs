//! When a destination of published messages would like to be tried again: its hint replaces the schedule,
//! as QStash documents it. The house rule for configured destinations, where a hint only ever
//! lengthens the wait, is `lifecycle`'s.

use std::time::Duration;

use http::HeaderMap;

use crate::{go_duration, retry::parse_retry_after, time::Time};

/// A longer hint is none.
pub const HINT_MAX: Duration = Duration::from_secs(86_400);

/// In this order; the first that says something usable counts.
const HEADERS: [&str; 4] =
    ["retry-after", "x-ratelimit-reset", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"];

/// The wait that a failed attempt's answer asks for: whole seconds, an HTTP date, or a Go duration
/// (`6m5s`). More than [`HINT_MAX`] is ignored, and so a Unix time in `X-RateLimit-Reset` is, too.
pub fn wait(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let hints = HEADERS.iter().filter_map(|name| headers.get(*name));
    hints.filter_map(|value| read(value.as_bytes(), now)).find(|wait| *wait <= HINT_MAX)
}

fn read(value: &[u8], now: Time) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    go_duration::parse(text, false).ok().or_else(|| date(text, now))
}

/// `parse_retry_after` cuts what is too long, and here that is to be ignored.
fn date(text: &str, now: Time) -> Option<Duration> {
    let wait = parse_retry_after(text.as_bytes(), now)?;
    let later = parse_retry_after(text.as_bytes(), now.plus(Duration::from_micros(1)))?;
    (wait < HINT_MAX || later < HINT_MAX).then_some(wait)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const NOW: Time = Time::from_s(1_445_412_420);

    fn hint(headers: &[(&'static str, &str)]) -> Option<f64> {
        let headers = headers.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::try_from(*v).unwrap()));
        wait(&headers.collect(), NOW).map(|d| d.as_secs_f64())
    }

    #[test]
    fn each_header_in_each_form() {
        assert_eq!(hint(&[("retry-after", "120")]), Some(120.0));
        assert_eq!(hint(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]), Some(60.0));
        assert_eq!(hint(&[("retry-after", "Wed, 21 Oct 2005 07:28:00 GMT")]), Some(0.0));
        assert_eq!(hint(&[("x-ratelimit-reset", "6m5s")]), Some(365.0));
        assert_eq!(hint(&[("x-ratelimit-reset-requests", "20ms")]), Some(0.02));
        assert_eq!(hint(&[("x-ratelimit-reset-tokens", "1.5s")]), Some(1.5));
        assert_eq!(hint(&[("x-ratelimit-reset-tokens", "86400")]), Some(86_400.0));
        assert_eq!(hint(&[]), None);
    }

    #[test]
    fn the_first_usable_one_counts() {
        assert_eq!(hint(&[("x-ratelimit-reset", "7"), ("retry-after", "5")]), Some(5.0));
        assert_eq!(hint(&[("retry-after", "soon"), ("x-ratelimit-reset", "7")]), Some(7.0));
        assert_eq!(hint(&[("retry-after", "86401"), ("x-ratelimit-reset", "7")]), Some(7.0));
    }

    #[test]
    fn more_than_a_day_is_ignored() {
        for value in
            ["86401", "99999999999999999999", "1445412480", "25h", "Thu, 22 Oct 2015 07:27:01 GMT", "-1", "1d", "1e3"]
        {
            assert_eq!(hint(&[("retry-after", value)]), None, "{value}");
        }
        assert_eq!(hint(&[("retry-after", "Thu, 22 Oct 2015 07:27:00 GMT")]), Some(86_400.0));
    }
}
