//! Latencies, kept each as it was measured, and what is said about them.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Microseconds; four bytes each, so a million of them are small.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    pub fn record(&mut self, latency: Duration) {
        self.record_us(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn record_us(&mut self, us: u64) {
        self.0.push(u32::try_from(us).unwrap_or(u32::MAX));
    }

    pub fn extend(&mut self, other: Latencies) {
        self.0.extend(other.0);
    }

    pub fn summary(&self) -> Summary {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |quantile| percentile(&sorted, quantile);
        Summary {
            count: sorted.len() as u64,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: at(1.0),
        }
    }
}

/// The smallest value that at least this share of them do not exceed; 0 of nothing.
fn percentile(sorted: &[u32], quantile: f64) -> u32 {
    let rank = (sorted.len() as f64 * quantile).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(0)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub count: u64,
    pub p50_us: u32,
    pub p90_us: u32,
    pub p99_us: u32,
    pub p999_us: u32,
    pub max_us: u32,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: u32| f64::from(us) / 1_000.0;
        write!(f, "p50 {:.2} ms, p99 {:.2} ms, max {:.1} ms", ms(self.p50_us), ms(self.p99_us), ms(self.max_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut latencies = Latencies::default();
        (1..=1_000).rev().for_each(|us| latencies.record_us(us));
        let summary = latencies.summary();
        assert_eq!((summary.p50_us, summary.p90_us, summary.p99_us), (500, 900, 990));
        assert_eq!((summary.p999_us, summary.max_us, summary.count), (999, 1_000, 1_000));
        assert_eq!(Latencies::default().summary(), Summary::default());
    }
}
