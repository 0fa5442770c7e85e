//! All rules at one moment: what changes, and what of it is told. The state machine of alerts.
//!
//! *Pending* while the condition holds and has not held for the rule's `hold`; *firing* from then on; *ended* once it
//! has not held for the rule's `clear`. A firing alert is told once, again when it has grown (rules with `again`),
//! and as a reminder after each `repeat`; its end is told if it was told. What is silenced is not told that it
//! fires, and is told once the silence is over and it still does. No more than `per_minute_max` things are told in a
//! minute, pages first: the rest waits, and what is over before its turn is never told.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    episode::{Episode, Kind},
    figure::{Figure, gather},
    rule::Rule,
    silence::Silence,
};
use crate::time::Time;

const MINUTE: Duration = Duration::from_secs(60);
/// A wait as long as this is kept where a restart does not forget it.
const KEPT_WAIT: Duration = Duration::from_secs(300);

/// Rule and scope.
type Key = (String, String);

/// What all nodes know, by rule and scope.
pub type Known = BTreeMap<Key, Episode>;

/// How alerts are configured.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    pub rules: &'a [Rule],
    pub silences: &'a [Silence],
    /// Between reminders that an alert still fires.
    pub repeat: Duration,
    /// Told in a minute, over all rules.
    pub per_minute_max: usize,
}

/// What could be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    Everything,
    /// The store did not say: what it knows is not known now, and such alerts stay as they are.
    LocalOnly,
}

/// What is to be done about one rule in one scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// As it is from now on; what is told is not yet among its tellings.
    pub episode: Episode,
    /// To be told first.
    pub tell: Option<Kind>,
    /// It never fired and does not wait any more: nothing of it need be kept.
    pub forget: bool,
}

/// What this node has seen by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Watch {
    pub value: f64,
    pub holds_since: Option<Time>,
    clear_since: Option<Time>,
    peak: f64,
}

/// The memory of one node between looks.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    watches: BTreeMap<Key, Watch>,
}

impl Watching {
    /// What is to be done now. Asked again with the same figures and the same `now`, it answers the same for what
    /// is known by then.
    pub fn look(
        &mut self,
        setup: &Setup<'_>,
        figures: &[Figure],
        known: &Known,
        sight: Sight,
        now: Time,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut seen: BTreeSet<Key> = BTreeSet::new();
        let enabled = || setup.rules.iter().filter(|rule| rule.enabled);
        for rule in enabled() {
            if sight == Sight::LocalOnly && !rule.metric.is_local() {
                let rest = self.watches.keys().chain(known.keys()).filter(|key| key.0 == *rule.name);
                seen.extend(rest.cloned());
                continue;
            }
            let values = gather(figures, rule.metric, rule.window, rule.per);
            let mut scopes: BTreeSet<&str> = values.keys().copied().collect();
            scopes.extend(known.keys().filter(|key| key.0 == *rule.name).map(|key| &*key.1));
            for scope in scopes {
                let key = (rule.name.to_string(), scope.to_owned());
                let watch = self.watches.entry(key.clone()).or_default();
                let silenced = setup.silences.iter().any(|silence| silence.covers(&rule.name, scope, now));
                let one = One { rule, scope, value: values.get(scope).copied(), silenced, repeat: setup.repeat, now };
                changes.extend(one.step(watch, known.get(&key)));
                seen.insert(key);
            }
        }
        // What nobody has figures of any more is calm.
        self.watches.retain(|key, _| seen.contains(key));
        let gone = known.iter().filter(|(key, _)| !seen.contains(*key));
        changes.extend(gone.filter_map(|(_, episode)| without_rule(episode, now)));
        cap(changes, known, setup.per_minute_max, now)
    }

    /// What this node sees of each rule and scope whose condition holds.
    pub fn holding(&self) -> impl Iterator<Item = (&str, &str, &Watch)> {
        let holding = self.watches.iter().filter(|(_, watch)| watch.holds_since.is_some());
        holding.map(|((rule, scope), watch)| (&**rule, &**scope, watch))
    }
}

/// One rule in one scope at one moment.
struct One<'a> {
    rule: &'a Rule,
    scope: &'a str,
    value: Option<f64>,
    silenced: bool,
    repeat: Duration,
    now: Time,
}

impl One<'_> {
    fn step(&self, watch: &mut Watch, known: Option<&Episode>) -> Option<Change> {
        let holds = self.rule.holds(self.value);
        watch.value = self.value.unwrap_or_default();
        if holds {
            watch.holds_since.get_or_insert(self.now);
            watch.clear_since = None;
            watch.peak = watch.peak.max(watch.value);
        } else {
            watch.holds_since = None;
            watch.clear_since.get_or_insert(self.now);
        }
        match known.filter(|episode| episode.is_firing()) {
            Some(episode) if holds => self.told_again(watch, episode),
            Some(episode) => self.ended(watch, episode),
            None => self.fired(watch, known),
        }
    }

    fn fired(&self, watch: &mut Watch, known: Option<&Episode>) -> Option<Change> {
        let before = known.cloned().unwrap_or_else(|| Episode::none(self.rule, self.scope));
        let Some(holds_since) = watch.holds_since else {
            watch.peak = 0.0;
            // The wait was in vain.
            before.pending_since?;
            let forget = before.number == 0;
            return Some(Change { episode: Episode { pending_since: None, ..before }, tell: None, forget });
        };
        let since = before.pending_since.map_or(holds_since, |kept| kept.min(holds_since));
        if self.now.since(since) >= self.rule.hold {
            let episode = before.next(self.rule, watch.value, watch.peak, self.now);
            let tell = (!self.silenced).then_some(Kind::Fired);
            return Some(Change { episode, tell, forget: false });
        }
        if self.rule.hold < KEPT_WAIT || before.pending_since.is_some() {
            return None;
        }
        let episode = Episode { pending_since: Some(since), ..before };
        Some(Change { episode, tell: None, forget: false })
    }

    fn told_again(&self, watch: &Watch, episode: &Episode) -> Option<Change> {
        let tell = match episode.last_told() {
            _ if self.silenced => return None,
            _ if episode.told == 0 => Kind::Fired,
            Some(last) if self.now.since(last.at) >= self.repeat => Kind::Repeated,
            Some(last) => {
                let again = self.rule.again.filter(|again| self.now.since(last.at) >= *again);
                again.filter(|_| watch.value > last.value)?;
                Kind::Grown
            }
            None => return None,
        };
        let (value, peak) = (watch.value, episode.peak.max(watch.peak));
        let episode = Episode { value, peak, ..episode.clone() };
        Some(Change { episode, tell: Some(tell), forget: false })
    }

    /// Told even if it is silenced: somebody was told that it fires, and may wait for this.
    fn ended(&self, watch: &mut Watch, episode: &Episode) -> Option<Change> {
        let clear_since = watch.clear_since?;
        if self.now.since(clear_since) < self.rule.clear {
            return None;
        }
        let (value, peak) = (watch.value, episode.peak.max(watch.peak));
        let episode = Episode { ended_at: Some(self.now), pending_since: None, value, peak, ..episode.clone() };
        let tell = (episode.told > 0).then_some(Kind::Ended);
        Some(Change { episode, tell, forget: false })
    }
}

/// Its rule was switched off or taken out, or was never there on this node.
fn without_rule(episode: &Episode, now: Time) -> Option<Change> {
    if episode.is_firing() {
        let tell = (episode.told > 0).then_some(Kind::Ended);
        let episode = Episode { ended_at: Some(now), pending_since: None, ..episode.clone() };
        return Some(Change { episode, tell, forget: false });
    }
    episode.pending_since?;
    let forget = episode.number == 0;
    Some(Change { episode: Episode { pending_since: None, ..episode.clone() }, tell: None, forget })
}

/// Leaves out what would be too much in one minute. What fires does so all the same and is told later; the rest
/// stays as it was.
fn cap(mut changes: Vec<Change>, known: &Known, per_minute_max: usize, now: Time) -> Vec<Change> {
    let lately = |episode: &Episode| episode.tellings.iter().filter(|told| now.since(told.at) < MINUTE).count();
    let mut left = per_minute_max.saturating_sub(known.values().map(lately).sum());
    changes.sort_by_key(|change| {
        let reminder = matches!(change.tell, Some(Kind::Repeated));
        (reminder, change.episode.severity, Reverse(change.tell == Some(Kind::Fired)))
    });
    changes.retain_mut(|change| {
        let Some(kind) = change.tell else { return true };
        if left > 0 {
            left -= 1;
            return true;
        }
        change.tell = None;
        kind == Kind::Fired && !known.get(&key_of(&change.episode)).is_some_and(Episode::is_firing)
    });
    changes
}

fn key_of(episode: &Episode) -> Key {
    (episode.rule.clone(), episode.scope.clone())
}
