//! Sizes and rates as people write them: `1MiB`, `64KB`, `200/s`.

use std::{num::NonZeroU32, time::Duration};

use hookhaven_core::destination::Rate;

use crate::duration;

/// What right ones look like; for messages.
pub const EXAMPLES: &str = "\"512KiB\", \"1MiB\" or \"1GiB\"";
pub const RATE_EXAMPLES: &str = "\"200/s\", \"1000/m\" or \"50/10s\"";

/// Longest first, so that `MB` is not read as `B`.
const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Bytes. `None` if it is no whole number with a unit. `KiB` is 1024 and `KB` is 1000.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let (unit, bytes) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text.strip_suffix(unit)?.trim_end();
    if number.is_empty() || !number.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(bytes)
}

/// As [`parse`] reads it, in the largest unit that divides it.
pub fn print(bytes: u64) -> String {
    let fits = |(_, unit): &(&str, u64)| bytes >= *unit && bytes.is_multiple_of(*unit);
    let binary = [UNITS[2], UNITS[1], UNITS[0]];
    match binary.into_iter().find(fits) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

/// `200/s`: at most so many per so long. `None` if it is no rate, or zero.
pub fn parse_rate(text: &str) -> Option<Rate> {
    let (count, per) = text.split_once('/')?;
    let count: NonZeroU32 = count.trim().parse().ok()?;
    let per = per.trim();
    let per = duration::parse(per).or_else(|| duration::parse(&format!("1{per}")))?;
    (per > Duration::ZERO).then_some(Rate { count, per })
}

/// As [`parse_rate`] reads it.
pub fn print_rate(rate: &Rate) -> String {
    let per = match rate.per.as_millis() {
        1_000 => "s".to_owned(),
        60_000 => "m".to_owned(),
        3_600_000 => "h".to_owned(),
        _ => duration::print(rate.per),
    };
    format!("{}/{per}", rate.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [("1MiB", 1 << 20), ("64KB", 64_000), ("1 GiB", 1 << 30), ("100B", 100), ("0B", 0)] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for text in ["", "1", "MiB", "1.5MiB", "-1B", "1TiB", "1mb", "99999999999GiB", "+1B"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for bytes in [0, 1, 1_023, 1_024, 1_000_000, 128 << 20, 1 << 30] {
            assert_eq!(parse(&print(bytes)), Some(bytes));
        }
        assert_eq!(print(128 << 20), "128MiB");
    }

    #[test]
    fn rates_have_a_count_and_a_time() {
        let rate = |text| parse_rate(text).map(|r| (r.count.get(), r.per.as_millis()));
        assert_eq!(rate("200/s"), Some((200, 1_000)));
        assert_eq!(rate("1000/m"), Some((1_000, 60_000)));
        assert_eq!(rate("50/10s"), Some((50, 10_000)));
        for text in ["200/s", "1000/m", "7/h", "50/10s"] {
            assert_eq!(parse_rate(text).map(|rate| print_rate(&rate)).as_deref(), Some(text));
        }
        for text in ["", "200", "0/s", "/s", "200/", "200/0s", "-1/s", "1.5/s", "200/sec"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }
}
