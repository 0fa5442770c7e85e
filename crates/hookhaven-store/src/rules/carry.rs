//! The rules of retention: each step is proposed from what the index showed, and rechecked here, where
//! everything has its one order.
//!
//! Not here: which segment, and when (`embedded::retention`).

use std::sync::Arc;

use hookhaven_core::{Delivery, DeliveryId, DeliveryState, EndReason};

use super::{Answer, Decision, Found, Rules, Touched, Upkeep, go};
use crate::{
    live::Recalled,
    record::{CarriedDelivery, CarriedKey, CarriedRecord, Record, RemovedRecord, SettledRecord, SettledTo},
    seam::StoreError,
};

impl Rules<'_> {
    pub(super) fn upkeep(&mut self, upkeep: &mut Upkeep, touched: &mut Touched) -> Result<Decision, StoreError> {
        match upkeep {
            Upkeep::Retire { upto } => {
                self.live.retire(*upto);
                Ok(go([], Answer::Upkept(true)))
            }
            Upkeep::Carry(carried) => self.carry(carried, touched),
            Upkeep::CarryKeys(keys) => Ok(self.carry_keys(keys)),
            Upkeep::CarryCatalog { kind, name } => Ok(self.carry_catalog(kind, name, touched)),
            Upkeep::Bury(id) => Ok(self.bury(*id, touched)),
            Upkeep::Remove(removed) => Ok(self.remove(removed)),
        }
    }

    fn carry(&mut self, carried: &CarriedRecord, touched: &mut Touched) -> Result<Decision, StoreError> {
        let event = carried.event.id;
        let ids = || carried.deliveries.iter().map(|c| c.delivery.id);
        if touched.events.contains(&event) || ids().any(|id| touched.deliveries.contains(&id)) {
            return Ok(Decision::Wait);
        }
        if !self.is_as_found(carried)? {
            return Ok(go([], Answer::Upkept(false)));
        }
        touched.events.insert(event);
        touched.deliveries.extend(ids());
        let key_until = carried.key_until.filter(|until| *until > self.now);
        let record = CarriedRecord { at: self.now, key_until, ..carried.clone() };
        Ok(go([(Record::Carried(Box::new(record)), Recalled::default())], Answer::Upkept(true)))
    }

    /// Whether the event has these deliveries, in these states, and no other.
    fn is_as_found(&self, carried: &CarriedRecord) -> Result<bool, StoreError> {
        let event = carried.event.id;
        let known = |destination: &Arc<str>| carried.deliveries.iter().any(|c| c.delivery.destination == *destination);
        // One more for a destination it had shows in `replaced_by` of the one before.
        if !self.live.recent_destinations_of(event).is_empty()
            || !self.history.destinations_of(event)?.iter().all(known)
        {
            return Ok(false);
        }
        for CarriedDelivery { delivery, .. } in &carried.deliveries {
            if self.now_of(delivery.id)?.is_none_or(|now| now != *delivery) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A delivery as it stands, its lease aside.
    fn now_of(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        if let Some(mut delivery) = self.live.pending(id) {
            delivery.state = DeliveryState::Pending;
            return Ok(Some(delivery));
        }
        Ok(match self.past(id)? {
            Found::Past(past) => Some(past.delivery),
            Found::NotEnded | Found::Unknown => None,
        })
    }

    fn carry_keys(&self, keys: &mut Vec<CarriedKey>) -> Decision {
        keys.retain(|key| key.until > self.now);
        if keys.is_empty() {
            return go([], Answer::Upkept(true));
        }
        let record = Record::CarriedKeys { at: self.now, keys: keys.clone() };
        go([(record, Recalled::default())], Answer::Upkept(true))
    }

    /// Says again what stands, as of now: an older saying is about to go.
    fn carry_catalog(&self, kind: &str, name: &str, touched: &mut Touched) -> Decision {
        if touched.catalog {
            return Decision::Wait;
        }
        let Some(entry) = self.live.catalog(kind).into_iter().find(|entry| entry.name == name) else {
            return go([], Answer::Upkept(true));
        };
        touched.catalog = true;
        go([(Record::CatalogPut { at: self.now, entry }, Recalled::default())], Answer::Upkept(true))
    }

    fn bury(&mut self, id: DeliveryId, touched: &mut Touched) -> Decision {
        if touched.deliveries.contains(&id) {
            return Decision::Wait;
        }
        if !self.live.reserve(id) {
            // Ended meanwhile, or leased: then it ends soon.
            return go([], Answer::Upkept(false));
        }
        touched.deliveries.insert(id);
        let to = SettledTo::Dead(EndReason::Damaged);
        let record = Record::Settled(SettledRecord { at: self.now, delivery: id, attempt: None, to });
        go([(record, Recalled::default())], Answer::Upkept(true))
    }

    fn remove(&self, removed: &RemovedRecord) -> Decision {
        if self.live.pending_upto(removed.upto) > 0 {
            return go([], Answer::Upkept(false));
        }
        let record = Record::Removed(RemovedRecord { at: self.now, ..*removed });
        go([(record, Recalled::default())], Answer::Upkept(true))
    }
}
