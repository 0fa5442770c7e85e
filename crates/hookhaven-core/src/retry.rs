//! When the next attempt is due: the policy's schedule, the jitter, and the destination's hints.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

use crate::time::Time;

/// How often and when a failed delivery is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included. At least 1.
    pub attempts: u32,
    /// Wait after the first failure.
    pub initial: Duration,
    /// Each further wait is this many times the one before. At least 1.
    pub factor: f64,
    /// No wait is longer, jitter and hints aside.
    pub max: Duration,
}

/// Jitter adds at most this share of the wait, and never takes away.
const JITTER_SHARE_MAX: f64 = 0.1;

/// Handlers that print the wrong day of the week still mean the date.
const HTTP_DATE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// A hint from the destination never makes us wait longer than this.
pub const HINT_MAX: Duration = Duration::from_secs(24 * 3600);

impl Default for RetryPolicy {
    /// Five attempts, after 5 s, 25 s, 125 s and 625 s.
    fn default() -> Self {
        RetryPolicy { attempts: 5, initial: Duration::from_secs(5), factor: 5.0, max: Duration::from_secs(3600) }
    }
}

impl RetryPolicy {
    /// The wait before the next attempt when `failed` attempts have failed so far (1 or more), or
    /// `None` if they are used up. `jitter` lies in 0.0..=1.0.
    pub fn wait(&self, failed: u32, jitter: f64) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let plain = self.initial.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        let capped = plain.min(self.max.as_secs_f64());
        let jittered = capped * (1.0 + JITTER_SHARE_MAX * jitter.clamp(0.0, 1.0));
        Some(Duration::try_from_secs_f64(jittered).unwrap_or(self.max))
    }
}

/// Reads a `Retry-After` value: whole seconds or an HTTP date (RFC 9110 §10.2.3). `None` if it is
/// neither; a date in the past is zero; nothing is longer than [`HINT_MAX`].
pub fn parse_retry_after(value: &[u8], now: Time) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
        let s = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(s).min(HINT_MAX));
    }
    let date = HTTP_DATE.parse_timestamp(text).ok()?;
    let at = Time::from_us(date.as_microsecond());
    Some(at.since(now).min(HINT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_waits_are_those_of_the_docs() {
        let policy = RetryPolicy::default();
        let waits: Vec<_> = (1..=5).map(|n| policy.wait(n, 0.0).map(|d| d.as_secs())).collect();
        assert_eq!(waits, [Some(5), Some(25), Some(125), Some(625), None]);
    }

    #[test]
    fn jitter_only_adds_and_at_most_a_tenth() {
        let policy = RetryPolicy::default();
        let (least, most) = (policy.wait(2, 0.0), policy.wait(2, 1.0));
        assert_eq!(least, Some(Duration::from_secs(25)));
        assert_eq!(most, Some(Duration::from_millis(27_500)));
    }

    #[test]
    fn no_schedule_overflows() {
        let policy = RetryPolicy { attempts: u32::MAX, factor: f64::MAX, ..RetryPolicy::default() };
        assert_eq!(policy.wait(u32::MAX - 1, 0.0), Some(policy.max));
    }

    #[test]
    fn retry_after_takes_seconds_and_dates() {
        let now = Time::from_s(1_445_412_420);
        let wait = |v: &str| parse_retry_after(v.as_bytes(), now).map(|d| d.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(60));
        assert_eq!(wait("Wed, 21 Oct 2005 07:28:00 GMT"), Some(0));
        assert_eq!(wait("99999999999999999999"), Some(86_400));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
    }
}
