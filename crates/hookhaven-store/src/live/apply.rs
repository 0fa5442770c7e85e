//! How each record changes the live state. Applying a record twice changes nothing.

use std::sync::Arc;

use hookhaven_core::{Delivery, DeliveryId, DeliveryState, EndReason, EventId, Lane, Time};

use super::Live;
use crate::{
    history::{Past, keys_of},
    position::Position,
    record::{CarriedDelivery, CarriedRecord, DeliveryBirth, Record, SettledRecord, SettledTo},
    seam::{LANE_WIDTH_KIND, NewDelivery},
};

/// Nothing was tried yet.
const NEW: (u32, u32, u32) = (0, 0, 0);

/// What the live state needs from outside to apply a record: deliveries that ended long ago and are
/// changed once more (replayed, dismissed), as the rules found them.
#[derive(Clone, Debug, Default)]
pub struct Recalled(pub Option<Past>);

impl Live {
    /// Applies a durable record that lies at `at`. `recalled` is the past delivery a `Redelivered` or
    /// `Dismissed` record changes, where only history knows it. Answers whether there may be more to
    /// claim than before.
    pub fn apply(&mut self, record: &Record, at: Position, recalled: Recalled) -> bool {
        match record {
            Record::Accepted { event, key_until, deliveries } => {
                for (key, held) in keys_of(event) {
                    self.recent.add_key(key, held, *key_until, at);
                }
                for d in deliveries {
                    self.recent.add_version(d, at);
                    let origin = Origin { event: event.id, source: &event.source, event_type: &event.event_type };
                    self.insert(birth(d, origin, event.received_at, None), NEW, at);
                }
                !deliveries.is_empty()
            }
            Record::Settled(settled) => self.apply_settled(settled, at),
            Record::Redelivered { at: when, event, replaces, delivery, source, event_type, event_at } => {
                if let Some(old) = replaces {
                    self.change_past(*old, recalled, at, |past| past.replaced_by = Some(delivery.id));
                }
                self.recent.add_destination(*event, delivery.destination.clone(), at);
                self.recent.add_version(delivery, at);
                let origin = Origin { event: *event, source, event_type };
                self.insert(birth(delivery, origin, *when, *replaces), NEW, *event_at)
            }
            Record::Dismissed { at: when, delivery } => {
                self.change_past(*delivery, recalled, at, |past| past.dismissed_at = Some(*when));
                false
            }
            Record::CatalogPut { entry, .. } => {
                self.restore_catalog(entry.clone());
                true
            }
            Record::CancelAsked { at: when, delivery } => {
                self.ask_cancel(*delivery, *when);
                false
            }
            Record::CatalogDeleted { kind, name, .. } => {
                if kind == LANE_WIDTH_KIND {
                    self.set_width(&Lane::from_text(name), None);
                }
                self.catalog.remove(&(kind.clone(), name.clone()));
                true
            }
            Record::Carried(carried) => {
                self.apply_carried(carried, at);
                false
            }
            // Whoever holds the key holds it still.
            Record::CarriedKeys { .. } => false,
            Record::Removed(removed) => {
                self.set_begins(removed.upto.saturating_add(1));
                false
            }
        }
    }

    fn apply_settled(&mut self, settled: &SettledRecord, at: Position) -> bool {
        // Not pending any more: the record was applied before.
        let Some(slot) = self.by_id.get(&settled.delivery).copied() else { return false };
        if settled.attempt.as_ref().is_some_and(|a| a.number <= self.pending[slot].tries) {
            return false;
        }
        let begun = self.is_begun(slot);
        if !self.strip_lease(slot) {
            self.leave(slot, begun);
        }
        let p = &mut self.pending[slot];
        let counted = settled.to.counted(settled.attempt.is_some());
        p.tries += counted.tries;
        p.attempts += counted.attempts;
        match counted.lost {
            LostInARow::AsItWas => {}
            LostInARow::OneMore => p.lost += 1,
            LostInARow::Is(lost) => p.lost = lost,
        }
        if let (SettledTo::Retry { .. }, Some(order)) = (settled.to, &mut p.order) {
            Arc::make_mut(order).fail(settled.at);
        }
        match settled.to {
            SettledTo::Retry { due_at } | SettledTo::Lost { due_at, .. } => {
                p.due_at = due_at;
                self.enter(slot);
            }
            SettledTo::Delivered => self.end(slot, begun, (DeliveryState::Delivered, None), settled.at, at),
            SettledTo::Dead(reason) => self.end(slot, begun, (DeliveryState::Dead, Some(reason)), settled.at, at),
            SettledTo::Cancelled => {
                self.end(slot, begun, (DeliveryState::Cancelled, Some(EndReason::Cancelled)), settled.at, at);
            }
            SettledTo::Superseded => {
                self.superseded += 1;
                self.end(slot, begun, (DeliveryState::Cancelled, Some(EndReason::Superseded)), settled.at, at);
            }
        }
        true
    }

    fn ask_cancel(&mut self, id: DeliveryId, when: Time) {
        let Some(slot) = self.by_id.get(&id).copied() else { return };
        if self.asked.contains_key(&id) {
            return;
        }
        // Given back since it was asked for: it is in a lane that it has to leave.
        let in_hand = self.pending[slot].session != 0;
        if !in_hand {
            self.leave(slot, false);
        }
        self.asked.insert(id, when);
        if !in_hand {
            self.enter(slot);
        }
    }

    fn end(&mut self, slot: u32, begun: bool, ended: (DeliveryState, Option<EndReason>), when: Time, at: Position) {
        let (state, reason) = ended;
        let Some(p) = self.pending.remove(slot) else { return };
        self.by_id.remove(&p.id);
        self.discount_in(p.event_at.segment);
        self.lanes.leave(p.lane);
        self.depths.add_pending(&p.kind, -1);
        if state == DeliveryState::Dead {
            self.depths.add_dead(&p.kind.source, &p.kind.destination, p.kind.policy.critical, 1);
        }
        let mut delivery = p.view();
        delivery.cancel_asked_at = self.asked.remove(&p.id);
        (delivery.state, delivery.end_reason, delivery.ended_at) = (state, reason, Some(when));
        delivery.park();
        self.free_slot(slot, p.lane, &delivery, begun);
        self.recent.add_past(Past { delivery, event_at: p.event_at }, at);
    }

    /// Everything stays as it is, in another place: leases too. Ended deliveries are remembered until
    /// history knows the place, so that a replay does not begin from one that has gone.
    fn apply_carried(&mut self, carried: &CarriedRecord, at: Position) {
        for CarriedDelivery { delivery, .. } in &carried.deliveries {
            match self.by_id.get(&delivery.id).copied() {
                Some(slot) => {
                    let from = std::mem::replace(&mut self.pending[slot].event_at, at);
                    self.discount_in(from.segment);
                    self.count_in(at.segment);
                }
                None if delivery.state.is_final() => {
                    let delivery = self.recent.past(delivery.id).map_or(delivery, |past| &past.delivery).clone();
                    self.recent.add_past(Past { delivery, event_at: at }, at);
                }
                // Carried again after it ended: it has, and stays so.
                None => {}
            }
        }
    }

    /// Changes a delivery that has ended, keeping the count of dead letters right.
    fn change_past(&mut self, id: DeliveryId, recalled: Recalled, at: Position, change: impl FnOnce(&mut Delivery)) {
        let Some(mut past) = self.recent.past(id).cloned().or(recalled.0) else { return };
        let d = &mut past.delivery;
        let was_dead_letter = d.is_dead_letter();
        change(d);
        if was_dead_letter && !d.is_dead_letter() {
            self.depths.add_dead(&d.source, &d.destination, d.policy.critical, -1);
            let delivery = d.clone();
            self.unpark(&delivery);
        }
        self.recent.add_past(past, at);
    }
}

/// What a settled record adds to a delivery's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub attempts: u32,
    pub tries: u32,
    pub lost: LostInARow,
}

/// What becomes of the count of attempts lost in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LostInARow {
    #[default]
    AsItWas,
    OneMore,
    Is(u32),
}

impl SettledTo {
    /// A lost attempt is a try, and costs no retry.
    pub fn counted(self, attempted: bool) -> Counted {
        let tries = u32::from(attempted);
        let (attempts, lost) = match self {
            SettledTo::Retry { .. } => (1, LostInARow::Is(0)),
            SettledTo::Lost { lost, .. } => (0, LostInARow::Is(lost)),
            SettledTo::Delivered => (1, LostInARow::AsItWas),
            SettledTo::Dead(EndReason::Lost) => (0, LostInARow::OneMore),
            SettledTo::Dead(_) | SettledTo::Cancelled | SettledTo::Superseded => (tries, LostInARow::AsItWas),
        };
        Counted { attempts, tries, lost }
    }
}

/// Which event a delivery is of.
struct Origin<'a> {
    event: EventId,
    source: &'a Arc<str>,
    event_type: &'a Arc<str>,
}

fn birth(d: &NewDelivery, of: Origin<'_>, accepted_at: Time, replaces: Option<DeliveryId>) -> DeliveryBirth {
    DeliveryBirth {
        id: d.id,
        event: of.event,
        source: of.source.clone(),
        event_type: of.event_type.clone(),
        destination: d.destination.clone(),
        lane: d.lane.clone(),
        route: d.route.clone(),
        policy: d.policy.clone(),
        accepted_at,
        due_at: d.due_at,
        replaces,
        order: d.order.clone(),
    }
}
