//! Globs over event types: `*` matches any run of characters, everything else itself.
//! Not regular expressions, and not paths: `.` is an ordinary character.

use std::fmt;

/// A pattern such as `payment_intent.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

/// Longest accepted pattern.
pub const PATTERN_BYTES_MAX: usize = 256;

/// Why a pattern is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGlob {
    #[error("the pattern is empty; write \"*\" for every type")]
    Empty,
    #[error("the pattern is longer than 256 bytes")]
    TooLong,
    #[error("{0:?} has no meaning in an event type pattern; only * does (e.g. \"invoice.*\")")]
    Unsupported(char),
}

impl Glob {
    /// Refuses what looks like a regular expression or a shell pattern, rather than match nothing.
    pub fn parse(text: &str) -> Result<Self, BadGlob> {
        if text.is_empty() {
            return Err(BadGlob::Empty);
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(BadGlob::TooLong);
        }
        let odd = |c: &char| "?[]{}()|^$\\!".contains(*c) || c.is_whitespace() || c.is_control();
        match text.chars().find(odd) {
            Some(c) => Err(BadGlob::Unsupported(c)),
            None => Ok(Glob(text.to_owned())),
        }
    }

    pub fn any() -> Self {
        Glob("*".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` matches, in time linear in both for any pattern of few stars.
    pub fn matches(&self, text: &str) -> bool {
        matches(&self.0, text)
    }
}

/// The same for a pattern that may hold anything: whoever seeks a type as it is stored must find it.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p + 1, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else if let Some((after, from)) = star {
            p = after;
            t = from + 1;
            star = Some((after, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_runs_and_the_rest_matches_itself() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("*", "anything.at all", true),
            ("invoice.*", "invoice.paid", true),
            ("invoice.*", "invoice", false),
            ("*.created", "a.b.created", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("push", "push", true),
            ("push", "pushed", false),
        ] {
            assert_eq!(Glob::parse(pattern).map(|g| g.matches(text)), Ok(want), "{pattern} {text}");
        }
    }

    #[test]
    fn other_pattern_languages_are_refused() {
        for pattern in ["", "a?", "[ab]", "{a,b}", "^a$", "a|b", "a b"] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
    }
}
