//! Little languages of the config file: type patterns match as a naive matcher says, and paths, places and
//! templates are read or refused with a message, and say again what they were read from.

use hookhaven_core::{
    glob::Glob,
    json::Pointer,
    senders::{Part, Place, Template},
};

use crate::first_line;

/// Longest text that is matched: the naive way is not quick.
const TEXT_BYTES_MAX: usize = 512;

/// An input is a line in one of the languages, then a text to match.
pub fn run(data: &[u8]) {
    let (first, rest) = first_line(data);
    let Ok(first) = std::str::from_utf8(first) else { return };
    let rest = String::from_utf8_lossy(&rest[..rest.len().min(TEXT_BYTES_MAX)]);
    match Glob::parse(first) {
        Ok(glob) => {
            assert_eq!(Glob::parse(glob.as_str()).as_ref(), Ok(&glob));
            for text in [&*rest, rest.trim_end(), first] {
                assert_eq!(glob.matches(text), matches(first, text), "{first:?} {text:?}");
            }
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
    match Pointer::parse(first) {
        Ok(pointer) => assert_eq!(pointer.to_string(), first),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
    match Place::parse(first) {
        Ok(place) => assert_eq!(place.to_string().parse(), Ok(place)),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
    match Template::parse(first) {
        Ok(template) => assert_eq!(Template::parse(&written(template.parts())), Ok(template)),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

/// Column by column: whether the pattern up to here matches the text up to there.
fn matches(pattern: &str, text: &str) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for p in pattern.bytes() {
        let mut next = vec![false; text.len() + 1];
        if p == b'*' {
            let first = reached.iter().position(|r| *r).unwrap_or(reached.len());
            next[first..].fill(true);
        } else {
            for (n, t) in text.bytes().enumerate() {
                next[n + 1] = reached[n] && p == t;
            }
        }
        reached = next;
    }
    reached[text.len()]
}

fn written(parts: &[Part]) -> String {
    let part = |part: &Part| match part {
        Part::Literal(text) => text.replace('{', "{{").replace('}', "}}"),
        Part::Body => "{body}".into(),
        Part::Timestamp => "{timestamp}".into(),
        Part::Id => "{id}".into(),
        Part::Url => "{url}".into(),
        Part::Method => "{method}".into(),
        Part::Header(name) => format!("{{header:{name}}}"),
    };
    parts.iter().map(part).collect()
}
