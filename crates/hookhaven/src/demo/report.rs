//! The demo's ending: what was sent, what became of it, and how long it took.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use comfy_table::{Table, presets};
use http::StatusCode;

use super::{handler::Done, plan::Kind, send::Sent};

/// Everything the table is made from.
#[derive(Debug)]
pub struct Outcome {
    pub sent: Vec<Sent>,
    /// The gateway's event id, by source and the sender's id.
    pub events: HashMap<(String, String), String>,
    /// What the handler answered with 200, by event id.
    pub done: HashMap<String, Done>,
    /// Until then the handler was up.
    pub killed_at: Instant,
    pub retried: u64,
    pub dead: u64,
    pub replayed: u64,
    /// Requests refused, by the reason the gateway logged.
    pub refusals: BTreeMap<String, u64>,
}

/// The verdict.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Distinct events that were answered 200.
    pub acknowledged: usize,
    pub delivered: usize,
    /// Acknowledged and never delivered; must be 0.
    pub lost: usize,
    /// Requests that should have been refused and were not, or the other way round; must be 0.
    pub misjudged: usize,
}

impl Outcome {
    pub fn verdict(&self) -> Verdict {
        let acknowledged = self.acknowledged();
        let delivered = acknowledged.iter().filter(|key| self.done(key).is_some()).count();
        let misjudged = self.sent.iter().filter(|s| (s.status == StatusCode::OK) != accepted(s.kind)).count();
        Verdict { acknowledged: acknowledged.len(), delivered, lost: acknowledged.len() - delivered, misjudged }
    }

    fn acknowledged(&self) -> BTreeSet<(&'static str, &str)> {
        let good = self.sent.iter().filter(|s| s.status == StatusCode::OK);
        good.map(|s| (s.source, s.key.as_str())).collect()
    }

    fn done(&self, (source, key): &(&'static str, &str)) -> Option<Done> {
        let id = self.events.get(&((*source).to_owned(), (*key).to_owned()))?;
        self.done.get(id).copied()
    }

    pub fn table(&self) -> Table {
        let verdict = self.verdict();
        let answers = self.sent.iter().map(|s| s.took).collect();
        let repeats = self.sent.iter().filter(|s| s.status == StatusCode::OK).count() - verdict.acknowledged;
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        let mut row = |name: &str, value: String, note: &str| {
            table.add_row([name.to_owned(), value, note.to_owned()]);
        };
        row("requests sent", self.sent.len().to_string(), "by four senders and some who are not");
        for (reason, count) in &self.refusals {
            row("  refused", count.to_string(), reason);
        }
        row("events received", verdict.acknowledged.to_string(), "verified, on disk, answered 200");
        row("  duplicates", repeats.to_string(), "answered the same, stored once");
        row("delivered", verdict.delivered.to_string(), "the handler answered 200");
        row("  retried", self.retried.to_string(), "attempts after a failure or while it was down");
        row("  dead, replayed", format!("{}, {}", self.dead, self.replayed), "refused until the handler was mended");
        row("lost", verdict.lost.to_string(), "");
        row("answer", percentiles(answers), "p50 / p99, as the sender saw it");
        row("end to end", percentiles(self.end_to_end()), "p50 / p99, first tries while the handler was up");
        table
    }

    /// From sending to the handler's 200, of events that came while it was up and went at the first try.
    fn end_to_end(&self) -> Vec<Duration> {
        let up = |s: &&Sent| s.kind == Kind::Good && s.status == StatusCode::OK && s.at < self.killed_at;
        let took = |s: &Sent| {
            let done = self.done(&(s.source, &s.key)).filter(|done| done.first_try && done.at < self.killed_at)?;
            Some(done.at.saturating_duration_since(s.at))
        };
        self.sent.iter().filter(up).filter_map(took).collect()
    }
}

/// Whether a request of this kind must be answered 200.
fn accepted(kind: Kind) -> bool {
    matches!(kind, Kind::Good | Kind::Repeat)
}

fn percentiles(mut all: Vec<Duration>) -> String {
    all.sort();
    let at = |share: f64| match all.len() {
        0 => "-".to_owned(),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the list")]
        n => format!("{:.1} ms", all[((n - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3),
    };
    format!("{} / {}", at(0.5), at(0.99))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(key: &str, kind: Kind, status: u16) -> Sent {
        let status = StatusCode::from_u16(status).unwrap();
        Sent { source: "stripe", key: key.to_owned(), kind, status, took: Duration::ZERO, at: Instant::now() }
    }

    fn outcome(sent: Vec<Sent>, done: &[&str]) -> Outcome {
        let handled = Done { at: Instant::now(), first_try: true };
        let event = |s: &Sent| (("stripe".to_owned(), s.key.clone()), format!("evt_{}", s.key));
        Outcome {
            events: sent.iter().map(event).collect(),
            done: done.iter().map(|key| (format!("evt_{key}"), handled)).collect(),
            killed_at: Instant::now(),
            sent,
            retried: 0,
            dead: 0,
            replayed: 0,
            refusals: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_acknowledged_and_not_delivered_is_lost() {
        let sent = vec![sent("a", Kind::Good, 200), sent("a", Kind::Repeat, 200), sent("b", Kind::Good, 200)];
        let verdict = outcome(sent, &["a"]).verdict();
        assert_eq!(verdict, Verdict { acknowledged: 2, delivered: 1, lost: 1, misjudged: 0 });
    }

    #[test]
    fn a_forgery_that_got_in_and_an_event_that_did_not_are_misjudged() {
        let sent = vec![sent("a", Kind::Forged, 200), sent("b", Kind::Good, 401), sent("c", Kind::Stale, 401)];
        assert_eq!(outcome(sent, &["a"]).verdict().misjudged, 2);
    }
}
