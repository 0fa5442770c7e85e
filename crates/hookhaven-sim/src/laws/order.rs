//! Deliveries of one ordering key to one destination: none overtakes another in a `fifo` line, no older version goes
//! after a newer one in a `latest` line. Key and version are read from what was sent, not from what was made of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hookhaven_core::{
    Attempt, Delivery, EndReason, Time,
    json::{Pointer, scan},
    route::Mode,
};

use super::Facts;
use crate::world::World;

/// Rounding of the clock.
const GRAIN: Duration = Duration::from_millis(2);

/// One delivery of a line, as its event says.
struct Member<'a> {
    delivery: &'a Delivery,
    attempts: &'a [Attempt],
    version: u64,
}

type Lines<'a> = BTreeMap<(Arc<str>, Arc<str>, String), Vec<Member<'a>>>;

/// Lines of routes of this mode, in the order of turns.
fn lines<'a>(world: &World, facts: &'a Facts, wanted: fn(Mode) -> bool) -> Lines<'a> {
    let mut lines = Lines::new();
    for (delivery, attempts) in facts.all() {
        let route = world.plan.config.routes.iter().find(|route| route.name == delivery.route);
        let ordered = route.and_then(|route| route.ordering.as_ref()).is_some_and(|ordering| wanted(ordering.mode));
        let Some(event) = facts.bodies.get(&delivery.event).filter(|_| ordered) else { continue };
        let Some((thing, version)) = thing_and_version(&event.body) else { continue };
        let line = (delivery.route.clone(), delivery.destination.clone(), thing);
        lines.entry(line).or_default().push(Member { delivery, attempts, version });
    }
    for members in lines.values_mut() {
        let turn = |m: &Member<'_>| m.delivery.order.as_ref().map(|order| order.turn);
        members.sort_by_key(|m| (turn(m), m.delivery.accepted_at));
    }
    lines
}

fn thing_and_version(body: &[u8]) -> Option<(String, u64)> {
    let pointers = ["/thing", "/version"].map(Pointer::parse);
    let [Ok(thing), Ok(version)] = pointers else { return None };
    let found = scan(body, &[thing, version]);
    Some((found[0]?.scalar()?.into_owned(), found[1]?.scalar()?.parse().ok()?))
}

/// From when on the next one may go.
fn lets_go_at(earlier: &Delivery, facts: &Facts) -> Option<Time> {
    let ended_at = earlier.ended_at?;
    let parks_until = earlier.order.as_ref().and_then(|order| order.parks_until);
    let replayed_at = earlier.replaced_by.and_then(|id| facts.delivery(id)).map(|new| new.accepted_at);
    let over = [parks_until, replayed_at, earlier.dismissed_at].into_iter().flatten().min();
    Some(parks_until.and(over).map_or(ended_at, |over| over.max(ended_at)))
}

pub fn fifo(world: &World, facts: &Facts) -> Vec<String> {
    let mut breaches = Vec::new();
    for members in lines(world, facts, |mode| matches!(mode, Mode::Fifo { .. })).values() {
        for pair in members.windows(2) {
            let (earlier, later) = (pair[0].delivery, pair[1].delivery);
            let Some(began) = pair[1].attempts.first().map(|attempt| attempt.started_at) else { continue };
            if lets_go_at(earlier, facts).is_none_or(|at| began.plus(GRAIN) < at) {
                breaches.push(format!("{} begins at {began}, before {} lets it go", later.id, earlier.id));
            }
        }
    }
    breaches
}

pub fn latest(world: &World, facts: &Facts) -> Vec<String> {
    let mut breaches = Vec::new();
    for members in lines(world, facts, |mode| mode == Mode::Latest).values() {
        let of = |m: &Member<'_>| m.attempts.iter().map(|a| (a.started_at, m.version)).collect::<Vec<_>>();
        let mut attempts: Vec<_> = members.iter().flat_map(of).collect();
        attempts.sort_unstable();
        for pair in attempts.windows(2).filter(|pair| pair[1].1 < pair[0].1 && pair[0].0 < pair[1].0) {
            breaches.push(format!("version {} is attempted at {}, after {}", pair[1].1, pair[1].0, pair[0].1));
        }
        let newest = members.iter().map(|m| m.version).max();
        // What retention removed may have been newer.
        for m in members
            .iter()
            .filter(|_| !super::removes(world))
            .filter(|m| m.delivery.end_reason == Some(EndReason::Superseded))
        {
            if Some(m.version) == newest {
                breaches.push(format!("{} was the newest and is superseded", m.delivery.id));
            }
        }
    }
    breaches
}
