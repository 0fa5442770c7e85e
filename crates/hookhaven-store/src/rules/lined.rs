//! The rules of ordering: what a delivery's turn is, and what a settlement comes to in a line.

use std::sync::Arc;

use hookhaven_core::{DeliveryId, EndReason, Order, Time};

use super::{Change, Rules};
use crate::{
    live::Recalled,
    record::SettledTo,
    seam::{NewDelivery, StoreError},
};

impl Rules<'_> {
    /// Numbers new deliveries; one that replaces `parking` takes its place while that parks its line. Answers those
    /// that a newer version has overtaken already.
    pub(super) fn line_up(
        &mut self,
        deliveries: &mut [NewDelivery],
        parking: Option<DeliveryId>,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let mut superseded = Vec::new();
        for delivery in deliveries {
            let Some(order) = &mut delivery.order else { continue };
            let line = order.line(&delivery.destination);
            if order.version().is_some() {
                let newest = self.live.newest(line).max(self.history.newest(line)?);
                if order.is_overtaken_by(newest) {
                    superseded.push(delivery.id);
                }
            }
            Arc::make_mut(order).turn = self.live.turn_for(line, parking, self.now);
        }
        Ok(superseded)
    }

    pub(super) fn superseded(&self, deliveries: Vec<DeliveryId>) -> impl Iterator<Item = Change> + use<> {
        let ended = |id| (self.ended(id, SettledTo::Superseded), Recalled::default());
        deliveries.into_iter().map(ended).collect::<Vec<_>>().into_iter()
    }
}

/// What a settlement comes to: one that would park its line for too long dies instead.
pub fn parked(order: &Order, to: SettledTo, now: Time) -> SettledTo {
    match to {
        SettledTo::Retry { due_at } if order.parks_too_long(due_at, now) => SettledTo::Dead(EndReason::Parked),
        to => to,
    }
}
