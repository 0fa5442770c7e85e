//! Whom a failure hits: one type of events, or one source, while everything else is delivered.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Observed, Scope,
    tally::{Tally, gain, tells},
};

/// A scope, and how well it explains.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub scope: Scope,
    pub gain: f64,
}

impl Scope {
    pub(super) fn holds(&self, o: &Observed) -> bool {
        match self {
            Scope::Type(name) => o.event_type == *name,
            Scope::Source(name) => o.source == *name,
            Scope::Event(id) => o.event == *id,
        }
    }
}

/// The type or source that explains best; a type rather than a source where both do equally.
pub(super) fn find(attempts: &[&Observed], failed: impl Fn(&Observed) -> bool) -> Option<Hit> {
    let whole = Tally::of(attempts, &failed);
    let types = tallies(attempts, &failed, |o| &o.event_type).map(|(name, part)| (Scope::Type(name), part));
    let sources = tallies(attempts, &failed, |o| &o.source).map(|(name, part)| (Scope::Source(name), part));
    let mut best: Option<Hit> = None;
    for (scope, inside) in types.chain(sources) {
        let gain = gain(inside, whole);
        if tells(inside, whole) && best.as_ref().is_none_or(|b| gain > b.gain) {
            best = Some(Hit { scope, gain });
        }
    }
    best
}

fn tallies<'a>(
    attempts: &[&'a Observed],
    failed: impl Fn(&Observed) -> bool,
    name: impl Fn(&'a Observed) -> &'a Arc<str>,
) -> impl Iterator<Item = (Arc<str>, Tally)> {
    let mut all: BTreeMap<&Arc<str>, Tally> = BTreeMap::new();
    attempts.iter().for_each(|o| all.entry(name(o)).or_default().add(failed(o)));
    all.into_iter().map(|(name, tally)| (name.clone(), tally)).collect::<Vec<_>>().into_iter()
}
