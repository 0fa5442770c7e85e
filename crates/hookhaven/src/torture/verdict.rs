//! What a run of torture came to: the table, the JSON, and whether it holds.

use std::time::Duration;

use comfy_table::{Table, presets};
use serde::Serialize;

use super::ledger::{Breaches, Lost, Misjudged};

/// Two events under one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TwoEvents {
    pub number: u64,
    pub key: String,
    pub events: [String; 2],
}

/// How often the gateway was killed, by the moment it was meant to meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kills {
    /// Of several nodes the one that takes in.
    pub under_load: u64,
    pub at_start_up: u64,
    pub at_segment_roll: u64,
    /// Of several nodes those that deliver.
    pub of_workers: u64,
    /// Crashes of the database.
    pub of_store: u64,
}

impl Kills {
    pub fn all(self) -> u64 {
        self.under_load + self.at_start_up + self.at_segment_roll + self.of_workers + self.of_store
    }

    fn moments(self) -> String {
        let Kills { under_load, at_start_up, at_segment_roll, of_workers, of_store } = self;
        let mut moments = format!("{under_load} under load, ");
        for (count, what) in
            [(at_segment_roll, "at a segment's end"), (of_workers, "of workers"), (of_store, "of the database")]
        {
            if count > 0 {
                moments.push_str(&format!("{count} {what}, "));
            }
        }
        moments + &format!("{at_start_up} at start-up")
    }
}

/// From the start of a process on what the last one left to its taking requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Recovery {
    pub count: usize,
    pub p50_ms: f64,
    pub max_ms: f64,
}

impl Recovery {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let ms = |at: usize| times.get(at).map_or(0.0, |t| t.as_secs_f64() * 1_000.0);
        let last = times.len().saturating_sub(1);
        Recovery { count: times.len(), p50_ms: ms(last / 2), max_ms: ms(last) }
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    pub seed: u64,
    /// Nothing below was breached.
    pub holds: bool,
    pub requests: u64,
    /// Answered 200 for an event that was acknowledged before.
    pub repeats: u64,
    /// Forged, stale and wrongly signed ones, refused.
    pub refused: u64,
    /// Different events.
    pub acknowledged: u64,
    /// Acknowledged events that arrived everywhere they belong.
    pub delivered: u64,
    /// Allowed: delivery is at least once.
    pub delivered_more_than_once: u64,
    /// Must be 0.
    pub lost: Breaches<Lost>,
    /// Both must be 1.
    pub events_per_key_least: u64,
    pub events_per_key_most: u64,
    pub two_events: Breaches<TwoEvents>,
    /// Must be 0.
    pub misjudged: Breaches<Misjudged>,
    /// Deliveries and events that should not be: altered, badly signed, refused and yet there. Must be 0.
    pub strange: Breaches<String>,
    pub dead_letters_replayed: u64,
    pub kills: Kills,
    pub recovery: Recovery,
    /// What did not come to rest, or did not stop when told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
}

impl Verdict {
    pub fn of(seed: u64) -> Self {
        Verdict { seed, ..Verdict::default() }
    }

    /// Every breach, a line each.
    pub fn breaches(&self) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(self.stuck.clone());
        for lost in &self.lost.first {
            let event = lost.event.as_deref().unwrap_or("unknown to the gateway");
            let at = lost.missing_at.join(", ");
            all.push(format!(
                "lost: {event} (number {}, {} key {}), missing at: {at}",
                lost.number, lost.source, lost.key
            ));
        }
        for TwoEvents { number, key, events: [a, b] } in &self.two_events.first {
            all.push(format!("two events under one key: {a} and {b} (number {number}, key {key})"));
        }
        for Misjudged { number, source, kind, status } in &self.misjudged.first {
            all.push(format!("judged wrongly: number {number} of {source}, {kind}, was answered {status}"));
        }
        all.extend(self.strange.first.iter().map(|text| format!("should not be: {text}")));
        let shown =
            [self.lost.first.len(), self.two_events.first.len(), self.misjudged.first.len(), self.strange.first.len()];
        let counted = self.lost.count + self.two_events.count + self.misjudged.count + self.strange.count;
        let more = counted.saturating_sub(shown.iter().sum::<usize>() as u64);
        if more > 0 {
            all.push(format!("and {more} more"));
        }
        if self.acknowledged == 0 {
            all.push("nothing was acknowledged, so nothing was shown".to_owned());
        } else if (self.events_per_key_least, self.events_per_key_most) != (1, 1) && all.is_empty() {
            all.push("events per key are not 1".to_owned());
        }
        all
    }

    /// As a person reads it.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        let mut row = |name: &str, value: String, note: &str| {
            table.add_row([name.to_owned(), value, note.to_owned()]);
        };
        let must = |count: u64| if count == 0 { "must be 0" } else { "BREACH: must be 0" };
        row("requests", self.requests.to_string(), "signed events, duplicates, forgeries");
        row("  refused", self.refused.to_string(), "forged, stale, signed with a wrong secret");
        row("acknowledged", self.acknowledged.to_string(), "events that were answered 200");
        row("  duplicates", self.repeats.to_string(), "answered 200 again");
        row("delivered", self.delivered.to_string(), "to every destination, answered 200 there");
        row("  more than once", self.delivered_more_than_once.to_string(), "allowed; the same webhook-id");
        row("  dead, replayed", self.dead_letters_replayed.to_string(), "deliveries, when handlers were mended");
        row("lost", self.lost.count.to_string(), must(self.lost.count));
        let (least, most) = (self.events_per_key_least, self.events_per_key_most);
        let per_key = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let one = (least, most) == (1, 1);
        row("events per key", per_key, if one { "must be 1" } else { "BREACH: must be 1" });
        row("judged wrongly", self.misjudged.count.to_string(), must(self.misjudged.count));
        row("should not be", self.strange.count.to_string(), must(self.strange.count));
        row("kills", self.kills.all().to_string(), &self.kills.moments());
        let Recovery { count, p50_ms, max_ms } = self.recovery;
        row("recovery", format!("{p50_ms:.0} / {max_ms:.0} ms"), &format!("p50 / max of {count}"));
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Verdict {
        let one = 1;
        Verdict { acknowledged: 9, delivered: 9, events_per_key_least: one, events_per_key_most: one, ..Verdict::of(1) }
    }

    #[test]
    fn a_sound_run_has_no_breach_and_an_empty_one_has() {
        assert_eq!(sound().breaches(), Vec::<String>::new());
        assert_eq!(Verdict::of(1).breaches().len(), 1);
    }

    #[test]
    fn each_breach_is_told_with_its_ids() {
        let mut verdict = sound();
        let key = "evt_sender".to_owned();
        let (event, missing_at) = (Some("evt_a".to_owned()), vec!["billing"]);
        verdict.lost.add(Lost { number: 7, source: "stripe", key: key.clone(), event, missing_at });
        verdict.two_events.add(TwoEvents { number: 8, key, events: ["evt_b".into(), "evt_c".into()] });
        verdict.misjudged.add(Misjudged { number: 9, source: "slack", kind: "Forged".into(), status: 200 });
        verdict.strange.add("at sms: badly signed".to_owned());
        verdict.stuck = Some("3 deliveries are pending".to_owned());
        let told = verdict.breaches().join("\n");
        for part in ["evt_a", "billing", "evt_b and evt_c", "number 9 of slack", "at sms", "3 deliveries"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(verdict.table().to_string().contains("BREACH"));
        assert!(!sound().table().to_string().contains("BREACH"));
    }

    #[test]
    fn many_breaches_are_counted_and_the_first_told() {
        let mut verdict = sound();
        (0..50).for_each(|n| verdict.strange.add(format!("{n}")));
        let told = verdict.breaches();
        assert_eq!((told.len(), told.last().map(String::as_str)), (21, Some("and 30 more")));
    }

    #[test]
    fn recovery_is_told_by_its_middle_and_its_worst() {
        let ms = |all: &[u64]| Recovery::of(all.iter().map(|ms| Duration::from_millis(*ms)).collect());
        assert_eq!(ms(&[30, 10, 20]), Recovery { count: 3, p50_ms: 20.0, max_ms: 30.0 });
        assert_eq!(ms(&[]), Recovery::default());
    }
}
