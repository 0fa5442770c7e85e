//! One first: what its fate means for the others. Pure.

use hookhaven_core::{DeliveryId, DeliveryState, ErrorClass};
use hookhaven_store::DeliveryRow;

/// What became of the one that goes before all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// Nothing yet that says anything about the handler.
    Waits,
    Delivered,
    /// Its first attempt failed, or it ended otherwise; in words.
    Failed(String),
}

/// One failed attempt is enough to stop: whoever asked for one first wants to know, not to wait for its retries. An
/// attempt that was lost with its node says nothing.
pub fn verdict(id: DeliveryId, row: Option<&DeliveryRow>) -> First {
    let Some(DeliveryRow { delivery, last }) = row else {
        return First::Failed(format!("the one that went first, {id}, is gone"));
    };
    let failed = last.as_ref().filter(|last| !matches!(last.class, ErrorClass::Ok | ErrorClass::Lost));
    match (delivery.state, failed) {
        (DeliveryState::Delivered, _) => First::Delivered,
        (_, Some(last)) => {
            let status = last.status.map(|status| format!(" {status}")).unwrap_or_default();
            let class = last.class.as_str();
            First::Failed(format!("the one that went first, {id}, failed: {class}{status}: {}", last.error))
        }
        (DeliveryState::Dead | DeliveryState::Cancelled, None) => {
            let why = delivery.end_reason.map_or("", |reason| reason.as_str());
            First::Failed(format!("the one that went first, {id}, ended {} ({why})", delivery.state.as_str()))
        }
        (DeliveryState::Pending | DeliveryState::Leased, None) => First::Waits,
    }
}
