//! What the command line prints of what strangers sent: nothing in it acts on a terminal or deceives a
//! reader, and JSON stays the same JSON.

use hookhaven::cli::print::{clean, clean_bytes, clean_json, clean_lines, millisecond, relative, second, short, when};
use hookhaven_core::Time;

/// An input is what a stranger sent.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let line = clean(&text);
    assert!(is_safe(&line), "{line:?}");
    assert_eq!(clean(&line), line, "cleaned once is clean");
    let lines = clean_lines(&text);
    assert!(is_safe(&lines.replace(['\n', '\t'], "")), "{lines:?}");
    let bytes = clean_bytes(data);
    assert!(is_safe(&bytes.replace(['\n', '\t'], "")), "{bytes:?}");
    if let Ok(valid) = std::str::from_utf8(data) {
        assert_eq!(bytes, clean_lines(valid));
    }
    if text.chars().all(is_harmless) {
        assert_eq!(line, text, "nothing was to be escaped");
    }
    for max in [0, 1, 7, 80] {
        assert!(short(&text, max).chars().count() <= max + 1);
    }
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
        for json in [value.to_string(), format!("{value:#}")] {
            let printed = clean_json(&json);
            assert!(is_safe(&printed.replace('\n', "")), "{printed:?}");
            // Not `value` itself: the parser's floats are not exact to the last digit.
            let again = |json: &str| serde_json::from_str::<serde_json::Value>(json).ok();
            assert_eq!(again(&printed), again(&json));
        }
    }
    times(data);
}

fn is_harmless(c: char) -> bool {
    matches!(c, ' '..='~' | 'ä' | '…' | '漢')
}

/// What may reach a terminal, written down a second time: no control characters, nothing that turns the
/// direction of the text, nothing that is there and not seen.
fn is_safe(text: &str) -> bool {
    let turns =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hides = |c: char| matches!(c, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    !text.chars().any(|c| c.is_control() || turns(c) || hides(c))
}

/// Times come out of records that others wrote: any of them can be shown.
fn times(data: &[u8]) {
    let Some((at, rest)) = data.split_first_chunk() else { return };
    let now = rest.first_chunk().map_or(Time::EPOCH, |now| Time::from_us(i64::from_le_bytes(*now)));
    let at = Time::from_us(i64::from_le_bytes(*at));
    for text in [second(at), millisecond(at), relative(at, now), when(at, now)] {
        assert!(!text.is_empty() && is_safe(&text));
    }
}
