//! `application/x-www-form-urlencoded` bodies and queries, as bytes: signatures are over bytes, and a decoder
//! that repairs broken UTF-8 would let two bodies pass for one.
//!
//! Not here: multipart forms.

use std::{borrow::Cow, collections::BTreeMap};

use http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::Value;

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

/// Distinct fields in the order of their bytes; `None` if there are more than are read.
pub fn sorted(text: &[u8]) -> Option<Vec<(Text<'_>, Text<'_>)>> {
    if too_many(text) {
        return None;
    }
    let mut fields: Vec<_> = fields(text).collect();
    fields.sort_unstable();
    fields.dedup();
    Some(fields)
}

/// The URL and then each field's name and value, with nothing between: what Twilio and Mandrill sign.
pub fn after_url<'a>(url: &'a str, fields: &'a [(Text<'_>, Text<'_>)]) -> Vec<&'a [u8]> {
    let fields = fields.iter().flat_map(|(name, value)| [&**name, &**value]);
    std::iter::once(url.as_bytes()).chain(fields).collect()
}

/// A form's fields as one JSON object of texts, so that places of JSON lead to them; the last of a name counts, and what
/// is not UTF-8 is left out.
pub fn as_json(text: &[u8]) -> Vec<u8> {
    let text_of = |bytes: Text<'_>| String::from_utf8(bytes.into_owned()).ok();
    let fields = fields(text).filter_map(|(name, value)| Some((text_of(name)?, text_of(value)?.into())));
    Value::Object(fields.collect()).to_string().into_bytes()
}

/// The other way round: what is a text or a number in a JSON object.
pub fn of_json(json: &[u8]) -> Vec<u8> {
    let fields: BTreeMap<String, Value> = serde_json::from_slice(json).unwrap_or_default();
    let text_of = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let fields: Vec<_> = fields.into_iter().filter_map(|(name, value)| Some((name, text_of(value)?))).collect();
    write(fields.iter().map(|(name, value)| (&**name, &**value)))
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
    fn places_of_json_lead_to_fields() {
        assert_eq!(as_json(b"a=1+2&b=%22&a=3&c=%ff"), br#"{"a":"3","b":"\""}"#);
        assert_eq!(of_json(r#"{"n":7,"t":"ä &","o":{},"b":true}"#.as_bytes()), b"n=7&t=%C3%A4+%26");
        assert_eq!(of_json(b"["), b"");
    }

    #[test]
    fn fields_are_limited() {
        assert!(!too_many("a=1&".repeat(FIELDS_MAX).as_bytes()));
        let many = "a=1&".repeat(FIELDS_MAX + 1);
        assert!(too_many(many.as_bytes()));
        assert_eq!(fields(many.as_bytes()).count(), FIELDS_MAX);
    }
}
