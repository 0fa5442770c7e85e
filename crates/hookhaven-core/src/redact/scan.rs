//! One pass over a JSON text that masks what is named, also where the text was cut off.
//!
//! By hand: what is not masked stays byte for byte, and a text without an end is read as far as it goes. Not here:
//! what is named.

use std::borrow::Cow;

use super::{MASK, Redact};

/// Deeper JSON is not shown.
pub(super) const DEPTH_MAX: usize = 128;

/// Why reading ended before the end of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The text ended.
    Cut,
    /// It is no JSON.
    Broken,
}

/// One pass over a JSON text.
pub(super) struct Scan<'r, 'b> {
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

impl<'r, 'b> Scan<'r, 'b> {
    pub fn of(redact: &'r Redact, text: &'b [u8], wraps: usize) -> Self {
        Scan { redact, text, at: 0, path: Vec::new(), masked: Vec::new(), copied: 0, wraps }
    }

    /// One value after the other, as in lines of JSON.
    pub fn all(&mut self) -> Result<(), Stop> {
        loop {
            self.space();
            if self.at == self.text.len() {
                return Ok(());
            }
            self.value(0, true)?;
        }
    }

    pub fn done(mut self) -> Cow<'b, [u8]> {
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
