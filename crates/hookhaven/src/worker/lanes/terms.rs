//! On which terms a lane gives out work: a configured destination's, or those of whoever publishes.

use std::collections::HashSet;

use hookhaven_core::{
    Lane,
    destination::{DestinationState, Rate},
};

use super::Hold;
use crate::{config::Config, published::Published};

#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Attempts in flight at once; the largest number: as many as there are slots.
    pub concurrency: usize,
    /// Attempts started, evenly over time.
    pub rate: Option<Rate>,
    /// The flow-control key whose lane it is.
    pub flow: Option<&'a str>,
}

impl<'a> Terms<'a> {
    /// Or why somebody, rather than the destination's behaviour, holds the lane back.
    pub fn of(
        lane: &'a Lane,
        config: &Config,
        paused: &HashSet<String>,
        published: &dyn Published,
    ) -> Result<Self, Hold> {
        let Some(name) = lane.destination() else {
            return match published.is_paused(lane) {
                true => Err(Hold::Paused),
                false => Ok(Terms { concurrency: usize::MAX, rate: None, flow: lane.flow() }),
            };
        };
        let destination = config.destinations.get(name).ok_or(Hold::Gone)?;
        let withheld = paused.contains(name) || config.switches.is_disabled(name);
        if destination.state != DestinationState::Active || withheld {
            return Err(Hold::Paused);
        }
        let concurrency = usize::try_from(destination.concurrency.get()).unwrap_or(usize::MAX);
        Ok(Terms { concurrency, rate: destination.rate, flow: None })
    }
}

/// This node's part of a rate.
pub fn own_part(rate: Rate, others: u32) -> Rate {
    Rate { per: rate.per.saturating_mul(others.saturating_add(1)), ..rate }
}
