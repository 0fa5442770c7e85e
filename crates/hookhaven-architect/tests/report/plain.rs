//! Markdown and HTML read back loosely, as another program would: their words, tags and links. Knows nothing of how the
//! report is written.

/// The words that a reader sees, without the drawing.
pub fn of_markdown(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut fence: Option<(String, bool)> = None;
    for line in text.lines() {
        if let Some((open, shown)) = &fence {
            if line == open {
                fence = None;
            } else if *shown {
                words.extend(line.split_whitespace().map(str::to_owned));
            }
            continue;
        }
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        if ticks.len() >= 3 {
            let shown = &line[ticks.len()..] != "text";
            fence = Some((ticks, shown));
            continue;
        }
        let is_rule = line.starts_with("|-");
        if !is_rule {
            let said: Vec<String> = match line.strip_prefix('|') {
                Some(_) => cells(line).iter().map(|cell| inline(cell, true)).collect(),
                None => vec![inline(without_marks(line), false)],
            };
            words.extend(said.join(" ").split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// A line without what makes it a heading, an item or a quotation.
fn without_marks(line: &str) -> &str {
    let line = line.strip_prefix("> ").or_else(|| line.strip_prefix('>')).unwrap_or(line);
    let line = ["### ", "## ", "# ", "- "].iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line);
    match line.split_once(". ") {
        Some((number, rest)) if !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) => rest,
        _ => line,
    }
}

/// Cells of a row of a table: bars that a backslash stands before do not count.
pub fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut chars = line.trim().trim_start_matches('|').chars();
    while let Some(c) = chars.next() {
        let last = cells.len() - 1;
        match c {
            '\\' => {
                cells[last].push(c);
                cells[last].extend(chars.next());
            }
            '|' => cells.push(String::new()),
            c => cells[last].push(c),
        }
    }
    cells.pop();
    cells
}

/// Without emphasis, code marks, links and escapes; in a table a bar is escaped within code, too.
fn inline(text: &str, in_table: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' if chars.get(at + 1).is_some_and(char::is_ascii_punctuation) => {
                out.push(chars[at + 1]);
                at += 2;
            }
            '`' => {
                let run = chars[at..].iter().take_while(|c| **c == '`').count();
                let close = (at + run..chars.len())
                    .find(|i| chars[*i..].iter().take_while(|c| **c == '`').count() == run && chars[*i - 1] != '`');
                let close = close.unwrap_or_else(|| panic!("an open code span: {text}"));
                let inner: String = chars[at + run..close].iter().collect();
                let padded = inner.strip_prefix(' ').and_then(|i| i.strip_suffix(' '));
                let shown = padded.unwrap_or(&inner);
                out.push_str(&if in_table { shown.replace("\\|", "|") } else { shown.to_owned() });
                at = close + run;
            }
            '*' if chars.get(at + 1) == Some(&'*') => at += 2,
            '[' => {
                let end = (at..chars.len()).find(|i| chars[*i] == ']').unwrap();
                out.extend(&chars[at + 1..end]);
                assert_eq!(chars.get(end + 1), Some(&'('), "{text}");
                at = (end..chars.len()).find(|i| chars[*i] == ')').unwrap() + 1;
            }
            '<' => panic!("a bare < in {text}"),
            c => {
                out.push(c);
                at += 1;
            }
        }
    }
    out
}

/// `{}` that is left anywhere, and `{name}` outside of code.
pub fn placeholders(markdown: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in outside_fences(markdown) {
        found.extend(line.matches("{}").map(str::to_owned));
        let text: String = line.split('`').step_by(2).collect();
        for part in text.split('{').skip(1) {
            let name = part.split('}').next().unwrap_or_default();
            if part.contains('}') && !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                found.push(format!("{{{name}}}"));
            }
        }
    }
    found
}

/// Lines that are no code block's.
pub fn outside_fences(markdown: &str) -> Vec<&str> {
    let mut fence: Option<String> = None;
    let mut lines = Vec::new();
    for line in markdown.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => lines.push(line),
        }
    }
    assert_eq!(fence, None, "an open fence");
    lines
}

/// Where links lead that stay within the page.
pub fn anchors(markdown: &str) -> Vec<String> {
    let links = outside_fences(markdown).into_iter().flat_map(|line| line.split("](#").skip(1));
    links.map(|rest| rest.split(')').next().unwrap_or_default().to_owned()).collect()
}

/// As viewers of Markdown make it of a heading.
pub fn slug(title: &str) -> String {
    let kept = title.to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[derive(Debug)]
pub struct Tag {
    pub name: String,
    pub closes: bool,
    pub attributes: Vec<(String, String)>,
}

/// Every tag, in order; panics where one is not ended.
pub fn tags(html: &str) -> Vec<Tag> {
    pieces(html).into_iter().filter_map(Result::err).collect()
}

/// Texts and tags in turn.
fn pieces(html: &str) -> Vec<Result<String, Tag>> {
    let mut pieces = Vec::new();
    let mut rest = html.strip_prefix("<!doctype html>").unwrap();
    while let Some(start) = rest.find('<') {
        pieces.push(Ok(rest[..start].to_owned()));
        let end = start + rest[start..].find('>').unwrap_or_else(|| panic!("an open tag: {}", &rest[start..]));
        let tag = tag(&rest[start + 1..end]);
        rest = &rest[end + 1..];
        if tag.name == "style" && !tag.closes {
            rest = &rest[rest.find("</style>").unwrap()..];
        }
        pieces.push(Err(tag));
    }
    pieces.push(Ok(rest.to_owned()));
    pieces
}

fn tag(text: &str) -> Tag {
    let closes = text.starts_with('/');
    let text = text.trim_start_matches('/').trim_end_matches('/');
    let (name, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut attributes = Vec::new();
    while let Some((key, value)) = rest.split_once("=\"") {
        let (value, more) = value.split_once('"').unwrap();
        attributes.push((key.trim().to_owned(), value.to_owned()));
        rest = more;
    }
    assert!(rest.trim().is_empty(), "{text}");
    Tag { name: name.to_owned(), closes, attributes }
}

const TAGS: &[&str] = &[
    "html",
    "head",
    "body",
    "meta",
    "title",
    "style",
    "main",
    "nav",
    "section",
    "h1",
    "h2",
    "h3",
    "p",
    "ul",
    "ol",
    "li",
    "a",
    "code",
    "pre",
    "strong",
    "div",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "aside",
    "figure",
    "figcaption",
    "svg",
    "desc",
    "defs",
    "marker",
    "path",
    "rect",
    "text",
];
const EMPTY: &[&str] = &["meta", "path", "rect"];
const ATTRIBUTES: &[&str] = &[
    "lang",
    "charset",
    "name",
    "content",
    "id",
    "class",
    "href",
    "scope",
    "tabindex",
    "aria-label",
    "aria-labelledby",
    "role",
    "viewBox",
    "x",
    "y",
    "d",
    "width",
    "height",
    "rx",
    "refX",
    "refY",
    "markerWidth",
    "markerHeight",
    "orient",
    "marker-end",
    "text-anchor",
];

/// Whether each tag and attribute is one of the report's own, and what is opened is closed in turn.
pub fn well_formed(html: &str) -> Result<(), String> {
    let mut open: Vec<String> = Vec::new();
    for tag in tags(html) {
        if !TAGS.contains(&tag.name.as_str()) {
            return Err(format!("<{}>", tag.name));
        }
        if let Some((key, _)) = tag.attributes.iter().find(|(key, _)| !ATTRIBUTES.contains(&key.as_str())) {
            return Err(format!("<{} {key}=…>", tag.name));
        }
        if tag.closes {
            let last = open.pop();
            if last.as_ref() != Some(&tag.name) {
                return Err(format!("</{}> closes {last:?}", tag.name));
            }
        } else if !EMPTY.contains(&tag.name.as_str()) {
            open.push(tag.name);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("open: {open:?}")) }
}

/// The words that a reader sees in the body, without the drawing.
pub fn of_html(html: &str) -> Vec<String> {
    let mut text = String::new();
    let mut hidden = 0;
    for piece in pieces(html) {
        match piece {
            Err(tag) if ["head", "svg"].contains(&tag.name.as_str()) => hidden += if tag.closes { -1 } else { 1 },
            Err(tag) => {
                let inline = ["code", "strong", "a"].contains(&tag.name.as_str());
                text.push_str(if inline { "" } else { " " });
            }
            Ok(found) if hidden == 0 => text.push_str(&found),
            Ok(_) => {}
        }
    }
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let text = plain.iter().fold(text, |text, (from, to)| text.replace(from, to));
    text.split_whitespace().map(str::to_owned).collect()
}
