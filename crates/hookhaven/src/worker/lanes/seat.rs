//! Room for an attempt that begins at once, because a sender waits for it.

use hookhaven_core::{Lane, Time};

use super::{Lanes, Ticket};
use crate::config::Config;

impl Lanes {
    /// Starts an attempt of this lane if it has room now, by the same rule as a claim; with it, how many of the lane
    /// all nodes together may have in hand. `None` as long as nobody knows who is paused.
    pub fn seat(&mut self, lane: &Lane, config: &Config, now: Time) -> Option<(Ticket, Option<usize>)> {
        let destination = config.destinations.get(lane.destination()?).filter(|_| self.paused_known)?;
        self.lanes.entry(lane.clone()).or_default();
        self.note_mended(config, now);
        let budget = self.budget(config.worker.slots, 0, now);
        let state = self.lanes.get(lane)?;
        let (_, room) = self.room(lane, state, config, &budget, now);
        let limit = self.limit(lane, state, config);
        (room > 0).then(|| (self.started(lane, Some(destination), now), limit))
    }
}
