//! Into a lane and out of it: where a delivery is that nobody has in hand. A queue keeps back what has not begun
//! ([`super::queues`]), a line what is not first ([`super::lines`]); what is to be cancelled is in no lane at all.

use hookhaven_core::{Delivery, DeliveryId, Lane, LineId, Time};

use super::{Live, Turns};

/// A delivery of a queue that fell due this soon after its acceptance was due when it was accepted.
pub(crate) const DUE_AT_ONCE_US: i64 = 1_000_000;

impl Live {
    /// Joins its lane for the first time, or again at start-up.
    pub(super) fn join(&mut self, slot: u32) {
        let p = &self.pending[slot];
        let (id, kind, begun) = (p.id, p.kind.clone(), p.tries > 0);
        if let (Some(holder), Some(queue)) = (kind.lane.holder(), kind.lane.queue()) {
            self.hold(&Lane::of_queue(queue), holder);
        } else if kind.lane.is_queue() {
            if begun {
                self.hold(&kind.lane, id);
            } else if p.due_at.as_us() - p.accepted_at.as_us() < DUE_AT_ONCE_US {
                self.queues.was_due(&kind.lane, p.due_at);
            }
        }
        self.join_line(slot);
        self.enter(slot);
    }

    /// Nobody has it in hand.
    pub(super) fn enter(&mut self, slot: u32) {
        let p = &self.pending[slot];
        let (lane, due_at, kind, order) = (p.lane, p.due_at, p.kind.clone(), p.order.clone());
        if let Some(order) = &order {
            let turns = self.lines.put_down(order.line(&kind.destination), slot);
            self.turn(lane, turns);
        }
        let p = &self.pending[slot];
        if self.asked.contains_key(&p.id) {
            self.let_down.insert(slot);
        } else if p.tries == 0 && kind.lane.is_queue() {
            let turns = self.queues.wait(&kind.lane, (due_at, slot));
            self.turn(lane, turns);
        } else if let Some(order) = order {
            let line = order.line(&kind.destination);
            if order.is_overtaken_by(self.lines.newest(line)) {
                self.let_down.insert(slot);
            } else {
                let turns = self.lines.wait(line, &order, p.id, (due_at, slot));
                self.turn(lane, turns);
            }
        } else {
            self.lanes.insert(lane, due_at, slot);
        }
    }

    /// What it overtakes there is not to be attempted any more.
    fn join_line(&mut self, slot: u32) {
        let p = &self.pending[slot];
        let (lane, Some(order)) = (p.lane, p.order.clone()) else { return };
        let (overtaken, turns) = self.lines.join(order.line(&p.kind.destination), &order);
        self.turn(lane, turns);
        self.let_down.extend(overtaken);
    }

    /// Whether a newer version of its line has overtaken it.
    pub fn is_overtaken(&self, id: DeliveryId) -> bool {
        let Some(p) = self.by_id.get(&id).map(|slot| &self.pending[*slot]) else { return false };
        let order = p.order.as_ref();
        order.is_some_and(|order| order.is_overtaken_by(self.lines.newest(order.line(&p.kind.destination))))
    }

    /// The number of the next delivery in a line: that of `parking`, which it takes the place of, or the last.
    pub fn turn_for(&mut self, line: LineId, parking: Option<DeliveryId>, now: Time) -> u64 {
        let its = parking.and_then(|id| self.lines.parking_turn(line, id, now));
        its.unwrap_or_else(|| self.lines.next_turn(now))
    }

    /// Puts back a dead delivery that parks its line.
    pub fn restore_park(&mut self, delivery: &Delivery) {
        if let Some(order) = &delivery.order {
            let changed = self.lines.restore_park(order.line(&delivery.destination), delivery.id, order);
            self.turn_line(changed);
        }
    }

    /// A dead delivery was replayed or dismissed: what it parked goes on.
    pub(super) fn unpark(&mut self, delivery: &Delivery) {
        let Some(order) = delivery.order.as_ref().filter(|order| order.parks_until.is_some()) else { return };
        let changed = self.lines.unpark(order.line(&delivery.destination), delivery.id);
        self.turn_line(changed);
    }

    fn turn_line(&mut self, (member, turns): (Option<u32>, Turns)) {
        if let Some(slot) = member {
            self.turn(self.pending[slot].lane, turns);
        }
    }

    pub fn forget_parked(&mut self, now: Time) {
        self.lines.forget_parked(now);
    }

    /// Somebody takes it in hand, or it ends; `begins`: an attempt is to be made.
    pub(super) fn leave(&mut self, slot: u32, begins: bool) {
        let p = &self.pending[slot];
        let (id, lane, due_at, kind) = (p.id, p.lane, p.due_at, p.kind.clone());
        if self.let_down.remove(&slot) {
            return;
        }
        if p.tries == 0 && kind.lane.is_queue() {
            if begins {
                self.hold(&kind.lane, id);
            }
            let turns = self.queues.leave(&kind.lane, slot);
            self.turn(lane, turns);
        }
        if let Some(order) = self.pending[slot].order.clone() {
            let turns = self.lines.leave(order.line(&kind.destination), (order.turn, id), slot);
            self.turn(lane, turns);
            return;
        }
        self.lanes.remove(lane, due_at, slot);
    }

    /// Given back as it was: a slot that it had taken of a queue is free again.
    pub(super) fn come_back(&mut self, slot: u32, begun: bool) {
        self.enter(slot);
        let p = &self.pending[slot];
        if begun && p.tries == 0 && p.kind.lane.is_queue() {
            let (id, kind) = (p.id, p.kind.clone());
            self.let_go(&kind.lane, id);
        }
    }

    /// It has ended; `begun`: an attempt of it was made, or was to be.
    pub(super) fn free_slot(&mut self, slot: u32, lane: u32, delivery: &Delivery, begun: bool) {
        if let Some(order) = &delivery.order {
            let turns = self.lines.end(order.line(&delivery.destination), delivery.id, slot, order);
            self.turn(lane, turns);
        }
        if delivery.lane.is_queue() {
            self.queues.forget(&delivery.lane, slot);
        }
        if let (Some(holder), Some(queue)) = (delivery.lane.holder(), delivery.lane.queue()) {
            self.let_go(&Lane::of_queue(queue), holder);
        } else if begun && delivery.lane.is_queue() {
            self.let_go(&delivery.lane, delivery.id);
        }
    }

    pub(super) fn set_width(&mut self, queue: &Lane, width: Option<usize>) {
        let turns = self.queues.set_width(queue, width);
        self.turn_of(queue, turns);
    }

    /// The due time of a new delivery of a queue that is due now: behind everything that was due and accepted
    /// before. `last`: the one given before in the same batch.
    pub fn due_in_turn(&self, queue: &Lane, due_at: Time, last: Option<Time>) -> Time {
        let last = self.queues.last(queue).max(last);
        last.map_or(due_at, |last| due_at.max(last))
    }

    pub fn is_cancel_asked(&self, id: DeliveryId) -> bool {
        self.asked.contains_key(&id)
    }

    /// Deliveries whose end was asked for or that were overtaken, and that nobody has in hand.
    pub fn let_down(&self, limit: usize) -> Vec<DeliveryId> {
        self.let_down.iter().take(limit).map(|slot| self.pending[*slot].id).collect()
    }

    fn hold(&mut self, queue: &Lane, holder: DeliveryId) {
        let turns = self.queues.hold(queue, holder);
        self.turn_of(queue, turns);
    }

    fn let_go(&mut self, queue: &Lane, holder: DeliveryId) {
        let turns = self.queues.let_go(queue, holder);
        self.turn_of(queue, turns);
    }

    fn turn_of(&mut self, queue: &Lane, turns: Turns) {
        if let Some(lane) = self.lanes.find(queue) {
            self.turn(lane, turns);
        }
    }

    fn turn(&mut self, lane: u32, Turns { open, shut }: Turns) {
        for (due_at, slot) in shut {
            self.lanes.remove(lane, due_at, slot);
        }
        for (due_at, slot) in open {
            self.lanes.insert(lane, due_at, slot);
        }
    }
}
