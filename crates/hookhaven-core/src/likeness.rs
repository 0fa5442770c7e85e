//! What stays the same in what a destination says of the same fault: ids, numbers, times and quoted values out, the
//! rest in its order. Two texts with one likeness are taken for one cause.
//!
//! Three kinds of answers are told apart by their first character, since what varies stands in different places: of
//! JSON the values, but for sentences and what stands under a name like `message` or `code`; of HTML the tags, scripts
//! and styles; of anything else what is in quotes. What is cut off at its end is read as far as it goes. A word that
//! differs and has no digit in it makes another likeness: rather two groups of one cause than one of two.
//!
//! Not here: what else makes a group (`group`).

/// Characters of a text that count: far fewer than are recorded of an answer, so that where the record ends, which
/// depends on how long the ids in it are, makes no difference.
pub const CHARS_MAX: usize = 400;
/// Longest value in quotes of plain text; beyond it the quote is taken for a mere character.
const QUOTED_CHARS_MAX: usize = 200;
/// From this length on a word of hexadecimal digits, or of wildly mixed case, is no word.
const OPAQUE_CHARS_MIN: usize = 12;
/// Stands for what was taken out.
const HOLE: char = '…';
/// Names in JSON whose values say what is wrong.
const TELLING: [&str; 16] = [
    "message",
    "msg",
    "error",
    "errors",
    "code",
    "type",
    "title",
    "detail",
    "details",
    "reason",
    "status",
    "kind",
    "description",
    "exception",
    "cause",
    "name",
];
const MONTHS_AND_DAYS: [&str; 19] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu",
    "Fri", "Sat", "Sun",
];

/// What is the same in all answers that say the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Likeness {
    /// What is compared.
    pub pattern: String,
    /// The part of it that a person reads.
    pub gist: String,
}

/// Of an error in words.
pub fn of_words(text: &str) -> String {
    let mut out = Pattern::default();
    out.prose(text);
    out.finish()
}

/// Of the beginning of an answer's body. Bytes that are no text, such as what is compressed, say nothing.
pub fn of_answer(body: &[u8]) -> Likeness {
    let is_text = |b: &u8| *b >= b' ' || matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    if !body.iter().all(is_text) {
        return Likeness::default();
    }
    let text = String::from_utf8_lossy(body);
    // The last character may have been cut in two.
    let text = text.trim_end_matches(char::REPLACEMENT_CHARACTER).trim();
    let mut out = Pattern::default();
    match text.chars().next() {
        Some('{' | '[') => return json(text),
        Some('<') => out.prose(&without_tags(text)),
        _ => out.prose(text),
    }
    let pattern = out.finish();
    Likeness { gist: pattern.clone(), pattern }
}

/// A pattern in the making.
#[derive(Default)]
struct Pattern(String);

impl Pattern {
    fn is_full(&self) -> bool {
        self.0.len() >= 4 * CHARS_MAX
    }

    fn finish(self) -> String {
        self.0.trim().chars().take(CHARS_MAX).collect()
    }

    /// Something was here. Next to another such it is one: how many there are in a list varies like what they are.
    fn hole(&mut self) {
        let between = |c: char| c.is_whitespace() || ".,:;/-_+\"'".contains(c);
        let kept = self.0.trim_end_matches(between);
        if kept.ends_with(HOLE) {
            self.0.truncate(kept.len());
        } else {
            self.0.push(HOLE);
        }
    }

    fn mark(&mut self, c: char) {
        let c = if c.is_whitespace() || c.is_control() { ' ' } else { c };
        if c != ' ' || !self.0.ends_with(' ') {
            self.0.push(c);
        }
    }

    /// Plain text, in which what is in quotes is a value.
    fn prose(&mut self, text: &str) {
        let mut rest = text;
        let mut before = ' ';
        while let Some(c) = rest.chars().next().filter(|_| !self.is_full()) {
            let behind = if is_of_word(c) { self.word(rest) } else { quoted(before, rest) };
            let len = match behind {
                Some(len) if !is_of_word(c) => {
                    self.mark(c);
                    self.hole();
                    self.mark(c);
                    len
                }
                Some(len) => len,
                None => {
                    self.mark(c);
                    c.len_utf8()
                }
            };
            before = rest[..len].chars().next_back().unwrap_or(' ');
            rest = &rest[len..];
        }
    }

    /// The word that a text begins with, and what is tied to it by points and colons. Answers its length in bytes.
    fn word(&mut self, text: &str) -> Option<usize> {
        let len = word_len(text);
        let word = &text[..len];
        if word.contains('@') {
            self.hole();
            return Some(len);
        }
        let mut parts = word.split_inclusive(['.', ':']).peekable();
        while let Some(part) = parts.next() {
            let bare = part.trim_end_matches(['.', ':']);
            let next = if parts.peek().is_some() { word } else { &text[len..] };
            if is_opaque(bare) || is_of_date(bare, &self.0, next) {
                self.hole();
            } else {
                self.0.push_str(bare);
            }
            self.0.push_str(&part[bare.len()..]);
        }
        Some(len)
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Up to where a word goes on: letters and digits, and what ties them together.
fn word_len(text: &str) -> usize {
    let mut len = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next_is_of_word = chars.peek().is_some_and(|(_, next)| is_of_word(*next));
        if is_of_word(c) || (".:-@".contains(c) && next_is_of_word) {
            len = at + c.len_utf8();
        } else {
            break;
        }
    }
    len
}

/// Whether it is an id or a number rather than a word.
fn is_opaque(word: &str) -> bool {
    if word.chars().any(char::is_numeric) {
        return true;
    }
    let chars = word.chars().count();
    let turns = word.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    // In names that are written together, a word has five letters or so.
    chars >= OPAQUE_CHARS_MIN && (word.bytes().all(|b| b.is_ascii_hexdigit()) || turns.count() * 6 > chars)
}

/// Whether it is the name of a month or a day in a date.
fn is_of_date(word: &str, before: &str, behind: &str) -> bool {
    let beside = |text: &str| text.trim_start_matches([' ', ',']).starts_with(|c: char| c.is_ascii_digit());
    MONTHS_AND_DAYS.contains(&word) && (before.trim_end().ends_with(HOLE) || beside(behind))
}

/// The length of what is in quotes, if the text begins so; an apostrophe is no quote.
fn quoted(before: char, text: &str) -> Option<usize> {
    let open = text.chars().next().filter(|c| "\"'`“".contains(*c) && !is_of_word(before))?;
    let close = if open == '“' { '”' } else { open };
    let within = &text[open.len_utf8()..];
    let (at, _) = within
        .char_indices()
        .take(QUOTED_CHARS_MAX)
        .find(|(at, c)| *c == close && !within[at + c.len_utf8()..].starts_with(is_of_word))?;
    (at > 0).then(|| open.len_utf8() + at + close.len_utf8())
}

/// The text between tags; scripts and styles are no text.
fn without_tags(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let (mut text, mut at) = (String::new(), 0);
    while let Some(before) = html[at..].find('<').filter(|_| text.len() < 4 * CHARS_MAX) {
        text.push_str(&html[at..at + before]);
        at += before;
        let tag = &lower[at + 1..];
        if !tag.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) {
            text.push('<');
            at += 1;
            continue;
        }
        text.push(' ');
        let silent = ["script", "style"].into_iter().find(|name| tag.starts_with(name));
        let closes = silent.map_or(Some(0), |name| tag.find(&format!("</{name}")));
        let end = closes.and_then(|closes| tag[closes..].find('>').map(|end| closes + end));
        // Without an end it was cut off.
        at = end.map_or(html.len(), |end| at + 1 + end + 1);
    }
    text.push_str(&html[at..]);
    text
}

/// JSON, which may have been cut off: it is read as a run of strings and of what stands between them.
fn json(text: &str) -> Likeness {
    let (mut out, mut gist, mut rest) = (Pattern::default(), Pattern::default(), text);
    let mut telling = false;
    while !rest.is_empty() && !out.is_full() {
        let Some(within) = rest.strip_prefix('"') else {
            let len = rest.find('"').unwrap_or(rest.len());
            out.prose(&rest[..len]);
            rest = &rest[len..];
            continue;
        };
        let (string, behind) = unescaped(within);
        out.mark('"');
        if behind.trim_start().starts_with(':') {
            telling = TELLING.iter().any(|name| string.eq_ignore_ascii_case(name));
            out.prose(&string);
        } else if telling || string.trim().contains(char::is_whitespace) {
            out.prose(&string);
            if !gist.0.is_empty() {
                gist.0.push_str("; ");
            }
            gist.prose(&string);
        } else {
            out.hole();
        }
        out.mark('"');
        rest = behind;
    }
    let (pattern, gist) = (out.finish(), gist.finish());
    Likeness { gist: if gist.is_empty() { pattern.clone() } else { gist }, pattern }
}

/// A string of JSON, without what escapes are made of, and what comes behind its closing quote.
fn unescaped(text: &str) -> (String, &str) {
    let mut string = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (string, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n' | 'r' | 't')) => string.push(' '),
                Some((_, escaped)) => string.push(escaped),
                None => break,
            },
            c => string.push(c),
        }
    }
    (string, "")
}

#[cfg(test)]
mod tests;
