//! Quantities and lists as the files of a set-up say them, the same everywhere.
//!
//! Not here: what is said.

use std::time::Duration;

/// As the config file takes it.
pub use hookhaven_toml::duration::print as duration;

/// For a sentence: `3 s`, `5 minutes`, `1.5 hours`, `25 hours`: the largest unit that says it to one decimal; rounded to
/// one where none does.
pub fn span(length: Duration) -> String {
    const UNITS: [(&str, &str, u128); 3] =
        [("day", "days", 86_400_000), ("hour", "hours", 3_600_000), ("minute", "minutes", 60_000)];
    let ms = length.as_millis();
    let exact = UNITS.iter().find(|(.., unit_ms)| ms >= *unit_ms && (ms * 10).is_multiple_of(*unit_ms));
    let rounded = || UNITS.iter().find(|(.., unit_ms)| ms >= 2 * unit_ms);
    match exact.or_else(rounded) {
        Some((one, _, unit_ms)) if ms == *unit_ms => format!("1 {one}"),
        Some((_, many, unit_ms)) => {
            let tenths = (ms * 10 + unit_ms / 2) / unit_ms;
            let tenth = if tenths.is_multiple_of(10) { String::new() } else { format!(".{}", tenths % 10) };
            format!("{}{tenth} {many}", tenths / 10)
        }
        None if ms.is_multiple_of(1_000) => format!("{} s", ms / 1_000),
        None => format!("{ms} ms"),
    }
}

/// With a comma between thousands.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Events a second: two digits that count; those that are too few for that, an hour.
pub fn rate(per_second: f64) -> String {
    match per_second {
        10.0.. | 0.0 => format!("{}/s", count(per_second.round() as u64)),
        1.0.. => format!("{per_second:.1}/s"),
        0.01.. => format!("{per_second:.2}/s"),
        _ => {
            let per_hour = per_second * 3_600.0;
            let decimals = usize::from(per_hour < 10.0 && per_hour.fract() != 0.0);
            format!("{per_hour:.decimals$} an hour")
        }
    }
}

/// In powers of 1,000, as disks are sold.
pub fn bytes(n: u64) -> String {
    const UNITS: [(&str, f64); 4] = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match UNITS.iter().find(|(_, size)| n as f64 >= *size) {
        Some((unit, size)) if n as f64 / size >= 10.0 => format!("{:.0} {unit}", n as f64 / size),
        Some((unit, size)) => format!("{:.1} {unit}", n as f64 / size),
        None => format!("{n} bytes"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [all @ .., last] => {
            let all: Vec<&str> = all.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", all.join(", "), last.as_ref())
        }
    }
}

/// Characters that nobody sees and that change how others are read: controls, invisible marks, marks of direction.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Text that somebody wrote, on one line and of at most so many characters: it cannot leave a comment or the row of a
/// table. Whatever else a format gives a meaning to, its writer has to escape.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let seen: String = text.chars().map(|c| if is_unseen(c) { ' ' } else { c }).collect();
    let line = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_have_units_and_few_digits() {
        let s = Duration::from_secs;
        assert_eq!([s(3), s(60), s(5_400), s(259_200)].map(span), ["3 s", "1 minute", "1.5 hours", "3 days"]);
        assert_eq!([s(0), s(61), s(125), s(90_000)].map(span), ["0 s", "61 s", "2.1 minutes", "25 hours"]);
        assert_eq!([s(100_000), s(172_801)].map(span), ["27.8 hours", "2 days"]);
        assert_eq!(span(Duration::from_millis(1_500)), "1500 ms");
        assert_eq!([0, 999, 1_000, 22_000, 1_234_567].map(count), ["0", "999", "1,000", "22,000", "1,234,567"]);
        assert_eq!([0.075, 0.25, 2.34, 5_000.0].map(rate), ["0.07/s", "0.25/s", "2.3/s", "5,000/s"]);
        assert_eq!([0.0, 0.001, 0.0051, 9.96].map(rate), ["0/s", "3.6 an hour", "18 an hour", "10.0/s"]);
        assert_eq!([12, 1_500, 23_000_000, 1_100_000_000].map(bytes), ["12 bytes", "1.5 kB", "23 MB", "1.1 GB"]);
        assert_eq!([list(&["a"]), list(&["a", "b"]), list(&["a", "b", "c"])], ["a", "a and b", "a, b and c"]);
    }

    #[test]
    fn what_somebody_wrote_stays_on_its_line() {
        for (text, line) in [
            ("plain käse 🦀", "plain käse 🦀"),
            (" a\n# b\r\n\tc\u{2028}d\u{85}e ", "a # b c d e"),
            ("\u{1b}[2Jx\u{202e}gpj\u{0}", "[2Jx gpj"),
            ("", ""),
        ] {
            assert_eq!(one_line(text, 100), line, "{text:?}");
        }
        assert_eq!(one_line("abc defg", 4), "abc…");
        assert_eq!(one_line("äöü", 3), "äöü");
    }
}
