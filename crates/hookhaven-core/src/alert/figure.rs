//! How much of a metric there is, of whom; and how figures of several nodes and scopes come together.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::metric::{Form, Metric, Per};

/// Upper bounds of the durations that [`Metric::AnswerP95`] is read from; one more bucket is open.
pub const ANSWER_BUCKETS_S: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0];
const P: f64 = 0.95;

/// Of whom a figure is; empty where that does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Labels {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub destination: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub route: String,
}

impl Labels {
    pub fn source(source: &str) -> Self {
        Labels { source: source.to_owned(), ..Labels::default() }
    }

    pub fn destination(destination: &str) -> Self {
        Labels { destination: destination.to_owned(), ..Labels::default() }
    }

    /// What it is in one way of telling apart.
    pub fn scope(&self, per: Option<Per>) -> &str {
        match per {
            None => "",
            Some(Per::Source) => &self.source,
            Some(Per::Destination) => &self.destination,
            Some(Per::Route) => &self.route,
        }
    }
}

/// What is added up before it is read: what it means is the metric's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Added one by one: a count, a part and its whole, or how many durations fell into each bucket.
    Counts(Vec<u64>),
    /// The largest counts.
    Peak(f64),
}

impl Value {
    pub fn count(count: u64) -> Self {
        Value::Counts(vec![count])
    }

    pub fn is_nothing(&self) -> bool {
        match self {
            Value::Counts(counts) => counts.iter().all(|count| *count == 0),
            Value::Peak(peak) => *peak == 0.0,
        }
    }

    pub(super) fn add(&mut self, other: &Value) {
        match (self, other) {
            (Value::Counts(sums), Value::Counts(counts)) => {
                sums.resize(sums.len().max(counts.len()), 0);
                for (sum, count) in sums.iter_mut().zip(counts) {
                    *sum = sum.saturating_add(*count);
                }
            }
            (Value::Peak(peak), Value::Peak(other)) => *peak = peak.max(*other),
            // Of another version of the metric; the one that was there first counts.
            _ => {}
        }
    }

    /// As the metric reads it; `None` if there was nothing to read it from.
    pub(super) fn read(&self, metric: Metric) -> Option<f64> {
        match (self, metric.form()) {
            (Value::Peak(peak), _) => Some(*peak),
            (Value::Counts(counts), Form::Share) => {
                let (part, of) = (*counts.first()?, *counts.get(1)?);
                (of > 0).then(|| 100.0 * part as f64 / of as f64)
            }
            (Value::Counts(counts), Form::P95) => p95_s(counts),
            (Value::Counts(counts), _) => counts.first().map(|count| *count as f64),
        }
    }
}

/// Within its bucket the durations are taken to lie evenly; in the last, open one, at its beginning.
fn p95_s(counts: &[u64]) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    let rank = P * all as f64;
    let (mut below, mut lower) = (0.0, 0.0);
    for (n, count) in counts.iter().enumerate() {
        let upper = ANSWER_BUCKETS_S.get(n).copied();
        let count = *count as f64;
        if count > 0.0 && below + count >= rank {
            let upper = upper.unwrap_or(lower);
            return Some(lower + (upper - lower) * ((rank - below) / count));
        }
        below += count;
        lower = upper.unwrap_or(lower);
    }
    None
}

/// How much of a metric there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub metric: Metric,
    /// Over which it was counted; 0 for what stands as it is.
    #[serde(default)]
    pub window_s: u64,
    #[serde(default)]
    pub labels: Labels,
    pub value: Value,
}

impl Figure {
    /// As it stands, whenever it is looked at.
    pub fn now(metric: Metric, labels: Labels, value: Value) -> Self {
        Figure { metric, window_s: 0, labels, value }
    }
}

/// What a metric comes to in each scope. Figures without a name for the scope are left out.
pub(super) fn gather(figures: &[Figure], metric: Metric, window: Duration, per: Option<Per>) -> BTreeMap<&str, f64> {
    let window_s = if metric.is_windowed() { window.as_secs() } else { 0 };
    let mut sums: BTreeMap<&str, Value> = BTreeMap::new();
    for figure in figures.iter().filter(|figure| figure.metric == metric && figure.window_s == window_s) {
        let scope = figure.labels.scope(per);
        if per.is_some() && scope.is_empty() {
            continue;
        }
        sums.entry(scope).and_modify(|sum| sum.add(&figure.value)).or_insert_with(|| figure.value.clone());
    }
    sums.into_iter().filter_map(|(scope, sum)| Some((scope, sum.read(metric)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(of: &[(usize, u64)]) -> Value {
        let mut counts = vec![0; ANSWER_BUCKETS_S.len() + 1];
        for (bucket, count) in of {
            counts[*bucket] = *count;
        }
        Value::Counts(counts)
    }

    #[test]
    fn p95_lies_in_the_bucket_of_the_95th() {
        let read = |value: Value| value.read(Metric::AnswerP95);
        assert_eq!(read(buckets(&[])), None, "nobody was answered");
        // 2.0 is an upper bound: what took longer than that lies beyond it.
        assert!(read(buckets(&[(0, 95), (12, 5)])).is_some_and(|s| s <= 2.0));
        assert!(read(buckets(&[(0, 94), (12, 6)])).is_some_and(|s| s > 2.0 && s < 5.0));
        assert_eq!(read(buckets(&[(14, 1)])), Some(15.0), "the last bucket is open");
    }

    #[test]
    fn nodes_add_up_before_anything_is_read() {
        let figure = |source: &str, counts: [u64; 2]| Figure {
            metric: Metric::DeadlinesMissed,
            window_s: 300,
            labels: Labels { source: source.into(), destination: "billing".into(), route: String::new() },
            value: Value::Counts(counts.to_vec()),
        };
        let all = [figure("a", [1, 10]), figure("b", [0, 90]), figure("a", [0, 0])];
        let window = Duration::from_secs(300);
        let gathered = |per| gather(&all, Metric::DeadlinesMissed, window, per);
        assert_eq!(gathered(Some(Per::Destination)), BTreeMap::from([("billing", 1.0)]));
        assert_eq!(gathered(Some(Per::Source)), BTreeMap::from([("a", 10.0), ("b", 0.0)]));
        assert_eq!(gathered(None), BTreeMap::from([("", 1.0)]));
        assert!(gather(&all, Metric::DeadlinesMissed, Duration::from_secs(60), None).is_empty(), "another window");
    }
}
