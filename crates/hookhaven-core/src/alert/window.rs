//! Counters that only grow, looked at over a time that has just passed.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{
    figure::{Figure, Labels, Value},
    metric::Metric,
};
use crate::time::Time;

/// The longest window.
pub const WINDOW_MAX: Duration = Duration::from_secs(3_600);

/// What counters of this process have grown by, and when that was seen. Bounded by the number of series and of
/// looks in [`WINDOW_MAX`].
#[derive(Debug, Default)]
pub struct Windows {
    series: BTreeMap<(Metric, Labels), Series>,
}

#[derive(Debug, Default)]
struct Series {
    last: Vec<u64>,
    grown: VecDeque<(Time, Vec<u64>)>,
}

impl Windows {
    /// A counter as it stands now; all begin at zero. Answers whether it has grown.
    pub fn take(&mut self, metric: Metric, labels: &Labels, counts: &[u64], now: Time) -> bool {
        let key = (metric, labels.clone());
        let series = self.series.entry(key).or_default();
        series.last.resize(series.last.len().max(counts.len()), 0);
        let grown: Vec<u64> = counts.iter().zip(&series.last).map(|(now, last)| now.saturating_sub(*last)).collect();
        series.last = counts.to_vec();
        let has_grown = grown.iter().any(|by| *by > 0);
        if has_grown {
            // Whether any rule asks for it or not.
            series.forget(now);
            series.grown.push_back((now, grown));
        }
        has_grown
    }

    /// What was counted of a metric in the window that ends now; nothing where nothing was.
    pub fn figures(&mut self, metric: Metric, window: Duration, now: Time) -> Vec<Figure> {
        let from = now.minus(window);
        let mut figures = Vec::new();
        for ((of, labels), series) in self.series.iter_mut().filter(|((of, _), _)| *of == metric) {
            series.forget(now);
            let mut value = Value::Counts(Vec::new());
            for (_, grown) in series.grown.iter().rev().take_while(|(at, _)| *at > from) {
                value.add(&Value::Counts(grown.clone()));
            }
            if !value.is_nothing() {
                figures.push(Figure { metric: *of, window_s: window.as_secs(), labels: labels.clone(), value });
            }
        }
        figures
    }
}

impl Series {
    /// Lets go of what no window reaches.
    fn forget(&mut self, now: Time) {
        let oldest = now.minus(WINDOW_MAX);
        while self.grown.front().is_some_and(|(at, _)| *at <= oldest) {
            self.grown.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_what_was_counted_in_it_and_no_more() {
        let (mut windows, labels) = (Windows::default(), Labels::source("stripe"));
        let at = |s: i64| Time::from_s(s);
        let minute = Duration::from_secs(60);
        let count = |windows: &mut Windows, now: Time| match &windows.figures(Metric::SignaturesInvalid, minute, now)[..]
        {
            [] => 0,
            [Figure { value: Value::Counts(counts), window_s: 60, .. }] => counts[0],
            other => panic!("{other:?}"),
        };
        assert!(windows.take(Metric::SignaturesInvalid, &labels, &[7], at(100)), "counters begin at zero");
        assert!(!windows.take(Metric::SignaturesInvalid, &labels, &[7], at(110)));
        assert!(windows.take(Metric::SignaturesInvalid, &labels, &[12], at(120)));
        assert_eq!(count(&mut windows, at(120)), 12);
        assert_eq!(count(&mut windows, at(159)), 12);
        assert_eq!(count(&mut windows, at(160)), 5, "the first is a minute old");
        assert_eq!(count(&mut windows, at(180)), 0);
    }

    #[test]
    fn what_no_rule_looks_at_is_let_go_of_too() {
        let (mut windows, labels) = (Windows::default(), Labels::source("stripe"));
        for n in 1..=1_000_u64 {
            let now = Time::EPOCH.plus(Duration::from_secs(10) * u32::try_from(n).unwrap());
            assert!(windows.take(Metric::AttemptsFailed, &labels, &[0, n], now));
        }
        let kept: usize = windows.series.values().map(|series| series.grown.len()).sum();
        assert_eq!(kept, 360, "an hour of looks");
    }
}
