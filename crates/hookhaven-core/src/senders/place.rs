//! Places in a request where a sender puts things (`header:X-Event-Id`, `json:/data/id`), and how it writes
//! times there.
//!
//! Not here: the places of signatures, which have forms of their own (`hmac`).

use std::{fmt, str::FromStr};

use http::{HeaderMap, HeaderName};

use super::mac::BadWord;
use crate::{
    json::{BadPointer, Pointer},
    time::Time,
};

/// A place in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Header(HeaderName),
    /// In the body, if that is JSON.
    Json(Pointer),
}

/// Why a text names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlace {
    #[error("{0:?} names no place: write \"header:NAME\" or \"json:/path/in/body\"")]
    Kind(String),
    #[error("{0:?} is not a header name")]
    Header(String),
    #[error(transparent)]
    Pointer(#[from] BadPointer),
}

impl Place {
    pub fn parse(text: &str) -> Result<Self, BadPlace> {
        match text.split_once(':') {
            Some(("header", name)) => header_name(name).map(Place::Header),
            Some(("json", pointer)) => Ok(Place::Json(Pointer::parse(pointer)?)),
            _ => Err(BadPlace::Kind(text.chars().take(64).collect())),
        }
    }
}

/// A header name from configuration, in any case.
pub fn header_name(text: &str) -> Result<HeaderName, BadPlace> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| BadPlace::Header(text.chars().take(64).collect()))
}

impl FromStr for Place {
    type Err = BadPlace;
    fn from_str(text: &str) -> Result<Self, BadPlace> {
        Place::parse(text)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Header(name) => write!(f, "header:{name}"),
            Place::Json(pointer) => write!(f, "json:{pointer}"),
        }
    }
}

/// The header was there more than once.
pub struct Repeated;

/// The value of a header that may be there once. Servers disagree on the first, the last or all of them
/// joined; a header that something rests on must not leave that open.
pub fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Repeated> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Repeated) } else { Ok(first.map(|v| v.as_bytes())) }
}

/// How a sender writes times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds since the Unix epoch.
    S,
    /// Milliseconds since the Unix epoch.
    Ms,
    Rfc3339,
}

impl FromStr for Unit {
    type Err = BadWord;
    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text {
            "s" => Ok(Self::S),
            "ms" => Ok(Self::Ms),
            "rfc3339" => Ok(Self::Rfc3339),
            _ => Err(BadWord::new(text, "a unit of time: s, ms or rfc3339")),
        }
    }
}

impl Unit {
    /// A time that a decision rests on. Digits only, at most 12 for seconds and 14 for milliseconds: no sign,
    /// blank, fraction or exponent. What does not parse must never count as "not too old".
    pub fn read_strict(self, text: &[u8]) -> Option<Time> {
        let digits = |most: usize| {
            let well = !text.is_empty() && text.len() <= most && text.iter().all(u8::is_ascii_digit);
            std::str::from_utf8(text).ok().filter(|_| well)?.parse::<i64>().ok()
        };
        match self {
            Self::S => digits(12).map(Time::from_s),
            Self::Ms => digits(14).map(Time::from_ms),
            Self::Rfc3339 if text.len() <= 40 => Time::parse_rfc3339(std::str::from_utf8(text).ok()?),
            Self::Rfc3339 => None,
        }
    }

    /// As the sender would write it.
    pub fn write(self, time: Time) -> String {
        match self {
            Self::S => time.as_s().max(0).to_string(),
            Self::Ms => time.as_ms().max(0).to_string(),
            Self::Rfc3339 => time.to_string(),
        }
    }
}

/// A time that is only told, not relied on: RFC 3339, or a number with or without a fraction. Without a unit,
/// a number says by its size whether it counts seconds, milliseconds or microseconds.
pub fn read_time(text: &str, unit: Option<Unit>) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let numeric = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    let time = if numeric {
        let n: i64 = whole.parse().ok()?;
        let us: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
        match unit {
            Some(Unit::Ms) => Time::from_ms(n),
            Some(Unit::S) => Time::from_us(Time::from_s(n).as_us().saturating_add(us)),
            _ if n < 100_000_000_000 => Time::from_us(Time::from_s(n).as_us().saturating_add(us)),
            _ if n < 100_000_000_000_000 => Time::from_ms(n),
            _ => Time::from_us(n),
        }
    } else {
        Time::parse_rfc3339(text)?
    };
    (time >= Time::EPOCH && time <= Time::MAX).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_parsed_or_refused_with_a_hint() {
        assert_eq!(Place::parse("header:X-Event-Id").unwrap().to_string(), "header:x-event-id");
        assert_eq!(Place::parse("json:/data/id").unwrap().to_string(), "json:/data/id");
        assert!(Place::parse("X-Event-Id").unwrap_err().to_string().contains("header:NAME"));
        assert_eq!(Place::parse("header:X Y"), Err(BadPlace::Header("X Y".into())));
        assert_eq!(Place::parse("json:id"), Err(BadPlace::Pointer(BadPointer::NoSlash)));
    }

    #[test]
    fn times_that_count_are_digits_only() {
        assert_eq!(Unit::S.read_strict(b"1700000000"), Some(Time::from_s(1_700_000_000)));
        assert_eq!(Unit::Ms.read_strict(b"1700000000123"), Some(Time::from_ms(1_700_000_000_123)));
        for bad in ["", "-1", "+1", " 1", "1 ", "1.5", "1e9", "0x10", "NaN", "1234567890123", "١"] {
            assert_eq!(Unit::S.read_strict(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Unit::Ms.read_strict(b"123456789012345"), None);
        assert_eq!(Unit::Rfc3339.read_strict(b"2026-11-21T09:30:00Z"), Time::parse_rfc3339("2026-11-21T09:30:00Z"));
        assert_eq!(Unit::Rfc3339.read_strict(b"yesterday"), None);
    }

    #[test]
    fn times_that_are_told_are_read_as_they_come() {
        let second = Time::from_s(1_700_000_000);
        for text in ["1700000000", "1700000000.0", "1700000000000", "1700000000000000", "2023-11-14T22:13:20Z"] {
            assert_eq!(read_time(text, None), Some(second), "{text}");
        }
        assert_eq!(read_time("1700000000.000005", None), Some(Time::from_us(1_700_000_000_000_005)));
        for bad in ["", ".", "-5", "1e9", "soon", "99999999999999999999", "9223372036854775807"] {
            assert_eq!(read_time(bad, None), None, "{bad}");
        }
    }
}
