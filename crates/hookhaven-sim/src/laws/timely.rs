//! Isolation (I10): however slow, dead or paused the others are, a destination that answers at once gets its
//! deliveries at once, as long as store, nodes and clock are well.

use std::time::Duration;

use super::Facts;
use crate::{plan::BRISK, world::World};

/// From acceptance until the handler sees it: a sync or two, and a bunch of others of the same destination.
const SOON: Duration = Duration::from_secs(3);

pub fn brisk(world: &World, facts: &Facts) -> Vec<String> {
    let ledger = world.ledger();
    let mut breaches = Vec::new();
    for (delivery, _) in facts.all().filter(|(d, _)| &*d.destination == BRISK) {
        let (accepted_at, latest) = (delivery.accepted_at, delivery.accepted_at.plus(SOON));
        let seen = ledger.seen.get(&(delivery.event.to_string(), delivery.destination.clone())).copied();
        if seen.is_none_or(|at| at > latest) && ledger.is_calm(accepted_at, latest) {
            breaches.push(format!("{} was accepted at {accepted_at} and seen at {seen:?}", delivery.id));
        }
    }
    breaches
}
