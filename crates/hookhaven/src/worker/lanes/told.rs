//! What others tell of lanes, and what is told to others: pauses, breakers of other nodes, how many there are, the view
//! for people.

use std::collections::{HashMap, HashSet};

use hookhaven_core::{
    Lane, Time,
    breaker::{BreakerState, Change, Rest},
};

use super::{LaneView, Lanes, Ticket};
use crate::config::Config;

impl Lanes {
    /// Follows what nodes told each other: exactly these destinations rest, those apart of which this node has
    /// told nobody. Answers what that changed here.
    pub fn follow(&mut self, rests: &HashMap<String, Rest>) -> Vec<(Lane, Change)> {
        for name in rests.keys() {
            self.lanes.entry(Lane::of_destination(name)).or_default();
        }
        let mut changes = Vec::new();
        for (lane, state) in &mut self.lanes {
            let rest = lane.destination().and_then(|name| rests.get(name)).copied();
            if rest.is_some() || state.rest_told {
                changes.extend(state.breaker.follow(rest).map(|change| (lane.clone(), change)));
            }
            state.rest_told = rest.is_some();
        }
        changes
    }

    /// Nobody could be told of this destination's rest.
    pub fn untold(&mut self, destination: &str) {
        if let Some(state) = self.lanes.get_mut(&Lane::of_destination(destination)) {
            state.rest_told = false;
        }
    }

    /// Whether a probe may go out after all, now that others were heard.
    pub fn may_probe(&self, ticket: &Ticket) -> bool {
        self.lanes.get(&ticket.lane).is_some_and(|state| !matches!(state.breaker.state(), BreakerState::Open(_)))
    }

    /// How many nodes beside this one make attempts.
    pub fn set_others(&mut self, others: u32) {
        self.others = others;
    }

    pub fn set_paused(&mut self, destination: &str, paused: bool) {
        if paused {
            self.paused.insert(destination.to_owned());
        } else {
            self.paused.remove(destination);
        }
    }

    /// Whether anybody has said who is paused.
    pub fn knows_pauses(&self) -> bool {
        self.paused_known
    }

    /// Exactly these are paused.
    pub fn set_all_paused(&mut self, destinations: HashSet<String>) {
        self.paused = destinations;
        self.paused_known = true;
    }

    pub fn view(&self, config: &Config, now: Time) -> Vec<LaneView> {
        let mut views: Vec<_> = self
            .lanes
            .iter()
            .map(|(lane, state)| LaneView {
                lane: lane.clone(),
                in_flight: state.in_flight.len(),
                hold: self.hold(lane, state, config, now),
                breaker: state.breaker.state(),
                last_took: state.last_took,
            })
            .collect();
        views.sort_by(|a, b| a.lane.cmp(&b.lane));
        views
    }
}
