//! The breaker: when a destination that keeps failing is given a rest, and how it is trusted again.
//! A state machine on values; it starts nothing and knows no clock.
//!
//! Closed: attempts go out. Open: none does until the rest is over, then one delivery goes as a probe
//! (half-open). A probe that fails lengthens the rest; one that succeeds closes the breaker, and what
//! piled up drains with a ramp: one attempt at a time, then more with each success.

use std::time::Duration;

use crate::{destination::BreakerPolicy, id::DeliveryId, time::Time};

/// No rest is longer than this, however often probes failed (unless the policy's first one is).
pub const REST_MAX: Duration = Duration::from_secs(300);

/// Different deliveries remembered in a run of failures; a policy cannot ask for more.
const DELIVERIES_MAX: usize = 64;

/// What an attempt said about its destination's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered, if only with a refusal of this event.
    Alive,
    /// Network error, timeout, 429 or 5xx.
    Failing,
    /// The attempt did not get that far.
    Silent,
}

/// The state, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    Closed,
    /// Closed again, allowing this many attempts at once for now.
    Ramping(usize),
    /// Resting until then.
    Open(Time),
    /// A probe is out.
    HalfOpen,
}

/// What an event changed, for logs, metrics and alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Opened,
    Closed,
}

/// What nodes tell each other of a breaker that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    pub until: Time,
    /// Which one in a row, from 1.
    pub number: u32,
}

#[derive(Clone, Debug)]
pub struct Breaker {
    state: BreakerState,
    /// Failures in a row.
    failures: u32,
    /// Whose they were, without repetition.
    deliveries: Vec<DeliveryId>,
    /// Rests in a row; a whole ramp ends the row.
    rests: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker { state: BreakerState::Closed, failures: 0, deliveries: Vec::new(), rests: 0 }
    }
}

impl Breaker {
    pub fn state(&self) -> BreakerState {
        self.state
    }

    /// Whether attempts are held back: resting, or waiting for the probe.
    pub fn is_open(&self) -> bool {
        matches!(self.state, BreakerState::Open(_) | BreakerState::HalfOpen)
    }

    /// How many more attempts it lets start now, with `in_flight` under way.
    pub fn room(&self, in_flight: usize, now: Time) -> usize {
        match self.state {
            BreakerState::Closed => usize::MAX,
            BreakerState::Ramping(allowed) => allowed.saturating_sub(in_flight),
            BreakerState::Open(until) => usize::from(now >= until),
            BreakerState::HalfOpen => 0,
        }
    }

    /// When it lets an attempt start again, if that is a matter of time.
    pub fn free_at(&self) -> Option<Time> {
        match self.state {
            BreakerState::Open(until) => Some(until),
            _ => None,
        }
    }

    /// An attempt starts. True if it is the probe; the caller says so again when it ends. One that was
    /// on its way when the breaker opened is none.
    pub fn started(&mut self, now: Time) -> bool {
        let probe = matches!(self.state, BreakerState::Open(until) if now >= until);
        if probe {
            self.state = BreakerState::HalfOpen;
        }
        probe
    }

    /// An attempt ended. `full` is the concurrency at which a ramp is over.
    pub fn finished(&mut self, policy: &BreakerPolicy, ended: Ended, full: usize, now: Time) -> Option<Change> {
        match ended.health {
            Health::Alive => self.alive(full),
            Health::Failing => self.failing(policy, ended, now),
            Health::Silent => {
                self.abandoned(ended.probe, now);
                None
            }
        }
    }

    /// An attempt told nothing: if it was the probe, the next delivery may be one at once.
    pub fn abandoned(&mut self, probe: bool, now: Time) {
        if probe && self.state == BreakerState::HalfOpen {
            self.state = BreakerState::Open(now);
        }
    }

    /// Something was mended (a new address, a person's resume): the rest is over now.
    pub fn cut_rest(&mut self, now: Time) {
        if let BreakerState::Open(until) = self.state {
            self.state = BreakerState::Open(until.min(now));
        }
    }

    /// The rest it is in, for other nodes; `None` while a probe is out, too.
    pub fn rest_now(&self) -> Option<Rest> {
        match self.state {
            BreakerState::Open(until) => Some(Rest { until, number: self.rests }),
            _ => None,
        }
    }

    /// Follows what another node said: that the destination rests, or that its probe succeeded. A probe of our
    /// own that is out decides by itself, unless another has failed since.
    pub fn follow(&mut self, said: Option<Rest>) -> Option<Change> {
        let was_open = self.is_open();
        match (said, self.state) {
            // Ours is the later one, and is being told.
            (Some(rest), _) if was_open && rest.number < self.rests => None,
            (Some(rest), BreakerState::HalfOpen) if rest.number == self.rests => None,
            (Some(rest), BreakerState::Open(until)) if rest.number == self.rests => {
                // One of the two may have been cut short.
                self.state = BreakerState::Open(until.min(rest.until));
                None
            }
            (Some(rest), _) => {
                self.begin_rest(rest);
                (!was_open).then_some(Change::Opened)
            }
            (None, _) if was_open => {
                self.failures = 0;
                self.deliveries.clear();
                self.state = BreakerState::Ramping(1);
                Some(Change::Closed)
            }
            (None, _) => None,
        }
    }

    fn alive(&mut self, full: usize) -> Option<Change> {
        self.failures = 0;
        self.deliveries.clear();
        match self.state {
            BreakerState::Closed => None,
            BreakerState::Ramping(allowed) if allowed + 1 >= full => {
                self.state = BreakerState::Closed;
                self.rests = 0;
                None
            }
            BreakerState::Ramping(allowed) => {
                self.state = BreakerState::Ramping(allowed + 1);
                None
            }
            // Also an attempt from before the rest: the row of failures was none.
            BreakerState::Open(_) | BreakerState::HalfOpen => {
                self.state = BreakerState::Ramping(1);
                Some(Change::Closed)
            }
        }
    }

    fn failing(&mut self, policy: &BreakerPolicy, ended: Ended, now: Time) -> Option<Change> {
        match self.state {
            // Attempts from before the rest; it has begun already.
            BreakerState::Open(_) => return None,
            BreakerState::HalfOpen => {
                if ended.probe {
                    self.rest(policy, now);
                }
                return None;
            }
            BreakerState::Ramping(allowed) => self.state = BreakerState::Ramping((allowed / 2).max(1)),
            BreakerState::Closed => {}
        }
        self.failures = self.failures.saturating_add(1);
        if self.deliveries.len() < DELIVERIES_MAX && !self.deliveries.contains(&ended.delivery) {
            self.deliveries.push(ended.delivery);
        }
        let wanted = usize::try_from(policy.deliveries.get()).unwrap_or(usize::MAX).min(DELIVERIES_MAX);
        if self.failures < policy.failures.get() || self.deliveries.len() < wanted {
            return None;
        }
        self.rest(policy, now);
        Some(Change::Opened)
    }

    /// Begins a rest, twice as long as the one before it.
    fn rest(&mut self, policy: &BreakerPolicy, now: Time) {
        let growth = 2u32.saturating_pow(self.rests.min(16));
        let rest = policy.rest.saturating_mul(growth).min(REST_MAX.max(policy.rest));
        self.begin_rest(Rest { until: now.plus(rest), number: self.rests.saturating_add(1) });
    }

    fn begin_rest(&mut self, rest: Rest) {
        self.rests = rest.number;
        self.failures = 0;
        self.deliveries.clear();
        self.state = BreakerState::Open(rest.until);
    }
}

/// How an attempt ended, as far as the breaker cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub delivery: DeliveryId,
    pub health: Health,
    /// What [`Breaker::started`] answered.
    pub probe: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_s(1_700_000_000);
    const FULL: usize = 4;

    fn end(breaker: &mut Breaker, delivery: u8, health: Health, probe: bool, now: Time) -> Option<Change> {
        let ended = Ended { delivery: DeliveryId::from_bytes([delivery; 16]), health, probe };
        breaker.finished(&BreakerPolicy::default(), ended, FULL, now)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        let changes: Vec<_> = (0..10).filter_map(|n| end(&mut breaker, n % 5, Health::Failing, false, NOW)).collect();
        assert_eq!(changes, [Change::Opened]);
        breaker
    }

    #[test]
    fn ten_failures_of_five_deliveries_open_it() {
        let mut breaker = opened();
        assert!(breaker.is_open() && !breaker.started(NOW));
        assert_eq!(breaker.room(0, NOW), 0);
        assert_eq!(breaker.free_at(), Some(NOW.plus(Duration::from_secs(30))));
        assert_eq!(end(&mut breaker, 9, Health::Failing, false, NOW), None);
    }

    #[test]
    fn one_poison_event_never_opens_it() {
        let mut breaker = Breaker::default();
        for n in 0..1_000u32 {
            let delivery = u8::try_from(n % 4).unwrap_or(0);
            assert_eq!(end(&mut breaker, delivery, Health::Failing, false, NOW), None);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn an_answer_ends_the_row() {
        let mut breaker = Breaker::default();
        for n in 0..100 {
            let health = if n % 10 == 9 { Health::Alive } else { Health::Failing };
            assert_eq!(end(&mut breaker, n, health, false, NOW), None);
        }
    }

    #[test]
    fn one_probe_goes_out_when_the_rest_is_over() {
        let mut breaker = opened();
        let later = NOW.plus(Duration::from_secs(30));
        assert_eq!(breaker.room(3, later), 1);
        assert!(breaker.started(later));
        assert_eq!(breaker.room(0, later), 0);
        // A late failure of another attempt decides nothing.
        assert_eq!(end(&mut breaker, 7, Health::Failing, false, later), None);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
    }

    #[test]
    fn rests_grow_up_to_the_cap() {
        let (mut breaker, mut now, mut rests) = (opened(), NOW, Vec::new());
        for _ in 0..6 {
            let until = breaker.free_at().unwrap();
            rests.push(until.since(now).as_secs());
            now = until;
            let probe = breaker.started(now);
            assert_eq!(end(&mut breaker, 1, Health::Failing, probe, now), None);
        }
        assert_eq!(rests, [30, 60, 120, 240, 300, 300]);
    }

    #[test]
    fn a_probe_that_was_never_sent_leaves_room_for_another() {
        let mut breaker = opened();
        let later = NOW.plus(Duration::from_secs(30));
        let probe = breaker.started(later);
        assert_eq!(end(&mut breaker, 1, Health::Silent, probe, later), None);
        assert_eq!(breaker.room(0, later), 1);
    }

    #[test]
    fn a_rest_can_be_cut_short_and_a_probe_still_decides() {
        let mut breaker = opened();
        breaker.cut_rest(NOW);
        assert!(breaker.is_open() && breaker.room(0, NOW) == 1);
        let mut closed = Breaker::default();
        closed.cut_rest(NOW);
        assert_eq!(closed.state(), BreakerState::Closed);
    }

    #[test]
    fn a_good_probe_closes_it_and_the_backlog_ramps_up() {
        let mut breaker = opened();
        let later = NOW.plus(Duration::from_secs(30));
        let probe = breaker.started(later);
        assert_eq!(end(&mut breaker, 1, Health::Alive, probe, later), Some(Change::Closed));
        let mut rooms = vec![breaker.room(0, later)];
        while breaker.state() != BreakerState::Closed {
            assert_eq!(end(&mut breaker, 1, Health::Alive, false, later), None);
            rooms.push(breaker.room(0, later));
        }
        assert_eq!(rooms, [1, 2, 3, usize::MAX]);
    }

    #[test]
    fn a_failure_halves_the_ramp_and_a_relapse_rests_longer() {
        let mut breaker = opened();
        let later = NOW.plus(Duration::from_secs(30));
        let probe = breaker.started(later);
        let _ = end(&mut breaker, 1, Health::Alive, probe, later);
        let _ = end(&mut breaker, 1, Health::Alive, false, later);
        assert_eq!(breaker.state(), BreakerState::Ramping(2));
        let _ = end(&mut breaker, 1, Health::Failing, false, later);
        assert_eq!(breaker.state(), BreakerState::Ramping(1));
        let last = (0..9).filter_map(|n| end(&mut breaker, n, Health::Failing, false, later)).next_back();
        assert_eq!(last, Some(Change::Opened));
        assert_eq!(breaker.free_at(), Some(later.plus(Duration::from_secs(60))));
    }

    #[test]
    fn what_one_node_finds_out_the_others_follow() {
        let (mut here, mut there) = (opened(), Breaker::default());
        assert_eq!(there.follow(here.rest_now()), Some(Change::Opened));
        assert_eq!((there.room(0, NOW), there.free_at()), (0, here.free_at()));
        assert_eq!(there.follow(here.rest_now()), None);

        let later = NOW.plus(Duration::from_secs(30));
        let probe = here.started(later);
        assert_eq!(end(&mut here, 1, Health::Failing, probe, later), None);
        assert_eq!(there.follow(here.rest_now()), None);
        assert_eq!(there.free_at(), Some(later.plus(Duration::from_secs(60))));

        let latest = later.plus(Duration::from_secs(60));
        let probe = there.started(latest);
        assert_eq!(there.follow(here.rest_now()), None, "what is known already does not take the probe away");
        assert_eq!(end(&mut there, 1, Health::Alive, probe, latest), Some(Change::Closed));
        assert_eq!(here.follow(there.rest_now()), Some(Change::Closed));
        assert_eq!(here.state(), BreakerState::Ramping(1));
    }

    #[test]
    fn what_another_node_said_before_our_own_rest_counts_no_more() {
        let (mut here, there) = (opened(), opened());
        let later = NOW.plus(Duration::from_secs(30));
        let probe = here.started(later);
        let _ = end(&mut here, 1, Health::Failing, probe, later);
        let until = here.free_at();
        assert_eq!((here.follow(there.rest_now()), here.free_at()), (None, until));
        here.cut_rest(later);
        let said = Breaker { state: BreakerState::Open(later.plus(Duration::from_secs(60))), rests: 2, ..here.clone() };
        assert_eq!((here.follow(said.rest_now()), here.free_at()), (None, Some(later)), "a person cut it short");
    }
}
