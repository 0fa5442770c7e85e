//! The report in Markdown (the dialect with tables), readable as it stands.
//!
//! Everything that could be markup in a span is escaped; a code block's fence is longer than any run of backticks in
//! it. Not here: what is said.

use super::{
    diagram::text as drawing,
    document::{Block, Callout, Document, Section, Span, Table, Text, Tone, anchor, one_line},
};

pub fn render(document: &Document) -> String {
    let mut out = format!("# {}\n\n", line_start(&escaped(&document.title)));
    blocks(&document.lead, &mut out);
    out.push_str("**Contents**\n\n");
    for section in &document.sections {
        out.push_str(&format!("- {}\n", linked(section.title)));
    }
    out.push('\n');
    for Section { title, blocks: inner } in &document.sections {
        out.push_str(&format!("## {title}\n\n"));
        blocks(inner, &mut out);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn blocks(all: &[Block], out: &mut String) {
    for one in all {
        block(one, out);
        out.push('\n');
    }
}

/// Ends with a line's end.
fn block(block: &Block, out: &mut String) {
    match block {
        Block::Heading(text) => out.push_str(&format!("### {}\n", inline(text))),
        Block::Paragraph(text) => out.push_str(&format!("{}\n", line_start(inline(text).trim_end()))),
        Block::List(items) => {
            for item in items {
                out.push_str(&format!("- {}\n", line_start(&inline(item))));
            }
        }
        Block::Steps(items) => {
            for (i, item) in items.iter().enumerate() {
                out.push_str(&format!("{}. {}\n", i + 1, line_start(&inline(item))));
            }
        }
        Block::Table(found) => table(found, out),
        Block::Code { language, text } => fenced(language, text, out),
        Block::Diagram(diagram) => {
            fenced("text", &drawing(diagram), out);
            out.push_str(&format!("\n{}\n\n", line_start(&inline(&diagram.caption))));
            self::block(&Block::Steps(diagram.in_words.clone()), out);
        }
        Block::Callout(found) => callout(found, out),
    }
}

fn table(table: &Table, out: &mut String) {
    out.push_str(&format!("| {} |\n", table.head.join(" | ")));
    out.push_str(&format!("|{}\n", "---|".repeat(table.head.len())));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

fn fenced(language: &str, text: &str, out: &mut String) {
    let text: String = text.lines().map(|line| format!("{}\n", code_line(line))).collect();
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    out.push_str(&format!("{fence}{language}\n{text}{fence}\n"));
}

fn callout(callout: &Callout, out: &mut String) {
    out.push_str(&format!("> **{}** {}\n", tone(callout.tone), inline(&callout.title)));
    for text in &callout.body {
        out.push_str(&format!(">\n> {}\n", line_start(&inline(text))));
    }
}

/// What the HTML shows by colour, too.
pub fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "Verdict:",
        Tone::Note => "Note:",
        Tone::Warning => "Warning:",
        Tone::Serious => "Serious:",
    }
}

/// A line of code, its blanks kept.
pub fn code_line(line: &str) -> String {
    let indent: String = line.chars().take_while(|c| *c == ' ').collect();
    let spaced = line[indent.len()..].split(' ').map(one_line).collect::<Vec<_>>().join(" ");
    format!("{indent}{spaced}").trim_end().to_owned()
}

fn inline(text: &Text) -> String {
    text.0.iter().map(|found| span(found, false)).collect()
}

fn cell(text: &Text) -> String {
    let cell: String = text.0.iter().map(|found| span(found, true)).collect();
    cell.trim().to_owned()
}

fn span(span: &Span, in_table: bool) -> String {
    match span {
        Span::Plain(text) => escaped(&keep_edges(text)),
        Span::Strong(text) => format!("**{}**", escaped(&one_line(text))),
        Span::Code(text) => code(&one_line(text), in_table),
        Span::Link(title) => linked(title),
        Span::Outside(url) => escaped(url),
    }
}

fn linked(title: &str) -> String {
    format!("[{title}](#{})", anchor(title))
}

/// On one line, with the blank before and after that keeps it apart from its neighbours.
pub fn keep_edges(text: &str) -> String {
    let before = if text.starts_with(char::is_whitespace) { " " } else { "" };
    let after = if text.len() > 1 && text.ends_with(char::is_whitespace) { " " } else { "" };
    let line = one_line(text);
    if line.is_empty() { before.to_owned() } else { format!("{before}{line}{after}") }
}

/// In a table a bar ends the cell, in code too, unless a backslash stands before it; where that backslash could itself
/// be taken for escaped, it is no code.
fn code(text: &str, in_table: bool) -> String {
    if text.is_empty() {
        return String::new();
    }
    if in_table && text.contains('|') && text.contains('\\') {
        return escaped(text);
    }
    let text = if in_table { text.replace('|', "\\|") } else { text.to_owned() };
    let ticks = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Nothing in it is markup any more. An underscore within a word is none.
fn escaped(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (i, c) in chars.iter().enumerate() {
        let is_word = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_alphanumeric());
        let marks = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '|' | '~' => true,
            '_' => !(is_word(i.checked_sub(1)) && is_word(Some(i + 1))),
            '&' => is_word(Some(i + 1)) || chars.get(i + 1) == Some(&'#'),
            _ => false,
        };
        if marks {
            out.push('\\');
        }
        out.push(*c);
    }
    out
}

/// What begins a line must not begin a list, a quotation, a heading or a rule.
fn line_start(text: &str) -> String {
    let text = text.trim_start();
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let after = text[digits..].strip_prefix(['.', ')']);
    let is_number = (1..=9).contains(&digits) && after.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if is_number {
        return format!("{}\\{}", &text[..digits], &text[digits..]);
    }
    if text.starts_with(['#', '-', '+', '>', '=', ':']) { format!("\\{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::{code as code_text, plain};

    #[test]
    fn nothing_foreign_is_markup() {
        assert_eq!(inline(&plain("<b>*x*</b> [a](b) `c` _d_ a_b &amp; a|b")), {
            "\\<b>\\*x\\*\\</b> \\[a\\](b) \\`c\\` \\_d\\_ a_b \\&amp; a\\|b"
        });
        assert_eq!(line_start("- x"), "\\- x");
        assert_eq!(line_start("1. x"), "1\\. x");
        assert_eq!(line_start("10 x 1.5"), "10 x 1.5");
        assert_eq!(line_start("1.5 x"), "1.5 x");
    }

    #[test]
    fn code_holds_backticks_and_bars() {
        assert_eq!(inline(&code_text("a`b")), "``a`b``");
        assert_eq!(inline(&code_text("`a")), "`` `a ``");
        assert_eq!(cell(&code_text("a|b")), "`a\\|b`");
        assert_eq!(cell(&code_text("a\\|b")), "a\\\\\\|b");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        let mut out = String::new();
        fenced("text", "a\n````\n  b  c", &mut out);
        assert_eq!(out, "`````text\na\n````\n  b  c\n`````\n");
    }
}
