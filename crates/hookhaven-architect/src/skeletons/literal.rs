//! Names from outside, as they may stand in code: event types hold whatever a sender, or whoever filled in the answers,
//! put there. Only ASCII that means nothing comes out as it is.
//!
//! Not here: names of files and identifiers of sources, which are `a-z`, `0-9` and `-` by themselves.

use std::fmt::Write as _;

/// A text in double quotes for JSON, and for JavaScript too.
pub fn json(text: &str) -> String {
    quoted(text, |out, c| {
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// For Python and Go, whose escapes are the same.
pub fn wide(text: &str) -> String {
    quoted(text, |out, c| {
        let _ = match u32::from(c) {
            code @ ..=0xffff => write!(out, "\\u{code:04x}"),
            code => write!(out, "\\U{code:08x}"),
        };
    })
}

pub fn rust(text: &str) -> String {
    quoted(text, |out, c| {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
    })
}

fn quoted(text: &str, escape: impl Fn(&mut String, char)) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => escape(&mut out, c),
        }
    }
    out.push('"');
    out
}

/// Lower-case letters, digits and single `_` between them, at most 48; empty if there are none.
pub fn word(text: &str) -> String {
    let mut word = String::new();
    for c in text.chars() {
        match c {
            'a'..='z' | '0'..='9' => word.push(c),
            'A'..='Z' => word.push(c.to_ascii_lowercase()),
            _ if !word.is_empty() && !word.ends_with('_') => word.push('_'),
            _ => {}
        }
        if word.len() == 48 {
            break;
        }
    }
    word.trim_end_matches('_').to_owned()
}

/// `payment_intent` → `PaymentIntent`. Different words stay different: `a_1` is `A_1`, for `a1` is `A1`.
pub fn camel(word: &str) -> String {
    let mut camel = String::new();
    for part in word.split('_') {
        let Some(first) = part.chars().next() else { continue };
        if first.is_ascii_digit() && !camel.is_empty() {
            camel.push('_');
        }
        camel.push(first.to_ascii_uppercase());
        camel.push_str(&part[1..]);
    }
    camel
}

/// On one line if they are that short, else one a line, `step` further in than the line that it begins on.
pub fn list(items: &[String], indent: &str, step: &str, chars_max: usize) -> String {
    let flat = items.join(", ");
    if items.len() < 2 || flat.len() <= chars_max {
        return flat;
    }
    let lines: String = items.iter().map(|item| format!("{indent}{step}{item},\n")).collect();
    format!("\n{lines}{indent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\"b\\c*/ #{d} ${e} \u{2028}\u{1f600}\n";

    #[test]
    fn nothing_gets_out_of_a_literal() {
        assert_eq!(json(HOSTILE), r##""a\"b\\c*/ #{d} ${e} \u2028\ud83d\ude00\u000a""##);
        assert_eq!(wide(HOSTILE), r##""a\"b\\c*/ #{d} ${e} \u2028\U0001f600\u000a""##);
        assert_eq!(rust(HOSTILE), r##""a\"b\\c*/ #{d} ${e} \u{2028}\u{1f600}\u{a}""##);
    }

    #[test]
    fn words_are_identifiers() {
        assert_eq!(
            ["*", "payment_intent.succeeded", "/deploy", "*/ evil();", "Ä.b"].map(word),
            ["", "payment_intent_succeeded", "deploy", "evil", "b"]
        );
        assert_eq!([camel("payment_intent_2"), camel("x")], ["PaymentIntent_2", "X"]);
        assert!(word(&"long".repeat(100)).len() <= 48);
    }
}
