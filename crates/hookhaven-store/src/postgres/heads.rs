//! The heads of all lanes, remembered where looking at them is dear: some ten thousand lanes take the database a
//! tenth of a second, and whoever claims looks again and again.
//!
//! What is remembered is a hint: a claim finds what is really there. It is forgotten after ten times as long as
//! it took to get, and whoever asks is told to ask again by then. Few lanes are always seen as they are.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use hookhaven_core::{Lane, Time};

use crate::seam::{Due, LaneDue};

/// So many lanes cost too little to be remembered.
const FEW: usize = 500;
/// More are, for so many times as long as it took to look at them.
const KEPT_TIMES: u32 = 10;
/// Where there are queues there will be queues.
const QUEUES_FOR: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Heads {
    heads: BTreeMap<Lane, Time>,
    /// Until then it is taken that there are queues among the lanes.
    queues_until: Option<Instant>,
    /// `None`: nothing is remembered.
    until: Option<Instant>,
}

impl Heads {
    /// Whether what is remembered may still be used; what may not is let go.
    pub fn remembered(&mut self, now: Instant) -> bool {
        if self.until.is_some_and(|until| until <= now) {
            self.forget();
        }
        self.until.is_some()
    }

    /// There are queues among the lanes.
    pub fn has_queues(&mut self, now: Instant) {
        self.queues_until = Some(now + QUEUES_FOR);
    }

    /// Whether there were not long ago.
    pub fn may_have_queues(&self, now: Instant) -> bool {
        self.queues_until.is_some_and(|until| now < until)
    }

    /// As the database has them; `took`: what it cost to find out.
    pub fn seen(&mut self, heads: impl IntoIterator<Item = (Lane, Time)>, took: Duration, now: Instant) {
        self.heads = heads.into_iter().collect();
        self.until = (self.heads.len() > FEW).then(|| now + took * KEPT_TIMES);
    }

    /// Something changed that nobody can tell of each lane.
    pub fn forget(&mut self) {
        *self = Heads { queues_until: self.queues_until, ..Heads::default() };
    }

    /// A lane has something that falls due then.
    pub fn add(&mut self, lane: &Lane, due_at: Time) {
        if self.until.is_none() {
            return;
        }
        match self.heads.get_mut(lane) {
            Some(head) => *head = due_at.min(*head),
            None => drop(self.heads.insert(lane.clone(), due_at)),
        }
    }

    /// A claim got less out of a lane than it asked for.
    pub fn exhausted(&mut self, lane: &Lane) {
        self.heads.remove(lane);
    }

    /// `at` is now as [`Self::remembered`] has it, `now` as the store does.
    pub fn due(&self, skip: &[Lane], limit: usize, at: Instant, now: Time) -> Due {
        let mut due = self.all_due(skip, limit, now);
        if let Some(until) = self.until {
            let forgotten_at = now.plus(until.saturating_duration_since(at));
            due.next_due = Some(due.next_due.map_or(forgotten_at, |next| next.min(forgotten_at)));
        }
        due
    }

    fn all_due(&self, skip: &[Lane], limit: usize, now: Time) -> Due {
        let skip: HashSet<&Lane> = skip.iter().collect();
        let mut heads: Vec<_> = self.heads.iter().filter(|(lane, _)| !skip.contains(lane)).collect();
        heads.sort_unstable_by_key(|(lane, at)| (**at, *lane));
        let mut due = Due::default();
        for (lane, at) in heads {
            if *at > now || due.lanes.len() == limit {
                due.next_due = Some((*at).max(now));
                break;
            }
            due.lanes.push(LaneDue { lane: lane.clone(), due_at: *at });
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(n: usize) -> Lane {
        Lane::of_destination(&format!("{n:04}"))
    }

    /// Lanes of which the first falls due first, a second apart.
    fn some(count: usize) -> impl Iterator<Item = (Lane, Time)> {
        (0..count).map(|n| (lane(n), Time::from_s(100 + n as i64)))
    }

    fn first_two(heads: &Heads, at: Instant) -> Vec<Lane> {
        let due = heads.due(&[lane(0)], 2, at, Time::from_s(10_000));
        due.lanes.into_iter().map(|due| due.lane).collect()
    }

    #[test]
    fn many_lanes_are_remembered_for_a_while_and_kept_up_with_what_we_do() {
        let (mut heads, began) = (Heads::default(), Instant::now());
        heads.seen(some(FEW + 1), Duration::from_millis(100), began);
        assert!(heads.remembered(began));
        assert_eq!(first_two(&heads, began), [lane(1), lane(2)]);
        heads.exhausted(&lane(1));
        heads.add(&lane(9_999), Time::from_s(5));
        heads.add(&lane(7), Time::from_s(6));
        assert_eq!(first_two(&heads, began), [lane(9_999), lane(7)]);
        assert!(!heads.remembered(began + Duration::from_secs(1)));
    }

    #[test]
    fn who_is_told_from_memory_asks_again_when_it_is_over() {
        let (mut heads, began, now) = (Heads::default(), Instant::now(), Time::from_s(10));
        heads.seen(some(FEW + 1), Duration::from_millis(100), began);
        let later = began + Duration::from_millis(400);
        let due = heads.due(&[], 9, later, now);
        assert_eq!((due.lanes.len(), due.next_due), (0, Some(now.plus(Duration::from_millis(600)))));
    }

    #[test]
    fn where_there_are_queues_there_are_for_a_while_whatever_is_forgotten() {
        let (mut heads, now) = (Heads::default(), Instant::now());
        assert!(!heads.may_have_queues(now));
        heads.has_queues(now);
        heads.forget();
        assert!(heads.may_have_queues(now + QUEUES_FOR / 2));
        assert!(!heads.may_have_queues(now + QUEUES_FOR));
    }

    #[test]
    fn few_lanes_are_not_remembered_whatever_it_took() {
        let (mut heads, now) = (Heads::default(), Instant::now());
        heads.seen(some(FEW), Duration::from_secs(9), now);
        assert!(!heads.remembered(now));
        assert_eq!(heads.due(&[], 9, now, Time::from_s(10)).next_due, Some(Time::from_s(100)));
    }
}
