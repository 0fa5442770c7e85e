//! What alerts are judged by: the few counters that rules look at, in a form that can be read back. Prometheus' own
//! can be written and shown only.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hookhaven_core::alert::{ANSWER_BUCKETS_S, Labels, Metric};

use super::{Metrics, OfAlert, OfTelling};

type Pair = (Arc<str>, Arc<str>);

/// Counters since the start. Sources and destinations come from the configuration, so they are bounded.
#[derive(Debug, Default)]
pub struct Tallies {
    answers: [AtomicU64; ANSWER_BUCKETS_S.len() + 1],
    invalid: Mutex<HashMap<Arc<str>, u64>>,
    pairs: Mutex<HashMap<Pair, OfPair>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfPair {
    attempts: u64,
    failed: u64,
    deadlines_missed: u64,
}

impl Tallies {
    pub(super) fn answered(&self, took: Duration) {
        let took_s = took.as_secs_f64();
        let bucket = ANSWER_BUCKETS_S.iter().position(|bound| took_s <= *bound).unwrap_or(ANSWER_BUCKETS_S.len());
        self.answers[bucket].fetch_add(1, Relaxed);
    }

    pub(super) fn invalid(&self, source: &Arc<str>) {
        let mut invalid = self.invalid.lock().unwrap_or_else(PoisonError::into_inner);
        *invalid.entry(source.clone()).or_default() += 1;
    }

    pub(super) fn attempt(&self, source: &Arc<str>, destination: &Arc<str>, failed: bool) {
        self.pair(source, destination, |pair| {
            pair.attempts += 1;
            pair.failed += u64::from(failed);
        });
    }

    pub(super) fn deadline_missed(&self, source: &Arc<str>, destination: &Arc<str>) {
        self.pair(source, destination, |pair| pair.deadlines_missed += 1);
    }

    fn pair(&self, source: &Arc<str>, destination: &Arc<str>, count: impl FnOnce(&mut OfPair)) {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        count(pairs.entry((source.clone(), destination.clone())).or_default());
    }

    /// Every counter as it stands.
    pub fn read(&self, mut each: impl FnMut(Metric, &Labels, &[u64])) {
        let answers: Vec<u64> = self.answers.iter().map(|count| count.load(Relaxed)).collect();
        each(Metric::AnswerP95, &Labels::default(), &answers);
        let invalid = self.invalid.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (source, count) in &invalid {
            each(Metric::SignaturesInvalid, &Labels::source(source), &[*count]);
        }
        let pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((source, destination), of) in &pairs {
            let labels = Labels { source: source.to_string(), ..Labels::destination(destination) };
            each(Metric::DeadlinesMissed, &labels, &[of.deadlines_missed, of.attempts]);
            each(Metric::AttemptsFailed, &labels, &[of.failed, of.attempts]);
        }
    }
}

/// What alerts count and show.
impl Metrics {
    pub fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// How many alerts fire, by rule and severity; rules that are not named fire no more.
    pub fn alerts_firing(&self, all: &[(String, &'static str, usize)]) {
        self.alerts_firing.clear();
        for (rule, severity, count) in all {
            let of = OfAlert { rule: rule.clone(), severity };
            self.alerts_firing.get_or_create(&of).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }

    /// A try to tell a channel is over. `outcome`: `told`, `retry` or `failed`.
    pub fn alert_telling(&self, channel: &str, outcome: &'static str) {
        self.alert_tellings.get_or_create(&OfTelling { channel: channel.to_owned(), outcome }).inc();
    }
}
