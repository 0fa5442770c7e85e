//! Ordering: how the deliveries of one ordering key to one destination stand to each other. They form a *line*.
//!
//! In a `fifo` line one goes at a time, in the order of acceptance. One that failed parks the line: while it waits
//! for its retry, and when it died of it, until it is replayed or dismissed or the time to park has passed. In a
//! `latest` line one goes at a time too, and one that a newer version has overtaken never begins again.
//!
//! Not here: lines themselves, which stores keep; what a route says of ordering (`route`).

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};

use crate::{delivery::EndReason, time::Time};

/// Longest ordering key that is kept as it is; a longer one is kept as its SHA-256.
pub const ORDER_KEY_BYTES_MAX: usize = 256;

/// A delivery's place among those of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The source's name and what the event says, `shop/cus_1`: keys of two sources are never the same.
    pub key: Arc<str>,
    pub rule: OrderRule,
    /// Its number in the line, given by the store in the commit that accepts it; 0 before. A replay that takes the
    /// place of one that still parks the line has that one's.
    pub turn: u64,
    /// When an attempt of it failed first.
    pub failed_at: Option<Time>,
    /// It died, and nobody behind it in its line goes before then.
    pub parks_until: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderRule {
    Fifo {
        /// How long after its first failure one may park its line.
        park: Duration,
    },
    Latest {
        version: Version,
    },
}

/// Which deliveries are ordered against each other: those of a mode, a destination and a key. The first 16 bytes of
/// a SHA-256 over the three.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId(pub [u8; 16]);

impl Order {
    pub fn new(key: &str, rule: OrderRule) -> Self {
        Order { key: bounded(key), rule, turn: 0, failed_at: None, parks_until: None }
    }

    pub fn line(&self, destination: &str) -> LineId {
        let mode: &[u8] = match self.rule {
            OrderRule::Fifo { .. } => b"fifo",
            OrderRule::Latest { .. } => b"latest",
        };
        let mut context = Context::new(&SHA256);
        for part in [mode, destination.as_bytes(), self.key.as_bytes()] {
            context.update(part);
            context.update(&[0]);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&context.finish().as_ref()[..16]);
        LineId(id)
    }

    /// In a `latest` line.
    pub fn version(&self) -> Option<Version> {
        match self.rule {
            OrderRule::Latest { version } => Some(version),
            OrderRule::Fifo { .. } => None,
        }
    }

    pub fn is_overtaken_by(&self, newest: Option<Version>) -> bool {
        self.version() < newest && self.version().is_some()
    }

    /// Until when it may park its line, if it failed at `now` (for the first time, or again).
    pub fn park_limit(&self, now: Time) -> Option<Time> {
        match self.rule {
            OrderRule::Fifo { park } => Some(self.failed_at.unwrap_or(now).plus(park)),
            OrderRule::Latest { .. } => None,
        }
    }

    /// Whether waiting until `due_at` would park its line for too long.
    pub fn parks_too_long(&self, due_at: Time, now: Time) -> bool {
        self.park_limit(now).is_some_and(|limit| due_at > limit)
    }

    /// An attempt failed at `now` and it is to be tried again.
    pub fn fail(&mut self, now: Time) {
        self.failed_at.get_or_insert(now);
    }

    /// It died at `now`. What a person may mend parks the line on; what nobody can lets the next one go.
    pub fn die(&mut self, reason: EndReason, now: Time) {
        use EndReason::{Aborted, Exhausted, Lost, Parked};
        if matches!(reason, Exhausted | Aborted | Lost | Parked) {
            self.parks_until = self.park_limit(now).filter(|until| *until > now);
        }
    }

    /// The same for a delivery that replays this one, before the store gives it its turn.
    pub fn anew(&self) -> Self {
        Order { turn: 0, failed_at: None, parks_until: None, ..self.clone() }
    }
}

fn bounded(key: &str) -> Arc<str> {
    if key.len() <= ORDER_KEY_BYTES_MAX && !key.chars().any(char::is_control) {
        return key.into();
    }
    let mut context = Context::new(&SHA256);
    context.update(key.as_bytes());
    format!("sha256:{}", hex::encode(context.finish())).into()
}

impl fmt::Debug for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What says which of two events of the same thing is newer: a number, in millionths. A time is a number of seconds,
/// so that a date and a Unix time compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(i128);

const MILLIONTHS: i128 = 1_000_000;
/// So many digits before the point fit whatever follows.
const DIGITS_MAX: usize = 30;

impl Version {
    /// A whole or decimal number (places after the sixth are dropped), or an RFC 3339 time. `None`: neither.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::number(text).or_else(|| Time::parse_rfc3339(text).map(Self::of_time))
    }

    fn number(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(part) || whole.len() > DIGITS_MAX {
            return None;
        }
        let millionths = part.bytes().chain(std::iter::repeat(b'0')).take(6);
        let part = millionths.fold(0, |n, digit| n * 10 + i128::from(digit - b'0'));
        let size = whole.parse::<i128>().ok()? * MILLIONTHS + part;
        Some(Version(if negative { -size } else { size }))
    }

    pub fn of_time(time: Time) -> Self {
        Version(i128::from(time.as_us()))
    }

    /// Sixteen bytes whose order is that of the versions.
    pub fn to_bytes(self) -> [u8; 16] {
        (self.0 ^ i128::MIN).to_be_bytes()
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Version(i128::from_be_bytes(bytes) ^ i128::MIN)
    }
}

/// As the number it is, without zeros at its end.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / MILLIONTHS, (self.0 % MILLIONTHS).abs());
        let sign = if self.0 < 0 && whole == 0 { "-" } else { "" };
        if part == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{sign}{whole}.{}", format!("{part:06}").trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fifo(park_s: u64) -> Order {
        Order::new("k", OrderRule::Fifo { park: Duration::from_secs(park_s) })
    }

    #[test]
    fn versions_are_numbers_and_times() {
        let v = |text: &str| Version::parse(text).unwrap();
        let rising =
            ["-3.5", "-0.25", "0", "0.000001", "9", "10", "1700000000.5", "2023-11-14T22:13:21Z", "1800000000"];
        for pair in rising.windows(2) {
            assert!(v(pair[0]) < v(pair[1]), "{pair:?}");
            assert!(v(pair[0]).to_bytes() < v(pair[1]).to_bytes(), "{pair:?}");
        }
        for text in ["-3.5", "-0.25", "0", "10", "1700000000.5", "123456789012345678901234567890"] {
            assert_eq!(v(text).to_string(), text);
            assert_eq!(Version::from_bytes(v(text).to_bytes()), v(text));
        }
        assert_eq!(v("2023-11-14T22:13:20Z"), v("1700000000"));
        for none in ["", "-", "1.", ".5", "1e9", "v2", "0x1", "1.2.3", &"9".repeat(31)] {
            assert_eq!(Version::parse(none), None, "{none}");
        }
    }

    #[test]
    fn one_that_failed_parks_from_its_first_failure_on() {
        let mut order = fifo(60);
        order.fail(Time::from_s(100));
        order.fail(Time::from_s(120));
        assert_eq!(order.park_limit(Time::from_s(130)), Some(Time::from_s(160)));
        order.die(EndReason::Exhausted, Time::from_s(130));
        assert_eq!(order.parks_until, Some(Time::from_s(160)));
        for (reason, parks) in [(EndReason::Expired, false), (EndReason::Damaged, false), (EndReason::Aborted, true)] {
            let mut order = fifo(60);
            order.die(reason, Time::from_s(1));
            assert_eq!(order.parks_until.is_some(), parks, "{reason:?}");
        }
    }

    #[test]
    fn lines_are_apart_by_mode_destination_and_key() {
        let latest = Order::new("k", OrderRule::Latest { version: Version(1) });
        let lines = [fifo(1).line("a"), fifo(1).line("b"), latest.line("a"), Order::new("k2", fifo(1).rule).line("a")];
        let apart: std::collections::BTreeSet<_> = lines.iter().collect();
        assert_eq!(apart.len(), lines.len());
        assert_eq!(fifo(1).line("a"), fifo(9).line("a"));
    }

    #[test]
    fn equal_versions_are_not_overtaken() {
        let order = Order::new("k", OrderRule::Latest { version: Version(5) });
        assert!(!order.is_overtaken_by(None) && !order.is_overtaken_by(Some(Version(5))));
        assert!(order.is_overtaken_by(Some(Version(6))));
        assert!(!fifo(1).is_overtaken_by(Some(Version(6))));
    }
}
