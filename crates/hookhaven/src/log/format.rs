//! How a log line looks: its time, level, message and fields, in one pass, escaped.

use std::fmt::{self, Debug, Write};

use hookhaven_core::Time;
use tracing::{
    Event, Level,
    field::{Field, Visit},
};

/// Room for a usual line, so that it is allocated once.
const LINE_BYTES: usize = 448;
/// A line is cut at this length; fields are bounded where they come from, this is the net below.
const LINE_BYTES_MAX: usize = 16 << 10;

/// `{"time":"…","level":"info","message":"…","source":"stripe",…}`
pub(super) fn json(event: &Event<'_>, now: Time) -> String {
    let mut line = String::with_capacity(LINE_BYTES);
    let level = level_name(*event.metadata().level()).trim_end().to_ascii_lowercase();
    let _ = write!(line, "{{\"time\":\"{now}\",\"level\":\"{level}\"");
    event.record(&mut Json(&mut line));
    line.push_str("}\n");
    line
}

/// `2026-11-21T09:30:00.000000Z INFO  message source=stripe …`
pub(super) fn text(event: &Event<'_>, now: Time) -> String {
    let mut line = String::with_capacity(LINE_BYTES);
    let _ = write!(line, "{now} {}", level_name(*event.metadata().level()));
    event.record(&mut Text(&mut line));
    line.push('\n');
    line
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN ",
        Level::INFO => "INFO ",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

struct Json<'a>(&'a mut String);

impl Json<'_> {
    fn key(&mut self, field: &Field) {
        let _ = write!(self.0, ",\"{}\":", field.name());
    }

    fn bare(&mut self, field: &Field, value: impl fmt::Display) {
        self.key(field);
        let _ = write!(self.0, "{value}");
    }

    fn quoted(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.key(field);
        quote(self.0, value);
    }
}

impl Visit for Json<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() {
            true => self.bare(field, value),
            false => self.quoted(field, format_args!("{value}")),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.quoted(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.quoted(field, format_args!("{value:?}"));
    }
}

struct Text<'a>(&'a mut String);

impl Text<'_> {
    fn value(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.0.push(' ');
        if field.name() == "message" {
            let _ = Escaped::new(self.0).write_fmt(value);
            return;
        }
        let _ = write!(self.0, "{}=", field.name());
        let start = self.0.len();
        let _ = Escaped::new(self.0).write_fmt(value);
        let written = &self.0[start..];
        if written.is_empty() || written.contains([' ', '"', '=', '\\']) {
            self.0.insert(start, '"');
            self.0.push('"');
        }
    }
}

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.value(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.value(field, format_args!("{value:?}"));
    }
}

fn quote(line: &mut String, value: fmt::Arguments<'_>) {
    line.push('"');
    let _ = Escaped::new(line).write_fmt(value);
    line.push('"');
}

/// Writes as within a JSON string, and escapes beyond that what a terminal would obey or what would
/// change the order of what is read: DEL, C1 controls, line and paragraph separators, bidi overrides.
struct Escaped<'a> {
    to: &'a mut String,
}

impl<'a> Escaped<'a> {
    fn new(to: &'a mut String) -> Self {
        Escaped { to }
    }
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LINE_BYTES_MAX.saturating_sub(self.to.len());
        let text = &text[..text.floor_char_boundary(room)];
        let mut rest = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| needs_escape(*c)) {
            self.to.push_str(&text[rest..at]);
            rest = at + c.len_utf8();
            match c {
                '"' => self.to.push_str("\\\""),
                '\\' => self.to.push_str("\\\\"),
                '\n' => self.to.push_str("\\n"),
                '\r' => self.to.push_str("\\r"),
                '\t' => self.to.push_str("\\t"),
                c => write!(self.to, "\\u{:04x}", u32::from(c))?,
            }
        }
        self.to.push_str(&text[rest..]);
        Ok(())
    }
}

fn needs_escape(c: char) -> bool {
    matches!(c, '"' | '\\' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') || c.is_control()
}
