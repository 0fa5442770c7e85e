//! What nobody is shown of a body: the values of fields that somebody named. A field is a name, at any depth, or a
//! place (`json:/path`, in which `*` stands for any one name or number).
//!
//! Everything that is not masked stays as it stands, byte for byte. What is read are JSON, also where it was cut off,
//! JSON in the texts of JSON (as some senders wrap it), and forms. A body that is neither cannot be told apart into
//! fields, so nothing of it is shown.
//!
//! Not here: which bodies are shown where, and whose fields are named (config and API). What is stored and delivered
//! is never touched.

mod scan;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::BTreeSet};

use self::scan::{Scan, Stop};
use crate::json::{BadPointer, Pointer};

/// Stands in the place of a value.
pub const MASK: &str = "[redacted]";
/// Most fields that can be named in one place.
pub const FIELDS_MAX: usize = 200;
/// Longest name of a field.
pub const NAME_BYTES_MAX: usize = 256;
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
        let mut scan = Scan::of(self, text, wraps);
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
