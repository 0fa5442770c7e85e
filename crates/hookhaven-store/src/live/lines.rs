//! Lines: deliveries that are ordered against each other ([`Order`]). Of a line at most one is *open*, which is to
//! say in its lane where it may be claimed; the others are kept here until it is their turn.
//!
//! Not here: leases, due times and lanes, which are the caller's; what a failure does to an order, which is the
//! order's own.

use std::collections::{BTreeMap, HashMap};

use hookhaven_core::{DeliveryId, LineId, Order, Time, Version};

use super::{Turns, queues::Waiting};

#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: HashMap<LineId, Line>,
    last_turn: u64,
}

#[derive(Debug, Default)]
struct Line {
    /// All that nobody has in hand and that may go some time, in turn.
    waiting: BTreeMap<Turn, Place>,
    /// The first of them, as it is in its lane.
    open: Option<Waiting>,
    /// Somebody has this one in hand.
    in_hand: Option<u32>,
    parked: Option<Parked>,
    newest: Option<Version>,
    /// Deliveries that have not ended.
    members: u32,
}

type Turn = (u64, DeliveryId);

#[derive(Clone, Copy, Debug)]
struct Place {
    due_at: Time,
    slot: u32,
    version: Option<Version>,
}

#[derive(Clone, Copy, Debug)]
struct Parked {
    by: DeliveryId,
    turn: u64,
    until: Time,
}

/// Where one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standpoint {
    /// The slot of the first in line, if it is another.
    pub behind: Option<u32>,
    pub parked: Option<(DeliveryId, Time)>,
    pub ahead: u64,
}

impl Lines {
    /// The number of the next one in any line. It begins with the time, so that numbers grow over restarts too.
    pub fn next_turn(&mut self, now: Time) -> u64 {
        self.last_turn = (self.last_turn + 1).max(u64::try_from(now.as_us()).unwrap_or(0));
        self.last_turn
    }

    /// One more member. Answers the slots of those that it overtakes, which are in the line no more.
    pub fn join(&mut self, id: LineId, order: &Order) -> (Vec<u32>, Turns) {
        self.last_turn = self.last_turn.max(order.turn);
        let mut overtaken = Vec::new();
        let turns = self.change(id, |line| {
            line.members += 1;
            line.newest = line.newest.max(order.version());
            let newest = line.newest;
            line.waiting.retain(|_, place| {
                let stays = place.version >= newest || place.version.is_none();
                if !stays {
                    overtaken.push(place.slot);
                }
                stays
            });
        });
        (overtaken, turns)
    }

    /// It waits for its turn, for the first time or again.
    pub fn wait(&mut self, id: LineId, order: &Order, delivery: DeliveryId, (due_at, slot): Waiting) -> Turns {
        self.change(id, |line| {
            line.waiting.insert((order.turn, delivery), Place { due_at, slot, version: order.version() });
        })
    }

    /// Somebody takes it in hand, or it is about to end.
    pub fn leave(&mut self, id: LineId, turn: Turn, slot: u32) -> Turns {
        self.change(id, |line| {
            if line.waiting.remove(&turn).is_some() {
                line.in_hand = Some(slot);
            }
        })
    }

    /// Nobody has it in hand any more.
    pub fn put_down(&mut self, id: LineId, slot: u32) -> Turns {
        self.change(id, |line| {
            line.in_hand.take_if(|held| *held == slot);
        })
    }

    /// It has ended.
    pub fn end(&mut self, id: LineId, delivery: DeliveryId, slot: u32, order: &Order) -> Turns {
        self.change(id, |line| {
            line.in_hand.take_if(|held| *held == slot);
            line.members -= 1;
            line.park(delivery, order);
        })
    }

    /// What was newest before start-up, though it has ended since. A delivery of the line comes next.
    pub fn restore_newest(&mut self, id: LineId, newest: Version) {
        let line = self.lines.entry(id).or_default();
        line.newest = line.newest.max(Some(newest));
    }

    /// One that ended before start-up parks its line.
    pub fn restore_park(&mut self, id: LineId, delivery: DeliveryId, order: &Order) -> (Option<u32>, Turns) {
        self.last_turn = self.last_turn.max(order.turn);
        let turns = self.change(id, |line| line.park(delivery, order));
        (self.member(id), turns)
    }

    /// What it parked goes on.
    pub fn unpark(&mut self, id: LineId, delivery: DeliveryId) -> (Option<u32>, Turns) {
        let turns = self.change(id, |line| {
            line.parked.take_if(|parked| parked.by == delivery);
        });
        (self.member(id), turns)
    }

    /// One that waits: its lane is that of all.
    fn member(&self, id: LineId) -> Option<u32> {
        self.lines.get(&id)?.waiting.values().next().map(|place| place.slot)
    }

    /// The turn of one that died and parks its line still.
    pub fn parking_turn(&self, id: LineId, delivery: DeliveryId, now: Time) -> Option<u64> {
        let parked = self.lines.get(&id)?.parked?;
        (parked.by == delivery && parked.until > now).then_some(parked.turn)
    }

    /// Of those that have not ended, or have just joined.
    pub fn newest(&self, id: LineId) -> Option<Version> {
        self.lines.get(&id)?.newest
    }

    /// Whether it could be claimed at `now`, were it due.
    pub fn may_go(&self, id: LineId, slot: u32, now: Time) -> bool {
        self.lines.get(&id).is_some_and(|line| {
            line.open.is_some_and(|(_, open)| open == slot) && line.parked.is_none_or(|parked| parked.until <= now)
        })
    }

    pub fn stands(&self, id: LineId, turn: Turn, now: Time) -> Option<Standpoint> {
        let line = self.lines.get(&id)?;
        let waiting_ahead = line.waiting.range(..turn).count();
        let first = line.in_hand.or_else(|| line.waiting.range(..turn).next().map(|(_, place)| place.slot));
        Some(Standpoint {
            behind: first,
            parked: line.parked.filter(|parked| parked.until > now).map(|parked| (parked.by, parked.until)),
            ahead: waiting_ahead as u64 + u64::from(line.in_hand.is_some()),
        })
    }

    /// A member of each line that keeps some back, and how many; whether it is parked at `now`.
    pub fn kept_back(&self, now: Time) -> impl Iterator<Item = (u32, u64, bool)> + '_ {
        self.lines.values().filter_map(move |line| {
            let member = line.waiting.values().next()?.slot;
            let parked = line.parked.is_some_and(|parked| parked.until > now);
            let open = usize::from(line.open.is_some() && !parked);
            let kept = (line.waiting.len() - open) as u64;
            (kept > 0).then_some((member, kept, parked))
        })
    }

    /// Forgets what does not park any more.
    pub fn forget_parked(&mut self, now: Time) {
        self.lines.retain(|_, line| {
            line.parked.take_if(|parked| parked.until <= now);
            !line.is_over()
        });
    }

    fn change(&mut self, id: LineId, change: impl FnOnce(&mut Line)) -> Turns {
        let line = self.lines.entry(id).or_default();
        change(line);
        let first = line.waiting.values().next().filter(|_| line.in_hand.is_none());
        let parked_until = line.parked.map(|parked| parked.until);
        let open = first.map(|place| (place.due_at.max(parked_until.unwrap_or(place.due_at)), place.slot));
        let mut turns = Turns::default();
        if open != line.open {
            turns.shut.extend(line.open);
            turns.open.extend(open);
        }
        line.open = open;
        if line.is_over() {
            self.lines.remove(&id);
        }
        turns
    }
}

impl Line {
    fn park(&mut self, by: DeliveryId, order: &Order) {
        if let Some(until) = order.parks_until {
            self.parked = Some(Parked { by, turn: order.turn, until });
        }
    }

    fn is_over(&self) -> bool {
        self.members == 0 && self.parked.is_none()
    }
}
