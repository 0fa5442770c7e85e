//! What a lane may start now, and why it may start nothing: its holds, its room on this node, its limit on all of them.

use hookhaven_core::{Lane, Time};

use super::{
    LaneState, Lanes,
    budget::{Budget, Share, Speed},
    terms::{Terms, own_part},
};
use crate::config::Config;

/// Why a lane gives nothing out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// By a person, by the config file, or by its 410s.
    Paused,
    /// Not in the config file; its deliveries wait.
    Gone,
    /// The breaker is open, until the probe's time if that has not come.
    Breaker(Option<Time>),
    /// The destination asked for it.
    RetryAfter(Time),
    Rate(Time),
    /// Its flow-control key lets no more through: until then, or until an attempt under that key ends.
    Flow(Option<Time>),
}

impl Hold {
    /// When it ends by itself.
    pub fn until(self) -> Option<Time> {
        match self {
            Hold::Paused | Hold::Gone => None,
            Hold::Breaker(until) | Hold::Flow(until) => until,
            Hold::RetryAfter(until) | Hold::Rate(until) => Some(until),
        }
    }

    /// Whether it is the destination's own fault.
    pub fn is_failing(self) -> bool {
        matches!(self, Hold::Breaker(_) | Hold::RetryAfter(_))
    }
}

impl Lanes {
    /// Why the lane gives nothing out, the reason that lasts longest in doubt first.
    pub(super) fn hold(&self, lane: &Lane, state: &LaneState, config: &Config, now: Time) -> Option<Hold> {
        let terms = match Terms::of(lane, config, &self.paused, &*self.published) {
            Ok(terms) => terms,
            Err(hold) => return Some(hold),
        };
        if state.breaker.room(state.in_flight.len(), now) == 0 && state.breaker.is_open() {
            return Some(Hold::Breaker(state.breaker.free_at()));
        }
        if let Some(until) = state.held_until.filter(|until| *until > now) {
            return Some(Hold::RetryAfter(until));
        }
        let rate = terms.rate.map(|rate| own_part(rate, self.others));
        if let Some(rate) = rate.filter(|rate| state.pace.room(*rate, now) == 0) {
            return Some(Hold::Rate(state.pace.free_at(rate)));
        }
        let key = terms.flow.or(state.awaits.as_deref())?;
        let limits = self.published.flow(key);
        if limits.paused {
            return Some(Hold::Paused);
        }
        let full = self.flows.room(key, limits, self.others, now) == 0;
        full.then(|| Hold::Flow(self.flows.free_at(key, limits, self.others, now)))
    }

    /// How many attempts the lane may start now, and out of which share of the slots.
    pub(super) fn room(
        &self,
        lane: &Lane,
        state: &LaneState,
        config: &Config,
        budget: &Budget,
        now: Time,
    ) -> (Share, usize) {
        let in_flight = state.in_flight.len();
        let (share, of_share) = match state.speed(now) {
            Speed::Fast => (Share::Fast, budget.fast),
            Speed::Unproven if budget.slow == 0 && in_flight == 0 => (Share::Probe, budget.probe.min(1)),
            Speed::Slow | Speed::Unproven => (Share::Slow, budget.slow.min(budget.slow_lane.saturating_sub(in_flight))),
        };
        let terms = Terms::of(lane, config, &self.paused, &*self.published);
        let (Ok(terms), None) = (terms, self.hold(lane, state, config, now)) else {
            return (share, 0);
        };
        let of_flow = |key| self.flows.room(key, self.published.flow(key), self.others, now);
        let own = terms
            .concurrency
            .min(budget.half)
            .saturating_sub(in_flight)
            .min(state.breaker.room(in_flight, now))
            .min(terms.rate.map_or(usize::MAX, |rate| state.pace.room(own_part(rate, self.others), now)))
            .min(terms.flow.map_or(usize::MAX, of_flow));
        (share, own.min(of_share))
    }

    /// How many attempts of the lane all nodes together may have in hand; `None` if this node is alone with its
    /// store, and counts by itself.
    pub(super) fn limit(&self, lane: &Lane, state: &LaneState, config: &Config) -> Option<usize> {
        let terms = Terms::of(lane, config, &self.paused, &*self.published).ok().filter(|_| config.shares_store())?;
        if state.breaker.is_open() {
            return Some(1);
        }
        let parallelism = terms.flow.and_then(|key| self.published.flow(key).parallelism);
        let parallelism = parallelism.and_then(|n| usize::try_from(n.get()).ok());
        parallelism.or((terms.concurrency < usize::MAX).then_some(terms.concurrency))
    }
}
