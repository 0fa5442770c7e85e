//! The report as one HTML file for the disk: readable offline, in light and dark, and printable. No script, nothing
//! from elsewhere; the one stylesheet stands in it because a file on a disk has nobody to serve it another.
//!
//! Not here: what is said.

use super::{
    diagram::{Diagram, svg},
    document::{Block, Callout, Document, Span, Table, Text, Tone, anchor, one_line},
    markdown::{code_line, keep_edges, tone},
};

const STYLE: &str = include_str!("style.css");

pub fn render(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n"
    );
    blocks(&document.lead, &mut out);
    out.push_str("<nav aria-label=\"Contents\">\n<p><strong>Contents</strong></p>\n<ul>\n");
    for section in &document.sections {
        out.push_str(&format!("<li>{}</li>\n", linked(section.title)));
    }
    out.push_str("</ul>\n</nav>\n");
    for section in &document.sections {
        let id = anchor(section.title);
        out.push_str(&format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n", escaped(section.title)));
        blocks(&section.blocks, &mut out);
        out.push_str("</section>\n");
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn blocks(all: &[Block], out: &mut String) {
    for one in all {
        block(one, out);
    }
}

fn block(block: &Block, out: &mut String) {
    match block {
        Block::Heading(text) => out.push_str(&format!("<h3>{}</h3>\n", inline(text))),
        Block::Paragraph(text) => out.push_str(&format!("<p>{}</p>\n", inline(text))),
        Block::List(items) => list("ul", items, out),
        Block::Steps(items) => list("ol", items, out),
        Block::Table(found) => table(found, out),
        Block::Code { text, .. } => {
            let lines: Vec<String> = text.lines().map(code_line).collect();
            out.push_str(&format!("<pre tabindex=\"0\"><code>{}</code></pre>\n", escaped(&lines.join("\n"))));
        }
        Block::Diagram(found) => diagram(found, out),
        Block::Callout(found) => callout(found, out),
    }
}

fn list(tag: &str, items: &[Text], out: &mut String) {
    out.push_str(&format!("<{tag}>\n"));
    for item in items {
        out.push_str(&format!("<li>{}</li>\n", inline(item)));
    }
    out.push_str(&format!("</{tag}>\n"));
}

/// A table may be wider than a phone: its frame scrolls, and can be reached by keyboard to do so.
fn table(table: &Table, out: &mut String) {
    out.push_str("<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr>");
    for name in &table.head {
        out.push_str(&format!("<th scope=\"col\">{}</th>", escaped(name)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        let cells: String = row.iter().map(|cell| format!("<td>{}</td>", inline(cell))).collect();
        out.push_str(&format!("<tr>{cells}</tr>\n"));
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn diagram(diagram: &Diagram, out: &mut String) {
    let in_words: Vec<String> = diagram.in_words.iter().map(spoken).collect();
    out.push_str(&format!("<figure tabindex=\"0\">\n{}", svg(diagram, &in_words.join(" "))));
    out.push_str(&format!("<figcaption>{}</figcaption>\n</figure>\n", inline(&diagram.caption)));
    list("ol", &diagram.in_words, out);
}

fn callout(callout: &Callout, out: &mut String) {
    let class = match callout.tone {
        Tone::Good => "good",
        Tone::Note => "note",
        Tone::Warning => "warning",
        Tone::Serious => "serious",
    };
    let title = inline(&callout.title);
    out.push_str(&format!("<aside class=\"{class}\">\n<p><strong>{}</strong> {title}</p>\n", tone(callout.tone)));
    for text in &callout.body {
        out.push_str(&format!("<p>{}</p>\n", inline(text)));
    }
    out.push_str("</aside>\n");
}

fn inline(text: &Text) -> String {
    text.0.iter().map(span).collect()
}

fn span(span: &Span) -> String {
    match span {
        Span::Plain(text) => escaped(&keep_edges(text)),
        Span::Strong(text) => format!("<strong>{}</strong>", escaped(text)),
        Span::Code(text) if one_line(text).is_empty() => String::new(),
        Span::Code(text) => format!("<code>{}</code>", escaped(text)),
        Span::Link(title) => linked(title),
        Span::Outside(url) => format!("<a href=\"{0}\">{0}</a>", escaped(url)),
    }
}

fn linked(title: &str) -> String {
    format!("<a href=\"#{}\">{}</a>", anchor(title), escaped(title))
}

/// Without markup.
fn spoken(text: &Text) -> String {
    let said = |span: &Span| match span {
        Span::Plain(text) | Span::Strong(text) | Span::Code(text) => text.clone(),
        Span::Link(text) | Span::Outside(text) => (*text).to_owned(),
    };
    text.0.iter().map(said).collect()
}

/// For text and for attributes in double quotes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in keep_lines(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Control characters and marks of direction go from each line; its blanks stay.
fn keep_lines(text: &str) -> String {
    text.split('\n')
        .map(|line| line.split(' ').map(one_line).collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::{code, plain};

    #[test]
    fn nothing_foreign_is_markup() {
        let text = plain("<script>\"a\" & 'b'</script>") + code("</code>");
        let html = inline(&text);
        assert_eq!(html, "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;<code>&lt;/code&gt;</code>");
    }

    #[test]
    fn blanks_in_code_stay() {
        assert_eq!(escaped("a  b\n  c\u{202e}"), "a  b\n  c\u{fffd}");
    }
}
