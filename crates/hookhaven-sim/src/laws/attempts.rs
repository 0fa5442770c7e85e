//! How often and when deliveries are attempted.

use std::time::Duration;

use hookhaven_core::{Attempt, Delivery, DeliveryState, EndReason, ErrorClass};
use hookhaven_store::rules::LOST_MAX;

use super::Facts;
use crate::world::World;

/// Rounding of waits and of the clock.
const GRAIN: Duration = Duration::from_millis(2);

fn counted(attempts: &[Attempt]) -> impl Iterator<Item = &Attempt> {
    attempts.iter().filter(|a| a.class != ErrorClass::Lost)
}

/// A 410 that met its destination paused by 410s ends no delivery: such attempts are over the budget.
fn over_budget(delivery: &Delivery, attempts: &[Attempt]) -> bool {
    let budget = usize::try_from(delivery.policy.retry.attempts).unwrap_or(usize::MAX);
    let counted: Vec<_> = counted(attempts).collect();
    let ended = counted.iter().take(counted.len().saturating_sub(1)).skip(budget.saturating_sub(1));
    ended.into_iter().any(|a| a.status != Some(410))
}

pub fn within_policy(_: &World, facts: &Facts) -> Vec<String> {
    let mut breaches = Vec::new();
    for (delivery, attempts) in facts.all() {
        if over_budget(delivery, attempts) {
            let (made, allowed) = (counted(attempts).count(), delivery.policy.retry.attempts);
            breaches.push(format!("{}: {made} attempts where {allowed} are allowed", delivery.id));
        }
        let mut lost = 0;
        for attempt in attempts {
            lost = if attempt.class == ErrorClass::Lost { lost + 1 } else { 0 };
            if lost > LOST_MAX {
                breaches.push(format!("{}: {lost} attempts lost in a row", delivery.id));
            }
        }
        if attempts.is_empty() && delivery.state == DeliveryState::Delivered {
            breaches.push(format!("{} is delivered without an attempt", delivery.id));
        }
    }
    breaches
}

/// Numbers from 1 without a gap; none starts before the one before it was over.
pub fn in_order(_: &World, facts: &Facts) -> Vec<String> {
    let mut breaches = Vec::new();
    for (delivery, attempts) in facts.all() {
        let numbers: Vec<_> = attempts.iter().map(|a| a.number).collect();
        if !numbers.iter().copied().eq(1..=u32::try_from(numbers.len()).unwrap_or(0)) {
            breaches.push(format!("{}: attempts are numbered {numbers:?}", delivery.id));
        }
        for pair in attempts.windows(2) {
            let over_at = pair[0].started_at.plus(Duration::from_micros(pair[0].duration_us));
            if pair[1].started_at.plus(GRAIN) < over_at {
                breaches.push(format!("{}: attempt {} starts before the last is over", delivery.id, pair[1].number));
            }
            if pair[0].class == ErrorClass::Ok {
                breaches.push(format!("{}: attempted again after it was delivered", delivery.id));
            }
        }
        if attempts.first().is_some_and(|a| a.started_at < delivery.accepted_at) {
            breaches.push(format!("{}: attempted before it was accepted", delivery.id));
        }
    }
    breaches
}

/// Each retry waits at least as long as the policy says, and until it was announced.
pub fn never_early(_: &World, facts: &Facts) -> Vec<String> {
    let mut breaches = Vec::new();
    for (delivery, attempts) in facts.all() {
        let mut failed = 0;
        for pair in attempts.windows(2) {
            let [last, next] = pair else { continue };
            if last.class == ErrorClass::Lost {
                continue;
            }
            failed += 1;
            let retry = &delivery.policy.retry;
            let wait = retry.wait(failed, 0.0).unwrap_or(retry.initial);
            let due = last.started_at.plus(wait).max(last.next_attempt_at.unwrap_or(last.started_at));
            if next.started_at.plus(GRAIN) < due {
                let (number, at) = (next.number, next.started_at);
                breaches.push(format!("{}: attempt {number} starts at {at}, due at {due}", delivery.id));
            }
        }
    }
    breaches
}

/// Nothing dies before it must.
pub fn dead_for_a_reason(world: &World, facts: &Facts) -> Vec<String> {
    let ledger = world.ledger();
    let right = |d: &Delivery, attempts: &[Attempt]| match d.end_reason {
        Some(EndReason::Exhausted) => counted(attempts).count() >= d.policy.retry.attempts as usize,
        Some(EndReason::Lost) => {
            let lost = attempts.iter().rev().take_while(|a| a.class == ErrorClass::Lost).count();
            lost == LOST_MAX as usize
        }
        Some(EndReason::Expired) => d.ended_at.is_some_and(|at| at >= d.accepted_at.plus(d.policy.max_age)),
        Some(EndReason::Parked) => d.order.as_ref().is_some_and(|order| order.version().is_none()),
        Some(EndReason::Aborted) => ledger.aborted.contains(&(d.event.to_string(), d.destination.clone())),
        _ => false,
    };
    let dead = facts.all().filter(|(d, _)| d.state == DeliveryState::Dead);
    let wrong = dead.filter(|(d, attempts)| !right(d, attempts));
    wrong.map(|(d, a)| format!("{} is dead ({:?}) after {} attempts", d.id, d.end_reason, a.len())).collect()
}

pub fn settled_is_recorded(world: &World, facts: &Facts) -> Vec<String> {
    let ledger = world.ledger();
    let recorded = |s: &crate::world::Settlement| {
        let attempts = facts.attempts.get(&s.delivery);
        attempts.map_or(super::removes(world), |all| all.iter().any(|a| a.number == s.number && a.class == s.class))
    };
    let lost = ledger.settled.iter().filter(|s| !recorded(s));
    lost.map(|s| format!("attempt {} of {} ({}) is not there", s.number, s.delivery, s.class.as_str())).collect()
}
