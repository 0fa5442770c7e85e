//! Queues: lanes of which only so many deliveries may be begun and not over ([`Lane::is_queue`]). What may
//! begin is *open* and waits in its lane like anything else; the others are kept here until it is their turn.
//!
//! A slot is held by the delivery that began, and kept for it by those in lanes beside the queue (its
//! callbacks). Which deliveries hold slots follows from what they are (tried, leased, beside), so that it is the
//! same after a restart. Not here: leases and due times, which are the lanes' and the caller's.

use std::collections::{BTreeMap, HashMap};

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
    /// All that have not begun, in turn.
    waiting: BTreeMap<Turn, u32>,
    /// The first of them: as many as there are free slots.
    open: BTreeMap<Turn, u32>,
    /// The turns of all that have not ended; one that comes back untried has its turn again.
    turns: HashMap<u32, Turn>,
    joined: u64,
    /// The latest due time of those that were due when they were accepted.
    last: Time,
}

/// When it is due; among equals, in the order of joining.
type Turn = (Time, u64);

/// What may begin now and could not before, and the other way round.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turns {
    pub open: Vec<Waiting>,
    pub shut: Vec<Waiting>,
}

impl Queues {
    /// The latest due time of those that were due when they were accepted.
    pub fn last(&self, lane: &Lane) -> Option<Time> {
        self.queues.get(lane).map(|queue| queue.last)
    }

    /// One joins that was due when it was accepted.
    pub fn was_due(&mut self, lane: &Lane, due_at: Time) {
        let queue = self.queues.entry(lane.clone()).or_default();
        queue.last = queue.last.max(due_at);
    }

    /// One that has not begun joins, or comes back untried.
    pub fn wait(&mut self, lane: &Lane, (due_at, slot): Waiting) -> Turns {
        self.change(lane, |queue| {
            queue.joined += 1;
            let turn = *queue.turns.entry(slot).or_insert((due_at, queue.joined));
            queue.waiting.insert(turn, slot);
        })
    }

    /// One that waited begins, or ends without having begun.
    pub fn leave(&mut self, lane: &Lane, slot: u32) -> Turns {
        self.change(lane, |queue| {
            if let Some(turn) = queue.turns.get(&slot) {
                queue.waiting.remove(turn);
                // Whoever takes it takes it out of its lane as well.
                queue.open.remove(turn);
            }
        })
    }

    /// It has ended: the slot is another's next.
    pub fn forget(&mut self, lane: &Lane, slot: u32) {
        if let Some(queue) = self.queues.get_mut(lane) {
            queue.turns.remove(&slot);
        }
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

    fn change(&mut self, lane: &Lane, change: impl FnOnce(&mut Queue)) -> Turns {
        let width = self.widths.get(lane).copied().unwrap_or(1);
        let queue = self.queues.entry(lane.clone()).or_default();
        change(queue);
        let free = width.saturating_sub(queue.holders.len());
        let open: BTreeMap<_, _> = queue.waiting.iter().take(free).map(|(turn, slot)| (*turn, *slot)).collect();
        let beyond = |all: &BTreeMap<Turn, u32>, known: &BTreeMap<Turn, u32>| -> Vec<Waiting> {
            let new = all.iter().filter(|(turn, _)| !known.contains_key(*turn));
            new.map(|((due_at, _), slot)| (*due_at, *slot)).collect()
        };
        let turns = Turns { open: beyond(&open, &queue.open), shut: beyond(&queue.open, &open) };
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
        queues.leave(&lane, 1);
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
    fn equals_begin_in_the_order_of_joining_also_when_one_came_back() {
        let (mut queues, lane) = (Queues::default(), Lane::of_queue("q"));
        queues.wait(&lane, at(1, 9));
        queues.wait(&lane, at(1, 2));
        queues.hold(&lane, DeliveryId::from_bytes([1; 16]));
        queues.leave(&lane, 9);
        assert_eq!(queues.wait(&lane, at(1, 9)), turns(&[], &[]));
        assert_eq!(queues.let_go(&lane, DeliveryId::from_bytes([1; 16])), turns(&[at(1, 9)], &[]));
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
