//! `application/x-www-form-urlencoded` bodies and queries, as bytes: signatures are over bytes, and a decoder
//! that repairs broken UTF-8 would let two bodies pass for one.
//!
//! Not here: multipart forms.

use std::borrow::Cow;

use http::{HeaderMap, header::CONTENT_TYPE};

/// Media type of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// Most fields that are read of one form.
pub const FIELDS_MAX: usize = 1_000;

/// A decoded name or value.
pub type Text<'a> = Cow<'a, [u8]>;

/// Name and value of each field, in order. Ends silently after [`FIELDS_MAX`]; see [`too_many`].
pub fn fields(text: &[u8]) -> impl Iterator<Item = (Text<'_>, Text<'_>)> {
    let parts = text.split(|b| *b == b'&').filter(|part| !part.is_empty());
    parts.take(FIELDS_MAX).map(|part| {
        let at = part.iter().position(|b| *b == b'=');
        let (name, value) = at.map_or((part, &[][..]), |at| (&part[..at], &part[at + 1..]));
        (decode(name), decode(value))
    })
}

/// Whether a form has more fields than are read.
pub fn too_many(text: &[u8]) -> bool {
    text.split(|b| *b == b'&').filter(|part| !part.is_empty()).nth(FIELDS_MAX).is_some()
}

/// First value of a field.
pub fn field<'a>(text: &'a [u8], name: &str) -> Option<Text<'a>> {
    fields(text).find(|(n, _)| **n == *name.as_bytes()).map(|(_, value)| value)
}

/// First value of a field, as text; `None` if it is empty or not UTF-8.
pub fn field_text<'a>(text: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let value = match field(text, name)? {
        Cow::Borrowed(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).ok()?),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).ok()?),
    };
    (!value.is_empty()).then_some(value)
}

/// Whether the one `Content-Type` of the request says that it is a form.
pub fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(one), None) = (types.next(), types.next()) else { return false };
    let media = one.as_bytes().split(|b| *b == b';').next().unwrap_or_default();
    media.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes())
}

/// `+` is a blank, `%2B` a plus; a broken escape stays as it is (WHATWG URL standard, section 5.1).
fn decode(text: &[u8]) -> Text<'_> {
    if !text.iter().any(|b| matches!(b, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    let hex = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.extend(u8::try_from(high << 4 | low));
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    Cow::Owned(out)
}

/// Writes fields the way senders do.
pub fn write<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(fields);
    text.finish().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_bytes_and_keeps_broken_escapes() {
        let all: Vec<_> = fields(b"a=1+2&b=%2B%c3%A9&&c&d==%&e=%4&%66=%ff").collect();
        let expected: [(&[u8], &[u8]); 6] =
            [(b"a", b"1 2"), (b"b", "+é".as_bytes()), (b"c", b""), (b"d", b"=%"), (b"e", b"%4"), (b"f", b"\xff")];
        assert_eq!(all.len(), expected.len());
        for ((name, value), (n, v)) in all.iter().zip(expected) {
            assert_eq!((&**name, &**value), (n, v));
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let text = write([("From", "+1 415&x=%"), ("Ünicode", "é\0")]);
        assert_eq!(field_text(&text, "From").as_deref(), Some("+1 415&x=%"));
        assert_eq!(field_text(&text, "Ünicode").as_deref(), Some("é\0"));
    }

    #[test]
    fn fields_are_limited() {
        assert!(!too_many("a=1&".repeat(FIELDS_MAX).as_bytes()));
        let many = "a=1&".repeat(FIELDS_MAX + 1);
        assert!(too_many(many.as_bytes()));
        assert_eq!(fields(many.as_bytes()).count(), FIELDS_MAX);
    }
}
