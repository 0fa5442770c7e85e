//! Log lines: one JSON object or one line of text each, to standard error.
//!
//! Everything a peer sent may stand in a line, so control characters are escaped in both formats, and
//! only our own crates speak below `warn`: an HTTP library that is talkative at `debug` would print
//! headers, and with them secrets. Formatting happens where the line is made; writing on a thread of
//! its own, which a slow terminal or pipe may block without blocking requests. When its buffer is full,
//! lines are dropped and counted.
//!
//! Not here: what is worth a line; that is for those who act.

mod format;
mod panic;
mod writer;

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, atomic::AtomicU64},
};

use hookhaven_store::clock::Clock;
use tracing::{Event, Level, Metadata, Subscriber, level_filters::LevelFilter, subscriber::SetGlobalDefaultError};
use tracing_subscriber::{
    Registry,
    layer::{Context, Layer, SubscriberExt},
};

use self::writer::{Lines, Writer};
use crate::config::{Log, LogFormat};

/// Crates whose lines are ours.
const OURS: &str = "hookhaven";

/// Keeps the writing thread; dropped, it writes what is left and ends.
pub struct LogGuard {
    writer: Writer,
}

impl LogGuard {
    /// Lines dropped because nobody took them fast enough; for the metrics.
    pub fn dropped(&self) -> Arc<AtomicU64> {
        self.writer.dropped()
    }
}

/// Sets up logging to standard error for the whole process, panics included. Once.
pub fn init(log: &Log, clock: Arc<dyn Clock>) -> Result<LogGuard, SetGlobalDefaultError> {
    let log = Log { format: log.format.on(io::stderr().is_terminal()), level: log.level };
    let (subscriber, guard) = subscriber(&log, clock, io::stderr());
    tracing::subscriber::set_global_default(subscriber)?;
    panic::log_from_now_on();
    Ok(guard)
}

/// The same to any writer, not yet installed. A format that depends on a terminal is JSON here: none is known.
pub fn subscriber(
    log: &Log,
    clock: Arc<dyn Clock>,
    to: impl Write + Send + 'static,
) -> (impl Subscriber + Send + Sync, LogGuard) {
    let writer = Writer::start(to);
    let ours = OurLines { level: log.level, format: log.format, clock, lines: writer.lines() };
    (Registry::default().with(ours), LogGuard { writer })
}

struct OurLines {
    level: Level,
    format: LogFormat,
    clock: Arc<dyn Clock>,
    lines: Lines,
}

impl<S: Subscriber> Layer<S> for OurLines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let allowed = if metadata.target().starts_with(OURS) { self.level } else { self.level.min(Level::WARN) };
        metadata.is_event() && *metadata.level() <= allowed
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.level))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = match self.format {
            LogFormat::Json | LogFormat::Auto => format::json(event, self.clock.now()),
            LogFormat::Text => format::text(event, self.clock.now()),
        };
        self.lines.push(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hookhaven_core::Time;
    use hookhaven_store::clock::ManualClock;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, level: Level, act: impl FnOnce()) -> String {
        let page = Page::default();
        let clock = Arc::new(ManualClock::at(Time::from_s(1_790_000_000)));
        let (subscriber, guard) = subscriber(&Log { format, level }, clock, page.clone());
        tracing::subscriber::with_default(subscriber, act);
        drop(guard);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_are_json_whatever_is_in_them() {
        let nasty = "a\"b\\c\r\n\u{1b}[31m\u{7f}\u{9b}\u{202e}é";
        let page = written(LogFormat::Json, Level::INFO, || {
            tracing::info!(source = nasty, n = 3u64, d = 1.5, yes = true, absent = None::<u64>, "request {nasty}");
        });
        let line = page.strip_suffix('\n').unwrap();
        assert!(line.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line:?}");
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["time"], "2026-09-21T14:13:20.000000Z");
        assert_eq!(value["level"], "info");
        assert_eq!(value["message"], format!("request {nasty}"));
        assert_eq!(value["source"], nasty);
        assert_eq!((&value["n"], &value["d"], &value["yes"]), (&3.into(), &1.5.into(), &true.into()));
        assert!(value.get("absent").is_none());
    }

    #[test]
    fn text_lines_cannot_be_broken_or_forged() {
        let page = written(LogFormat::Text, Level::INFO, || {
            tracing::warn!(source = "x\nINFO forged", plain = "stripe", empty = "", "hello\u{1b}[2J");
        });
        assert_eq!(
            page,
            "2026-09-21T14:13:20.000000Z WARN  hello\\u001b[2J source=\"x\\nINFO forged\" plain=stripe empty=\"\"\n"
        );
    }

    #[test]
    fn a_panic_is_one_line_and_tells_no_data() {
        let usual = std::panic::take_hook();
        let page = written(LogFormat::Json, Level::INFO, || {
            panic::log_from_now_on();
            let body = "a body\n\u{1b}[2J";
            let caught = [
                std::panic::catch_unwind(|| panic!("our own words")),
                std::panic::catch_unwind(|| panic!("cannot read {body}")),
                std::panic::catch_unwind(|| {
                    body[..].parse::<u8>().unwrap();
                }),
            ];
            assert!(caught.iter().all(Result::is_err));
            std::panic::set_hook(usual);
        });
        let lines: Vec<serde_json::Value> = page.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), 3, "{page}");
        assert_eq!((&lines[0]["message"], &lines[0]["why"]), (&"panic".into(), &"our own words".into()));
        assert!(lines[0]["at"].as_str().is_some_and(|at| at.contains("log.rs:")), "{page}");
        assert!(lines[1]["why"].as_str().is_some_and(|why| why.starts_with("not told")), "{page}");
        assert!(!page.contains("body") && !page.contains("\u{1b}"), "{page}");
    }

    #[test]
    fn a_person_at_a_terminal_gets_text_unless_json_was_asked_for() {
        let on = |format: LogFormat| [format.on(true), format.on(false)];
        assert_eq!(on(LogFormat::Auto), [LogFormat::Text, LogFormat::Json]);
        assert_eq!(on(LogFormat::Json), [LogFormat::Json; 2]);
        assert_eq!(on(LogFormat::Text), [LogFormat::Text; 2]);
    }

    #[test]
    fn others_speak_only_when_it_matters_and_we_from_the_level_on() {
        let page = written(LogFormat::Text, Level::DEBUG, || {
            tracing::debug!(target: "h2::codec", "authorization: secret");
            tracing::warn!(target: "h2::codec", "loud");
            tracing::debug!("ours");
            tracing::trace!("too fine");
        });
        assert!(page.contains("loud") && page.contains("ours"), "{page}");
        assert_eq!(page.lines().count(), 2, "{page}");
    }
}
