//! Picks a few values out of a JSON text in one pass, without building the tree: ids, types and times
//! of events whose bodies may be megabytes.
//!
//! Not a JSON query language (see `filter` for conditions), and not a validator whose verdict anybody
//! is told: a text that is not JSON simply holds none of the values.
//!
//! Depth costs nothing here. What no pointer leads into is skipped by `serde_json` iteratively, and a
//! pointer has at most [`SEGMENTS_MAX`] segments, so a body nested a million deep cannot exhaust the stack.
//! Of a key that is there twice the last one counts, as in nearly every parser a handler may use.

mod pointer;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub use self::pointer::{BadPointer, POINTER_BYTES_MAX, Pointer, SEGMENTS_MAX};

/// Longest scalar that is read, quotes and escapes included: nothing above it is an id, a type or a time.
pub const SCALAR_BYTES_MAX: usize = 8 << 10;

/// A value that was found, still as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a>(&'a str);

/// What kind of value it is, and which, of those that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// As written.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// A text that is not Unicode: it has half a surrogate pair in it.
    BrokenText,
    List,
    Object,
}

impl Value<'_> {
    /// The same value without a copy of its text.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Null => Value::Null,
            Value::Bool(truth) => Value::Bool(*truth),
            Value::Number(digits) => Value::Number(digits),
            Value::BrokenText => Value::BrokenText,
            Value::List => Value::List,
            Value::Object => Value::Object,
        }
    }
}

impl<'a> Found<'a> {
    /// The value, of any length.
    pub fn value(self) -> Value<'a> {
        match self.0.as_bytes().first() {
            Some(b'"') => self.unquoted().map_or(Value::BrokenText, Value::Text),
            Some(b'{') => Value::Object,
            Some(b'[') => Value::List,
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') | None => Value::Null,
            Some(_) => Value::Number(self.0),
        }
    }

    /// A string's text or a number's digits as written; `None` for anything else, for the empty string
    /// and for what is longer than [`SCALAR_BYTES_MAX`].
    pub fn scalar(self) -> Option<Cow<'a, str>> {
        if self.0.len() > SCALAR_BYTES_MAX {
            return None;
        }
        match self.0.as_bytes().first()? {
            b'"' => self.unquoted().filter(|text| !text.is_empty()),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(self.0)),
            _ => None,
        }
    }

    /// Whether this is a list with nothing in it.
    pub fn is_empty_list(self) -> bool {
        let inside = self.0.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inside.is_some_and(|inside| inside.bytes().all(|b| b.is_ascii_whitespace()))
    }

    /// The items of a list, as they stand in the text, but no more than `max` of them; `None` if it is no list.
    pub fn items(self, max: usize) -> Option<Vec<Found<'a>>> {
        /// Stops reading behind the first too many.
        struct Items(usize);
        impl<'de> Visitor<'de> for Items {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() < self.0 {
                        items.push(item);
                    }
                }
                Ok(items)
            }
        }
        let mut json = serde_json::Deserializer::from_str(self.0);
        let items = json.deserialize_seq(Items(max)).ok()?;
        Some(items.into_iter().map(|item| Found(item.get())).collect())
    }

    /// The bytes, as they stand in the text.
    pub fn bytes(self) -> &'a [u8] {
        self.0.as_bytes()
    }

    /// As [`Found::scalar`], for strings only.
    pub fn text(self) -> Option<Cow<'a, str>> {
        self.0.starts_with('"').then(|| self.scalar())?
    }

    fn unquoted(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str::<String>(self.0).ok().map(Cow::Owned)
        } else {
            Some(inner.into())
        }
    }
}

/// The whole text as a value, if it is one JSON value.
pub fn whole(text: &[u8]) -> Option<Found<'_>> {
    let text = std::str::from_utf8(text).ok()?;
    serde_json::from_str::<&RawValue>(text).ok().map(|raw| Found(raw.get()))
}

/// Whether a text is one JSON value in UTF-8.
pub fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// What stands at each of the pointers, in their order. All `None` if the text is not one JSON value.
pub fn scan<'a>(text: &'a [u8], pointers: &[Pointer]) -> Vec<Option<Found<'a>>> {
    let mut found = vec![None; pointers.len()];
    // What is there must not depend on what else is asked for. A number out of range or half a surrogate where a
    // pointer leads on cannot be read as a value, and is no reason to find nothing: then every step is raw.
    for raw in [false, true] {
        let mut json = serde_json::Deserializer::from_slice(text);
        let live = (0..pointers.len()).collect();
        let whole = Node { pointers, live, depth: 0, raw, found: &mut found }.deserialize(&mut json);
        if whole.and_then(|()| json.end()).is_ok() {
            break;
        }
        found.fill(None);
    }
    found
}

/// A value inside the text, and the pointers that lead into it.
struct Node<'n, 'a> {
    pointers: &'n [Pointer],
    /// Positions of the pointers that lead here.
    live: Vec<usize>,
    /// How many of their segments are behind us.
    depth: usize,
    /// Whether a value is read raw before anything is looked for inside it.
    raw: bool,
    found: &'n mut [Option<Found<'a>>],
}

/// Pointers that end in a child, and those that lead on through it.
#[derive(Default)]
struct Child {
    here: Vec<usize>,
    beyond: Vec<usize>,
}

impl<'a> Node<'_, 'a> {
    fn child(&self, is_it: impl Fn(&str) -> bool) -> Child {
        let mut child = Child::default();
        for &p in &self.live {
            let segments = &self.pointers[p].0;
            if segments.get(self.depth).is_some_and(|s| is_it(s)) {
                let list = if segments.len() == self.depth + 1 { &mut child.here } else { &mut child.beyond };
                list.push(p);
            }
        }
        child
    }

    /// Forgets what an earlier key of the same name held, so that the last one counts.
    fn forget(&mut self, child: &Child) {
        for &p in child.here.iter().chain(&child.beyond) {
            self.found[p] = None;
        }
    }

    fn descend(&mut self, live: Vec<usize>) -> Node<'_, 'a> {
        Node { pointers: self.pointers, live, depth: self.depth + 1, raw: self.raw, found: self.found }
    }
}

/// Reads one child, whatever the container.
struct ChildSeed<'c, 'n, 'a> {
    node: &'c mut Node<'n, 'a>,
    child: Child,
}

impl<'a> DeserializeSeed<'a> for ChildSeed<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        let ChildSeed { node, child } = self;
        node.forget(&child);
        if child.here.is_empty() && child.beyond.is_empty() {
            return json.deserialize_ignored_any(IgnoredAny).map(drop);
        }
        if child.here.is_empty() && !node.raw {
            return node.descend(child.beyond).deserialize(json);
        }
        let raw: &'a RawValue = serde::Deserialize::deserialize(json)?;
        for p in child.here {
            node.found[p] = Some(Found(raw.get()));
        }
        if child.beyond.is_empty() || !raw.get().starts_with(['{', '[']) {
            return Ok(());
        }
        let mut inner = serde_json::Deserializer::from_str(raw.get());
        node.descend(child.beyond).deserialize(&mut inner).map_err(serde::de::Error::custom)
    }
}

impl<'a> DeserializeSeed<'a> for Node<'_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Node<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(child) = map.next_key_seed(KeySeed(&self))? {
            map.next_value_seed(ChildSeed { node: &mut self, child })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let index = |p: &usize| self.pointers[*p].0.get(self.depth).and_then(|s| s.parse::<usize>().ok());
        let last = self.live.iter().filter_map(index).max();
        for i in 0..=last.unwrap_or(0) {
            let text = i.to_string();
            let child = self.child(|segment| segment == text);
            if seq.next_element_seed(ChildSeed { node: &mut self, child })?.is_none() {
                return Ok(());
            }
            if last.is_none() {
                break;
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a key as it stands in the text: one that is not Unicode (a lone surrogate) is merely none of ours.
/// Read as bytes it would be taken with control characters in it, which no JSON text has.
struct KeySeed<'k, 'n, 'a>(&'k Node<'n, 'a>);

impl<'a> DeserializeSeed<'a> for KeySeed<'_, '_, 'a> {
    type Value = Child;
    fn deserialize<D: Deserializer<'a>>(self, key: D) -> Result<Child, D::Error> {
        let raw: &'a RawValue = serde::Deserialize::deserialize(key)?;
        let key = Found(raw.get()).unquoted();
        Ok(key.map_or_else(Child::default, |key| self.0.child(|segment| segment == key)))
    }
}
