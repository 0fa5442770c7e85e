//! What nobody is shown of a body: the values of fields that somebody named. A field is a name, at any depth, or a
//! place (`json:/path`, in which `*` stands for any one name or number).
//!
//! Everything that is not masked stays as it stands, byte for byte. What is read are JSON, also where it was cut off,
//! JSON in the texts of JSON (as some senders wrap it), and forms. A body that is neither cannot be told apart into
//! fields, so nothing of it is shown.
//!
//! Not here: which bodies are shown where, and whose fields are named (config and API). What is stored and delivered
//! is never touched.

use std::{borrow::Cow, collections::BTreeSet};

use crate::json::{BadPointer, Pointer};

/// Stands in the place of a value.
pub const MASK: &str = "[redacted]";
/// Most fields that can be named in one place.
pub const FIELDS_MAX: usize = 200;
/// Longest name of a field.
pub const NAME_BYTES_MAX: usize = 256;
/// Deeper JSON is not shown.
const DEPTH_MAX: usize = 128;
/// JSON in a text in JSON, and so on: so often.
const WRAPS_MAX: usize = 4;
/// Any one name or number in a place.
const ANY: &str = "*";
const PLACE: &str = "json:";

/// Fields whose values are masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redact {
    /// In lower case (ASCII): `Email` is as good as `email`.
    names: BTreeSet<Box<str>>,
    places: BTreeSet<Pointer>,
}

/// Why a text names no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadField {
    #[error("the name of a field is 1 to 256 bytes long")]
    Length,
    #[error("a place in the body is written \"json:/path\"; without \"json:\" it is a name at any depth")]
    NoPrefix,
    #[error("only fields of the body are masked, not headers; credentials in headers are masked by themselves")]
    Header,
    #[error(transparent)]
    Place(#[from] BadPointer),
}

impl Redact {
    /// Adds a field as it is written in the configuration: `email`, or `json:/data/object/card`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, field: &str) -> Result<(), BadField> {
        match field.strip_prefix(PLACE) {
            Some(place) => {
                self.places.insert(Pointer::parse(place)?);
            }
            None if field.is_empty() || field.len() > NAME_BYTES_MAX => return Err(BadField::Length),
            None if field.starts_with('/') => return Err(BadField::NoPrefix),
            None if field.starts_with("header:") => return Err(BadField::Header),
            None => {
                self.names.insert(field.to_ascii_lowercase().into());
            }
        }
        Ok(())
    }

    /// These fields, and those of another.
    #[must_use]
    pub fn and(mut self, other: &Redact) -> Self {
        self.names.extend(other.names.iter().cloned());
        self.places.extend(other.places.iter().cloned());
        self
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.places.is_empty()
    }

    /// A body as it may be shown; borrowed if that is as it is.
    pub fn body<'b>(&self, body: &'b [u8]) -> Cow<'b, [u8]> {
        if self.is_empty() || body.trim_ascii().is_empty() {
            return Cow::Borrowed(body);
        }
        let shown = self.json(body, WRAPS_MAX).or_else(|| self.form(body));
        shown.unwrap_or_else(|| Cow::Owned(MASK.into()))
    }

    /// The beginning of an answer as it may be shown: of JSON the fields are masked, and anything else is a handler's
    /// own words.
    pub fn excerpt<'b>(&self, excerpt: &'b [u8]) -> Cow<'b, [u8]> {
        let shown = if self.is_empty() { None } else { self.json(excerpt, WRAPS_MAX) };
        shown.unwrap_or(Cow::Borrowed(excerpt))
    }

    /// `None`: it is no JSON object or list, nor the beginning of one.
    fn json<'b>(&self, text: &'b [u8], wraps: usize) -> Option<Cow<'b, [u8]>> {
        if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
            return None;
        }
        let mut scan = Scan { redact: self, text, at: 0, path: Vec::new(), masked: Vec::new(), copied: 0, wraps };
        match scan.all() {
            Err(Stop::Broken) => None,
            Ok(()) | Err(Stop::Cut) => Some(scan.done()),
        }
    }

    /// `None`: it is no form, in which all is visible ASCII.
    fn form<'b>(&self, body: &'b [u8]) -> Option<Cow<'b, [u8]>> {
        let text = std::str::from_utf8(body.trim_ascii()).ok()?;
        if !text.contains('=') || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let mut masked = String::with_capacity(text.len());
        for (n, part) in text.split('&').enumerate() {
            masked.push_str(if n == 0 { "" } else { "&" });
            masked.push_str(&self.form_part(part));
        }
        Some(if masked == text { Cow::Borrowed(body) } else { Cow::Owned(masked.into_bytes()) })
    }

    fn form_part<'p>(&self, part: &'p str) -> Cow<'p, str> {
        let Some((name, value)) = url::form_urlencoded::parse(part.as_bytes()).next() else { return part.into() };
        let raw_name = part.split('=').next().unwrap_or_default();
        // `user[email]` and `user.email` are names within names.
        let words = name.split(['[', ']', '.']).chain([&*name]);
        if words.into_iter().any(|word| self.has_name(word)) {
            return format!("{raw_name}={MASK}").into();
        }
        match self.json(value.as_bytes(), WRAPS_MAX - 1) {
            Some(Cow::Owned(masked)) => {
                let value: String = url::form_urlencoded::byte_serialize(&masked).collect();
                format!("{raw_name}={value}").into()
            }
            _ => part.into(),
        }
    }

    fn has_name(&self, name: &str) -> bool {
        self.names.contains(&*name.to_ascii_lowercase())
    }

    fn hides(&self, path: &[String]) -> bool {
        let at = |place: &Pointer| {
            place.segments().count() == path.len()
                && place.segments().zip(path).all(|(segment, name)| segment == ANY || segment == name)
        };
        path.last().is_some_and(|name| self.has_name(name)) || self.places.iter().any(at)
    }
}

/// Why reading ended before the end of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The text ended.
    Cut,
    /// It is no JSON.
    Broken,
}

/// One pass over a JSON text.
struct Scan<'r, 'b> {
    redact: &'r Redact,
    text: &'b [u8],
    at: usize,
    /// Names and numbers that lead to where it is.
    path: Vec<String>,
    masked: Vec<u8>,
    /// So far the text is in `masked`.
    copied: usize,
    /// How often JSON in a text may still be looked into.
    wraps: usize,
}

impl<'b> Scan<'_, 'b> {
    /// One value after the other, as in lines of JSON.
    fn all(&mut self) -> Result<(), Stop> {
        loop {
            self.space();
            if self.at == self.text.len() {
                return Ok(());
            }
            self.value(0, true)?;
        }
    }

    fn done(mut self) -> Cow<'b, [u8]> {
        if self.copied == 0 {
            return Cow::Borrowed(self.text);
        }
        self.masked.extend_from_slice(&self.text[self.copied..]);
        Cow::Owned(self.masked)
    }

    /// What was read since `from` is left out, and this stands in its place.
    fn replace(&mut self, from: usize, by: &[u8]) {
        self.masked.extend_from_slice(&self.text[self.copied..from]);
        self.masked.extend_from_slice(by);
        self.copied = self.at;
    }

    fn mask(&mut self, from: usize) {
        self.replace(from, format!("\"{MASK}\"").as_bytes());
    }

    /// Past a value. `looks`: fields in it are masked; else it is masked itself.
    fn value(&mut self, depth: usize, looks: bool) -> Result<(), Stop> {
        self.space();
        match self.peek()? {
            _ if depth > DEPTH_MAX => Err(Stop::Broken),
            b'{' => self.object(depth + 1, looks),
            b'[' => self.list(depth + 1, looks),
            b'"' => {
                let from = self.at;
                let ended = self.string();
                if looks {
                    self.look_into(from, ended.is_ok());
                }
                ended
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                let word = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
                self.at += self.text[self.at..].iter().take_while(|b| word(b)).count();
                Ok(())
            }
            _ => Err(Stop::Broken),
        }
    }

    fn object(&mut self, depth: usize, looks: bool) -> Result<(), Stop> {
        self.at += 1;
        loop {
            self.space();
            let from = self.at;
            match self.peek()? {
                b'}' => break,
                b'"' => self.string()?,
                _ => return Err(Stop::Broken),
            }
            let name = serde_json::from_slice(&self.text[from..self.at]).map_err(|_| Stop::Broken)?;
            self.space();
            match self.peek()? {
                b':' => self.at += 1,
                _ => return Err(Stop::Broken),
            }
            self.member(name, depth, looks)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {}
                _ => return Err(Stop::Broken),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn list(&mut self, depth: usize, looks: bool) -> Result<(), Stop> {
        self.at += 1;
        for n in 0_usize.. {
            self.space();
            if self.peek()? == b']' {
                break;
            }
            self.member(n.to_string(), depth, looks)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {}
                _ => return Err(Stop::Broken),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn member(&mut self, name: String, depth: usize, looks: bool) -> Result<(), Stop> {
        if !looks {
            return self.value(depth, false);
        }
        self.path.push(name);
        let hides = self.redact.hides(&self.path);
        self.space();
        let from = self.at;
        let ended = self.value(depth, !hides);
        if hides && self.at > from {
            self.mask(from);
        }
        self.path.pop();
        ended
    }

    /// A text that may be JSON itself.
    fn look_into(&mut self, from: usize, whole: bool) {
        let quoted = &self.text[from..self.at];
        // An escape may stand for anything.
        if !matches!(quoted[1..].trim_ascii_start().first(), Some(b'{' | b'[' | b'\\')) {
            return;
        }
        if !whole {
            return self.mask(from);
        }
        let Some((wraps, text)) = self.wraps.checked_sub(1).zip(serde_json::from_slice::<String>(quoted).ok()) else {
            return;
        };
        if let Some(Cow::Owned(masked)) = self.redact.json(text.as_bytes(), wraps)
            && let Ok(quoted) = serde_json::to_vec(&*String::from_utf8_lossy(&masked))
        {
            self.replace(from, &quoted);
        }
    }

    /// Past a text in quotes.
    fn string(&mut self) -> Result<(), Stop> {
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            self.at += match byte {
                b'\\' => 2,
                _ => 1,
            };
            if *byte == b'"' {
                return Ok(());
            }
        }
        self.at = self.text.len();
        Err(Stop::Cut)
    }

    fn space(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    fn peek(&self) -> Result<u8, Stop> {
        self.text.get(self.at).copied().ok_or(Stop::Cut)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(all: &[&str]) -> Redact {
        let mut redact = Redact::default();
        all.iter().for_each(|field| redact.add(field).unwrap());
        redact
    }

    fn shown(redact: &Redact, body: &str) -> String {
        String::from_utf8(redact.body(body.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn names_are_masked_at_any_depth_and_places_where_they_are_and_all_else_stays_as_it_stands() {
        let redact = fields(&["Email", "json:/data/card", "json:/lines/*/who"]);
        for (body, want) in [
            (r#"{"email" : "a@b", "n":1.0}"#, r#"{"email" : "[redacted]", "n":1.0}"#),
            (r#"{"e":{"EMAIL":{"deep":["x"]}}}"#, r#"{"e":{"EMAIL":"[redacted]"}}"#),
            (r#"{"e\u006dail":17}"#, r#"{"e\u006dail":"[redacted]"}"#),
            (r#"{"card":1,"data":{"card":[1,2] }}"#, r#"{"card":1,"data":{"card":"[redacted]" }}"#),
            (
                r#"{"lines":[{"who":"a"},{"who":"b","x":2}]}"#,
                r#"{"lines":[{"who":"[redacted]"},{"who":"[redacted]","x":2}]}"#,
            ),
            ("{\"a\":1}\n{\"email\":2}\n", "{\"a\":1}\n{\"email\":\"[redacted]\"}\n"),
            (r#"{"a":"email"}"#, r#"{"a":"email"}"#),
            ("", ""),
        ] {
            assert_eq!(shown(&redact, body), want);
        }
    }

    #[test]
    fn json_in_a_text_is_looked_into() {
        let redact = fields(&["email"]);
        let wrapped = json!({ "Message": json!({ "mail": { "email": "hunter2" } }).to_string(), "n": 1 }).to_string();
        let shown: Value = serde_json::from_str(&shown(&redact, &wrapped)).unwrap();
        assert_eq!(shown["Message"], r#"{"mail":{"email":"[redacted]"}}"#);
        assert_eq!(self::shown(&redact, r#"{"a":"[no JSON"}"#), r#"{"a":"[no JSON"}"#);
    }

    #[test]
    fn forms_are_masked_by_name() {
        let redact = fields(&["body", "email"]);
        for (body, want) in [
            ("From=%2B1&Body=hi+there&x", "From=%2B1&Body=[redacted]&x"),
            ("user[email]=a%40b&user%5Bname%5D=n", "user[email]=[redacted]&user%5Bname%5D=n"),
            ("payload=%7B%22email%22%3A1%7D&a=b", "payload=%7B%22email%22%3A%22%5Bredacted%5D%22%7D&a=b"),
        ] {
            assert_eq!(shown(&redact, body), want);
        }
    }

    #[test]
    fn what_has_no_fields_is_not_shown_but_a_handlers_own_words_are() {
        let redact = fields(&["email"]);
        for body in ["<email>x</email>", "{email: x}", "plain text", "\"x\"", "[[[", "\u{feff}{\"email\":1}"] {
            let shown = shown(&redact, body);
            assert!(shown == MASK || shown == "[[[", "{body}: {shown}");
        }
        let deep = "[".repeat(DEPTH_MAX + 2) + "{\"email\":1}";
        assert_eq!(shown(&redact, &deep), MASK);
        assert_eq!(&*redact.excerpt(b"<h1>down</h1>"), b"<h1>down</h1>");
        assert_eq!(&*redact.excerpt(b"[ERROR] email"), b"[ERROR] email");
        assert_eq!(&*redact.excerpt(b"{\"email\":\"hun"), b"{\"email\":\"[redacted]\"");
    }

    #[test]
    fn wherever_it_was_cut_off_no_value_shows() {
        let redact = fields(&["email", "json:/a/0/card"]);
        let inner = json!({ "email": "hunter2", "x": "y" }).to_string();
        let whole = json!({ "a": [{ "card": "hunter2" }], "email": ["hunter2", { "k": "hunter2" }], "wrapped": inner });
        let whole = whole.to_string();
        for end in 0..=whole.len() {
            let shown = shown(&redact, &whole[..end]);
            assert!(!shown.contains("hu"), "cut at {end}: {shown}");
        }
        assert!(serde_json::from_str::<Value>(&shown(&redact, &whole)).is_ok());
    }

    #[test]
    fn without_fields_nothing_is_touched() {
        for body in ["<x>", "{\"email\":1}", "\u{1}"] {
            assert!(matches!(Redact::default().body(body.as_bytes()), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn what_names_no_field_is_told() {
        for (field, want) in [
            ("", BadField::Length),
            ("/data/email", BadField::NoPrefix),
            ("header:x-email", BadField::Header),
            ("json:email", BadField::Place(BadPointer::NoSlash)),
        ] {
            assert_eq!(Redact::default().add(field), Err(want), "{field}");
        }
        assert_eq!(Redact::default().add(&"x".repeat(257)), Err(BadField::Length));
    }
}
