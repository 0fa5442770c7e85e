//! Durations as Go writes them (`1h15m30.918s`), which is what QStash's headers and some destinations'
//! hints speak. Days are not Go's; who allows them says so.
//!
//! Not the durations of the config file, which have rules of their own.

use std::time::Duration;

/// Longest text that is looked at.
const TEXT_BYTES_MAX: usize = 128;

const DAY: (&str, f64) = ("d", 86_400e9);
/// Longest first where one begins another, so that `ms` is not read as `m`. In nanoseconds.
const UNITS_NS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3_600e9)];

/// Why a text is no duration, in the words of Go's `time.ParseDuration`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    #[error("time: unknown unit in duration {0:?}")]
    UnknownUnit(String),
}

/// Reads one or more `<number><unit>` without blanks between. A plain `0` is zero; a sign is refused, for
/// nothing here can last less than no time. With `days`, `d` is a unit too.
pub fn parse(text: &str, days: bool) -> Result<Duration, BadDuration> {
    let quoted = || text.chars().take(TEXT_BYTES_MAX).collect::<String>();
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(BadDuration::Invalid(quoted()));
    }
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut total_ns) = (text, 0.0);
    while !rest.is_empty() {
        let number_len = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, after) = rest.split_at(number_len);
        // Rust reads `.5` and `5.` as Go does, and refuses a lone point and two of them.
        let number: f64 = number.parse().map_err(|_| BadDuration::Invalid(quoted()))?;
        let unit_len = after.bytes().take_while(|b| !b.is_ascii_digit() && *b != b'.').count();
        let (unit, after) = after.split_at(unit_len);
        if unit.is_empty() {
            return Err(BadDuration::MissingUnit(quoted()));
        }
        let known = UNITS_NS.into_iter().chain(days.then_some(DAY)).find(|(name, _)| *name == unit);
        let (_, unit_ns) = known.ok_or_else(|| BadDuration::UnknownUnit(quoted()))?;
        total_ns += number * unit_ns;
        rest = after;
    }
    // Whole nanoseconds: through seconds, a third of a millisecond would come out one short.
    if total_ns > u64::MAX as f64 {
        return Err(BadDuration::Invalid(quoted()));
    }
    Ok(Duration::from_nanos(total_ns.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> Option<u128> {
        parse(text, true).ok().map(|d| d.as_millis())
    }

    #[test]
    fn what_go_reads_is_read() {
        let table = [
            ("0", 0),
            ("0s", 0),
            ("50s", 50_000),
            ("1.5s", 1_500),
            (".5s", 500),
            ("1d10h30m", 124_200_000),
            ("1h30m3s", 5_403_000),
            ("3d5h12m", 277_920_000),
            ("6m5s", 365_000),
            ("250ms", 250),
            ("1500us", 1),
            ("2000µs", 2),
            ("3000μs", 3),
            ("4000000ns", 4),
            ("36500d", 3_153_600_000_000),
        ];
        for (text, expected) in table {
            assert_eq!(ms(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        let long = "1s".repeat(100);
        for text in ["", "s", ".s", "1.2.3s", "-5s", "+5s", " 5s", "99999999999d", &long] {
            assert!(matches!(parse(text, true), Err(BadDuration::Invalid(_))), "{text}");
        }
        assert_eq!(parse("10", true).map_err(|e| e.to_string()), Err("time: missing unit in duration \"10\"".into()));
        assert_eq!(parse("1h30", true), Err(BadDuration::MissingUnit("1h30".into())));
        assert_eq!(parse("1w", true), Err(BadDuration::UnknownUnit("1w".into())));
        assert_eq!(parse("1e3s", true), Err(BadDuration::UnknownUnit("1e3s".into())));
        assert_eq!(parse("5 s", true), Err(BadDuration::UnknownUnit("5 s".into())));
        assert_eq!(parse("1d", false), Err(BadDuration::UnknownUnit("1d".into())));
    }
}
