//! Failures that come back at the same hours, day after day: a backup, a batch, a restart by plan.
//!
//! The day is divided into half hours, in UTC, and laid upon the others. It takes two days to see one.

use std::collections::BTreeMap;

use super::{
    Case, Cause, EVENTS_MIN, FAILURES_MIN, Finding, Observed, events, examples,
    tally::{Tally, gain, tells},
    who, words,
};

const SLOT_S: i64 = 1_800;
const SLOTS: usize = 48;
/// Half hours that a window may have: what lasts longer is not a time of day.
const WINDOW_SLOTS_MAX: usize = 12;
/// Days on which it must have failed, and the share of days with attempts in the window that they must be.
const DAYS_MIN: usize = 2;
const DAYS_SHARE_MIN: f64 = 0.6;
/// Failures of one day that make it one on which it failed.
const DAY_FAILURES_MIN: usize = 3;
/// The share of all failures that the window must hold.
const COVERED_MIN: f64 = 0.8;

/// A time of day: so many half hours from one on.
#[derive(Clone, Copy)]
struct Window {
    first: usize,
    slots: usize,
}

pub(super) fn look<'a>(case: &Case<'a>, rest: &mut Vec<&'a Observed>) -> Vec<Finding> {
    let whole = Tally::of(rest, Observed::failed);
    let Some((window, gained)) = best(rest, whole) else { return Vec::new() };
    // A type or source that comes at those hours only, and always fails, is the better explanation.
    if who::find(rest, Observed::failed).is_some_and(|hit| hit.gain >= gained) {
        return Vec::new();
    }
    let (inside, outside): (Vec<&Observed>, Vec<&Observed>) = rest.iter().partition(|o| window.day(o).is_some());
    let failed: Vec<_> = inside.iter().copied().filter(|o| o.failed()).collect();
    if events(&failed) < EVENTS_MIN {
        return Vec::new();
    }
    *rest = outside;
    vec![finding(case, window, &inside, &failed, Tally::of(rest, Observed::failed))]
}

fn best(attempts: &[&Observed], whole: Tally) -> Option<(Window, f64)> {
    if whole.failures < FAILURES_MIN {
        return None;
    }
    let mut slots = [Tally::default(); SLOTS];
    attempts.iter().for_each(|o| slots[slot(o)].add(o.failed()));
    let mut best: Option<(Window, f64)> = None;
    for first in 0..SLOTS {
        let mut inside = Tally::default();
        for slots_in in 1..=WINDOW_SLOTS_MAX {
            let added = slots[(first + slots_in - 1) % SLOTS];
            inside.attempts += added.attempts;
            inside.failures += added.failures;
            let covers = inside.failures as f64 >= COVERED_MIN * whole.failures as f64;
            let gained = gain(inside, whole);
            if covers && tells(inside, whole) && best.is_none_or(|(_, most)| gained > most) {
                best = Some((Window { first, slots: slots_in }, gained));
            }
        }
    }
    best.filter(|(window, _)| window.comes_back(attempts))
}

fn slot(o: &Observed) -> usize {
    (o.started_at.as_s().rem_euclid(86_400) / SLOT_S) as usize % SLOTS
}

impl Window {
    /// On which day's window an attempt was made, if in one.
    fn day(self, o: &Observed) -> Option<i64> {
        let into = (slot(o) + SLOTS - self.first) % SLOTS;
        let start = self.first as i64 * SLOT_S;
        (into < self.slots).then(|| (o.started_at.as_s() - start).div_euclid(86_400))
    }

    fn days(self, attempts: &[&Observed]) -> BTreeMap<i64, Tally> {
        let mut days: BTreeMap<i64, Tally> = BTreeMap::new();
        for o in attempts {
            if let Some(day) = self.day(o) {
                days.entry(day).or_default().add(o.failed());
            }
        }
        days
    }

    fn comes_back(self, attempts: &[&Observed]) -> bool {
        let days = self.days(attempts);
        let failed = days.values().filter(|day| day.failures >= DAY_FAILURES_MIN).count();
        failed >= DAYS_MIN && failed as f64 >= DAYS_SHARE_MIN * days.len() as f64
    }

    fn text(self) -> String {
        let clock = |slot: usize| format!("{:02}:{:02}", slot % SLOTS / 2, slot % 2 * 30);
        format!("between {} and {}", clock(self.first), clock(self.first + self.slots))
    }
}

fn finding(case: &Case<'_>, window: Window, inside: &[&Observed], failed: &[&Observed], outside: Tally) -> Finding {
    let days = window.days(inside);
    let bad = days.values().filter(|day| day.failures >= DAY_FAILURES_MIN).count();
    let all = failed.len() + outside.failures;
    let sentence = format!(
        "{} of the failures of {} come {} (UTC), on {bad} of {} days: {}.",
        words::percent(failed.len(), all),
        words::name(case.name),
        window.text(),
        days.len(),
        words::mostly(failed).unwrap_or_default(),
    );
    let mut evidence = vec![format!(
        "in those hours {} attempts failed, at all others {}",
        words::counted(failed.len(), inside.len()),
        words::counted(outside.failures, outside.attempts)
    )];
    evidence.extend(words::errors(failed));
    Finding {
        cause: Cause::DailyWindow,
        destination: case.name.clone(),
        scope: None,
        since: None,
        until: None,
        failures: failed.len(),
        attempts: inside.len(),
        sentence,
        evidence,
        mend:
            "find what runs at those hours where the handler runs (a backup, a batch, a restart by plan) and move it; \
               or have the route's `retry` reach past the end of them"
                .to_owned(),
        suggestions: Vec::new(),
        examples: examples(failed),
    }
}
