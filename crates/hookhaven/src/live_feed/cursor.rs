//! Where a reader goes on: from which time on things of each kind are to be read. As text it is one word that
//! readers hand back as they got it.

use std::{fmt, str::FromStr};

use hookhaven_core::{EventId, Time};

/// Milliseconds up to the year 9999 take 12 hexadecimal digits.
const DIGITS_MAX: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub events: Time,
    pub attempts: Time,
    pub dead: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no cursor; give one back as it came, in the field `id` of the stream")]
pub struct BadCursor(String);

impl Cursor {
    /// Everything from then on.
    pub fn at(from: Time) -> Self {
        Cursor { events: from, attempts: from, dead: from }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [events, attempts, dead] = [self.events, self.attempts, self.dead].map(|at| at.as_ms().max(0));
        write!(f, "{events:x}.{attempts:x}.{dead:x}")
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let time = |part: &str| {
            let sound = !part.is_empty() && part.len() <= DIGITS_MAX && part.bytes().all(|b| b.is_ascii_hexdigit());
            i64::from_str_radix(part, 16).ok().filter(|_| sound).map(|ms| Time::from_ms(ms).min(Time::MAX))
        };
        let mut parts = text.split('.').map(time);
        match [parts.next(), parts.next(), parts.next(), parts.next()] {
            [Some(Some(events)), Some(Some(attempts)), Some(Some(dead)), None] => Ok(Cursor { events, attempts, dead }),
            _ => Err(BadCursor(text.chars().take(64).collect())),
        }
    }
}

/// When an id was minted.
pub fn time_of(id: EventId) -> Time {
    let ms = id.as_bytes()[..6].iter().fold(0i64, |ms, byte| ms << 8 | i64::from(*byte));
    Time::from_ms(ms)
}

/// Before all ids that are minted then or later.
pub fn first_id(at: Time) -> EventId {
    let ms = u64::try_from(at.as_ms()).unwrap_or(0).to_be_bytes();
    let mut id = [0; 16];
    id[..6].copy_from_slice(&ms[2..]);
    EventId::from_bytes(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let cursor = Cursor { events: Time::from_ms(1_790_000_000_123), attempts: Time::from_ms(7), dead: Time::EPOCH };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert_eq!(Cursor::at(Time::MAX).to_string().parse(), Ok(Cursor::at(Time::MAX)));
        for wrong in ["", "1", "1.2", "1.2.3.4", "1.2.g", "1..3", "+1.2.3", "1.2.-3", "fffffffffffff.1.1", "evt_1"] {
            assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_tell_their_time() {
        let at = Time::from_ms(1_790_000_000_123);
        let id = EventId::mint(at, [0; 10]);
        assert_eq!(time_of(id), at);
        assert!(first_id(at) < id && first_id(Time::from_ms(at.as_ms() + 1)) > EventId::mint(at, [0xff; 10]));
    }
}
