//! What bulk work leaves on the deliveries it makes: ids that follow from the job and what is replayed, so that a step
//! taken twice makes nothing twice, and a mark by which each is known for a replay. Pure.
//!
//! Not here: what jobs do, and who runs them.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

use crate::{
    id::{DeliveryId, EventId, JobId},
    time::Time,
};

/// What the route of a job's own delivery begins with.
const PREFIX: &str = "replay/";
/// What it ends with if the handler is to take it for something new.
const NEW_KEY: &str = "/new-key";

impl JobId {
    /// When it was asked for, to the millisecond.
    pub fn asked_at(&self) -> Time {
        let mut ms = [0; 8];
        ms[2..].copy_from_slice(&self.as_bytes()[..6]);
        Time::from_ms(i64::from_be_bytes(ms))
    }

    /// The delivery with which this job replays that one.
    pub fn replay_of(&self, old: DeliveryId) -> DeliveryId {
        self.derived(&[b"replay", old.as_bytes()])
    }

    /// The delivery with which this job brings an event to a destination.
    pub fn delivery_of(&self, event: EventId, destination: &str) -> DeliveryId {
        self.derived(&[b"to", event.as_bytes(), destination.as_bytes()])
    }

    /// Whether a delivery may be one of this job's, by its id alone: all of them are among those of one millisecond.
    pub fn may_have_made(&self, delivery: DeliveryId) -> bool {
        delivery.as_bytes()[..6] == self.as_bytes()[..6]
    }

    /// The id before all that it makes: where a list of them begins, oldest first.
    pub fn before_its_own(&self) -> DeliveryId {
        DeliveryId::mint(self.asked_at(), [0; 10])
    }

    fn derived(&self, of: &[&[u8]]) -> DeliveryId {
        let mut context = Context::new(&SHA256);
        context.update(self.as_bytes());
        of.iter().for_each(|part| context.update(part));
        let mut random = [0; 10];
        random.copy_from_slice(&context.finish().as_ref()[..10]);
        DeliveryId::mint(self.asked_at(), random)
    }
}

/// What says of a delivery that a job made it to bring an event elsewhere; it stands in the place of a route's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub job: JobId,
    /// Whether the handler is to take it for something new: it gets an idempotency key of its own.
    pub new_key: bool,
}

impl Mark {
    /// In the place of a route's name.
    pub fn route(self) -> Arc<str> {
        format!("{PREFIX}{}{}", self.job, if self.new_key { NEW_KEY } else { "" }).into()
    }

    /// `None` if it is the name of a route.
    pub fn of_route(route: &str) -> Option<Self> {
        let rest = route.strip_prefix(PREFIX)?;
        let (job, new_key) = rest.strip_suffix(NEW_KEY).map_or((rest, false), |job| (job, true));
        Some(Mark { job: job.parse().ok()?, new_key })
    }

    /// What the handler knows the event by, the same at each attempt, and at each replay of a dead one.
    pub fn webhook_id(self, event: EventId) -> String {
        if self.new_key { format!("{event}-{}", self.job) } else { event.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(n: u8) -> JobId {
        JobId::mint(Time::from_ms(1_790_000_000_123), [n; 10])
    }

    #[test]
    fn what_a_job_makes_follows_from_the_job_and_what_is_replayed() {
        let event = EventId::from_bytes([3; 16]);
        let old = DeliveryId::from_bytes([3; 16]);
        let made = [
            job(1).replay_of(old),
            job(2).replay_of(old),
            job(1).delivery_of(event, "a"),
            job(1).delivery_of(event, "b"),
            job(2).delivery_of(event, "a"),
        ];
        let distinct: std::collections::BTreeSet<_> = made.iter().collect();
        assert_eq!(distinct.len(), made.len());
        assert_eq!(job(1).replay_of(old), made[0]);
        assert!(made.iter().all(|id| job(1).may_have_made(*id) && *id > job(1).before_its_own()));
        assert!(!job(1).may_have_made(DeliveryId::mint(Time::from_ms(1_790_000_000_124), [9; 10])));
        assert_eq!(job(1).asked_at(), Time::from_ms(1_790_000_000_123));
    }

    #[test]
    fn a_mark_is_read_back_from_the_place_of_a_route() {
        let event = EventId::from_bytes([3; 16]);
        for new_key in [false, true] {
            let mark = Mark { job: job(1), new_key };
            assert_eq!(Mark::of_route(&mark.route()), Some(mark));
            assert_eq!(mark.webhook_id(event) == event.to_string(), !new_key);
        }
        for route in ["", "stripe#1", "replay/", "replay/x", "replay/job_x/new-key"] {
            assert_eq!(Mark::of_route(route), None, "{route}");
        }
    }
}
