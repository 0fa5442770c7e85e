//! The report before it is Markdown or HTML: a small tree of blocks, and text with a little markup.
//!
//! What comes from outside (names, types, free text, sentences that quote them) only ever gets here as the value of a
//! span: it is never parsed for structure, and each renderer escapes it for its own language. Not here: what is said
//! (`sections`), how it looks (`markdown`, `html`).

use std::ops::Add;

use super::diagram::Diagram;
use crate::words;

/// A whole report.
#[derive(Clone, Debug)]
pub struct Document {
    pub title: String,
    /// Before the first section.
    pub lead: Vec<Block>,
    pub sections: Vec<Section>,
}

/// What has a heading of its own in the table of contents.
#[derive(Clone, Debug)]
pub struct Section {
    pub title: &'static str,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub enum Block {
    /// Within a section.
    Heading(Text),
    Paragraph(Text),
    List(Vec<Text>),
    /// In their order.
    Steps(Vec<Text>),
    Table(Table),
    Code {
        language: &'static str,
        text: String,
    },
    Diagram(Diagram),
    Callout(Callout),
}

#[derive(Clone, Debug)]
pub struct Table {
    pub head: Vec<&'static str>,
    /// Each as long as the head.
    pub rows: Vec<Vec<Text>>,
}

/// What must not be overlooked.
#[derive(Clone, Debug)]
pub struct Callout {
    pub tone: Tone,
    pub title: Text,
    pub body: Vec<Text>,
}

/// How loud a callout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Note,
    Warning,
    Serious,
}

/// A line of text, or a paragraph of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub Vec<Span>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    Plain(String),
    Strong(String),
    Code(String),
    /// To a section of the same report, by its title.
    Link(&'static str),
    /// To a page of the catalogue's.
    Outside(&'static str),
}

/// A template of ours with values of anybody's: markup in the template counts, in a value it does not.
macro_rules! say {
    ($template:expr $(, $value:expr)* $(,)?) => {
        $crate::report::document::filled($template, &[$(($value).to_string()),*])
    };
}
pub(super) use say;

/// Of a quotation from what a team wrote.
const QUOTE_CHARS_MAX: usize = 240;
/// Of one that is only to be recognised.
const HINT_CHARS_MAX: usize = 60;

/// Backticks make code and `**` strong text; each `{}` takes the next value, as it is.
pub fn filled(template: &str, values: &[String]) -> Text {
    let mut values = values.iter();
    let mut fill = |text: String| {
        let mut parts = text.split("{}");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            filled.push_str(values.next().map_or("", String::as_str));
            filled.push_str(part);
        }
        filled
    };
    Text(prose(template).0.into_iter().map(|span| span.map(&mut fill)).collect())
}

/// A finished sentence, ours or one that quotes others: the same markup, and nothing left open can do more than look
/// odd.
pub fn prose(text: &str) -> Text {
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some((before, mark, inner, after)) = next_marked(rest) {
        push_plain(&mut spans, before);
        spans.push(if mark == "`" { Span::Code(inner.to_owned()) } else { Span::Strong(inner.to_owned()) });
        rest = after;
    }
    push_plain(&mut spans, rest);
    Text(spans)
}

/// What stands before the first pair of marks, the mark, what it holds, and the rest.
fn next_marked(text: &str) -> Option<(&str, &'static str, &str, &str)> {
    let found = |mark: &'static str| {
        let start = text.find(mark)?;
        let inner = &text[start + mark.len()..];
        let end = inner.find(mark).filter(|end| *end > 0)?;
        Some((start, mark, &inner[..end], &inner[end + mark.len()..]))
    };
    let (start, mark, inner, after) = [found("`"), found("**")].into_iter().flatten().min_by_key(|f| f.0)?;
    Some((&text[..start], mark, inner, after))
}

fn push_plain(spans: &mut Vec<Span>, text: &str) {
    if !text.is_empty() {
        spans.push(Span::Plain(text.to_owned()));
    }
}

/// Text of others, as it is.
pub fn plain(text: impl Into<String>) -> Text {
    Text(vec![Span::Plain(text.into())])
}

/// A name, a value, a command.
pub fn code(text: impl Into<String>) -> Text {
    Text(vec![Span::Code(text.into())])
}

pub fn strong(text: impl Into<String>) -> Text {
    Text(vec![Span::Strong(text.into())])
}

pub fn link(title: &'static str) -> Text {
    Text(vec![Span::Link(title)])
}

pub fn outside(url: &'static str) -> Text {
    Text(vec![Span::Outside(url)])
}

/// Several names or values, each as code, as a sentence lists them.
pub fn codes<S: AsRef<str>>(items: &[S]) -> Text {
    joined(items, ", ", " and ")
}

/// The same where the first that is there counts.
pub fn alternatives<S: AsRef<str>>(items: &[S]) -> Text {
    joined(items, ", else ", ", else ")
}

fn joined<S: AsRef<str>>(items: &[S], between: &str, before_last: &str) -> Text {
    let mut text = Text::default();
    for (i, item) in items.iter().enumerate() {
        let before = match i {
            0 => "",
            _ if i + 1 == items.len() => before_last,
            _ => between,
        };
        push_plain(&mut text.0, before);
        text.0.push(Span::Code(item.as_ref().to_owned()));
    }
    text
}

/// What a team wrote, on one line and no longer than a table bears.
pub fn quoted(text: &str) -> String {
    shortened(text, QUOTE_CHARS_MAX)
}

/// As much of it as tells which one is meant.
pub fn hint(text: &str) -> String {
    shortened(text, HINT_CHARS_MAX)
}

fn shortened(text: &str, chars_max: usize) -> String {
    let line = one_line(text);
    match line.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Without line breaks. Characters that nobody sees and that change how others are read are shown as a replacement
/// character, control characters as blanks.
pub fn one_line(text: &str) -> String {
    let shown = |c: char| match c {
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => ' ',
        c if words::is_unseen(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    let text: String = text.chars().map(shown).collect();
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Of a heading, as Markdown viewers make it, and as the HTML has it.
pub fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

impl Span {
    fn map(self, change: impl FnOnce(String) -> String) -> Span {
        match self {
            Span::Plain(text) => Span::Plain(change(text)),
            Span::Strong(text) => Span::Strong(change(text)),
            Span::Code(text) => Span::Code(change(text)),
            fixed @ (Span::Link(_) | Span::Outside(_)) => fixed,
        }
    }
}

impl Add for Text {
    type Output = Text;

    fn add(mut self, more: Text) -> Text {
        self.0.extend(more.0);
        self
    }
}

impl From<Text> for Block {
    fn from(text: Text) -> Block {
        Block::Paragraph(text)
    }
}

impl Block {
    pub fn heading(text: Text) -> Block {
        Block::Heading(text)
    }

    pub fn table<const N: usize>(head: [&'static str; N], rows: Vec<[Text; N]>) -> Block {
        Block::Table(Table { head: head.to_vec(), rows: rows.into_iter().map(Vec::from).collect() })
    }

    pub fn code(language: &'static str, text: impl Into<String>) -> Block {
        Block::Code { language, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_template_counts_and_in_a_value_does_not() {
        let text = say!("send `{}` to **{}**", "a`b", "**x**");
        let spans = [
            Span::Plain("send ".into()),
            Span::Code("a`b".into()),
            Span::Plain(" to ".into()),
            Span::Strong("**x**".into()),
        ];
        assert_eq!(text.0, spans);
    }

    #[test]
    fn what_is_left_open_is_only_text() {
        assert_eq!(prose("a ` b").0, [Span::Plain("a ` b".into())]);
        assert_eq!(prose("**").0, [Span::Plain("**".into())]);
        assert_eq!(prose("`a` **b").0, [Span::Code("a".into()), Span::Plain(" **b".into())]);
    }

    #[test]
    fn a_line_is_a_line_and_reads_from_left_to_right() {
        assert_eq!(one_line(" a\r\nb\t\u{0}c "), "a b c");
        assert_eq!(one_line("\u{202e}x"), "\u{fffd}x");
        assert_eq!(quoted(&"ä".repeat(300)).chars().count(), QUOTE_CHARS_MAX + 1);
    }

    #[test]
    fn anchors_are_those_of_markdown_viewers() {
        assert_eq!(anchor("What this will not solve"), "what-this-will-not-solve");
        assert_eq!(anchor("Retry, and dead letters"), "retry-and-dead-letters");
    }
}
