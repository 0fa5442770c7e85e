//! From what the API counts to what a chart shows: counts become rates, in seconds or minutes, whatever reads better;
//! a step that is still under way is judged by what of it is known.

use std::time::Duration;

use super::show;
use crate::api::{SeriesView, StatsView};

/// A step of which less is known has no rate yet: a single event would be a peak.
const KNOWN_S_MIN: f64 = 10.0;

/// What the values of a chart are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Counts, shown as rates.
    Rate,
    Milliseconds,
    /// What there is at one time.
    Count,
}

impl Unit {
    /// The figure of a whole span.
    pub fn overall(self, value: f64) -> String {
        match self {
            Unit::Rate => format!("{} in all", show::count(&(value as u64))),
            Unit::Milliseconds => format!("{} overall", show::ms(&value)),
            Unit::Count => format!("{} at most", show::count(&(value as u64))),
        }
    }
}

/// How one chart's values are written.
pub(super) struct Scale {
    kind: Unit,
    /// Seconds of one step, and of that under way.
    step_s: f64,
    last_s: f64,
    /// Of a rate: seconds of its unit.
    per_s: f64,
    /// In words, for people.
    pub unit: &'static str,
    /// Behind a number.
    pub suffix: &'static str,
}

impl Scale {
    pub fn of<'a>(kind: Unit, view: &StatsView, series: impl Iterator<Item = &'a SeriesView>) -> Self {
        let last_since = view.until.minus(Duration::from_secs(view.step_s));
        let last_s = view.known_until.min(view.until).since(last_since).as_secs();
        let step_s = view.step_s.max(1) as f64;
        let greatest = series.flat_map(|series| series.values.iter().flatten()).fold(0.0, |a: f64, b| a.max(*b));
        let by_second = greatest / step_s >= 1.0;
        let (per_s, unit, suffix) = match kind {
            Unit::Rate if by_second => (1.0, "each second", "/s"),
            Unit::Rate => (60.0, "each minute", "/min"),
            Unit::Milliseconds => (1.0, "time", "ms"),
            Unit::Count => (1.0, "at most in each step", ""),
        };
        Scale { kind, step_s, last_s: last_s as f64, per_s, unit, suffix }
    }

    /// A series as it is drawn. What is not known yet is a gap.
    pub fn values(&self, series: &SeriesView) -> Vec<Option<f64>> {
        let last = series.values.len().saturating_sub(1);
        let value = |(at, value): (usize, &Option<f64>)| {
            let lasted_s = if at == last { self.last_s } else { self.step_s };
            let known_s_min = if self.kind == Unit::Rate { KNOWN_S_MIN } else { 1.0 };
            let value = (*value).filter(|_| lasted_s >= known_s_min)?;
            Some(rounded(if self.kind == Unit::Rate { value * self.per_s / lasted_s } else { value }))
        };
        series.values.iter().enumerate().map(value).collect()
    }

    /// A value in words.
    pub fn shown(&self, value: f64) -> String {
        match self.kind {
            Unit::Milliseconds => show::ms(&value),
            Unit::Count => show::count(&(value as u64)),
            Unit::Rate => format!("{}{}", amount(value), self.suffix),
        }
    }

    /// What several steps have in common: what goes on adds up, of the rest the greatest counts.
    pub fn together(&self, values: &[Option<f64>]) -> Option<f64> {
        let known = || values.iter().flatten().copied();
        match self.kind {
            Unit::Rate => Some(known().sum::<f64>() / known().count() as f64).filter(|value| value.is_finite()),
            Unit::Milliseconds | Unit::Count => known().reduce(f64::max),
        }
    }
}

/// A rate in words: so many within so long.
pub(crate) fn rate(count: f64, within: Duration) -> String {
    let by_second = count / within.as_secs_f64().max(1.0);
    if by_second >= 1.0 || by_second == 0.0 {
        format!("{}/s", amount(by_second))
    } else {
        format!("{}/min", amount(by_second * 60.0))
    }
}

/// Three digits that count.
fn amount(value: f64) -> String {
    match value {
        value if value >= 99.95 => show::count(&(value.round() as u64)),
        value if value >= 9.995 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        value => format!("{value:.2}"),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
