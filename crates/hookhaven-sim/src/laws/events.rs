//! From the sender's answer to the delivery's end: nothing lost, nothing twice, nothing made up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hookhaven_core::{DeliveryState, EndReason, EventId, Time, route, route::Mode};

use super::Facts;
use crate::world::{Key, Ledger, Taken, World};

/// Every event there ever was, as far as anybody knows: those there are, and those that retention removed.
fn by_key(ledger: &Ledger, facts: &Facts) -> BTreeMap<Key, BTreeSet<(Time, EventId)>> {
    let mut keys: BTreeMap<Key, BTreeSet<_>> = BTreeMap::new();
    for row in &facts.events {
        let key = (row.source.clone(), row.idempotency_key.clone());
        keys.entry(key).or_default().insert((row.received_at, row.id));
    }
    for (id, Taken { key, received_at }) in &ledger.taken {
        if let Some(at) = received_at {
            keys.entry(key.clone()).or_default().insert((*at, *id));
        }
    }
    keys
}

pub fn acknowledged_is_stored(world: &World, facts: &Facts) -> Vec<String> {
    let ledger = world.ledger();
    let mut stored: BTreeSet<Key> =
        facts.events.iter().map(|row| (row.source.clone(), row.idempotency_key.clone())).collect();
    if super::removes(world) {
        stored.extend(ledger.taken.values().map(|taken| taken.key.clone()));
    }
    let lost = ledger.sent.iter().filter(|(key, sent)| sent.acknowledged > 0 && !stored.contains(*key));
    lost.map(|((source, key), _)| format!("{key} of {source} was acknowledged and is not there")).collect()
}

/// What the store once said it has and has no more is older than its retention, and was delivered or dismissed
/// everywhere: a dead letter stays.
pub fn removed_is_over(world: &World, facts: &Facts) -> Vec<String> {
    let (ledger, config, now) = (world.ledger(), &world.plan.config, world.now());
    let mut breaches = Vec::new();
    for (id, taken) in ledger.taken.iter().filter(|(id, _)| !facts.bodies.contains_key(*id)) {
        let Taken { key: (source, key), received_at } = taken;
        if received_at.is_some_and(|at| at.plus(config.store.retention) > now) {
            breaches.push(format!("{key} of {source} is there no more, received at {received_at:?}"));
        }
        // What a newer version overtook is over too.
        let latest = |r: &&route::Route| r.ordering.as_ref().is_some_and(|ordering| ordering.mode == Mode::Latest);
        let routes = config.routes.iter().filter(|r| r.source == *source && !latest(r));
        for to in routes.flat_map(|r| &r.to) {
            let of = (id.to_string(), to.clone());
            if !ledger.delivered.contains(&of) && !ledger.dismissed_for.contains(&of) {
                breaches.push(format!("{key} of {source} is there no more and was never delivered to {to}"));
            }
        }
    }
    breaches
}

/// A window is over when the store decides so, which is after the request arrived: as long as ingest waits.
const DECIDED_WITHIN: Duration = Duration::from_secs(16);

pub fn one_per_key(world: &World, facts: &Facts) -> Vec<String> {
    let mut breaches = Vec::new();
    for ((source, key), events) in by_key(&world.ledger(), facts) {
        let events: Vec<_> = events.into_iter().collect();
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
        let superseded = delivery.end_reason == Some(EndReason::Superseded);
        if !matches!(delivery.state, DeliveryState::Delivered | DeliveryState::Dead) && !superseded {
            breaches.push(format!("{} to {} is {}", delivery.id, delivery.destination, delivery.state.as_str()));
        }
    }
    // One that cannot be read is another law's matter.
    for (row, event) in facts.events.iter().filter_map(|row| Some((row, facts.bodies.get(&row.id)?))) {
        let wanted = route::matches(&world.plan.config.routes, event);
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
