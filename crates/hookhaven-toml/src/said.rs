//! Numbers and durations as people say them: `about 50k`, `1.5 million`, `5 minutes`.
//!
//! A file takes fewer forms (`duration`, TOML's own numbers), since others read it, too, and for years: for a file, what
//! is read here is only what was probably meant. Whatever can be read in two ways is not read at all.

use std::time::Duration;

use crate::duration::MAX_MS;

/// Said before a figure by who does not know it to the last digit.
const VAGUELY: [&str; 12] = [
    "about ",
    "around ",
    "roughly ",
    "approximately ",
    "approx. ",
    "approx ",
    "circa ",
    "ca. ",
    "ca ",
    "some ",
    "up to ",
    "~",
];

/// By every name, each with what stands for one of it.
const UNITS: [(u64, &[&str]); 4] = [
    (1, &[""]),
    (1_000, &["k", "thousand"]),
    (1_000_000, &["m", "mio", "mio.", "mln", "million", "millions"]),
    (1_000_000_000, &["bn", "billion", "billions"]),
];

/// The largest first. A month has 30 days and a year 365, as good as can be said.
const UNITS_MS: [(u64, &[&str]); 8] = [
    (31_536_000_000, &["y", "year", "years"]),
    (2_592_000_000, &["month", "months"]),
    (604_800_000, &["w", "week", "weeks"]),
    (86_400_000, &["d", "day", "days"]),
    (3_600_000, &["h", "hr", "hrs", "hour", "hours"]),
    (60_000, &["m", "min", "min.", "mins", "minute", "minutes"]),
    (1_000, &["s", "sec", "sec.", "secs", "second", "seconds"]),
    (1, &["ms", "msec", "millisecond", "milliseconds"]),
];

/// A whole number: `5000`, `5,000`, `5 000`, `~50k`, `1.5M`, `1,5 Mio`.
pub fn count(text: &str) -> Option<u64> {
    let text = without_vagueness(text);
    let (number, unit) = number(&text)?;
    let (times, _) = UNITS.into_iter().find(|(_, names)| names.contains(&unit.trim()))?;
    let plain = unit.trim().is_empty();
    number.times(times, plain).filter(|_| number.decimals == 0 || !plain)
}

/// A length of time: `5m`, `5 minutes`, `1.5 h`, `1 hour 30 min`, `half an hour`, `< 2s`.
pub fn duration(text: &str) -> Option<Duration> {
    let text = without_vagueness(text);
    let text = ["< ", "<", "under ", "within ", "less than ", "at most "]
        .iter()
        .find_map(|w| text.strip_prefix(w))
        .unwrap_or(&text);
    let spelled = [("half an ", "0.5 "), ("half a ", "0.5 "), ("an ", "1 "), ("a ", "1 "), ("one ", "1 ")];
    let spelled = spelled.iter().find_map(|(words, number)| Some(format!("{number}{}", text.strip_prefix(words)?)));
    let text = spelled.unwrap_or_else(|| text.to_owned());
    let (mut total_ms, mut below_ms, mut rest) = (0u64, u64::MAX, text.as_str());
    while !rest.is_empty() {
        let (number, after) = number(rest)?;
        let after = after.trim_start();
        let end = after.find(|c: char| c.is_whitespace() || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (unit_ms, _) = UNITS_MS.into_iter().find(|(ms, names)| *ms < below_ms && names.contains(&unit))?;
        total_ms = total_ms.checked_add(number.times(unit_ms, false)?)?;
        (below_ms, rest) = (unit_ms, after.trim_start());
    }
    let length = Duration::from_millis(total_ms);
    (below_ms < u64::MAX && length.as_millis() <= MAX_MS).then_some(length)
}

/// In small letters, each blank a plain one.
fn without_vagueness(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let bare = VAGUELY.iter().find_map(|word| text.strip_prefix(word));
    bare.unwrap_or(&text).trim_start().to_owned()
}

/// Decimal digits, of which so many stand behind the point.
struct Number {
    digits: u64,
    decimals: u32,
    /// `5,000`: five thousand to some, and five to others.
    ambiguous: bool,
}

impl Number {
    /// If it comes to a whole number. `thousands`: what is ambiguous is taken for thousands.
    fn times(&self, unit: u64, thousands: bool) -> Option<u64> {
        if self.ambiguous && !thousands {
            return None;
        }
        let parts = 10u128.checked_pow(self.decimals)?;
        let product = u128::from(self.digits) * u128::from(unit);
        u64::try_from(product / parts).ok().filter(|_| product % parts == 0)
    }
}

/// The number that a text begins with, and what comes after.
fn number(text: &str) -> Option<(Number, &str)> {
    let digits_of = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (first, mut rest) = text.split_at(digits_of(text));
    let (mut groups, mut marks) = (vec![first], Vec::new());
    while let Some(mark) = rest.chars().next().filter(|c| matches!(c, ',' | '.' | ' ' | '_' | '\'' | '’')) {
        let after = &rest[mark.len_utf8()..];
        let digits = digits_of(after);
        // A blank may stand before another number, too.
        if digits == 0 || (mark == ' ' && digits != 3) {
            break;
        }
        marks.push(mark);
        groups.push(&after[..digits]);
        rest = &after[digits..];
    }
    let is_thousands = |groups: &[&str], marks: &[char]| {
        let begins = matches!(groups[0].len(), 1..=3) && (!groups[0].starts_with('0') || marks.is_empty());
        begins && groups[1..].iter().all(|group| group.len() == 3) && marks.windows(2).all(|two| two[0] == two[1])
    };
    let last = groups.last()?.len();
    let (decimals, ambiguous) = match (marks.as_slice(), is_thousands(&groups, &marks)) {
        ([], _) => (0, false),
        // A point there is read either way by too many.
        (['.'], true) => return None,
        ([mark], true) => (0, *mark == ','),
        (_, true) => (0, false),
        ([',' | '.'], false) => (last, false),
        ([before @ .., ',' | '.'], false) if !before.contains(marks.last()?) => {
            let whole = is_thousands(&groups[..groups.len() - 1], before);
            whole.then_some((last, false))?
        }
        _ => return None,
    };
    let digits = groups.concat().parse().ok()?;
    Some((Number { digits, decimals: u32::try_from(decimals).ok()?, ambiguous }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_they_are_said() {
        for (text, n) in [
            ("5000", 5_000),
            ("0", 0),
            ("5,000", 5_000),
            ("5 000", 5_000),
            ("5\u{a0}000", 5_000),
            ("5'000", 5_000),
            ("1,234,567", 1_234_567),
            ("1.234.567", 1_234_567),
            ("1_000", 1_000),
            ("5k", 5_000),
            ("50 K", 50_000),
            ("1.5M", 1_500_000),
            ("1,5 Mio", 1_500_000),
            ("1,5 Mio.", 1_500_000),
            ("2 million", 2_000_000),
            ("0.125m", 125_000),
            ("1,234.5k", 1_234_500),
            ("1.234,5k", 1_234_500),
            ("1bn", 1_000_000_000),
            ("about 50k", 50_000),
            (".5k", 500),
            ("~ 12", 12),
            ("ca. 300", 300),
        ] {
            assert_eq!(count(text), Some(n), "{text}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_no_count_and_neither_is_anything_else() {
        for text in [
            "",
            "k",
            "~",
            "many",
            "a few hundred",
            "-1",
            "+5",
            "1e5",
            "1e400",
            "nan",
            "inf",
            "infk",
            "1.5",
            "0,5",
            "5.000",
            "2,500k",
            "1.500M",
            "50,00",
            "5,00,000",
            "1,234.567,8",
            "1.2.3k",
            "12 34",
            "5000 6000",
            "5k 6k",
            "5,0000",
            "٣",
            "5..5",
            "5,",
            "1/2",
            "10x",
            "0,000",
            "99999999999999999999",
            "18446744073709551615k",
        ] {
            assert_eq!(count(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_they_are_said() {
        for (text, ms) in [
            ("5m", 300_000),
            ("5 minutes", 300_000),
            ("15 min", 900_000),
            ("15min.", 900_000),
            ("2 Seconds", 2_000),
            ("1.5 h", 5_400_000),
            ("0,5 s", 500),
            ("1 hour 30 min", 5_400_000),
            ("1h30m", 5_400_000),
            ("half an hour", 1_800_000),
            ("a minute", 60_000),
            ("an hour", 3_600_000),
            ("< 2s", 2_000),
            ("under 30 s", 30_000),
            ("about 10 ms", 10),
            ("90 days", 7_776_000_000),
            ("1 year", 31_536_000_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "soon",
            "asap",
            "99p < 2s",
            "15-20 min",
            "-5 s",
            "5 10 s",
            "1,500 ms",
            "1.500 s",
            "1h1h",
            "1s1h",
            "a few minutes",
            "a minute or two",
            "0.0001 s",
            "11 years",
            "99999999999999 h",
            "1e3 s",
            "nan s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
