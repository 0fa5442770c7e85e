//! The figures at the top of the overview: now, and over the chosen span.

use std::time::Duration;

use hookhaven_core::Time;

use crate::{
    api::{DestinationView, StatsView},
    dashboard::{charts::rate, query, show},
};

/// By how many whole minutes the present rates are told, and by the one under way as far as it is known.
const LATELY: Duration = Duration::from_secs(5 * 60);

pub(super) struct Glance {
    /// Lately, with their unit.
    pub received_rate: String,
    pub delivered_rate: String,
    /// Over the span.
    pub received: String,
    pub delivered: String,
    pub rejected: String,
    /// p50, p95 and p99.
    pub answer: Option<[String; 3]>,
    pub end_to_end: Option<[String; 3]>,
    /// How long the delivery that is due longest is overdue.
    pub oldest: Option<String>,
}

impl Glance {
    pub fn of(stats: &StatsView, lately: &StatsView, destinations: &[DestinationView], now: Time) -> Self {
        let count = |metric| show::count(&(overall(stats, metric).unwrap_or_default() as u64));
        let percentiles = |metrics: [&str; 3]| {
            let [Some(p50), Some(p95), Some(p99)] = metrics.map(|metric| overall(stats, metric)) else { return None };
            Some([p50, p95, p99].map(|ms| show::ms(&ms)))
        };
        let lasted = lately.known_until.since(lately.since);
        let oldest = destinations.iter().filter_map(|destination| destination.oldest_due_at).min();
        Glance {
            received_rate: rate(overall(lately, "received").unwrap_or_default(), lasted),
            delivered_rate: rate(overall(lately, "delivered").unwrap_or_default(), lasted),
            received: count("received"),
            delivered: count("delivered"),
            rejected: count("rejected"),
            answer: percentiles(["answer_p50_ms", "answer_p95_ms", "answer_p99_ms"]),
            end_to_end: percentiles(["end_to_end_p50_ms", "end_to_end_p95_ms", "end_to_end_p99_ms"]),
            oldest: oldest.filter(|due| *due < now).map(|due| show::span(&now.since(due))),
        }
    }
}

/// What the API is asked for the present rates.
pub(super) fn lately_path(now: Time) -> String {
    let minute = Time::from_s(now.as_s().div_euclid(60) * 60);
    let since = minute.minus(LATELY).to_string();
    query::path("/stats", &[("metric", "received,delivered"), ("since", &since), ("step", "60")])
}

fn overall(stats: &StatsView, metric: &str) -> Option<f64> {
    stats.series.iter().find(|series| series.metric == metric)?.overall
}
