//! How much each lane may take just now: the state of every lane on this node, and the rule by which
//! lanes share the worker's slots. Data and arithmetic only; time comes in as a value.
//!
//! The rule (I10): a lane is *fast* if its last attempt took at most 1 s and none under way is older;
//! *slow* if not; *unproven* until its first attempt ended. Slow and unproven lanes share half of the
//! slots, in equal parts; fast ones may use all that is free, and half of the slots are theirs
//! whatever the others do. So that a new destination can prove itself while hanging ones fill the
//! slow half, each unproven lane without an attempt may start one out of a further quarter.
//!
//! A fast lane that begins to hang takes its attempts with it into the slow half and may overfill it.
//! That is why one lane never has more than half of the slots, and why fast lanes get their half even
//! then: attempts under way, those being recorded included, may exceed `slots` by half for that time.

mod budget;
mod flows;
mod room;
mod seat;
mod terms;
mod told;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use hookhaven_core::{
    Delivery, DeliveryId, Destination, Lane, Time,
    breaker::{Breaker, BreakerState, Change, Ended, Rest},
    lifecycle::{Decision, GoneWatch},
    pace::Pace,
};
use hookhaven_store::{LaneDue, LaneRoom};

pub use self::room::Hold;
use self::{
    budget::{Share, Speed},
    flows::Flows,
    terms::{Terms, own_part},
};
use crate::{
    config::Config,
    published::{FlowNow, Published},
};

/// An attempt that takes longer makes its lane slow.
pub const SLOW_AFTER: Duration = Duration::from_secs(1);

/// A lane, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneView {
    pub lane: Lane,
    pub in_flight: usize,
    pub hold: Option<Hold>,
    pub breaker: BreakerState,
    /// How long its last attempt took.
    pub last_took: Option<Duration>,
}

/// Lanes of published messages that are remembered though nothing is in flight; past it all are forgotten.
const IDLE_MAX: usize = 256;

/// All lanes this node has seen.
#[derive(Debug)]
pub struct Lanes {
    published: Arc<dyn Published>,
    lanes: HashMap<Lane, LaneState>,
    flows: Flows,
    /// Nodes beside this one that make attempts: each rate is shared out among all of them.
    others: u32,
    /// Destinations paused by the catalog.
    paused: HashSet<String>,
    /// Whether the catalog was read for that.
    paused_known: bool,
    /// Attempts that ended and are being recorded.
    settling: usize,
    tickets: u64,
}

#[derive(Debug, Default)]
struct LaneState {
    breaker: Breaker,
    pace: Pace,
    gone: GoneWatch,
    held_until: Option<Time>,
    /// Paused or gone when last looked at.
    withheld: bool,
    /// When that ended: deadlines count from then.
    resumed_at: Option<Time>,
    in_flight: BTreeSet<(Time, u64)>,
    last_took: Option<Duration>,
    warned_gone: bool,
    /// Other nodes were told that it rests, or told us.
    rest_told: bool,
    /// What it was when its address last changed: a new one deserves a new chance.
    seen: Option<Arc<Destination>>,
    /// The flow-control key that let its head not through.
    awaits: Option<Arc<str>>,
}

/// An attempt under way. Handed back through [`Lanes::finished`], whatever becomes of it.
#[derive(Debug)]
pub struct Ticket {
    lane: Lane,
    id: u64,
    started: Time,
    probe: bool,
    /// The flow-control key that it counts under.
    flow: Option<Arc<str>>,
}

/// What an ended attempt meant for its destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    pub breaker: Option<Change>,
    /// Its 410s make it worth pausing.
    pub pause: bool,
    /// It is paused, so that a further 410 ends no delivery.
    pub paused: bool,
    /// What other nodes should know.
    pub tell: Option<Tell>,
}

/// What one node tells the others of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    Rests(Rest),
    Closed,
}

/// What to leave out when asking for due lanes, and when that may change by itself.
#[derive(Debug, Default)]
pub struct Plan {
    pub skip: Vec<Lane>,
    pub next: Option<Time>,
}

/// One claim to be made: rooms that share a maximum.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ClaimPlan {
    pub lanes: Vec<LaneRoom>,
    pub max: usize,
}

impl Lanes {
    pub fn new(published: Arc<dyn Published>) -> Self {
        Lanes {
            published,
            lanes: HashMap::new(),
            flows: Flows::default(),
            others: 0,
            paused: HashSet::new(),
            paused_known: false,
            settling: 0,
            tickets: 0,
        }
    }

    /// Known lanes without room. `next` is when the earliest of them may have some by time alone.
    pub fn plan(&mut self, config: &Config, now: Time) -> Plan {
        self.note_mended(config, now);
        let budget = self.budget(config.worker.slots, 0, now);
        let mut plan = Plan::default();
        for (lane, state) in &self.lanes {
            if self.room(lane, state, config, &budget, now).1 > 0 {
                continue;
            }
            plan.skip.push(lane.clone());
            let again = self.hold(lane, state, config, now).and_then(Hold::until);
            plan.next = earliest(plan.next, again.filter(|at| *at > now));
        }
        if budget.fast == 0 {
            plan.next = earliest(plan.next, budget.fast_again.filter(|at| *at > now));
        }
        plan
    }

    /// What to claim of the lanes that are due, and those among them that got no room.
    pub fn claims(&mut self, config: &Config, due: &[LaneDue], now: Time) -> (Vec<ClaimPlan>, Vec<Lane>) {
        self.forget_idle(now);
        for lane in due {
            self.lanes.entry(lane.lane.clone()).or_default();
        }
        let slow_due =
            due.iter().filter(|d| self.lanes.get(&d.lane).is_some_and(|s| s.speed(now) != Speed::Fast)).count();
        let budget = self.budget(config.worker.slots, slow_due, now);
        let mut claims = [(Share::Fast, budget.fast), (Share::Slow, budget.slow), (Share::Probe, budget.probe)]
            .map(|(share, max)| (share, ClaimPlan { lanes: Vec::new(), max }));
        let mut without = Vec::new();
        for LaneDue { lane, .. } in due {
            let Some(state) = self.lanes.get(lane) else { continue };
            let (share, room) = self.room(lane, state, config, &budget, now);
            match claims.iter_mut().find(|(s, _)| *s == share) {
                Some((_, claim)) if room > 0 => {
                    let limit = self.limit(lane, state, config);
                    claim.lanes.push(LaneRoom { lane: lane.clone(), room, limit });
                }
                _ => without.push(lane.clone()),
            }
        }
        let claims = claims.into_iter().map(|(_, c)| c).filter(|c| !c.lanes.is_empty() && c.max > 0).collect();
        (claims, without)
    }

    /// An attempt of this lane starts.
    pub fn started(&mut self, lane: &Lane, destination: Option<&Destination>, now: Time) -> Ticket {
        self.tickets += 1;
        let id = self.tickets;
        let flow: Option<Arc<str>> = lane.flow().map(Arc::from);
        if let Some(key) = &flow {
            self.flows.take(key, self.published.flow(key), self.others, now);
        }
        let state = self.lanes.entry(lane.clone()).or_default();
        state.awaits = None;
        state.in_flight.insert((now, id));
        if let Some(rate) = destination.and_then(|d| d.rate) {
            state.pace.take(own_part(rate, self.others), now);
        }
        Ticket { lane: lane.clone(), id, started: now, probe: state.breaker.started(now), flow }
    }

    /// What is to be attempted turns out to be under a flow-control key that is not its lane's. `false`: the key
    /// lets it not through now, and so its lane waits.
    pub fn pass(&mut self, ticket: &mut Ticket, key: &str, now: Time) -> bool {
        let limits = self.published.flow(key);
        let key: Arc<str> = key.into();
        let passes = self.flows.room(&key, limits, self.others, now) > 0;
        if passes {
            self.flows.take(&key, limits, self.others, now);
            ticket.flow = Some(key);
        } else if let Some(state) = self.lanes.get_mut(&ticket.lane) {
            state.awaits = Some(key);
        }
        passes
    }

    pub fn flow_now(&self, key: &str, now: Time) -> FlowNow {
        self.flows.now(key, self.published.flow(key), self.others, now)
    }

    /// An attempt ended. `None` if it was given up before it told anything of its destination.
    pub fn finished(
        &mut self,
        ticket: Ticket,
        told: Option<(DeliveryId, &Decision, Option<&Destination>)>,
        now: Time,
    ) -> Effect {
        if let Some(key) = &ticket.flow {
            self.flows.ended(key);
        }
        let Some(state) = self.lanes.get_mut(&ticket.lane) else {
            return Effect::default();
        };
        state.in_flight.remove(&(ticket.started, ticket.id));
        let paused = ticket.lane.destination().is_some_and(|name| self.paused.contains(name));
        let Some((delivery, decision, destination)) = told else {
            state.breaker.abandoned(ticket.probe, now);
            return Effect { paused, ..Effect::default() };
        };
        state.last_took = Some(now.since(ticket.started));
        if let Some(hold) = decision.hold {
            state.held_until = state.held_until.max(Some(now.plus(hold)));
        }
        let Some(destination) = destination else { return Effect { paused, ..Effect::default() } };
        let full = usize::try_from(destination.concurrency.get()).unwrap_or(usize::MAX);
        let ended = Ended { delivery, health: decision.health, probe: ticket.probe };
        let rested = state.breaker.rest_now();
        let breaker = state.breaker.finished(&destination.breaker, ended, full, now);
        let rests = state.breaker.rest_now().filter(|rest| Some(*rest) != rested).map(Tell::Rests);
        let tell = rests.or((breaker == Some(Change::Closed)).then_some(Tell::Closed));
        if let Some(tell) = tell {
            state.rest_told = tell != Tell::Closed;
        }
        Effect { breaker, pause: state.gone.saw(delivery, decision), paused, tell }
    }

    pub fn settling(&mut self) {
        self.settling += 1;
    }

    pub fn settled(&mut self) {
        self.settling = self.settling.saturating_sub(1);
    }

    /// Whether an attempt that starts now is later than its deadline; time spent paused aside.
    pub fn misses_deadline(&self, delivery: &Delivery, now: Time) -> bool {
        let resumed_at = self.lanes.get(&delivery.lane).and_then(|s| s.resumed_at);
        let due = delivery.due_at.max(resumed_at.unwrap_or(Time::EPOCH));
        now > due.plus(delivery.policy.deadline)
    }

    /// Lanes with due work whose destination is not in the config, each told once.
    pub fn newly_gone(&mut self, config: &Config) -> Vec<Lane> {
        let mut gone = Vec::new();
        for (lane, state) in &mut self.lanes {
            let missing = Terms::of(lane, config, &self.paused, &*self.published).err() == Some(Hold::Gone);
            if missing && !state.warned_gone {
                gone.push(lane.clone());
            }
            state.warned_gone = missing;
        }
        gone
    }

    pub fn in_flight(&self) -> usize {
        self.lanes.values().map(|s| s.in_flight.len()).sum()
    }

    /// Takes note of what people changed: deadlines count from the end of a pause, and neither a
    /// resumed destination nor one with a new address waits for the rest of a breaker or a hold.
    fn note_mended(&mut self, config: &Config, now: Time) {
        for (lane, state) in &mut self.lanes {
            let withheld = Terms::of(lane, config, &self.paused, &*self.published).is_err();
            let resumed = std::mem::replace(&mut state.withheld, withheld) && !withheld;
            if resumed {
                state.resumed_at = Some(now);
            }
            let destination = lane.destination().and_then(|name| config.destinations.get(name));
            let moved = destination.is_some_and(|d| state.seen.as_ref().is_none_or(|seen| seen.url != d.url));
            if moved {
                state.seen = destination.cloned();
            }
            if resumed || moved {
                state.breaker.cut_rest(now);
                state.held_until = None;
                state.gone.reset();
            }
        }
    }

    /// Published addresses are too many to remember each.
    fn forget_idle(&mut self, now: Time) {
        let idle = |lane: &Lane, state: &LaneState| {
            lane.destination().is_none()
                && state.in_flight.is_empty()
                && state.awaits.is_none()
                && state.held_until.is_none_or(|until| until <= now)
        };
        if self.lanes.len() > IDLE_MAX && self.lanes.iter().filter(|(lane, state)| idle(lane, state)).count() > IDLE_MAX
        {
            self.lanes.retain(|lane, state| !idle(lane, state));
        }
        self.flows.forget_idle(&*self.published, now);
    }
}

impl Ticket {
    pub fn is_probe(&self) -> bool {
        self.probe
    }
}

fn earliest(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
