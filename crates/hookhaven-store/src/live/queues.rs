//! Queues: lanes of which only so many deliveries may be begun and not over ([`Lane::is_queue`]). What may
//! begin is *open* and waits in its lane like anything else; the others are kept here until it is their turn.
//!
//! A slot is held by the delivery that began, and kept for it by those in lanes beside the queue (its
//! callbacks). Which deliveries hold slots follows from what they are (tried, leased, beside), so that it is the
//! same after a restart. Not here: leases and due times, which are the lanes' and the caller's.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hookhaven_core::{DeliveryId, Lane, Time};

/// A delivery that waits: when it is due, and its slot in the slab.
pub(super) type Waiting = (Time, u32);

#[derive(Debug, Default)]
pub(super) struct Queues {
    /// Those that are not 1.
    widths: HashMap<Lane, usize>,
    queues: HashMap<Lane, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Who holds a slot, and how many that have not ended keep it for them.
    holders: BTreeMap<DeliveryId, u32>,
    /// All that have not begun.
    waiting: BTreeSet<Waiting>,
    /// The first of them: as many as there are free slots.
    open: BTreeSet<Waiting>,
    /// The due time given last to one that was due when it was accepted.
    last: Time,
}

/// What may begin now and could not before, and the other way round.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turns {
    pub open: Vec<Waiting>,
    pub shut: Vec<Waiting>,
}

impl Queues {
    /// The due time given last to one that was due when it was accepted.
    pub fn last(&self, lane: &Lane) -> Option<Time> {
        self.queues.get(lane).map(|queue| queue.last)
    }

    /// One that has not begun joins, or comes back untried.
    pub fn wait(&mut self, lane: &Lane, waiting: Waiting) -> Turns {
        self.change(lane, |queue| {
            queue.waiting.insert(waiting);
        })
    }

    /// One joins that was due when it was accepted.
    pub fn was_due(&mut self, lane: &Lane, due_at: Time) {
        let queue = self.queues.entry(lane.clone()).or_default();
        queue.last = queue.last.max(due_at);
    }

    /// One that waited begins, or ends without having begun.
    pub fn leave(&mut self, lane: &Lane, waiting: Waiting) -> Turns {
        self.change(lane, |queue| {
            queue.waiting.remove(&waiting);
            // Whoever takes it takes it out of its lane as well.
            queue.open.remove(&waiting);
        })
    }

    /// A slot is held, or kept by one more.
    pub fn hold(&mut self, lane: &Lane, holder: DeliveryId) -> Turns {
        self.change(lane, |queue| *queue.holders.entry(holder).or_default() += 1)
    }

    /// One that held or kept a slot has ended, or came back untried.
    pub fn let_go(&mut self, lane: &Lane, holder: DeliveryId) -> Turns {
        self.change(lane, |queue| {
            if let Some(members) = queue.holders.get_mut(&holder) {
                *members -= 1;
                if *members == 0 {
                    queue.holders.remove(&holder);
                }
            }
        })
    }

    pub fn set_width(&mut self, lane: &Lane, width: Option<usize>) -> Turns {
        match width {
            Some(width) if width != 1 => self.widths.insert(lane.clone(), width),
            _ => self.widths.remove(lane),
        };
        if self.queues.contains_key(lane) { self.change(lane, |_| ()) } else { Turns::default() }
    }

    /// How many of a lane wait for their turn.
    pub fn shut_in(&self, lane: &Lane) -> usize {
        self.queues.get(lane).map_or(0, |queue| queue.waiting.len() - queue.open.len())
    }

    fn change(&mut self, lane: &Lane, change: impl FnOnce(&mut Queue)) -> Turns {
        let width = self.widths.get(lane).copied().unwrap_or(1);
        let queue = self.queues.entry(lane.clone()).or_default();
        change(queue);
        let free = width.saturating_sub(queue.holders.len());
        let open: BTreeSet<_> = queue.waiting.iter().take(free).copied().collect();
        let turns = Turns {
            open: open.difference(&queue.open).copied().collect(),
            shut: queue.open.difference(&open).copied().collect(),
        };
        queue.open = open;
        if queue.holders.is_empty() && queue.waiting.is_empty() {
            self.queues.remove(lane);
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64, slot: u32) -> Waiting {
        (Time::from_s(s), slot)
    }

    fn turns(open: &[Waiting], shut: &[Waiting]) -> Turns {
        Turns { open: open.to_vec(), shut: shut.to_vec() }
    }

    #[test]
    fn the_next_begins_when_all_that_keep_a_slot_have_ended() {
        let (mut queues, lane) = (Queues::default(), Lane::of_queue("q"));
        let first = DeliveryId::from_bytes([1; 16]);
        assert_eq!(queues.wait(&lane, at(1, 1)), turns(&[at(1, 1)], &[]));
        assert_eq!(queues.wait(&lane, at(2, 2)), turns(&[], &[]));
        queues.leave(&lane, at(1, 1));
        queues.hold(&lane, first);
        assert_eq!(queues.hold(&lane, first), turns(&[], &[]));
        assert_eq!(queues.let_go(&lane, first), turns(&[], &[]));
        assert_eq!(queues.let_go(&lane, first), turns(&[at(2, 2)], &[]));
    }

    #[test]
    fn one_that_is_due_earlier_takes_the_turn_of_one_that_has_not_begun() {
        let (mut queues, lane) = (Queues::default(), Lane::of_queue("q"));
        queues.wait(&lane, at(60, 1));
        assert_eq!(queues.wait(&lane, at(2, 2)), turns(&[at(2, 2)], &[at(60, 1)]));
    }

    #[test]
    fn a_wider_queue_opens_more_and_a_narrower_one_shuts_them() {
        let (mut queues, lane) = (Queues::default(), Lane::of_queue("q"));
        for n in 1..=3 {
            queues.wait(&lane, at(n.into(), n));
        }
        assert_eq!(queues.set_width(&lane, Some(3)), turns(&[at(2, 2), at(3, 3)], &[]));
        assert_eq!(queues.set_width(&lane, Some(2)), turns(&[], &[at(3, 3)]));
    }
}
