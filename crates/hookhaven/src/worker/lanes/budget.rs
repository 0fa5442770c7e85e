//! How the worker's slots are shared between fast, slow and unproven lanes; the rule stands in `lanes`.

use std::time::Duration;

use hookhaven_core::Time;

use super::{LaneState, Lanes, SLOW_AFTER, earliest};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    Fast,
    Slow,
    Unproven,
}

/// Which of the worker's slots an attempt would come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    Fast,
    Slow,
    Probe,
}

/// Slots left, by share.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub fast: usize,
    pub slow: usize,
    pub probe: usize,
    /// What one slow lane may have in all.
    pub slow_lane: usize,
    pub half: usize,
    /// When a full fast half may have room because its oldest attempt became slow.
    pub fast_again: Option<Time>,
}

impl Lanes {
    pub fn budget(&self, slots: usize, slow_due: usize, now: Time) -> Budget {
        let half = (slots / 2).max(1);
        let (mut fast, mut slow, mut slow_lanes) = (0, 0, 0);
        let mut oldest_fast = None;
        for state in self.lanes.values() {
            let n = state.in_flight.len();
            if state.speed(now) == Speed::Fast {
                fast += n;
                oldest_fast = earliest(oldest_fast, state.oldest());
            } else {
                slow += n;
                slow_lanes += usize::from(n > 0);
            }
        }
        let total = fast + slow + self.settling;
        let hard = (slots + half).saturating_sub(total);
        let fast_room = slots.saturating_sub(total).max(half.saturating_sub(fast)).min(hard);
        Budget {
            fast: fast_room,
            slow: half.saturating_sub(slow).min(hard),
            probe: (half + slots / 4).saturating_sub(slow).min(fast_room),
            slow_lane: (half / slow_lanes.max(slow_due).max(1)).max(1),
            half,
            fast_again: oldest_fast.map(|t: Time| t.plus(SLOW_AFTER + Duration::from_micros(1))),
        }
    }
}

impl LaneState {
    pub fn speed(&self, now: Time) -> Speed {
        let hangs = self.oldest().is_some_and(|started| now.since(started) > SLOW_AFTER);
        match self.last_took {
            _ if hangs => Speed::Slow,
            None => Speed::Unproven,
            Some(took) if took > SLOW_AFTER => Speed::Slow,
            Some(_) => Speed::Fast,
        }
    }

    pub fn oldest(&self) -> Option<Time> {
        self.in_flight.first().map(|(started, _)| *started)
    }
}
