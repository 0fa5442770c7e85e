//! How times, amounts and states are written on pages. Every function answers markup that is safe: what it is given is
//! escaped or a number.

use std::{fmt, time::Duration};

use askama::filters::HtmlSafe;
use hookhaven_core::Time;

/// Markup of ours.
pub(crate) struct Html(String);

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Html {}

/// Data for a script of ours, within a script element of a kind that is not run. Nothing in it can end that element.
pub(crate) fn json(data: &impl serde::Serialize) -> Html {
    let text = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    Html(text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
}

/// A moment to the second, in UTC until a script writes the reader's zone in its place, as wide; UTC stays on hover.
pub(crate) fn time(at: &Time) -> Html {
    let (full, second) = (at.to_string(), to_second(*at));
    Html(format!("<time datetime=\"{full}\" title=\"{full}\">{second}</time>"))
}

/// As `time`, with milliseconds: attempts that follow each other closely.
pub(crate) fn time_ms(at: &Time) -> Html {
    let (full, second) = (at.to_string(), to_second(*at));
    let ms = at.as_ms().rem_euclid(1_000);
    Html(format!("<time datetime=\"{full}\" title=\"{full}\" data-ms>{second}.{ms:03}</time>"))
}

/// How long ago a moment was, or how soon it comes.
pub(crate) fn ago(at: &Time, now: &Time) -> Html {
    let full = at.to_string();
    let words =
        if at <= now { format!("{} ago", span(&now.since(*at))) } else { format!("in {}", span(&at.since(*now))) };
    Html(format!("<time datetime=\"{full}\" title=\"{full}\" data-ago>{words}</time>"))
}

/// The two largest units.
pub(crate) fn span(length: &Duration) -> String {
    let s = length.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min", s / 60),
        3_600..86_400 => two(s / 3_600, "h", s % 3_600 / 60, "min"),
        _ => two(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}

fn two(large: u64, unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {small_unit}") }
}

/// Milliseconds as people read them: `0.4 ms`, `23 ms`, `1.2 s`, `3 min 20 s`.
pub(crate) fn ms(ms: &f64) -> String {
    match *ms {
        ms if ms < 9.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms if ms < 59_950.0 => format!("{:.1} s", ms / 1_000.0),
        ms => {
            let s = (ms / 1_000.0).round() as u64;
            two(s / 60, "min", s % 60, "s")
        }
    }
}

/// `1,234,567`.
pub(crate) fn count(count: &u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `512 B`, `1.5 KiB`, `20 MiB`.
pub(crate) fn bytes(bytes: &u64) -> String {
    let mut left = *bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if left < 1_024.0 {
            return if left < 10.0 && unit != "B" { format!("{left:.1} {unit}") } else { format!("{left:.0} {unit}") };
        }
        left /= 1_024.0;
    }
    format!("{left:.1} TiB")
}

/// The state of a delivery, a destination, a job … as a badge, its colour by its meaning and never by itself.
pub(crate) fn state(state: &str) -> Html {
    let tone = match state {
        "delivered" | "active" | "done" | "ok" | "closed" | "released" => "good",
        "dead" | "failed" | "firing" | "page" | "open" | "breaker_open" | "bad" => "bad",
        "pending" | "leased" | "paused" | "retry" | "waiting" | "half_open" | "notify" | "warning" => "wait",
        "running" | "counting" => "busy",
        _ => "quiet",
    };
    let state: String = state.chars().filter(|c| c.is_ascii_alphanumeric() || "_- ".contains(*c)).collect();
    Html(format!("<span class=\"badge {tone}\">{}</span>", state.replace('_', " ")))
}

fn to_second(at: Time) -> String {
    match jiff::Timestamp::from_second(at.as_s()) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short_and_exact_enough() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(|n| count(&n)), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 512, 1_536, 20 << 20].map(|n| bytes(&n)), ["0 B", "512 B", "1.5 KiB", "20 MiB"]);
        assert_eq!([0.42, 23.4, 1_234.0, 200_000.0].map(|n| ms(&n)), ["0.4 ms", "23 ms", "1.2 s", "3 min 20 s"]);
        assert_eq!(
            [5, 65, 3_660, 90_000].map(|s| span(&Duration::from_secs(s))),
            ["5 s", "1 min", "1 h 1 min", "1 d 1 h"]
        );
    }

    #[test]
    fn a_moment_says_its_zone() {
        let at = Time::from_s(1_700_000_000);
        let shown = time(&at).to_string();
        assert!(shown.contains(">2023-11-14 22:13:20</time>"), "{shown}");
        assert!(shown.contains("datetime=\"2023-11-14T22:13:20.000000Z\""), "{shown}");
        let later = at.plus(Duration::from_secs(90));
        assert!(ago(&at, &later).to_string().contains(">1 min ago<"));
        assert!(ago(&later, &at).to_string().contains(">in 1 min<"));
    }

    #[test]
    fn data_cannot_end_its_place() {
        let shown = json(&["</script><!-- &lt; \u{2028}"]).to_string();
        assert!(!shown.contains(['<', '>', '&']), "{shown}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), ["</script><!-- &lt; \u{2028}"]);
    }

    #[test]
    fn a_state_is_no_markup() {
        assert_eq!(state("<b>x</b>").to_string(), "<span class=\"badge quiet\">bxb</span>");
    }
}
