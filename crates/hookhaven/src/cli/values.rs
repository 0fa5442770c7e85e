//! Values that a person types on the command line, parsed at the edge into types: moments, states,
//! error classes, secrets.
//!
//! Not the commands themselves (`args`), nor the config file's values (`config`).

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use hookhaven_core::{DeliveryState, ErrorClass, Secret, Time, destination::Rate, glob::Glob};
use http::{HeaderName, HeaderValue};

use crate::config::{LogFormat, Role, duration, size};

/// A point in time as typed: absolute, or so long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    At(Time),
    Ago(Duration),
}

impl Moment {
    pub fn resolve(self, now: Time) -> Time {
        match self {
            Moment::At(time) => time,
            Moment::Ago(duration) => now.minus(duration),
        }
    }
}

/// `2h` (that long ago) or `2026-11-21T09:30:00Z`.
pub fn moment(text: &str) -> Result<Moment, String> {
    if let Some(ago) = duration::parse(text) {
        return Ok(Moment::Ago(ago));
    }
    Time::parse_rfc3339(text).map(Moment::At).ok_or_else(|| {
        "write how long ago, e.g. \"2h\" or \"7d\", or a time with its zone, e.g. \"2026-11-21T09:30:00Z\"".to_owned()
    })
}

/// `50/s`, kept as it was typed.
pub fn rate(text: &str) -> Result<String, String> {
    let fine = size::parse_rate(text).map(|_| text.to_owned());
    fine.ok_or_else(|| format!("write {}", size::RATE_EXAMPLES))
}

/// `10m`.
pub fn span(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| "write how long, e.g. \"30s\" or \"10m\"".to_owned())
}

/// `50/s`.
pub fn sending_rate(text: &str) -> Result<Rate, String> {
    size::parse_rate(text).ok_or_else(|| format!("write {}", size::RATE_EXAMPLES))
}

/// `60x`; 100,000 at most.
pub fn times(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('x').unwrap_or(text).trim().parse::<f64>().ok();
    let number = number.filter(|n| n.is_finite() && (0.0..=100_000.0).contains(n));
    number.ok_or_else(|| "write how many times, e.g. \"60x\" or \"0.5x\", and 100000x at most".to_owned())
}

pub fn role(text: &str) -> Result<Role, String> {
    let found = Role::ALL.into_iter().find(|role| role.as_str() == text);
    found.ok_or_else(|| format!("write one of {}", Role::ALL.map(Role::as_str).join(", ")))
}

pub fn log_format(text: &str) -> Result<LogFormat, String> {
    let found = LogFormat::ALL.into_iter().find(|(name, _)| *name == text);
    found.map(|(_, format)| format).ok_or_else(|| "write one of json, text, auto".to_owned())
}

pub fn delivery_state(text: &str) -> Result<DeliveryState, String> {
    use DeliveryState::{Cancelled, Dead, Delivered, Leased, Pending};
    let all = [Pending, Leased, Delivered, Dead, Cancelled];
    all.into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| format!("one of: {}", all.map(DeliveryState::as_str).join(", ")))
}

pub fn error_class(text: &str) -> Result<ErrorClass, String> {
    ErrorClass::parse(text).ok_or_else(|| format!("one of: {}", ErrorClass::ALL.map(ErrorClass::as_str).join(", ")))
}

/// More than nothing, a day at most.
pub fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse::<f64>().ok().filter(|minutes| *minutes > 0.0 && *minutes <= 1_440.0);
    minutes.ok_or_else(|| "a number of minutes, such as 1 or 0.5, and 1440 at most".to_owned())
}

/// `file:DIR`, as `store.url` names it.
pub fn data_directory(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("file:").map(|path| path.strip_prefix("//").unwrap_or(path));
    let path = path.filter(|path| !path.is_empty());
    path.map(PathBuf::from).ok_or_else(|| "write file:DIR, such as file:/var/lib/hookhaven".to_owned())
}

/// `file:`, or a database.
pub fn store(text: &str) -> Result<Secret, String> {
    match Secret::new(text) {
        Some(file) if text == "file:" => Ok(file),
        _ => database(text).map_err(|mend| format!("write \"file:\", which it is without; or {mend}")),
    }
}

/// The URL of a database, or the variable that holds it. A secret, for it may hold a password.
pub fn database(text: &str) -> Result<Secret, String> {
    let known = ["postgres://", "postgresql://", "env:"].iter().any(|scheme| text.starts_with(scheme));
    let url = Secret::new(text).filter(|_| known);
    url.ok_or_else(|| "write postgres://user@host/database, or env:NAME of a variable that holds it".to_owned())
}

/// A glob over event types.
pub fn pattern(text: &str) -> Result<String, String> {
    Glob::parse(text).map(|glob| glob.as_str().to_owned()).map_err(|e| e.to_string())
}

pub fn http_url(text: &str) -> Result<url::Url, String> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| "write a whole address, e.g. http://127.0.0.1:3000/hooks".to_owned())
}

pub fn time_span(text: &str) -> Result<Duration, String> {
    let span = duration::parse(text).filter(|span| !span.is_zero());
    span.ok_or_else(|| "write a duration, e.g. \"30s\" or \"24h\"".to_owned())
}

/// 1 to 64.
pub fn in_flight(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse::<NonZeroUsize>().ok().filter(|n| n.get() <= 64);
    number.ok_or_else(|| "a whole number from 1 to 64".to_owned())
}

pub fn secret(text: &str) -> Result<Secret, String> {
    Secret::new(text).ok_or_else(|| "the token is empty".to_owned())
}

/// `NAME: VALUE`.
pub fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as NAME: VALUE")?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|e| e.to_string())?;
    let value = HeaderValue::from_str(value.trim()).map_err(|e| e.to_string())?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_absolute_or_so_long_ago() {
        let now = Time::from_s(10_000);
        let resolve = |text| moment(text).map(|m| m.resolve(now));
        assert_eq!(resolve("1h"), Ok(Time::from_s(6_400)));
        assert_eq!(resolve("1970-01-01T00:00:05Z"), Ok(Time::from_s(5)));
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_right_ones() {
        assert_eq!(delivery_state("dead"), Ok(DeliveryState::Dead));
        assert_eq!(delivery_state("died"), Err("one of: pending, leased, delivered, dead, cancelled".to_owned()));
        assert_eq!(error_class("http_5xx"), Ok(ErrorClass::Http5xx));
        assert!(error_class("500").is_err_and(|e| e.contains("rate_limited")));
    }
}
