//! Flow-control keys on this node: what is in flight under each, and how much of its period is used.
//!
//! A period runs from its first attempt, and ends with this process: the first period after a restart is a new
//! one. Several nodes share a rate out in equal parts.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use hookhaven_core::{Time, destination::Rate, window::Window};

use crate::published::{FlowLimits, FlowNow, Published};

/// Keys that are remembered though nothing of theirs is under way; past it, all such are forgotten.
const IDLE_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub struct Flows(HashMap<Arc<str>, Flow>);

#[derive(Debug, Default)]
struct Flow {
    in_flight: u32,
    window: Window,
    resets: u64,
}

impl Flows {
    /// How many attempts may start now.
    pub fn room(&self, key: &str, limits: FlowLimits, others: u32, now: Time) -> usize {
        if limits.paused {
            return 0;
        }
        let flow = self.0.get(key);
        let in_flight = flow.map_or(0, |flow| flow.in_flight);
        let parallel = limits.parallelism.map_or(u32::MAX, |n| n.get().saturating_sub(in_flight));
        let rate = limits.rate.map(|rate| own_window(rate, others));
        let window = flow.filter(|flow| flow.resets == limits.resets).map(|flow| flow.window).unwrap_or_default();
        let in_period = rate.map_or(u32::MAX, |rate| window.room(rate, now));
        usize::try_from(parallel.min(in_period)).unwrap_or(usize::MAX)
    }

    /// When time alone makes room.
    pub fn free_at(&self, key: &str, limits: FlowLimits, others: u32, now: Time) -> Option<Time> {
        let flow = self.0.get(key)?;
        let free_at = flow.window.free_at(own_window(limits.rate?, others));
        (free_at > now).then_some(free_at)
    }

    /// An attempt starts.
    pub fn take(&mut self, key: &Arc<str>, limits: FlowLimits, others: u32, now: Time) {
        let flow = self.0.entry(key.clone()).or_default();
        if flow.resets != limits.resets {
            (flow.resets, flow.window) = (limits.resets, Window::default());
        }
        flow.in_flight += 1;
        if let Some(rate) = limits.rate {
            flow.window.take(own_window(rate, others), now);
        }
    }

    /// An attempt ended.
    pub fn ended(&mut self, key: &str) {
        if let Some(flow) = self.0.get_mut(key) {
            flow.in_flight = flow.in_flight.saturating_sub(1);
        }
    }

    pub fn now(&self, key: &str, limits: FlowLimits, others: u32, now: Time) -> FlowNow {
        let Some(flow) = self.0.get(key) else { return FlowNow::default() };
        let rate = limits.rate.filter(|_| flow.resets == limits.resets).map(|rate| own_window(rate, others));
        FlowNow {
            in_flight: flow.in_flight,
            count: rate.map_or(0, |rate| flow.window.count(rate, now)),
            period_began_at: rate.and_then(|rate| flow.window.began_at(rate, now)),
        }
    }

    pub fn forget_idle(&mut self, published: &dyn Published, now: Time) {
        if self.0.len() > IDLE_MAX {
            let running = |key: &str, flow: &Flow| {
                published.flow(key).rate.is_some_and(|rate| flow.window.began_at(rate, now).is_some())
            };
            self.0.retain(|key, flow| flow.in_flight > 0 || running(key, flow));
        }
    }
}

/// This node's part of what may start in a period: its share of the count, and where that is less than one, one in a
/// period as much longer.
fn own_window(rate: Rate, others: u32) -> Rate {
    let (nodes, count) = (others.saturating_add(1), rate.count.get());
    match NonZeroU32::new(count / nodes) {
        Some(share) => Rate { count: share, ..rate },
        None => Rate { count: NonZeroU32::MIN, per: rate.per.mul_f64(f64::from(nodes) / f64::from(count)) },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time::from_s(1_700_000_000);

    fn limits(parallelism: u32, rate: u32) -> FlowLimits {
        let rate = NonZeroU32::new(rate).map(|count| Rate { count, per: Duration::from_secs(60) });
        FlowLimits { parallelism: NonZeroU32::new(parallelism), rate, ..FlowLimits::default() }
    }

    #[test]
    fn both_limits_hold_and_a_reset_begins_the_period_anew() {
        let (mut flows, key): (_, Arc<str>) = (Flows::default(), "k".into());
        let limits = limits(2, 3);
        assert_eq!(flows.room("k", limits, 0, NOW), 2);
        (0..2).for_each(|_| flows.take(&key, limits, 0, NOW));
        assert_eq!((flows.room("k", limits, 0, NOW), flows.free_at("k", limits, 0, NOW)), (0, None));
        flows.ended("k");
        assert_eq!(flows.room("k", limits, 0, NOW), 1);
        flows.take(&key, limits, 0, NOW);
        flows.ended("k");
        flows.ended("k");
        let over = NOW.plus(Duration::from_secs(60));
        assert_eq!((flows.room("k", limits, 0, NOW), flows.free_at("k", limits, 0, NOW)), (0, Some(over)));
        assert_eq!(flows.now("k", limits, 0, NOW), FlowNow { in_flight: 0, count: 3, period_began_at: Some(NOW) });
        let reset = FlowLimits { resets: 1, ..limits };
        assert_eq!((flows.room("k", reset, 0, NOW), flows.now("k", reset, 0, NOW).count), (2, 0));
        assert_eq!(flows.room("k", limits, 0, over), 2);
    }

    #[test]
    fn nodes_share_a_rate_and_a_paused_key_lets_nothing_through() {
        let at = |s| NOW.plus(Duration::from_secs(s));
        let (mut flows, key): (_, Arc<str>) = (Flows::default(), "k".into());
        // Seven for two nodes are three for each.
        assert_eq!(flows.room("k", limits(0, 7), 1, NOW), 3);
        // One for two is one in twice the time.
        flows.take(&key, limits(0, 1), 1, NOW);
        assert_eq!(flows.room("k", limits(0, 1), 1, at(60)), 0);
        assert_eq!(flows.room("k", limits(0, 1), 1, at(120)), 1);
        assert_eq!(flows.room("new", FlowLimits { paused: true, ..limits(0, 1) }, 0, NOW), 0);
    }
}
