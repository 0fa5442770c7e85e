//! The path of an event, for one team: its senders, what the gateway does, the line from which on nothing is lost,
//! its handlers. Drawn twice from one model: in characters for Markdown (`text`), as SVG for HTML (`svg`); and said in
//! words for whoever sees neither.
//!
//! Not here: what stands in it (`sections::path`).

mod svg;
mod text;

pub use svg::svg;
pub use text::text;

use super::document::Text;

#[derive(Clone, Debug)]
pub struct Diagram {
    pub caption: Text,
    /// Step by step.
    pub in_words: Vec<Text>,
    pub senders: Vec<Inlet>,
    /// What happens before the event is stored, in order.
    pub before: Vec<String>,
    /// What holds it from then on.
    pub line: String,
    /// What happens afterwards.
    pub after: Vec<String>,
    pub handlers: Vec<Outlet>,
    /// What becomes of an event that no handler takes.
    pub end: String,
}

#[derive(Clone, Debug)]
pub struct Inlet {
    pub title: String,
    pub path: String,
    pub load: String,
}

#[derive(Clone, Debug)]
pub struct Outlet {
    pub name: String,
    pub limits: String,
}

/// At most so many characters, the last of them a mark that something is missing.
fn cut(text: &str, chars_max: usize) -> String {
    let line = super::document::one_line(text);
    match line.char_indices().nth(chars_max) {
        Some(_) => line.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
        None => line,
    }
}

/// In lines of at most so many characters, broken between words.
fn wrapped(text: &str, chars_max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = cut(word, chars_max);
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = word,
            Some(line) if line.chars().count() + 1 + word.chars().count() <= chars_max => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_whole_and_lines_short() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh", 4), ["abc…"]);
        assert_eq!(cut("abc", 3), "abc");
    }
}
