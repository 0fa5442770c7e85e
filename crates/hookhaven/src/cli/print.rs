//! What a person sees: escaping of what strangers sent, times, tables, colours, questions.
//!
//! Text from senders and handlers is hostile: it may hold terminal escapes that hide, rewrite or
//! answer. Nothing of theirs is printed but through [`clean`] and its kin. Not here: what a command
//! has to say.

mod table;

use std::{
    borrow::Cow,
    io::{self, BufRead, IsTerminal, Write},
    time::Duration,
};

use hookhaven_core::Time;

pub use self::table::{Column, column, optional, whole};
use super::{Context, UsageError};

/// Characters that act on a terminal or deceive a reader instead of being read: C0, DEL, C1, line and
/// paragraph separators, directional marks and overrides, invisible marks, tag characters.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// One line of text, safe to print.
pub fn clean(text: &str) -> Cow<'_, str> {
    clean_but(text, |_| false)
}

/// Several lines of text, safe to print: line ends and tabs stay.
pub fn clean_lines(text: &str) -> Cow<'_, str> {
    clean_but(text, |c| c == '\n' || c == '\t')
}

fn clean_but(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let escaped = |c: char| acts(c) && !stays(c);
    if !text.contains(escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !escaped(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// Bytes as text, safe to print; what is not UTF-8 as `\xff`. Line ends and tabs stay.
pub fn clean_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&clean_lines(chunk.valid()));
        chunk.invalid().iter().for_each(|b| out.push_str(&format!("\\x{b:02x}")));
    }
    out
}

/// JSON text with everything escaped that acts on a terminal; the same JSON. Such characters can stand
/// in strings only, where JSON has its own escapes for them.
pub fn clean_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if acts(c) && c != '\n' {
            let mut units = [0u16; 2];
            c.encode_utf16(&mut units).iter().for_each(|u| out.push_str(&format!("\\u{u:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// At most `max` characters, with an ellipsis where it was cut.
pub fn short(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        Some((at, _)) => Cow::Owned(format!("{}…", text[..at].trim_end())),
        None => Cow::Borrowed(text),
    }
}

/// RFC 3339 in UTC, to the second.
pub fn second(at: Time) -> String {
    let whole = Time::from_s(at.as_s()).to_string();
    whole.replace(".000000Z", "Z")
}

/// RFC 3339 in UTC, to the millisecond.
pub fn millisecond(at: Time) -> String {
    let text = Time::from_ms(at.as_ms()).to_string();
    text.strip_suffix("000Z").map_or(text.clone(), |t| format!("{t}Z"))
}

/// `3 min ago`, `in 5 s`, `now`.
pub fn relative(at: Time, now: Time) -> String {
    if at > now {
        return format!("in {}", span(at.since(now)));
    }
    match now.since(at) {
        d if d < Duration::from_secs(1) => "now".to_owned(),
        d => format!("{} ago", span(d)),
    }
}

/// A time with its distance from now.
pub fn when(at: Time, now: Time) -> String {
    format!("{} ({})", second(at), relative(at, now))
}

/// A duration in its largest sensible unit, rounded down: `850 ms`, `12 s`, `3 min`, `5 h`, `9 days`.
pub fn span(d: Duration) -> String {
    match d.as_secs() {
        0 if d.as_millis() == 0 => format!("{} µs", d.as_micros()),
        0 => format!("{} ms", d.as_millis()),
        s @ 1..=119 => format!("{s} s"),
        s @ 120..=7_199 => format!("{} min", s / 60),
        s @ 7_200..=172_799 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

/// `1 event`, `2 events`.
pub fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Dim = 2,
    Bold = 1,
}

/// Who answers questions.
enum Answers {
    Person,
    /// Nobody is there: standard input is no terminal.
    Nobody,
    #[cfg(test)]
    Fixed(bool),
}

/// Where a command prints. Output goes to one stream, remarks and questions to another, so that a
/// script reads results only.
pub struct Screen {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    answers: Answers,
    colour: bool,
    /// Columns of the terminal; `None` if it is none.
    width: Option<u16>,
    /// Nobody reads the output any more (`| head`).
    pub unread: bool,
    pub terminal: bool,
    pub json: bool,
    pub now: Time,
}

impl Screen {
    pub fn of(context: &Context, now: Time) -> Self {
        let columns = console::Term::stdout().size_checked().map(|(_, columns)| columns);
        let plain = context.environment.get("NO_COLOR").is_some_and(|v| !v.is_empty());
        Screen {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            answers: if io::stdin().is_terminal() { Answers::Person } else { Answers::Nobody },
            colour: context.terminal && !plain,
            width: columns.filter(|_| context.terminal),
            unread: false,
            terminal: context.terminal,
            json: context.json,
            now,
        }
    }

    /// One line of output.
    pub fn line(&mut self, text: impl AsRef<str>) -> anyhow::Result<()> {
        let line = [text.as_ref().as_bytes(), b"\n"].concat();
        self.bytes(&line)
    }

    /// Bytes of output, as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self.out.write_all(bytes).and_then(|()| self.out.flush()) {
            // The reader has seen enough (`| head`).
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.unread = true;
                Ok(())
            }
            done => Ok(done?),
        }
    }

    /// The API's JSON, indented.
    pub fn value(&mut self, value: &serde_json::Value) -> anyhow::Result<()> {
        self.line(clean_json(&serde_json::to_string_pretty(value)?))
    }

    /// A remark beside the output.
    pub fn remark(&mut self, text: impl AsRef<str>) {
        // Nobody can be told if standard error is gone.
        let _ = writeln!(self.err, "{}", text.as_ref());
    }

    /// What stands before a person's answer.
    pub fn prompt(&mut self, text: &str) -> anyhow::Result<()> {
        write!(self.err, "{text}")?;
        Ok(self.err.flush()?)
    }

    pub fn paint(&self, colour: Colour, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
    }

    /// Asks before something is done to many. Without a person at the keyboard nothing is assumed.
    pub fn confirm(&mut self, question: &str, yes: bool) -> anyhow::Result<bool> {
        if yes {
            return Ok(true);
        }
        match self.answers {
            #[cfg(test)]
            Answers::Fixed(answer) => Ok(answer),
            Answers::Nobody => {
                Err(UsageError(format!("{question} Nobody is there to answer; say --yes to do it")).into())
            }
            Answers::Person => {
                write!(self.err, "{question} [y/N] ")?;
                self.err.flush()?;
                let mut answer = String::new();
                io::stdin().lock().read_line(&mut answer)?;
                Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod capture {
    //! A screen that tests can read.

    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A screen, its output and its remarks. `answer` is what a person says when asked; `None` if
    /// nobody is there.
    pub(crate) fn screen(json: bool, answer: Option<bool>, now: Time) -> (Screen, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        let screen = Screen {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            answers: answer.map_or(Answers::Nobody, Answers::Fixed),
            colour: false,
            width: None,
            unread: false,
            terminal: false,
            json,
            now,
        };
        (screen, out, err)
    }

    pub(crate) fn with_width(mut screen: Screen, width: u16) -> Screen {
        screen.width = Some(width);
        screen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_gets_through() {
        for (hostile, want) in [
            ("plain käse 🦀", "plain käse 🦀"),
            ("\x1b[2J\x1b]0;owned\x07", "\\u{1b}[2J\\u{1b}]0;owned\\u{7}"),
            ("a\rb\nc\td", "a\\rb\\nc\\td"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("del\x7f", "del\\u{7f}"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("\u{2066}x\u{2069}\u{200f}", "\\u{2066}x\\u{2069}\\u{200f}"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(clean(hostile), want);
        }
        assert_eq!(clean_bytes(b"ok\n\xff\xfe\x1b[m\xc2\x9b"), "ok\n\\xff\\xfe\\u{1b}[m\\u{9b}");
    }

    #[test]
    fn cleaned_json_is_the_same_json() {
        let value = serde_json::json!({"type": "\u{1b}[2J\u{9b}\u{202e}\u{e0041} ok\n"});
        let text = clean_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|c| acts(c) && c != '\n'), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn times_are_absolute_and_relative() {
        let now = Time::from_s(1_790_000_000);
        assert_eq!(when(now.minus(Duration::from_secs(180)), now), "2026-09-21T14:10:20Z (3 min ago)");
        assert_eq!(relative(now.plus(Duration::from_secs(5)), now), "in 5 s");
        assert_eq!(relative(now, now), "now");
        assert_eq!(millisecond(Time::from_us(1_790_000_000_123_456)), "2026-09-21T14:13:20.123Z");
        assert_eq!(second(Time::from_us(1_790_000_000_123_456)), "2026-09-21T14:13:20Z");
    }

    #[test]
    fn without_a_person_nothing_is_assumed() {
        let (mut screen, _, _) = capture::screen(false, None, Time::EPOCH);
        assert!(screen.confirm("Replay 3?", false).unwrap_err().is::<UsageError>());
        assert!(screen.confirm("Replay 3?", true).unwrap());
    }
}
