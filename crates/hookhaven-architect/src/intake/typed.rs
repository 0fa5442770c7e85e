//! What a person types for a figure, as TOML: numbers and durations as they are said, several in one line.
//!
//! What is not understood is refused with how to type it: a wrong figure would be believed. Not here: which questions
//! there are (`questions`), whether a figure is possible (`values`).

use hookhaven_toml::{duration, said};

use super::{questions::quoted, text};

const DAY_S: u64 = 86_400;

/// `5000`, `about 5k a day, peak 20k, burst 2000 in 1m`.
///
/// # Errors
/// What is not understood, and how to type it.
pub fn volume(typed: &str) -> Result<String, String> {
    let lower = typed.to_lowercase();
    let mut figures = Figures::default();
    for part in parts(&lower) {
        figures.take(part)?;
    }
    let Figures { day, peak, burst } = figures;
    let day = day.ok_or("type how many come on an ordinary day first, as in: 5000, peak 20000")?;
    if peak.is_none() && burst.is_none() {
        return Ok(day.to_string());
    }
    let peak = peak.map(|peak| format!(", peak_day = {peak}")).unwrap_or_default();
    let burst = burst.map(|burst| format!(", burst = {burst}")).unwrap_or_default();
    Ok(format!("{{ per_day = {day}{peak}{burst} }}"))
}

/// A duration as a file takes it; what is none as it is, to be refused where it is read.
pub fn length(typed: &str) -> String {
    quoted(&said::duration(typed).map_or(typed.to_owned(), duration::print))
}

/// `update a row, takes 2s`.
///
/// # Errors
/// How to type how long it takes, if a figure was given for it that cannot be read.
pub fn work(typed: &str) -> Result<String, String> {
    let Some((does, takes)) = text::work(typed) else { return Ok(quoted(typed)) };
    let takes = takes.map_err(|said| {
        format!("{said:?} is not a duration; type one behind \"takes\", such as {}", duration::EXAMPLES)
    })?;
    Ok(format!("{{ does = {}, takes = {} }}", quoted(does), quoted(&duration::print(takes))))
}

/// Between commas and semicolons; a comma between digits is part of a number.
fn parts(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let mut begin = 0;
    let mut parts = Vec::new();
    for (at, mark) in text.match_indices([',', ';']) {
        if mark == ";" || !(is_digit(at.checked_sub(1)) && is_digit(Some(at + 1))) {
            parts.push(&text[begin..at]);
            begin = at + 1;
        }
    }
    parts.push(&text[begin..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Figure {
    Day,
    Peak,
    Burst,
}

/// What was said so far.
#[derive(Default)]
struct Figures {
    day: Option<u64>,
    peak: Option<u64>,
    burst: Option<String>,
}

impl Figures {
    /// `5k`, `peak 20k`, `20k at peak`, and all of them without a comma.
    fn take(&mut self, part: &str) -> Result<(), String> {
        let words: Vec<&str> = part.split_whitespace().collect();
        let (mut of, mut begin) = (Figure::Day, 0);
        for (at, word) in words.iter().enumerate() {
            let Some(named) = figure(word) else { continue };
            if has_digit(&words[begin..at]) && has_digit(&words[at + 1..]) {
                self.set(of, &words[begin..at])?;
                begin = at + 1;
            } else if !has_digit(&words[begin..at]) {
                begin = at + 1;
            }
            of = named;
        }
        // What is named behind its figure: its name is no part of it.
        let figure: Vec<&str> = words[begin..].iter().copied().filter(|word| self::figure(word).is_none()).collect();
        self.set(of, &figure)
    }

    fn set(&mut self, of: Figure, words: &[&str]) -> Result<(), String> {
        let said_before = match of {
            Figure::Day => self.day.replace(number(words)?).is_some(),
            Figure::Peak => self.peak.replace(number(words)?).is_some(),
            Figure::Burst => self.burst.replace(burst(words)?).is_some(),
        };
        if said_before {
            let what = "there is a figure too many";
            return Err(format!("{what} ({}); type them as in: 5000, peak 20000, burst 2000 in 1m", words.join(" ")));
        }
        Ok(())
    }
}

/// The figure that a word names.
fn figure(word: &str) -> Option<Figure> {
    match word.trim_matches(|c: char| !c.is_alphabetic()) {
        "peak" | "peaks" | "busiest" => Some(Figure::Peak),
        "burst" | "bursts" | "spike" | "spikes" => Some(Figure::Burst),
        _ => None,
    }
}

fn has_digit(words: &[&str]) -> bool {
    words.iter().any(|word| word.contains(|c: char| c.is_ascii_digit()))
}

/// Words apart, and `/` as the word that it stands for.
fn words_of(words: &[&str]) -> Vec<String> {
    let spaced = words.join(" ").replace('/', " per ");
    spaced.split_whitespace().map(|word| word.trim_matches([':', '=', '(', ')']).to_owned()).collect()
}

/// Events on a day, and no other words beside them than those that say so.
fn number(words: &[&str]) -> Result<u64, String> {
    const BEFORE: &[&str] = &["at", "of", "is", "on", "the", "day"];
    const AFTER: &[&str] = &["events", "event", "webhooks", "requests", "messages", "daily", "at", "on", "the", "day"];
    const PER: &[&str] = &["a", "an", "per", "each", "every"];
    let all = words_of(words);
    let mut rest: Vec<&str> = all.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    let begin = rest.iter().position(|word| !BEFORE.contains(word)).unwrap_or(rest.len());
    rest.drain(..begin);
    let mut per_s = None;
    while let Some(last) = rest.last() {
        let is_per = rest.len() > 1 && PER.contains(&rest[rest.len() - 2]);
        match unit_s(last).filter(|_| is_per) {
            Some(s) if per_s.is_none() => {
                per_s = Some(s);
                rest.truncate(rest.len() - 2);
            }
            _ if AFTER.contains(last) => rest.truncate(rest.len() - 1),
            _ => break,
        }
    }
    let typed = words.join(" ");
    let n = said::count(&rest.join(" "))
        .ok_or_else(|| format!("{typed:?} is not a number of events; type one such as 5000 or 5k"))?;
    match per_s.unwrap_or(DAY_S) {
        DAY_S => Ok(n),
        s => Err(format!(
            "{typed:?} is not a number of events a day; type {} if it is like that all the time",
            u128::from(n) * u128::from(DAY_S) / u128::from(s)
        )),
    }
}

fn unit_s(word: &str) -> Option<u64> {
    said::duration(&format!("1 {word}")).map(|length| length.as_secs()).filter(|s| *s > 0)
}

/// `2000 in 1m`, `2000 within 5 minutes`, `50/s`.
fn burst(words: &[&str]) -> Result<String, String> {
    const WITHIN: &[&str] = &["within", "in", "per", "over", "every", "a"];
    let words = words_of(words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let how = "of a burst, type how many come within how long, as in: burst 2000 in 1m";
    let at = words.iter().position(|word| WITHIN.contains(word)).ok_or(how)?;
    let (events, within) = (&words[..at], words[at + 1..].join(" "));
    let length = said::duration(&within).or_else(|| said::duration(&format!("1 {within}")));
    match length {
        Some(length) => {
            Ok(format!("{{ events = {}, within = {} }}", number(events)?, quoted(&duration::print(length))))
        }
        None => Err(format!("{within:?} is not a duration; type one such as {}", duration::EXAMPLES)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_read_as_teams_type_them() {
        let peak = "{ per_day = 5000, peak_day = 20000 }";
        let burst = "{ per_day = 5000, peak_day = 20000, burst = { events = 2000, within = \"1m\" } }";
        for (typed, toml) in [
            ("5000", "5000"),
            ("0", "0"),
            ("5,000 a day", "5000"),
            ("5 000 per day", "5000"),
            ("2.5k", "2500"),
            ("1M", "1000000"),
            ("about 2M/day", "2000000"),
            ("1,5 Mio", "1500000"),
            ("~300 events daily", "300"),
            ("5000, peak 20000", peak),
            ("5000 peak 20000", peak),
            ("5,000, peak: 20,000", peak),
            ("peak 20k; 5k a day", peak),
            ("5k a day, 20k on the busiest day", peak),
            ("5k, 20k at peak", peak),
            ("5k, at peak 20k, burst 2000 in 1m", burst),
            ("5k peak 20k burst 2000 in 1m", burst),
            ("5k, peak 20k, bursts of 2000 within a minute", burst),
            ("5k, peak 20k, 2000/min burst", burst),
            ("5k, burst 50/s", "{ per_day = 5000, burst = { events = 50, within = \"1s\" } }"),
        ] {
            assert_eq!(volume(typed).as_deref(), Ok(toml), "{typed}");
            assert!(toml::de::DeTable::parse(&format!("a = {toml}")).is_ok(), "{toml}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_how_to_type_it() {
        for (typed, why) in [
            ("", "type how many come on an ordinary day first"),
            ("many", "\"many\" is not a number of events; type one such as 5000"),
            ("a few hundred", "is not a number of events"),
            ("-1", "is not a number of events"),
            ("1e9k", "is not a number of events"),
            ("NaN", "is not a number of events"),
            ("5.000", "is not a number of events"),
            ("99999999999999999999", "is not a number of events"),
            ("5000 6000", "\"5000 6000\" is not a number of events"),
            ("5000, 6000", "there is a figure too many (6000); type them as in: 5000, peak 20000"),
            ("50k a day, 10x on Black Friday", "\"10x on black friday\" is not a number of events"),
            ("5000, peak many", "is not a number of events"),
            ("5000, peak", "\"\" is not a number of events"),
            ("peak 20k", "type how many come on an ordinary day first"),
            ("~12/s", "\"~12/s\" is not a number of events a day; type 1036800 if it is like that all the time"),
            ("50k a week", "type 7142 if it is like that"),
            ("5000, burst 3", "of a burst, type how many come within how long"),
            ("5000, burst 3 in a while", "\"a while\" is not a duration; type one such as"),
        ] {
            let refused = volume(typed).unwrap_err();
            assert!(refused.contains(why), "{typed}: {refused}");
        }
    }

    #[test]
    fn how_long_it_takes_is_read_or_asked_for() {
        for (typed, toml) in [
            ("write a row", "\"write a row\""),
            ("write a row, takes 2s", "{ does = \"write a row\", takes = \"2s\" }"),
            ("write a row; it takes about 1.5 seconds", "{ does = \"write a row\", takes = \"1s500ms\" }"),
            ("it takes ages", "\"it takes ages\""),
        ] {
            assert_eq!(work(typed).as_deref(), Ok(toml), "{typed}");
        }
        let refused = work("write a row, takes 2-3 s").unwrap_err();
        assert!(refused.starts_with("\"2-3 s\" is not a duration; type one behind \"takes\""), "{refused}");
        assert_eq!([length("2 minutes"), length("30s"), length("soon")], ["\"2m\"", "\"30s\"", "\"soon\""]);
    }
}
