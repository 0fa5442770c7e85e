//! Durations as people write them: `500ms`, `10s`, `5m`, `1h30m`, `7d`, `2w`.
//!
//! Not months and years, whose length depends on the calendar, and not a bare number, whose unit
//! nobody can see: what else is said for a duration (`said`) is suggested, not taken.

use std::time::Duration;

/// What a right one looks like; for messages.
pub const EXAMPLES: &str = "\"500ms\", \"10s\", \"5m\", \"1h30m\" or \"7d\"";

/// Longer than any setting can sensibly be: ten years.
pub(crate) const MAX_MS: u128 = 3_650 * 86_400_000;

/// Longest first, so that `ms` is not read as `m`.
const UNITS_MS: [(&str, u128); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// Parses one or more whole numbers with units, largest unit first, blanks allowed between them.
/// `None` for anything else, for a unit given twice, and for more than ten years.
pub fn parse(text: &str) -> Option<Duration> {
    let ms = parse_ms(text).filter(|ms| *ms <= MAX_MS)?;
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// Whether it is written as a duration is, and only says too much.
pub fn is_too_long(text: &str) -> bool {
    parse_ms(text).is_some_and(|ms| ms > MAX_MS)
}

fn parse_ms(text: &str) -> Option<u128> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let (mut total_ms, mut below_ms) = (0u128, u128::MAX);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let (unit, unit_ms) = UNITS_MS.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        if unit_ms >= below_ms {
            return None;
        }
        below_ms = unit_ms;
        total_ms += u128::from(number) * unit_ms;
        rest = rest.get(unit.len()..)?.trim_start();
    }
    Some(total_ms)
}

/// As [`parse`] reads it: `90s` comes out as `1m30s`.
pub fn print(duration: Duration) -> String {
    let mut ms = duration.as_millis();
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, unit_ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if ms >= unit_ms {
            text.push_str(&format!("{}{unit}", ms / unit_ms));
            ms %= unit_ms;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, ms) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("7d", 604_800_000),
            ("2w", 1_209_600_000),
            ("0s", 0),
            ("90s", 90_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "10", "s", "-1s", "1.5h", "5 minutes", "5mm", "1s1s", "1s1h", "1y", "9999w", "99999999999s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_a_duration_all_the_same() {
        for (text, too_long) in [("9999w", true), ("3651d", true), ("3650d", false), ("1y", false), ("", false)] {
            assert_eq!(is_too_long(text), too_long, "{text}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for ms in [0, 1, 999, 1_000, 90_000, 5_400_000, 604_800_000, 86_400_001] {
            let duration = Duration::from_millis(ms);
            assert_eq!(parse(&print(duration)), Some(duration));
        }
        assert_eq!(print(Duration::from_secs(90)), "1m30s");
    }
}
