//! The one way back: replays happen once, when somebody asked, and the figures that operators see fit.

use std::collections::BTreeMap;

use hookhaven_core::Delivery;

use super::Facts;
use crate::world::World;

/// Each link has two ends that know each other; what replaces what was asked for by an operator, or came with
/// a redelivery.
pub fn once(world: &World, facts: &Facts) -> Vec<String> {
    let ledger = world.ledger();
    let mut breaches = Vec::new();
    let mut replaced: BTreeMap<_, Vec<&Delivery>> = BTreeMap::new();
    for (new, _) in facts.all() {
        let Some(old) = new.replaces else { continue };
        replaced.entry(old).or_default().push(new);
        let known = facts.delivery(old);
        if known.is_none_or(|old| old.replaced_by != Some(new.id) || !old.state.is_final()) {
            breaches.push(format!("{} replaces {old}, which does not know it", new.id));
        }
        let event = facts.events.iter().find(|row| row.id == new.event);
        let key = event.map(|row| (row.source.clone(), row.idempotency_key.clone()));
        let sent_again = key.and_then(|key| ledger.sent.get(&key)).is_some_and(|sent| sent.tries > 1);
        if !ledger.replay_asked.contains(&old) && !sent_again {
            breaches.push(format!("{} replaces {old}, and nobody asked for that", new.id));
        }
    }
    for (old, by) in replaced.iter().filter(|(_, by)| by.len() > 1) {
        breaches.push(format!("{old} was replayed {} times", by.len()));
    }
    for (old, by) in &ledger.replay_told {
        let removed = super::removes(world) && facts.delivery(*old).is_none() && facts.delivery(*by).is_none();
        if !removed && facts.delivery(*old).is_none_or(|old| old.replaced_by != Some(*by)) {
            breaches.push(format!("the replay of {old} as {by} was acknowledged and is not there"));
        }
    }
    breaches
}

pub fn dismissed_when_asked(world: &World, facts: &Facts) -> Vec<String> {
    let ledger = world.ledger();
    let dismissed = facts.all().map(|(d, _)| d).filter(|d| d.dismissed_at.is_some());
    let unasked = dismissed.filter(|d| !ledger.dismiss_asked.contains(&d.id));
    unasked.map(|d| format!("{} was dismissed by nobody", d.id)).collect()
}

pub fn figures_fit(_: &World, facts: &Facts) -> Vec<String> {
    let mut breaches = Vec::new();
    let dead = facts.all().filter(|(d, _)| d.is_dead_letter()).count();
    let counted: u64 = facts.stats.depths.iter().map(|d| d.dead_letters + d.dead_letters_critical).sum();
    if dead != facts.dead_letters || dead as u64 != counted {
        breaches.push(format!("{dead} dead letters, {} listed, {counted} counted", facts.dead_letters));
    }
    let pending = facts.all().filter(|(d, _)| !d.state.is_final()).count();
    if pending as u64 != facts.stats.pending {
        breaches.push(format!("{pending} pending, {} counted", facts.stats.pending));
    }
    breaches
}
