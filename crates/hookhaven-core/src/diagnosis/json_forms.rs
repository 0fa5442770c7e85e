//! The ways in which common programs write one and the same JSON. Numbers and the order of keys stay as they came,
//! unless keys are sorted: what a program has lost nobody can put back.
//!
//! Not here: reading JSON for its content (`json`).

use super::bodies::Variant;

/// Deeper JSON is not rewritten.
const DEPTH_MAX: u32 = 128;

/// Every form but the one it has.
pub(super) fn all(body: &[u8]) -> Vec<Variant> {
    let Some(root) = std::str::from_utf8(body).ok().and_then(parse) else { return Vec::new() };
    let mut all = Vec::new();
    for (strings, of_strings) in STRINGS {
        for (layout, of_layout) in LAYOUTS {
            for (sorted, of_keys) in [(false, ""), (true, ", with its keys sorted")] {
                let text = Writer { layout, strings, sorted, out: String::new() }.text(&root);
                for (end, of_end) in [("", ""), ("\n", ", with a line break at its end")] {
                    let how = format!("{of_layout}{of_strings}{of_keys}{of_end}");
                    all.push(Variant { body: format!("{text}{end}").into_bytes(), how, reserialised: true });
                }
            }
        }
    }
    all.retain(|variant| variant.body != body);
    all
}

const LAYOUTS: [(Layout, &str); 6] = [
    (Layout::Line { comma: ",", colon: ":" }, "compactly"),
    (Layout::Line { comma: ", ", colon: ": " }, "with blanks after commas and colons (as Python's json.dumps does)"),
    (Layout::Lines { indent: "  " }, "indented by 2"),
    (Layout::Lines { indent: "    " }, "indented by 4"),
    (Layout::Lines { indent: "\t" }, "indented by tabs"),
    (Layout::Line { comma: ",", colon: ": " }, "with blanks after colons"),
];

const STRINGS: [(Strings, &str); 5] = [
    (Strings::AsTheyAre, ""),
    (Strings::Utf8, ", without escapes"),
    (Strings::Ascii, ", with everything beyond ASCII escaped"),
    (Strings::Html, ", with <, > and & escaped (as Go does)"),
    (Strings::Slashes, ", with slashes escaped (as PHP does)"),
];

#[derive(Clone, Copy)]
enum Layout {
    Line { comma: &'static str, colon: &'static str },
    Lines { indent: &'static str },
}

#[derive(Clone, Copy, PartialEq)]
enum Strings {
    AsTheyAre,
    Utf8,
    Ascii,
    Html,
    Slashes,
}

/// JSON with its scalars as they were written; texts without their quotation marks.
enum Node<'a> {
    Scalar(&'a str),
    Text(&'a str),
    List(Vec<Node<'a>>),
    Map(Vec<(&'a str, Node<'a>)>),
}

fn parse(text: &str) -> Option<Node<'_>> {
    // Told by a whole parser first, so that what follows may take it for well-formed.
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut reader = Reader { text, at: 0 };
    let node = reader.node(0)?;
    matches!(node, Node::List(_) | Node::Map(_)).then_some(node)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn node(&mut self, depth: u32) -> Option<Node<'a>> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.peek()? {
            b'{' => self.map(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Node::Text),
            _ => {
                let rest = &self.text[self.at..];
                let end = rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
                self.at += end;
                Some(Node::Scalar(&rest[..end]))
            }
        }
    }

    fn map(&mut self, depth: u32) -> Option<Node<'a>> {
        let mut entries = Vec::new();
        self.eat(b'{');
        while !self.eat(b'}') {
            self.peek()?;
            let key = self.string()?;
            if !self.eat(b':') {
                return None;
            }
            entries.push((key, self.node(depth + 1)?));
            self.eat(b',');
        }
        Some(Node::Map(entries))
    }

    fn list(&mut self, depth: u32) -> Option<Node<'a>> {
        let mut items = Vec::new();
        self.eat(b'[');
        while !self.eat(b']') {
            items.push(self.node(depth + 1)?);
            self.eat(b',');
        }
        Some(Node::List(items))
    }

    /// What stands between the quotation marks, escapes and all.
    fn string(&mut self) -> Option<&'a str> {
        if !self.eat(b'"') {
            return None;
        }
        let (start, bytes) = (self.at, self.text.as_bytes());
        loop {
            match *bytes.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.text.get(start..self.at - 1)
    }
}

struct Writer {
    layout: Layout,
    strings: Strings,
    sorted: bool,
    out: String,
}

impl Writer {
    fn text(mut self, root: &Node<'_>) -> String {
        self.node(root, 0);
        self.out
    }

    fn node(&mut self, node: &Node<'_>, depth: usize) {
        match node {
            Node::Scalar(raw) => self.out.push_str(raw),
            Node::Text(raw) => self.string(raw),
            Node::List(items) => {
                let all = items.iter().map(|item| (None, item)).collect();
                self.items(['[', ']'], all, depth);
            }
            Node::Map(entries) => {
                let mut all: Vec<_> = entries.iter().map(|(key, value)| (Some(*key), value)).collect();
                if self.sorted {
                    all.sort_by_key(|(key, _)| *key);
                }
                self.items(['{', '}'], all, depth);
            }
        }
    }

    fn items(&mut self, [open, close]: [char; 2], items: Vec<(Option<&str>, &Node<'_>)>, depth: usize) {
        let (comma, colon) = match self.layout {
            Layout::Line { comma, colon } => (comma, colon),
            Layout::Lines { .. } => (",", ": "),
        };
        self.out.push(open);
        let empty = items.is_empty();
        for (n, (key, value)) in items.into_iter().enumerate() {
            if n > 0 {
                self.out.push_str(comma);
            }
            self.line(depth + 1);
            if let Some(key) = key {
                self.string(key);
                self.out.push_str(colon);
            }
            self.node(value, depth + 1);
        }
        if !empty {
            self.line(depth);
        }
        self.out.push(close);
    }

    fn line(&mut self, depth: usize) {
        if let Layout::Lines { indent } = self.layout {
            self.out.push('\n');
            self.out.push_str(&indent.repeat(depth));
        }
    }

    fn string(&mut self, raw: &str) {
        self.out.push('"');
        match (self.strings, serde_json::from_str::<String>(&format!("\"{raw}\""))) {
            (Strings::AsTheyAre, _) | (_, Err(_)) => self.out.push_str(raw),
            (strings, Ok(text)) => text.chars().for_each(|c| self.char(strings, c)),
        }
        self.out.push('"');
    }

    fn char(&mut self, strings: Strings, c: char) {
        let short = match c {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '\n' => Some("\\n"),
            '\r' => Some("\\r"),
            '\t' => Some("\\t"),
            '\u{8}' => Some("\\b"),
            '\u{c}' => Some("\\f"),
            '/' if strings == Strings::Slashes => Some("\\/"),
            _ => None,
        };
        let escaped = match strings {
            _ if c < ' ' => true,
            Strings::AsTheyAre | Strings::Utf8 => false,
            Strings::Ascii | Strings::Slashes => !c.is_ascii(),
            Strings::Html => matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'),
        };
        match short {
            Some(short) => self.out.push_str(short),
            None if escaped => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    self.out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            None => self.out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(body: &str, form: &str) -> Option<String> {
        all(body.as_bytes()).into_iter().find(|v| v.body == form.as_bytes()).map(|v| v.how)
    }

    #[test]
    fn what_common_programs_write_is_among_the_forms() {
        // All of them are the same document, as the programs named write it.
        let compact = r#"{"b":[1.50,"é <a/>"],"a":{},"c":[]}"#;
        let python = r#"{"b": [1.50, "\u00e9 <a/>"], "a": {}, "c": []}"#;
        let sorted = r#"{"a": {}, "b": [1.50, "\u00e9 <a/>"], "c": []}"#;
        let go = r#"{"b":[1.50,"é \u003ca/\u003e"],"a":{},"c":[]}"#;
        let php = r#"{"b":[1.50,"\u00e9 <a\/>"],"a":{},"c":[]}"#;
        let two = "{\n  \"b\": [\n    1.50,\n    \"é <a/>\"\n  ],\n  \"a\": {},\n  \"c\": []\n}";
        let forms = [compact, python, sorted, go, php, two];
        for from in forms {
            for to in forms.iter().filter(|to| **to != from && from != sorted) {
                assert!(has(from, to).is_some(), "from\n{from}\nto\n{to}");
            }
        }
        assert!(has(compact, python).unwrap().contains("Python"));
        assert!(has(compact, &format!("{two}\n")).unwrap().contains("indented by 2"));
    }

    #[test]
    fn what_is_no_json_document_has_no_forms() {
        for text in ["", "a=b", "{", "{\"a\":}", "17", "\"x\"", "{} {}"] {
            assert!(all(text.as_bytes()).is_empty(), "{text}");
        }
        assert!(all("[".repeat(5_000).as_bytes()).is_empty());
        assert!(all(&[0xff, b'{', b'}']).is_empty());
    }

    #[test]
    fn scalars_and_texts_are_kept_as_they_were_written() {
        let odd = r#"{"a":1e3,"a":-0.0,"b":"\ud83d\ude00\"\\","c":[null,true]}"#;
        let python = r#"{"a": 1e3, "a": -0.0, "b": "\ud83d\ude00\"\\", "c": [null, true]}"#;
        assert!(has(odd, python).is_some());
        assert!(has(odd, "{\"a\":1e3,\"a\":-0.0,\"b\":\"😀\\\"\\\\\",\"c\":[null,true]}").is_some());
    }
}
