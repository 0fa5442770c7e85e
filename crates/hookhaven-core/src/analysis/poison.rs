//! Poison: an event that fails at every attempt while others are delivered. More attempts will not help it, and
//! nothing but the event is wrong.

use std::collections::BTreeMap;

use super::{
    Case, Cause, EVENTS_MIN, FAILURES_MIN, Finding, Observed, SHARE_MIN, Scope, examples, kinds::Kind, tally::Tally,
    words,
};
use crate::attempt::ErrorClass;

/// Of the attempts of others meanwhile so many must be known, and such a share must have succeeded.
const OTHERS_MIN: usize = 10;
const OTHERS_FINE_MIN: f64 = 0.8;

/// One finding an event, where it is not several events: those have something in common.
pub(super) fn look<'a>(case: &Case<'a>, rest: &mut Vec<&'a Observed>) -> Vec<Finding> {
    let mut of_event: BTreeMap<_, Vec<&Observed>> = BTreeMap::new();
    rest.iter().for_each(|o| of_event.entry(o.event).or_default().push(o));
    let poisoned: Vec<_> = of_event.into_values().filter(|tries| is_poison(tries, rest)).collect();
    if poisoned.len() >= EVENTS_MIN {
        return Vec::new();
    }
    rest.retain(|o| poisoned.iter().all(|tries| tries[0].event != o.event));
    poisoned.iter().map(|tries| finding(case, tries)).collect()
}

fn is_poison(tries: &[&Observed], all: &[&Observed]) -> bool {
    let (Some(first), Some(last)) = (tries.first(), tries.last()) else { return false };
    // Where no request came about, the event cannot be at fault.
    let reached = |o: &&Observed| {
        use ErrorClass::{Http4xx, Http5xx, Protocol, Timeout};
        matches!(o.class, Http4xx | Http5xx | Protocol | Timeout)
    };
    if tries.len() < FAILURES_MIN || !tries.iter().all(reached) {
        return false;
    }
    let meanwhile =
        |o: &&&Observed| o.event != first.event && o.started_at >= first.started_at && o.started_at <= last.started_at;
    let others: Vec<_> = all.iter().filter(meanwhile).copied().collect();
    let fine = Tally::of(&others, |o| !o.failed());
    fine.attempts >= OTHERS_MIN && fine.share() >= OTHERS_FINE_MIN && !is_common(last, all)
}

/// Whether others of its type fail in the same way: then it is the type, or the handler.
fn is_common(one: &Observed, all: &[&Observed]) -> bool {
    let alike = |o: &&Observed| o.event != one.event && o.event_type == one.event_type;
    let alike: Vec<_> = all.iter().copied().filter(alike).collect();
    Tally::of(&alike, |o| Kind::of(o) == Kind::of(one)).share() >= SHARE_MIN
}

fn finding(case: &Case<'_>, tries: &[&Observed]) -> Finding {
    let (first, last) = (tries[0], tries[tries.len() - 1]);
    let what = words::mostly(tries).unwrap_or_default();
    let sentence = format!(
        "{} fails one event at every attempt, {}, of type {} from {}, while others are delivered: {what} since {}.",
        words::name(case.name),
        first.event,
        words::name(&first.event_type),
        words::name(&first.source),
        words::clock(first.started_at, case.now),
    );
    let mut evidence = vec![format!(
        "{} attempts from {} to {}, none succeeded",
        tries.len(),
        words::clock(first.started_at, case.now),
        words::clock(last.started_at, case.now)
    )];
    evidence.extend(words::errors(tries));
    Finding {
        cause: Cause::PoisonEvent,
        destination: case.name.clone(),
        scope: Some(Scope::Event(first.event)),
        since: Some(first.started_at),
        until: None,
        failures: tries.len(),
        attempts: tries.len(),
        sentence,
        evidence,
        mend: format!(
            "look at what it holds (`hookhaven why {}`); mend the handler and replay it, or dismiss it",
            first.event
        ),
        suggestions: Vec::new(),
        examples: examples(tries),
    }
}
