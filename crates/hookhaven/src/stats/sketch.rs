//! Durations, counted by size, so that nodes and minutes can be added up and percentiles read from the sum: four
//! buckets to each doubling, so a percentile is off by a tenth at most.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Everything shorter counts as this.
const SHORTEST_US: f64 = 100.0;
const BUCKETS_PER_DOUBLING: f64 = 4.0;
/// The longest is four days.
const BUCKET_MAX: u8 = 127;

/// How many durations fell into each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch(BTreeMap<u8, u64>);

impl Sketch {
    pub fn add(&mut self, took: Duration) {
        let us = took.as_micros() as f64;
        let bucket = ((us / SHORTEST_US).log2() * BUCKETS_PER_DOUBLING).floor();
        // Casting saturates: what is shorter is the first bucket.
        *self.0.entry((bucket as u8).min(BUCKET_MAX)).or_default() += 1;
    }

    pub fn merge(&mut self, other: &Sketch) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In milliseconds; `None` if there is nothing. `part`: 0.5 is the median.
    pub fn quantile_ms(&self, part: f64) -> Option<f64> {
        let total: u64 = self.0.values().sum();
        let wanted = ((total as f64 * part).ceil() as u64).max(1);
        let mut so_far = 0;
        let bucket = self.0.iter().find_map(|(bucket, count)| {
            so_far += count;
            (so_far >= wanted).then_some(*bucket)
        })?;
        let middle = (f64::from(bucket) + 0.5) / BUCKETS_PER_DOUBLING;
        Some((SHORTEST_US * middle.exp2()).round() / 1_000.0)
    }
}

/// As a list: bucket, count, bucket, count …
impl Serialize for Sketch {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.iter().flat_map(|(bucket, count)| [u64::from(*bucket), *count]))
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let list = Vec::<u64>::deserialize(d)?;
        let bucket = |n: u64| u8::try_from(n).unwrap_or(BUCKET_MAX).min(BUCKET_MAX);
        Ok(Sketch(list.chunks_exact(2).map(|pair| (bucket(pair[0]), pair[1])).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_off_by_a_tenth_at_most() {
        for us in [150u64, 999, 5_000, 123_456, 10_000_000, 3_600_000_000] {
            let mut sketch = Sketch::default();
            sketch.add(Duration::from_micros(us));
            let ms = sketch.quantile_ms(0.5).unwrap();
            let off = (ms * 1_000.0 / us as f64 - 1.0).abs();
            assert!(off < 0.1, "{us} µs shows as {ms} ms");
        }
    }

    #[test]
    fn percentiles_of_a_sum_are_those_of_everything() {
        let (mut fast, mut slow) = (Sketch::default(), Sketch::default());
        (0..95).for_each(|_| fast.add(Duration::from_millis(1)));
        (0..5).for_each(|_| slow.add(Duration::from_secs(1)));
        fast.merge(&slow);
        assert!(fast.quantile_ms(0.95).is_some_and(|ms| ms < 1.2));
        assert!(fast.quantile_ms(0.96).is_some_and(|ms| ms > 900.0));
        assert_eq!(Sketch::default().quantile_ms(0.5), None);
    }

    #[test]
    fn extremes_are_counted_and_all_comes_back() {
        let mut sketch = Sketch::default();
        for took in [Duration::ZERO, Duration::from_micros(1), Duration::MAX] {
            sketch.add(took);
        }
        let text = serde_json::to_string(&sketch).unwrap();
        assert_eq!(text, "[0,2,127,1]");
        assert_eq!(serde_json::from_str::<Sketch>(&text).unwrap(), sketch);
    }
}
