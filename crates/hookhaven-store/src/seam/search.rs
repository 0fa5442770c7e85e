//! Search for text in the bodies of events: what is sought, and what one stretch of the way found.
//!
//! A search is a walk from the newest event to the oldest, stretch by stretch; whoever walks decides whether to go
//! on. Bodies are bytes: nothing in them is decoded, so text that a sender escapes (`\u00e9`) is found as it was
//! written.

use bytes::Bytes;
use hookhaven_core::EventId;

use super::EventRow;

/// Longest text that can be sought, in characters.
pub const NEEDLE_CHARS_MAX: usize = 200;
/// Events that one stretch looks at, and bytes of their bodies; the last event may exceed these.
pub const STRETCH_EVENTS_MAX: usize = 1_000;
pub const STRETCH_BYTES_MAX: u64 = 4 << 20;
/// Shown of a body before what was found, and in all.
const BEFORE_BYTES: usize = 60;
const EXCERPT_BYTES: usize = 200;

/// Why a text cannot be sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNeedle {
    #[error("the text to search for is empty")]
    Empty,
    #[error("the text to search for is longer than {NEEDLE_CHARS_MAX} characters")]
    TooLong,
}

/// A text to be found whatever the case of its ASCII letters; everything else must be the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    lower: Vec<u8>,
    /// The place of the byte that is least likely in what senders send.
    rarest: usize,
}

impl Needle {
    pub fn new(text: &str) -> Result<Self, BadNeedle> {
        if text.is_empty() {
            return Err(BadNeedle::Empty);
        }
        if text.chars().count() > NEEDLE_CHARS_MAX {
            return Err(BadNeedle::TooLong);
        }
        let lower = text.as_bytes().to_ascii_lowercase();
        let rarest = (0..lower.len()).min_by_key(|at| likelihood(lower[*at])).unwrap_or(0);
        Ok(Needle { lower, rarest })
    }

    /// Where it begins first.
    pub fn find(&self, body: &[u8]) -> Option<usize> {
        let last = body.len().checked_sub(self.lower.len())?;
        let (low, high) = (self.lower[self.rarest], self.lower[self.rarest].to_ascii_uppercase());
        // Only where its rarest byte stands is the rest compared.
        let window = &body[self.rarest..=last + self.rarest];
        let is_here = |at: usize| body[at..at + self.lower.len()].eq_ignore_ascii_case(&self.lower);
        let mut from = 0;
        while let Some(step) = position(&window[from..], low, high) {
            from += step;
            if is_here(from) {
                return Some(from);
            }
            from += 1;
        }
        None
    }

    /// The surroundings of what was found there.
    fn excerpt(&self, body: &Bytes, at: usize) -> Bytes {
        let from = at.saturating_sub(BEFORE_BYTES);
        body.slice(from..body.len().min(from + EXCERPT_BYTES.max(BEFORE_BYTES + self.lower.len())))
    }

    /// What a body holds of it.
    pub fn seek(&self, body: &Bytes) -> Option<Place> {
        self.find(body).map(|at| Place { at_byte: at as u64, excerpt: self.excerpt(body, at) })
    }
}

/// The first of two bytes. A loop over chunks without branches, which compilers turn into wide instructions.
fn position(bytes: &[u8], low: u8, high: u8) -> Option<usize> {
    const CHUNK: usize = 64;
    let is_it = |b: &u8| *b == low || *b == high;
    let (chunks, rest) = bytes.as_chunks::<CHUNK>();
    for (n, chunk) in chunks.iter().enumerate() {
        if chunk.iter().fold(false, |any, b| any | (*b == low) | (*b == high)) {
            return chunk.iter().position(is_it).map(|at| n * CHUNK + at);
        }
    }
    rest.iter().position(is_it).map(|at| chunks.len() * CHUNK + at)
}

/// How often a byte stands in JSON and forms, roughly.
fn likelihood(byte: u8) -> u8 {
    match byte {
        b'"' | b' ' | b':' | b',' | b'e' | b'_' | b'0' => 5,
        b'a' | b'i' | b'n' | b'o' | b'r' | b's' | b't' | b'd' | b'c' | b'l' | b'1' => 4,
        b'2'..=b'9' | b'u' | b'p' | b'm' | b'f' | b'h' | b'b' | b'g' | b'y' | b'=' | b'&' | b'.' | b'-' => 3,
        b'a'..=b'z' => 2,
        0x21..=0x7e => 1,
        _ => 0,
    }
}

/// Where a body holds what was sought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset in the body, the first of them.
    pub at_byte: u64,
    pub excerpt: Bytes,
}

/// An event that holds what was sought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub event: EventRow,
    pub place: Place,
}

/// What one stretch of a search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Searched {
    /// Newest first.
    pub hits: Vec<Hit>,
    /// Bodies looked at, and their bytes.
    pub events: u64,
    pub bytes: u64,
    /// Bodies that could not be read back, for damage.
    pub unread: u64,
    /// Where to go on; `None`: this was the end.
    pub upto: Option<EventId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_where_it_stands_first_whatever_the_case() {
        let long = format!("{}NEEDLE{}", "x".repeat(100), "y".repeat(100));
        for (text, body, at) in [
            ("in_42", "{\"id\":\"IN_42\"}", Some(7)),
            ("a", "bca", Some(2)),
            ("abc", "ab", None),
            ("ab", "aab", Some(1)),
            ("aab", "aaaab", Some(2)),
            ("Straße", "die STRAßE", Some(4)),
            ("Straße", "die STRASSE", None),
            ("É", "caf\u{e9}", None),
            ("needle", long.as_str(), Some(100)),
            ("needle", &long[..105], None),
            (" ", "a b", Some(1)),
        ] {
            assert_eq!(Needle::new(text).unwrap().find(body.as_bytes()), at, "{text} in {body}");
        }
    }

    #[test]
    fn it_agrees_with_the_naive_way() {
        let body: Vec<u8> =
            (0..4_000u32).map(|n| b"abAB01"[(n.wrapping_mul(2_654_435_761) >> 13) as usize % 6]).collect();
        for len in 1..8 {
            for from in (0..3_000).step_by(97) {
                let text = String::from_utf8(body[from..from + len].to_vec()).unwrap();
                let naive = body.windows(len).position(|w| w.eq_ignore_ascii_case(text.as_bytes()));
                assert_eq!(Needle::new(&text).unwrap().find(&body), naive, "{text}");
            }
        }
    }

    #[test]
    fn an_excerpt_shows_what_was_found() {
        let body = Bytes::from(format!("{}needle{}", "x".repeat(500), "y".repeat(500)));
        let place = Needle::new("needle").unwrap().seek(&body).unwrap();
        assert_eq!((place.at_byte, place.excerpt.len()), (500, 200));
        assert_eq!(&place.excerpt[60..66], b"needle");
    }

    #[test]
    fn what_cannot_be_sought_is_refused() {
        assert_eq!(Needle::new(""), Err(BadNeedle::Empty));
        assert_eq!(Needle::new(&"ü".repeat(201)), Err(BadNeedle::TooLong));
    }
}
