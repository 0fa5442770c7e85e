//! A delivery that has not ended, as the live state holds it: small, with what many have in common held once.

use std::sync::Arc;

use hookhaven_core::{Delivery, DeliveryId, DeliveryState, EventId, Lane, Order, Policy, Time, Version};

use super::Live;
use crate::{position::Position, record::DeliveryBirth};

/// What many deliveries have in common, held once.
pub type Birth = Arc<BirthKind>;

/// The part of a [`DeliveryBirth`] that deliveries share.
#[derive(Clone, Debug, PartialEq)]
pub struct BirthKind {
    pub source: Arc<str>,
    pub event_type: Arc<str>,
    pub destination: Arc<str>,
    pub lane: Lane,
    pub route: Arc<str>,
    pub policy: Arc<Policy>,
}

/// A delivery that has not ended. Small: there may be millions.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub id: DeliveryId,
    pub event: EventId,
    pub event_at: Position,
    pub kind: Birth,
    pub accepted_at: Time,
    pub due_at: Time,
    pub attempts: u32,
    pub tries: u32,
    pub lost: u32,
    pub lane: u32,
    /// 0 = not leased.
    pub session: u64,
    pub fence: u64,
    pub replaces: Option<Box<DeliveryId>>,
    pub order: Option<Arc<Order>>,
}

/// A pending delivery as a store remembers it, for start-up.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingImage {
    pub delivery: Delivery,
    pub event_at: Position,
    /// The newest version that its line has had.
    pub newest: Option<Version>,
}

impl Live {
    /// Puts back a pending delivery that the index remembers. Before any record is applied.
    pub fn restore_pending(&mut self, image: PendingImage) {
        let d = image.delivery;
        if let (Some(order), Some(newest)) = (&d.order, image.newest) {
            self.lines.restore_newest(order.line(&d.destination), newest);
        }
        let birth = DeliveryBirth {
            id: d.id,
            event: d.event,
            source: d.source,
            event_type: d.event_type,
            destination: d.destination,
            lane: d.lane,
            route: d.route,
            policy: d.policy,
            accepted_at: d.accepted_at,
            due_at: d.due_at,
            replaces: d.replaces,
            order: d.order,
        };
        if let Some(asked_at) = d.cancel_asked_at {
            self.asked.insert(d.id, asked_at);
        }
        self.insert(birth, (d.attempts, d.tries, d.lost), image.event_at);
    }

    /// Adds a delivery to its lane, with its attempts, tries and lost ones so far; `false` if it is there already.
    pub(super) fn insert(
        &mut self,
        birth: DeliveryBirth,
        (attempts, tries, lost): (u32, u32, u32),
        event_at: Position,
    ) -> bool {
        if self.by_id.contains_key(&birth.id) {
            return false;
        }
        let kind = self.intern(BirthKind {
            source: birth.source,
            event_type: birth.event_type,
            destination: birth.destination,
            lane: birth.lane,
            route: birth.route,
            policy: birth.policy,
        });
        self.depths.add_pending(&kind, 1);
        let lane = self.lanes.number(&kind.lane);
        let slot = self.pending.insert(Pending {
            id: birth.id,
            event: birth.event,
            event_at,
            kind,
            accepted_at: birth.accepted_at,
            due_at: birth.due_at,
            attempts,
            tries,
            lost,
            lane,
            session: 0,
            fence: 0,
            replaces: birth.replaces.map(Box::new),
            order: birth.order,
        });
        self.by_id.insert(birth.id, slot);
        self.count_in(event_at.segment);
        self.join(slot);
        true
    }

    fn intern(&mut self, kind: BirthKind) -> Birth {
        const KINDS_MAX: usize = 256;
        if let Some(i) = self.kinds.iter().position(|k| **k == kind) {
            // The common kinds stay in front.
            self.kinds.swap(i, i / 2);
            return self.kinds[i / 2].clone();
        }
        let kind = Arc::new(kind);
        self.kinds.truncate(KINDS_MAX - 1);
        self.kinds.push(kind.clone());
        kind
    }
}

impl Pending {
    pub fn view(&self) -> Delivery {
        Delivery {
            id: self.id,
            event: self.event,
            source: self.kind.source.clone(),
            event_type: self.kind.event_type.clone(),
            destination: self.kind.destination.clone(),
            lane: self.kind.lane.clone(),
            route: self.kind.route.clone(),
            policy: self.kind.policy.clone(),
            accepted_at: self.accepted_at,
            due_at: self.due_at,
            attempts: self.attempts,
            tries: self.tries,
            lost: self.lost,
            state: if self.session == 0 { DeliveryState::Pending } else { DeliveryState::Leased },
            ended_at: None,
            end_reason: None,
            replaces: self.replaces.as_deref().copied(),
            replaced_by: None,
            dismissed_at: None,
            cancel_asked_at: None,
            order: self.order.clone(),
        }
    }
}
