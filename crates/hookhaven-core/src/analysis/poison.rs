//! Poison: an event that fails at every attempt while others are delivered. More attempts will not help it, and
//! nothing but the event is wrong.

use std::collections::BTreeMap;

use super::{
    Case, Cause, EVENTS_MIN, FAILURES_MIN, Finding, Observed, SHARE_MIN, Scope, examples, kinds::Kind, tally::Tally,
    words,
};
use crate::{attempt::ErrorClass, time::Time};

/// Of the attempts of others meanwhile so many must be known, and such a share must have succeeded.
const OTHERS_MIN: usize = 10;
const OTHERS_FINE_MIN: f64 = 0.8;

/// One finding an event, where it is not several events: those have something in common.
pub(super) fn look<'a>(case: &Case<'a>, rest: &mut Vec<&'a Observed>) -> Vec<Finding> {
    let mut of_event: BTreeMap<_, Vec<&Observed>> = BTreeMap::new();
    rest.iter().for_each(|o| of_event.entry(o.event).or_default().push(o));
    let all = All::of(rest);
    let poisoned: Vec<_> = of_event.into_values().filter(|tries| all.has_poison(tries)).collect();
    if poisoned.len() >= EVENTS_MIN {
        return Vec::new();
    }
    rest.retain(|o| poisoned.iter().all(|tries| tries[0].event != o.event));
    poisoned.iter().map(|tries| finding(case, tries)).collect()
}

/// All attempts, counted so that each event is held against the others at once.
struct All<'a> {
    times: Vec<Time>,
    /// How many of the first `i` succeeded.
    fine: Vec<usize>,
    /// Of each type, the attempts, and the failures of each kind.
    types: BTreeMap<&'a str, usize>,
    kinds: BTreeMap<(&'a str, Kind), usize>,
}

impl<'a> All<'a> {
    fn of(attempts: &[&'a Observed]) -> Self {
        let times = attempts.iter().map(|o| o.started_at).collect();
        let mut all = All { times, fine: vec![0], types: BTreeMap::new(), kinds: BTreeMap::new() };
        let mut fine = 0;
        for o in attempts {
            fine += usize::from(!o.failed());
            all.fine.push(fine);
            *all.types.entry(&o.event_type).or_default() += 1;
            if let Some(kind) = Kind::of(o) {
                *all.kinds.entry((&o.event_type, kind)).or_default() += 1;
            }
        }
        all
    }

    fn has_poison(&self, tries: &[&'a Observed]) -> bool {
        // Where no request came about, the event cannot be at fault.
        let reached = |o: &&Observed| {
            use ErrorClass::{Http4xx, Http5xx, Protocol, Timeout};
            matches!(o.class, Http4xx | Http5xx | Protocol | Timeout)
        };
        tries.len() >= FAILURES_MIN
            && tries.iter().all(reached)
            && self.others_are_fine(tries)
            && !self.is_common(tries)
    }

    /// From its first attempt to its last, others were delivered.
    fn others_are_fine(&self, tries: &[&Observed]) -> bool {
        let (Some(first), Some(last)) = (tries.first(), tries.last()) else { return false };
        let from = self.times.partition_point(|at| *at < first.started_at);
        let to = self.times.partition_point(|at| *at <= last.started_at);
        let fine = Tally { attempts: to - from - tries.len(), failures: self.fine[to] - self.fine[from] };
        fine.attempts >= OTHERS_MIN && fine.share() >= OTHERS_FINE_MIN
    }

    /// Whether others of its type fail in the same way: then it is the type, or the handler.
    fn is_common(&self, tries: &[&'a Observed]) -> bool {
        let Some((last, kind)) = tries.last().and_then(|o| Some((o, Kind::of(o)?))) else { return false };
        let of_type = self.types.get(&*last.event_type).copied().unwrap_or(0);
        let of_kind = self.kinds.get(&(&*last.event_type, kind)).copied().unwrap_or(0);
        let own = tries.iter().filter(|o| Kind::of(o) == Some(kind)).count();
        let others = Tally { attempts: of_type - tries.len(), failures: of_kind - own };
        others.share() >= SHARE_MIN
    }
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
