//! The rules of what people ask of deliveries and events: again (replay), elsewhere (route), no more (dismiss, cancel).

use std::sync::Arc;

use hookhaven_core::{Delivery, DeliveryId, EventId, Lane, Time};

use super::{Answer, Change, Decision, Found, Rules, Touched, born, go};
use crate::{
    clock::Entropy,
    history::{Past, PastEvent},
    live::{Recalled, Standing},
    record::{Record, SettledTo},
    seam::{Cancelled, Dismissed, NewDelivery, Redelivered, Redelivery, Replayed, Routed, StoreError},
};

impl Rules<'_> {
    pub(super) fn replay(
        &mut self,
        id: DeliveryId,
        new: Option<DeliveryId>,
        touched: &mut Touched,
    ) -> Result<Decision, StoreError> {
        if touched.deliveries.contains(&id) {
            return Ok(Decision::Wait);
        }
        let answer = match self.past(id)? {
            Found::Unknown => Replayed::Unknown,
            Found::NotEnded => Replayed::NotEnded,
            Found::Past(past) => match past.delivery.replaced_by {
                Some(by) => Replayed::Already(by),
                None => {
                    if !past.delivery.is_dead_letter() {
                        self.not_retiring(past.event_at)?;
                    }
                    self.room_for(1, touched)?;
                    let changes = self.redeliver(past, new, touched)?;
                    let new = changes.iter().find_map(|(record, _)| born(record));
                    let answer = Answer::Replayed(new.map_or(Replayed::Unknown, Replayed::New));
                    return Ok(Decision::Go { changes, answer });
                }
            },
        };
        Ok(go([], Answer::Replayed(answer)))
    }

    /// A new delivery in the place of one that ended: same event, destination, lane and policy, fresh budget.
    ///
    /// One that a newer version has overtaken since is superseded at once.
    pub(super) fn redeliver(
        &mut self,
        past: Past,
        new: Option<DeliveryId>,
        touched: &mut Touched,
    ) -> Result<Vec<Change>, StoreError> {
        let old = &past.delivery;
        touched.deliveries.insert(old.id);
        let mut delivery = redelivery(old, new, self.now, self.entropy);
        self.take_turns(std::slice::from_mut(&mut delivery), touched);
        let superseded = self.line_up(std::slice::from_mut(&mut delivery), Some(old.id))?;
        let record = Record::Redelivered {
            at: self.now,
            event: old.event,
            source: old.source.clone(),
            event_type: old.event_type.clone(),
            event_at: past.event_at,
            replaces: Some(old.id),
            delivery,
        };
        let again = (record, Recalled(Some(past)));
        Ok(std::iter::once(again).chain(self.superseded(superseded)).collect())
    }

    /// A further delivery of an event, made once by its id.
    pub(super) fn redeliver_event(
        &mut self,
        wanted: &Redelivery,
        touched: &mut Touched,
    ) -> Result<Decision, StoreError> {
        let id = wanted.delivery.id;
        if touched.deliveries.contains(&id) {
            return Ok(Decision::Wait);
        }
        if !matches!(self.past(id)?, Found::Unknown) {
            return Ok(go([], Answer::Redelivered(Redelivered::Already)));
        }
        let Some(of) = self.known_event(wanted.event)? else {
            return Ok(go([], Answer::Redelivered(Redelivered::Unknown)));
        };
        self.not_retiring(of.event_at)?;
        self.room_for(1, touched)?;
        touched.deliveries.insert(id);
        let changes = self.born_of(wanted.event, &of, vec![wanted.delivery.clone()], touched)?;
        Ok(Decision::Go { changes, answer: Answer::Redelivered(Redelivered::New) })
    }

    fn known_event(&self, event: EventId) -> Result<Option<PastEvent>, StoreError> {
        Ok(self.history.event(event)?.filter(|of| self.live.standing(of.event_at) != Standing::Gone))
    }

    /// New deliveries of a stored event that replace none.
    fn born_of(
        &mut self,
        event: EventId,
        of: &PastEvent,
        mut fresh: Vec<NewDelivery>,
        touched: &mut Touched,
    ) -> Result<Vec<Change>, StoreError> {
        self.take_turns(&mut fresh, touched);
        let superseded = self.line_up(&mut fresh, None)?;
        let change = |delivery| {
            let record = Record::Redelivered {
                at: self.now,
                event,
                source: of.source.clone(),
                event_type: of.event_type.clone(),
                event_at: of.event_at,
                replaces: None,
                delivery,
            };
            (record, Recalled::default())
        };
        Ok(fresh.into_iter().map(change).chain(self.superseded(superseded)).collect())
    }

    pub(super) fn route(
        &mut self,
        event: EventId,
        deliveries: &[NewDelivery],
        touched: &mut Touched,
    ) -> Result<Decision, StoreError> {
        if touched.events.contains(&event) {
            return Ok(Decision::Wait);
        }
        let Some(of) = self.known_event(event)? else {
            return Ok(go([], Answer::Routed(Routed::Unknown)));
        };
        self.not_retiring(of.event_at)?;
        let mut known = self.history.destinations_of(event)?;
        known.extend_from_slice(self.live.recent_destinations_of(event));
        let fresh: Vec<_> = deliveries.iter().filter(|d| !known.contains(&d.destination)).cloned().collect();
        self.room_for(fresh.len(), touched)?;
        touched.events.insert(event);
        let made = fresh.iter().map(|d| d.id).collect();
        let changes = self.born_of(event, &of, fresh, touched)?;
        Ok(Decision::Go { changes, answer: Answer::Routed(Routed::Made(made)) })
    }

    pub(super) fn dismiss(&mut self, id: DeliveryId, touched: &mut Touched) -> Result<Decision, StoreError> {
        if touched.deliveries.contains(&id) {
            return Ok(Decision::Wait);
        }
        let answer = match self.past(id)? {
            Found::Unknown => Dismissed::Unknown,
            Found::Past(past) if past.delivery.is_dead_letter() => {
                touched.deliveries.insert(id);
                let record = Record::Dismissed { at: self.now, delivery: id };
                return Ok(go([(record, Recalled(Some(past)))], Answer::Dismissed(Dismissed::Done)));
            }
            Found::Past(_) | Found::NotEnded => Dismissed::NotDeadLetter,
        };
        Ok(go([], Answer::Dismissed(answer)))
    }

    pub(super) fn cancel(&mut self, id: DeliveryId, touched: &mut Touched) -> Result<Decision, StoreError> {
        if touched.deliveries.contains(&id) {
            return Ok(Decision::Wait);
        }
        if self.live.pending(id).is_none() {
            let answer = match self.past(id)? {
                Found::Unknown => Cancelled::Unknown,
                Found::Past(_) | Found::NotEnded => Cancelled::Before,
            };
            return Ok(go([], Answer::Cancelled(answer)));
        }
        if self.live.is_cancel_asked(id) {
            return Ok(go([], Answer::Cancelled(Cancelled::Before)));
        }
        touched.deliveries.insert(id);
        if self.live.reserve(id) {
            let record = self.ended(id, SettledTo::Cancelled);
            return Ok(go([(record, Recalled::default())], Answer::Cancelled(Cancelled::Done)));
        }
        let record = Record::CancelAsked { at: self.now, delivery: id };
        Ok(go([(record, Recalled::default())], Answer::Cancelled(Cancelled::Asked)))
    }

    pub(super) fn past(&self, id: DeliveryId) -> Result<Found, StoreError> {
        if self.live.pending(id).is_some() {
            return Ok(Found::NotEnded);
        }
        if let Some(past) = self.live.recent_past(id) {
            return Ok(Found::Past(past.clone()));
        }
        Ok(match self.history.delivery(id)? {
            None => Found::Unknown,
            Some(past) if self.live.standing(past.event_at) == Standing::Gone => Found::Unknown,
            Some(past) if past.delivery.state.is_final() => Found::Past(past),
            Some(_) => Found::NotEnded,
        })
    }
}

/// What takes the place of a delivery that ended: same event, destination, lane and policy, fresh budget. What
/// once kept a slot of a queue keeps none now.
pub fn redelivery(old: &Delivery, new: Option<DeliveryId>, now: Time, entropy: &dyn Entropy) -> NewDelivery {
    let lane = if old.lane.holder().is_some() { Lane::of_url(&old.destination) } else { old.lane.clone() };
    NewDelivery {
        id: new.unwrap_or_else(|| DeliveryId::mint(now, entropy.id_bytes())),
        destination: old.destination.clone(),
        lane,
        route: old.route.clone(),
        policy: old.policy.clone(),
        due_at: now,
        order: old.order.as_ref().map(|order| Arc::new(order.anew())),
    }
}
