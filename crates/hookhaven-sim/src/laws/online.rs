//! Laws that are judged while it happens: where attempts go, when, and how many at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use hookhaven_core::{Time, destination::BreakerPolicy};

/// How long after a breaker opened or a pause was acknowledged an attempt may still start that was claimed
/// before: a call into the store or two, slow ones.
const ON_ITS_WAY: Duration = Duration::from_secs(15);

/// What is under way, and what must not be.
#[derive(Debug, Default)]
pub struct Watch {
    next: u64,
    open: BTreeMap<u64, Open>,
    breakers: BTreeMap<(String, Arc<str>), Run>,
    /// Since when a destination is paused for certain.
    paused: BTreeMap<Arc<str>, Time>,
    /// When nodes last stood still, or the clock jumped, or leases were lost with the store's run.
    pub unsteady: Option<Time>,
}

#[derive(Clone, Debug)]
struct Open {
    node: String,
    event: String,
    destination: Arc<str>,
    /// Its node is dead, or stands still: what it sent is on its way all the same.
    orphaned: bool,
}

/// A row of failures at one destination, as one node saw it.
#[derive(Debug, Default)]
struct Run {
    failures: u32,
    events: BTreeSet<String>,
    /// When there were failures enough. A breaker counts deliveries, of which an event may have several; so
    /// it opened between this and the next.
    may_have_opened: Option<Time>,
    opened: Option<Time>,
    /// Something was mended at the destination, which may have cut its rest: this row tells nothing more.
    forgiven: bool,
}

/// An attempt as a handler sees it.
#[derive(Clone, Debug)]
pub struct Start {
    pub node: String,
    pub event: String,
    pub destination: Arc<str>,
    pub at: Time,
    /// How long a session lives.
    pub session_ttl: Duration,
    pub breaker: BreakerPolicy,
}

impl Watch {
    /// An attempt starts. Answers its number here, and the laws that it breaks.
    pub fn starts(&mut self, start: &Start) -> (u64, Vec<String>) {
        let mut broken = Vec::new();
        let steady = self.unsteady.is_none_or(|at| at.plus(start.session_ttl * 2) < start.at);
        let same = |open: &&Open| open.event == start.event && open.destination == start.destination;
        if steady && let Some(other) = self.open.values().filter(same).find(|open| !open.orphaned) {
            broken.push(format!("one-holder: {} and {} both attempt {}", other.node, start.node, start.event));
        }
        if let Some(since) = self.paused.get(&start.destination)
            && steady
            && since.plus(ON_ITS_WAY) < start.at
        {
            broken.push(format!("pause: {} is paused since {since} and attempted at {}", start.destination, start.at));
        }
        let run = self.breakers.get(&(start.node.clone(), start.destination.clone()));
        let rests = run.filter(|run| !run.forgiven).and_then(|run| run.may_have_opened.zip(run.opened));
        if let Some((earliest, opened)) = rests
            && opened.plus(ON_ITS_WAY) < start.at
            && start.at < earliest.plus(start.breaker.rest)
        {
            broken
                .push(format!("breaker: {} rests since {opened} and is attempted at {}", start.destination, start.at));
        }
        self.next += 1;
        let (node, event, destination) = (start.node.clone(), start.event.clone(), start.destination.clone());
        self.open.insert(self.next, Open { node, event, destination, orphaned: false });
        (self.next, broken)
    }

    /// An attempt ended with an answer; `failing` is what a breaker counts.
    pub fn answered(&mut self, start: &Start, failing: bool, at: Time) {
        let run = self.breakers.entry((start.node.clone(), start.destination.clone())).or_default();
        if !failing {
            *run = Run::default();
            return;
        }
        run.failures += 1;
        run.events.insert(start.event.clone());
        let enough = run.failures >= start.breaker.failures.get();
        if enough {
            run.may_have_opened.get_or_insert(at);
        }
        if enough && run.events.len() >= usize::try_from(start.breaker.deliveries.get()).unwrap_or(usize::MAX) {
            run.opened.get_or_insert(at);
        }
    }

    /// It is under way no more, however it ended.
    pub fn over(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// Whether a node has anything under way.
    pub fn is_busy(&self, node: &str) -> bool {
        self.open.values().any(|open| open.node == node)
    }

    /// Whether another node attempts what this one has under way.
    pub fn is_contested(&self, node: &str) -> bool {
        let (ours, others): (Vec<_>, Vec<_>) = self.open.values().partition(|open| open.node == node);
        ours.iter().any(|a| others.iter().any(|b| a.event == b.event && a.destination == b.destination))
    }

    /// What a node has under way counts for nothing any more.
    pub fn orphan(&mut self, node: &str) {
        for open in self.open.values_mut().filter(|open| open.node == node) {
            open.orphaned = true;
        }
    }

    /// `None`: it may be attempted again, from now on.
    pub fn set_paused(&mut self, destination: &Arc<str>, since: Option<Time>) {
        self.forgive(destination);
        match since {
            Some(at) => self.paused.insert(destination.clone(), at),
            None => self.paused.remove(destination),
        };
    }

    /// Something was mended at a destination: no rest is owed to it.
    pub fn forgive(&mut self, destination: &Arc<str>) {
        for (_, run) in self.breakers.iter_mut().filter(|((_, of), _)| of == destination) {
            run.forgiven = true;
        }
    }
}
