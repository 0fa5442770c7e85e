//! A point in time, as the store and the rules use it: microseconds since the Unix epoch.
//!
//! Not a clock: nothing here knows what time it is.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

/// Microseconds since the Unix epoch, UTC. Prints and serialises as RFC 3339 with microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-11-21T09:30:00.000000Z"))]
pub struct Time(i64);

impl Time {
    /// The last instant that RFC 3339 can print (year 9999); sums saturate here.
    pub const MAX: Time = Time(253_402_207_200_000_000);
    pub const EPOCH: Time = Time(0);

    pub const fn from_us(us: i64) -> Self {
        Time(us)
    }

    pub const fn from_ms(ms: i64) -> Self {
        Time(ms.saturating_mul(1_000))
    }

    pub const fn from_s(s: i64) -> Self {
        Time(s.saturating_mul(1_000_000))
    }

    pub const fn as_us(self) -> i64 {
        self.0
    }

    pub const fn as_ms(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    pub const fn as_s(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Later by `d`, at most [`Time::MAX`].
    pub fn plus(self, d: Duration) -> Self {
        let us = i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        Time(self.0.saturating_add(us).min(Self::MAX.0))
    }

    /// Earlier by `d`.
    pub fn minus(self, d: Duration) -> Self {
        let us = i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        Time(self.0.saturating_sub(us))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }

    /// Parses RFC 3339, e.g. `2026-11-21T09:30:00Z`. `None` if it is not a time.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let t: jiff::Timestamp = text.parse().ok()?;
        Some(Time(t.as_microsecond()))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Time::parse_rfc3339(&text).ok_or_else(|| de::Error::custom("expected an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_the_same_instant() {
        let t = Time::from_us(1_790_000_000_123_456);
        assert_eq!(Time::parse_rfc3339(&t.to_string()), Some(t));
    }

    #[test]
    fn sums_and_differences_saturate() {
        assert_eq!(Time::MAX.plus(Duration::MAX), Time::MAX);
        assert_eq!(Time::EPOCH.since(Time::MAX), Duration::ZERO);
        assert!(Time::MAX.to_string().starts_with("9999"));
    }
}
