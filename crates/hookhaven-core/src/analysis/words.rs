//! How times, shares, durations and names are written. Not what is said of them.

use std::{collections::BTreeMap, time::Duration};

use super::Observed;
use crate::{attempt::ErrorClass, time::Time};

/// Of names and errors that strangers chose.
const NAME_CHARS_MAX: usize = 80;
const ERROR_CHARS_MAX: usize = 160;

/// `02:10` on the day of `now`, else `2026-11-21 02:10`; UTC.
pub(super) fn clock(at: Time, now: Time) -> String {
    let (text, today) = (at.to_string(), now.to_string());
    let day = |text: &str| text.get(..10).unwrap_or_default().to_owned();
    let minute = text.get(11..16).unwrap_or_default();
    if day(&text) == day(&today) { minute.to_owned() } else { format!("{} {minute}", day(&text)) }
}

/// `since 02:10`, `between 02:10 and 02:40`, `until 02:40`, or nothing, with a blank before it.
pub(super) fn stretch(since: Option<Time>, until: Option<Time>, now: Time) -> String {
    match (since.map(|at| clock(at, now)), until.map(|at| clock(at, now))) {
        (None, None) => String::new(),
        (Some(since), None) => format!(" since {since}"),
        (None, Some(until)) => format!(" until {until}"),
        (Some(since), Some(until)) if since == until => format!(" at {since}"),
        (Some(since), Some(until)) => format!(" between {since} and {until}"),
    }
}

/// `92%`: 100 and 0 only where it is all or none.
pub(super) fn percent(part: usize, whole: usize) -> String {
    match (part, whole) {
        (0, _) | (_, 0) => "0%".to_owned(),
        _ if part >= whole => "100%".to_owned(),
        _ => match (part as f64 * 100.0 / whole as f64).round() as u64 {
            0 => "<1%".to_owned(),
            100.. => ">99%".to_owned(),
            n => format!("{n}%"),
        },
    }
}

/// `46 of 50 (92%)`.
pub(super) fn counted(part: usize, whole: usize) -> String {
    format!("{part} of {whole} ({})", percent(part, whole))
}

/// `850 ms`, `9.1 s`, `10 s`, `120 s`.
pub(super) fn took(us: u64) -> String {
    let s = us as f64 / 1e6;
    match us {
        0..1_000_000 => format!("{} ms", us.div_ceil(1_000)),
        _ if s < 60.0 && (s * 10.0).round() % 10.0 != 0.0 => format!("{s:.1} s"),
        _ => format!("{s:.0} s"),
    }
}

/// As the config file writes it, in whole seconds, with its quotes.
pub(super) fn toml_duration(d: Duration) -> String {
    format!("\"{}s\"", d.as_secs().max(1))
}

/// `destinations.billing`; a name that TOML could misread gets its quotes.
pub(super) fn table(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if bare { format!("destinations.{name}") } else { format!("destinations.{name:?}") }
}

/// A name in a sentence.
pub(super) fn name(text: &str) -> String {
    format!("`{}`", short(text, NAME_CHARS_MAX))
}

fn short(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What was answered, or what went wrong: `503`, `timeout`.
pub(super) fn answer(o: &Observed) -> String {
    match (o.class, o.status) {
        (ErrorClass::Timeout | ErrorClass::Protocol, _) | (_, None) => o.class.as_str().replace('_', " "),
        (_, Some(status)) => status.to_string(),
    }
}

/// What happened most often among failures, and how often: `503 (12 times), timeout (3 times)`.
pub(super) fn mostly(failed: &[&Observed]) -> Option<String> {
    most(failed, answer, 3)
}

/// The errors that were recorded most often.
pub(super) fn errors(failed: &[&Observed]) -> Option<String> {
    let said: Vec<_> = failed.iter().copied().filter(|o| !o.error.is_empty()).collect();
    most(&said, |o| short(&o.error, ERROR_CHARS_MAX), 2)
}

fn most(failed: &[&Observed], name: impl Fn(&Observed) -> String, shown: usize) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    failed.iter().for_each(|o| *counts.entry(name(o)).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let times = |n: usize| if n == 1 { "once".to_owned() } else { format!("{n} times") };
    let said: Vec<_> = counts.iter().take(shown).map(|(name, n)| format!("{name} ({})", times(*n))).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_read_them() {
        assert_eq!(["<1%", ">99%", "92%"], [percent(1, 1_000), percent(999, 1_000), percent(46, 50)].map(|p| p));
        assert_eq!([took(9_140_000), took(10_001_000), took(850_000)], ["9.1 s", "10 s", "850 ms"]);
        assert_eq!(table("billing"), "destinations.billing");
        assert_eq!(table("a.b"), "destinations.\"a.b\"");
    }

    #[test]
    fn a_day_is_said_where_it_is_not_today() {
        let at = |text| Time::parse_rfc3339(text).unwrap();
        let now = at("2026-11-21T14:00:00Z");
        assert_eq!(clock(at("2026-11-21T02:10:30Z"), now), "02:10");
        assert_eq!(clock(at("2026-11-20T02:10:30Z"), now), "2026-11-20 02:10");
    }
}
