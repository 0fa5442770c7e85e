//! When a schedule ticks: five fields in the dialect of robfig/cron's standard parser (the one QStash's
//! error texts show), in any IANA zone. Zones come with the binary.
//!
//! - Minute, hour, day of month, month, day of week: `*`, `?`, numbers, ranges, `/` steps, lists, English
//!   three-letter names; Sunday is 0 or 7. `3/15` means from 3 to the end, as there.
//! - Days: if both day fields are restricted, either may match. A step as in `*/2` restricts (robfig/cron
//!   v3, `parser.go`, `getRange`).
//! - `CRON_TZ=Europe/Berlin ` or `TZ=…` before the fields; UTC without. `@hourly` and its sisters.
//! - A local time that does not exist is skipped; one that exists twice counts the first time. Where the
//!   hour is left open (`* * * * *`, `0,30 * * * *`), real time goes on: each real minute that matches is
//!   a tick, in both passes of a repeated hour, and none is in a skipped one. That is what Vixie cron's
//!   manual describes for jobs with a wildcard hour.
//!
//! Not here: who waits for a tick, and that it happens once.

use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime},
    tz::{Offset, TimeZone, TimeZoneDatabase},
};

use crate::time::Time;

/// Longest text that is looked at.
pub const CRON_BYTES_MAX: usize = 500;
/// How far ahead a tick is looked for; a schedule such as `0 0 30 2 *` never ticks.
const DAYS_MAX: i32 = 5 * 366;

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid cron expression: {0}")]
pub struct BadCron(String);

/// A schedule, parsed.
#[derive(Clone, Debug)]
pub struct Cron {
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    weekdays: Set,
    zone: TimeZone,
}

/// Numbers up to 63 that a field admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Set {
    bits: u64,
    /// Written with a bare `*` or `?`.
    open: bool,
}

/// A time in which a zone's clock is not set.
#[derive(Debug)]
struct Stretch {
    /// `None`: since ever.
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    offset: Offset,
    /// What was before it.
    before: Offset,
}

/// One of the five fields.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Names of its numbers, from `least` on.
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[] };
const DAY: Field = Field { name: "day of month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Field = Field {
    name: "day of week",
    least: 0,
    // 7 is Sunday too.
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

const DESCRIPTORS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Cron {
    /// Blanks around it do not count.
    pub fn parse(text: &str) -> Result<Self, BadCron> {
        let bad = |what: String| BadCron(what);
        if text.len() > CRON_BYTES_MAX {
            return Err(bad(format!("longer than {CRON_BYTES_MAX} bytes")));
        }
        let (zone, fields) = split_zone(text.trim())?;
        let fields = match DESCRIPTORS.iter().find(|(name, _)| *name == fields) {
            Some((_, meaning)) => meaning,
            None if fields.starts_with('@') => return Err(bad(format!("unrecognized descriptor: {fields}"))),
            None => fields,
        };
        let parts: Vec<&str> = fields.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts[..] else {
            return Err(bad(format!("expected exactly 5 fields, found {}: [{fields}]", parts.len())));
        };
        let mut weekdays = WEEKDAY.parse(weekday)?;
        if weekdays.has(7) {
            weekdays.bits = weekdays.bits & !(1 << 7) | 1;
        }
        Ok(Cron {
            minutes: MINUTE.parse(minute)?,
            hours: HOUR.parse(hour)?,
            days: DAY.parse(day)?,
            months: MONTH.parse(month)?,
            weekdays,
            zone,
        })
    }

    /// The first tick after `time`; `None` if there is none within five years.
    pub fn next_after(&self, time: Time) -> Option<Time> {
        let after = timestamp(time)?.checked_add(Span::new().microseconds(1)).ok()?;
        let horizon = after.checked_add(Span::new().hours(24 * DAYS_MAX)).ok()?;
        let mut at = after;
        loop {
            let stretch = self.stretch(at);
            let to = stretch.to.map_or(horizon, |to| to.min(horizon));
            let last = stretch.offset.to_datetime(to).checked_sub(Span::new().microseconds(1)).ok()?;
            if let Some(tick) = self.first(self.begin(&stretch, at), last) {
                return stretch.offset.to_timestamp(tick).ok().map(time_of);
            }
            at = stretch.to.filter(|to| *to < horizon)?;
        }
    }

    /// The last tick at or before `time`; `None` if there is none within five years.
    pub fn latest_until(&self, time: Time) -> Option<Time> {
        let mut at = timestamp(time)?;
        let horizon = at.checked_sub(Span::new().hours(24 * DAYS_MAX)).ok()?;
        loop {
            let stretch = self.stretch(at);
            let from = stretch.from.map_or(horizon, |from| from.max(horizon));
            if let Some(tick) = self.last(self.begin(&stretch, from), stretch.offset.to_datetime(at)) {
                return stretch.offset.to_timestamp(tick).ok().map(time_of);
            }
            let from = stretch.from.filter(|from| *from > horizon)?;
            at = from.checked_sub(Span::new().microseconds(1)).ok()?;
        }
    }

    /// What of a stretch counts from `at` on, as local time: not what the clock had shown before it was set
    /// back, unless each real minute counts.
    fn begin(&self, stretch: &Stretch, at: Timestamp) -> DateTime {
        let begin = stretch.offset.to_datetime(at);
        match stretch.from {
            Some(from) if !self.every_hour() => begin.max(stretch.before.to_datetime(from)),
            _ => begin,
        }
    }

    /// The stretch of unchanging offset in which `at` lies.
    fn stretch(&self, at: Timestamp) -> Stretch {
        let nanosecond = Span::new().nanoseconds(1);
        let next_instant = at.checked_add(nanosecond).unwrap_or(at);
        let from = self.zone.preceding(next_instant).next().map(|t| t.timestamp());
        let before = from.and_then(|from| from.checked_sub(nanosecond).ok()).unwrap_or(at);
        Stretch {
            from,
            to: self.zone.following(at).next().map(|t| t.timestamp()),
            offset: self.zone.to_offset(at),
            before: self.zone.to_offset(before),
        }
    }

    /// The first matching minute that begins within these local times, both included.
    fn first(&self, from: DateTime, to: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        while date <= to.date() {
            if let Some(tick) = self.minutes_of(date).find(|minute| *minute >= from) {
                return (tick <= to).then_some(tick);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The last one.
    fn last(&self, from: DateTime, to: DateTime) -> Option<DateTime> {
        let mut date = to.date();
        while date >= from.date() {
            if let Some(tick) = self.minutes_of(date).rev().find(|minute| *minute <= to) {
                return (tick >= from).then_some(tick);
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    /// All local minutes of a day that match, in order, whether they exist or not.
    fn minutes_of(&self, date: Date) -> impl DoubleEndedIterator<Item = DateTime> + '_ {
        let hours = if self.admits(date) { self.hours } else { Set { bits: 0, open: false } };
        let hours = (0..24i8).filter(move |hour| hours.has(*hour));
        hours.flat_map(move |hour| {
            (0..60i8).filter(|minute| self.minutes.has(*minute)).map(move |minute| date.at(hour, minute, 0, 0))
        })
    }

    fn every_hour(&self) -> bool {
        self.hours.bits == (1 << 24) - 1
    }

    fn admits(&self, date: Date) -> bool {
        let day = self.days.has(date.day());
        let weekday = self.weekdays.has(date.weekday().to_sunday_zero_offset());
        let day_matches = if self.days.open || self.weekdays.open { day && weekday } else { day || weekday };
        self.months.has(date.month()) && day_matches
    }
}

impl Set {
    fn has(self, n: i8) -> bool {
        (0..64).contains(&n) && self.bits & 1 << n != 0
    }
}

impl Field {
    fn parse(&self, text: &str) -> Result<Set, BadCron> {
        let mut set = Set { bits: 0, open: false };
        for item in text.split(',') {
            let one = self.item(item)?;
            set.bits |= one.bits;
            set.open |= one.open;
        }
        Ok(set)
    }

    /// `*`, `5`, `mon-fri`, each perhaps with `/step`.
    fn item(&self, text: &str) -> Result<Set, BadCron> {
        let bad = |what: &str| BadCron(format!("{what} in {}: {text}", self.name));
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(number(step).ok_or_else(|| bad("failed to parse step"))?)),
            None => (text, None),
        };
        let open = matches!(range, "*" | "?");
        // Without the 7, which would make `*` name Sunday twice.
        let most = if self.names.len() == 7 { 6 } else { self.most };
        let (first, last) = match range.split_once('-') {
            _ if open => (self.least, most),
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None => {
                let first = self.number(range)?;
                (first, if step.is_some() { most.max(first) } else { first })
            }
        };
        if first > last {
            return Err(bad("beginning of range beyond its end"));
        }
        let step = step.unwrap_or(1);
        if step == 0 {
            return Err(bad("step of range must be a positive number"));
        }
        let steps = (first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX));
        Ok(Set { bits: steps.fold(0, |bits, n| bits | 1 << n), open: open && step == 1 })
    }

    fn number(&self, text: &str) -> Result<u32, BadCron> {
        let named = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let found = match named {
            Some(at) => u32::try_from(at).ok().map(|at| at + self.least),
            None => number(text),
        };
        match found {
            Some(n) if (self.least..=self.most).contains(&n) => Ok(n),
            Some(n) => Err(BadCron(format!("{} {n} lies outside {} to {}", self.name, self.least, self.most))),
            None => Err(BadCron(format!("failed to parse {}: {text:?}", self.name))),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The zone and what follows it.
fn split_zone(text: &str) -> Result<(TimeZone, &str), BadCron> {
    let Some(rest) = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) else {
        return Ok((TimeZone::UTC, text));
    };
    let (name, fields) = rest.split_once(' ').unwrap_or((rest, ""));
    let zone = TimeZoneDatabase::bundled().get(name);
    let zone = zone.map_err(|_| BadCron(format!("provided bad location {name}: unknown time zone {name}")))?;
    Ok((zone, fields.trim()))
}

fn timestamp(time: Time) -> Option<Timestamp> {
    Timestamp::from_microsecond(time.as_us()).ok()
}

fn time_of(timestamp: Timestamp) -> Time {
    Time::from_us(timestamp.as_microsecond())
}

#[cfg(test)]
mod tests;
