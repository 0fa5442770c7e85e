//! From the sender's answer to the delivery's end: nothing lost, nothing twice, nothing made up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hookhaven_core::{DeliveryState, Time, route};

use super::Facts;
use crate::world::{Key, World};

fn by_key(facts: &Facts) -> BTreeMap<Key, Vec<(Time, hookhaven_core::EventId)>> {
    let mut keys: BTreeMap<Key, Vec<_>> = BTreeMap::new();
    for row in &facts.events {
        let key = (row.source.clone(), row.idempotency_key.clone());
        keys.entry(key).or_default().push((row.received_at, row.id));
    }
    keys
}

pub fn acknowledged_is_stored(world: &World, facts: &Facts) -> Vec<String> {
    let (stored, ledger) = (by_key(facts), world.ledger());
    let lost = ledger.sent.iter().filter(|(key, sent)| sent.acknowledged > 0 && !stored.contains_key(*key));
    lost.map(|((source, key), _)| format!("{key} of {source} was acknowledged and is not there")).collect()
}

/// A window is over when the store decides so, which is after the request arrived: as long as ingest waits.
const DECIDED_WITHIN: Duration = Duration::from_secs(16);

pub fn one_per_key(world: &World, facts: &Facts) -> Vec<String> {
    let mut breaches = Vec::new();
    for ((source, key), events) in by_key(facts) {
        let window = world.plan.config.sources.get(&source).map(|s| s.dedupe_window).unwrap_or_default();
        for pair in events.windows(2) {
            if pair[1].0.plus(DECIDED_WITHIN) < pair[0].0.plus(window) {
                breaches.push(format!("{key} of {source} is there as {} and {}", pair[0].1, pair[1].1));
            }
        }
    }
    breaches
}

/// Each event is one that its sender sent, byte for byte, and no forged one is among them.
pub fn nothing_else(world: &World, facts: &Facts) -> Vec<String> {
    let ledger = world.ledger();
    let mut breaches = Vec::new();
    for row in &facts.events {
        let key = (row.source.clone(), row.idempotency_key.clone());
        match (ledger.sent.get(&key), facts.bodies.get(&row.id)) {
            (Some(sent), Some(event)) if sent.body == event.body => {}
            (Some(_), Some(_)) => breaches.push(format!("the body of {} is not what was sent", row.id)),
            (Some(_), None) => breaches.push(format!("{} cannot be read", row.id)),
            (None, _) => breaches.push(format!("nobody sent {} ({})", row.id, row.idempotency_key)),
        }
    }
    breaches
}

/// Every event made the deliveries that its routes name, each once, and each of them has ended.
pub fn delivered_or_dead(world: &World, facts: &Facts) -> Vec<String> {
    let mut breaches = Vec::new();
    for (delivery, _) in facts.all() {
        if !matches!(delivery.state, DeliveryState::Delivered | DeliveryState::Dead) {
            breaches.push(format!("{} to {} is {}", delivery.id, delivery.destination, delivery.state.as_str()));
        }
    }
    for row in &facts.events {
        let wanted = route::matches(&world.plan.config.routes, &row.source, &row.event_type);
        let wanted: BTreeSet<_> = wanted.into_iter().map(|m| m.destination.clone()).collect();
        let first = facts.all().map(|(d, _)| d).filter(|d| d.event == row.id && d.replaces.is_none());
        let made: Vec<_> = first.map(|d| d.destination.clone()).collect();
        if made.len() != wanted.len() || made.iter().any(|d| !wanted.contains(d)) {
            breaches.push(format!("{} was to go to {wanted:?} and goes to {made:?}", row.id));
        }
    }
    breaches
}

pub fn delivered_was_answered(world: &World, facts: &Facts) -> Vec<String> {
    let ledger = world.ledger();
    let delivered = facts.all().map(|(d, _)| d).filter(|d| d.state == DeliveryState::Delivered);
    let answered = |event: String, to| ledger.delivered.contains(&(event, to));
    let made_up = delivered.filter(|d| !answered(d.event.to_string(), d.destination.clone()));
    made_up.map(|d| format!("{} is delivered, and {} never answered 2xx", d.id, d.destination)).collect()
}
