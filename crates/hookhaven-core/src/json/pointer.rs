//! Pointers: where a value stands in a JSON text.

use std::{fmt, str::FromStr, sync::Arc};

/// Most segments of a pointer.
pub const SEGMENTS_MAX: usize = 16;
/// Longest text of a pointer.
pub const POINTER_BYTES_MAX: usize = 256;

/// Where a value stands: a JSON pointer (RFC 6901) such as `/data/object/id` or `/actions/0/action_ts`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(pub(super) Arc<[Box<str>]>);

/// Why a text is no pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPointer {
    #[error("a path into the body begins with \"/\", as in \"/data/id\"")]
    NoSlash,
    #[error("a path into the body has at most 16 parts and 256 bytes")]
    TooLong,
    #[error("\"~\" is written \"~0\" in a path, and \"/\" inside a name \"~1\"")]
    Escape,
}

impl Pointer {
    /// The pointer to the whole text (the empty one) is refused: no id is a whole body.
    pub fn parse(text: &str) -> Result<Self, BadPointer> {
        let Some(rest) = text.strip_prefix('/') else { return Err(BadPointer::NoSlash) };
        if text.len() > POINTER_BYTES_MAX || rest.split('/').count() > SEGMENTS_MAX {
            return Err(BadPointer::TooLong);
        }
        rest.split('/').map(unescape).collect::<Result<_, _>>().map(Pointer)
    }

    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|s| &**s)
    }
}

fn unescape(segment: &str) -> Result<Box<str>, BadPointer> {
    let mut rest = segment;
    while let Some(at) = rest.find('~') {
        rest = &rest[at + 1..];
        if !rest.starts_with(['0', '1']) {
            return Err(BadPointer::Escape);
        }
    }
    Ok(segment.replace("~1", "/").replace("~0", "~").into())
}

impl FromStr for Pointer {
    type Err = BadPointer;
    fn from_str(text: &str) -> Result<Self, BadPointer> {
        Pointer::parse(text)
    }
}

/// As it was written in the configuration.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments().try_for_each(|s| write!(f, "/{}", s.replace('~', "~0").replace('/', "~1")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_pointers_are_refused() {
        assert_eq!(Pointer::parse("id"), Err(BadPointer::NoSlash));
        assert_eq!(Pointer::parse(""), Err(BadPointer::NoSlash));
        assert_eq!(Pointer::parse("/a~2b"), Err(BadPointer::Escape));
        assert_eq!(Pointer::parse(&"/a".repeat(17)), Err(BadPointer::TooLong));
        assert_eq!(Pointer::parse("/a~1b/~0").unwrap().to_string(), "/a~1b/~0");
    }
}
