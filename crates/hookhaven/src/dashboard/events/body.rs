//! A body as people read it: JSON with a line for each value, text as it came, anything else byte by byte. So much of
//! it is shown; the whole is a download.

use std::fmt::Write as _;

use futures_util::StreamExt as _;
use http::Method;

use super::super::{Trouble, Visit};

/// Shown of a body; what is more than a page should weigh is a download.
pub const SHOWN_BYTES_MAX: usize = 128 << 10;
/// Shown byte by byte.
const DUMPED_BYTES_MAX: usize = 8 << 10;
/// Written of JSON with a line for each value, which may be far more than it was.
const PRETTY_BYTES_MAX: usize = 256 << 10;
/// Deeper values stand no further to the right.
const INDENT_MAX: usize = 40;
const DUMP_COLUMNS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON, a value a line.
    Pretty,
    Raw,
    Bytes,
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Form::Pretty => "pretty",
            Form::Raw => "raw",
            Form::Bytes => "bytes",
        }
    }
}

/// What a page shows of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pub form: Form,
    /// The forms that make sense of it.
    pub forms: Vec<Form>,
    pub text: String,
    /// There is more of it than is shown.
    pub is_cut: bool,
    pub is_empty: bool,
}

impl Body {
    /// Reads as much as is shown from a path of the API.
    pub async fn read(visit: &Visit, path: &str, form: Option<&str>) -> Result<(Self, Vec<u8>), Trouble> {
        let answer = visit.api.raw(Method::GET, path, axum::body::Body::empty()).await?;
        let mut stream = answer.into_body().into_data_stream();
        let mut bytes = Vec::new();
        while let Some(Ok(chunk)) = stream.next().await {
            let room = SHOWN_BYTES_MAX + 1 - bytes.len();
            bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if bytes.len() > SHOWN_BYTES_MAX {
                break;
            }
        }
        let is_cut = bytes.len() > SHOWN_BYTES_MAX;
        bytes.truncate(SHOWN_BYTES_MAX);
        Ok((Body::of(&bytes, is_cut, form), bytes))
    }

    fn of(bytes: &[u8], is_cut: bool, form: Option<&str>) -> Self {
        let text = readable(bytes, is_cut);
        let forms = match text {
            Some(text) if is_json(text) => vec![Form::Pretty, Form::Raw, Form::Bytes],
            Some(_) => vec![Form::Raw, Form::Bytes],
            None => vec![Form::Bytes],
        };
        let asked = forms.iter().copied().find(|f| Some(f.name()) == form);
        let form = asked.or(forms.first().copied()).unwrap_or(Form::Bytes);
        let (text, fits) = match (form, text) {
            (Form::Pretty, Some(text)) => pretty(text),
            (Form::Raw, Some(text)) => (text.to_owned(), true),
            _ => (dump(bytes), bytes.len() <= DUMPED_BYTES_MAX),
        };
        Body { form, forms, text, is_cut: is_cut || !fits, is_empty: bytes.is_empty() }
    }
}

/// The text, if it is one; where it was cut, perhaps within a character, without that one.
fn readable(bytes: &[u8], is_cut: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if is_cut && bytes.len() - error.valid_up_to() < 4 => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    (!text.contains('\0')).then_some(text)
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// JSON with a line for each value, nothing of it changed but the space between; and whether all of it fits. What is no
/// JSON comes out with odd lines, and whole. Marks that turn the direction of writing are escaped, as JSON allows.
fn pretty(text: &str) -> (String, bool) {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut left = text.chars().peekable();
    while let Some(c) = left.next() {
        if out.len() > PRETTY_BYTES_MAX {
            return (out, false);
        }
        if quoted {
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            push(&mut out, c);
            continue;
        }
        match c {
            '"' => {
                quoted = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while left.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                let end = if c == '{' { '}' } else { ']' };
                if left.next_if_eq(&end).is_some() {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            // Between values of lines of JSON.
            '\n' if depth == 0 => out.push('\n'),
            c if c.is_ascii_whitespace() => {}
            c => push(&mut out, c),
        }
    }
    (out, true)
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(INDENT_MAX)));
}

fn push(out: &mut String, c: char) {
    match c {
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            // Writing to a String does not fail.
            let _ = write!(out, "\\u{:04x}", c as u32);
        }
        c => out.push(c),
    }
}

/// Offset, bytes, and what of them is visible, sixteen in a line.
fn dump(bytes: &[u8]) -> String {
    let shown = bytes.get(..DUMPED_BYTES_MAX).unwrap_or(bytes);
    let mut out = String::new();
    for (n, row) in shown.chunks(DUMP_COLUMNS).enumerate() {
        let hex: String = row.iter().map(|byte| format!("{byte:02x} ")).collect();
        let seen = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let seen: String = row.iter().map(seen).collect();
        let _ = writeln!(out, "{:08x}  {hex:<48} {seen}", n * DUMP_COLUMNS);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_gets_a_line_a_value_and_keeps_every_digit_and_name() {
        let (text, whole) = pretty(r#"{"b":1.0e400,"a":[],"n":{"x":["y, {z","\"}"]} , "e":{ }}"#);
        let want = "{\n  \"b\": 1.0e400,\n  \"a\": [],\n  \"n\": {\n    \"x\": [\n      \"y, {z\",\n      \"\\\"}\"\n    ]\n  },\n  \"e\": {}\n}";
        assert_eq!((text.as_str(), whole), (want, true));
        assert_eq!(pretty("{\"a\":\"\u{202e}evil\"}").0, "{\n  \"a\": \"\\u202eevil\"\n}");
        assert_eq!(pretty("{\"a\":1}\n{\"b\":2}").0, "{\n  \"a\": 1\n}\n{\n  \"b\": 2\n}");
    }

    #[test]
    fn what_is_deep_or_long_is_bounded() {
        let (text, whole) = pretty(&"[".repeat(SHOWN_BYTES_MAX));
        assert!(!whole && text.len() < PRETTY_BYTES_MAX + 200, "{}", text.len());
        assert_eq!(pretty("{\"a\": [1").0, "{\n  \"a\": [\n    1");
    }

    #[test]
    fn what_is_no_text_is_shown_byte_by_byte() {
        let body = Body::of(b"\x00\xffHi", false, Some("pretty"));
        assert_eq!((body.form, body.forms.len()), (Form::Bytes, 1));
        assert!(
            body.text.starts_with("00000000  00 ff 48 69 ") && body.text.trim_end().ends_with("..Hi"),
            "{}",
            body.text
        );
        assert_eq!(Body::of(b"a=b", false, None).form, Form::Raw);
        assert_eq!(Body::of(b" {}", false, None).form, Form::Pretty);
        assert_eq!(Body::of(b" {}", false, Some("raw")).text, " {}");
        let cut = "é".as_bytes();
        assert_eq!(Body::of(&cut[..1], true, None).form, Form::Raw);
        assert_eq!(Body::of(&cut[..1], false, None).form, Form::Bytes);
    }
}
