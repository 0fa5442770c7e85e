//! What came of all requests: how many were taken, how many refused and how, how soon they were answered; and with
//! `--follow` what became of the events.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};

use super::{follow::Followed, send::Sent};
use crate::cli::print::{count, span};

#[derive(Debug, Default)]
pub(super) struct Report {
    pub planned: u64,
    pub sent: u64,
    pub accepted: u64,
    /// Of them, those whose id was sent before.
    pub duplicates: u64,
    /// By the status that was answered instead of a success.
    refused: BTreeMap<u16, u64>,
    /// No whole answer came: the gateway may have accepted them or not.
    pub unanswered: u64,
    answers: Times,
    /// The latest after it was due.
    late: Duration,
    pub took: Duration,
    /// By Ctrl-C.
    pub stopped: bool,
    /// What was accepted and became events, by source: their idempotency keys. Only if it is followed.
    pub keys: BTreeMap<Arc<str>, HashSet<String>>,
    pub followed: Option<Followed>,
}

impl Report {
    pub fn add(&mut self, sent: Sent) {
        self.sent += 1;
        self.late = self.late.max(sent.late);
        let Ok(answer) = sent.result else {
            self.unanswered += 1;
            return;
        };
        self.answers.add(sent.took);
        if !answer.status.is_success() {
            *self.refused.entry(answer.status.as_u16()).or_default() += 1;
            return;
        }
        self.accepted += 1;
        self.duplicates += u64::from(sent.shot.again);
        if !sent.keys.is_empty() {
            self.keys.entry(sent.shot.source.name.clone()).or_default().extend(sent.keys);
        }
    }

    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let seconds = self.took.as_secs_f64();
        let rate = if seconds > 0.0 { self.sent as f64 / seconds } else { 0.0 };
        let stopped = if self.stopped { format!(" of {}, then stopped", self.planned) } else { String::new() };
        let mut lines = vec![format!("sent        {}{stopped}, in {seconds:.1} s ({rate:.1}/s)", self.sent)];
        lines.push(match self.duplicates {
            0 => format!("accepted    {}", self.accepted),
            n => format!("accepted    {}, {} of them", self.accepted, count(n, "duplicate")),
        });
        lines.extend(self.refused.iter().map(|(status, n)| format!("refused     {n}: {status}")));
        if self.unanswered > 0 {
            lines.push(format!("no answer   {}", self.unanswered));
        }
        lines.push(format!("answers     {}", self.answers.words()));
        if self.late >= LATE_SHOWN {
            lines.push(format!("late        the latest was sent {} after it was due", span(self.late)));
        }
        lines.extend(self.followed.iter().flat_map(Followed::lines));
        lines
    }

    pub fn json(&self) -> Value {
        json!({
            "planned": self.planned,
            "sent": self.sent,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "unanswered": self.unanswered,
            "answers": self.answers.json(),
            "sent_late_max_us": micros(self.late),
            "took_us": micros(self.took),
            "stopped": self.stopped,
            "followed": self.followed.as_ref().map(Followed::json),
        })
    }
}

/// Below it a request was sent when it was due.
const LATE_SHOWN: Duration = Duration::from_millis(100);

/// Durations, kept each as it was measured: four bytes of microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<u32>);

impl Times {
    pub fn add(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// p50, p95, p99 and the longest; zeros of none.
    fn percentiles(&self) -> [Duration; 4] {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        [0.5, 0.95, 0.99, 1.0].map(|share: f64| {
            let rank = (sorted.len() as f64 * share).ceil() as usize;
            let us = sorted.get(rank.max(1) - 1).copied().unwrap_or(0);
            Duration::from_micros(u64::from(us))
        })
    }

    pub fn words(&self) -> String {
        let ms = |time: Duration| match time.as_secs_f64() * 1_000.0 {
            ms if ms < 10_000.0 => format!("{ms:.1} ms"),
            ms => format!("{:.1} s", ms / 1_000.0),
        };
        let [p50, p95, p99, max] = self.percentiles().map(ms);
        format!("p50 {p50}, p95 {p95}, p99 {p99}, max {max}")
    }

    pub fn json(&self) -> Value {
        let [p50, p95, p99, max] = self.percentiles().map(micros);
        json!({ "count": self.0.len(), "p50_us": p50, "p95_us": p95, "p99_us": p99, "max_us": max })
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut times = Times::default();
        (1..=200).rev().for_each(|ms| times.add(Duration::from_millis(ms)));
        assert_eq!(times.words(), "p50 100.0 ms, p95 190.0 ms, p99 198.0 ms, max 200.0 ms");
        assert_eq!(Times::default().words(), "p50 0.0 ms, p95 0.0 ms, p99 0.0 ms, max 0.0 ms");
    }
}
