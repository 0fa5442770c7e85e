//! The heads of all lanes, remembered where looking at them is dear: some ten thousand lanes take the database a
//! tenth of a second, and whoever claims looks again and again.
//!
//! What is remembered is a hint: a claim finds what is really there. It is forgotten after ten times as long as
//! it took to get, and always where it took little, so that few lanes are always seen as they are.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use hookhaven_core::{Lane, Time};

use crate::seam::{Due, LaneDue};

/// A look that takes less is not worth remembering.
const TRIFLE: Duration = Duration::from_millis(10);
/// For so many times as long as it took, it is.
const KEPT_TIMES: u32 = 10;

#[derive(Debug, Default)]
pub(super) struct Heads {
    heads: BTreeMap<Lane, Time>,
    /// `None`: nothing is remembered.
    until: Option<Instant>,
}

impl Heads {
    /// Whether what is remembered may still be used; what may not is let go.
    pub fn remembered(&mut self, now: Instant) -> bool {
        if self.until.is_some_and(|until| until <= now) {
            *self = Heads::default();
        }
        self.until.is_some()
    }

    /// As the database has them; `took`: what it cost to find out.
    pub fn seen(&mut self, heads: impl IntoIterator<Item = (Lane, Time)>, took: Duration, now: Instant) {
        self.heads = heads.into_iter().collect();
        self.until = (took >= TRIFLE).then(|| now + took * KEPT_TIMES);
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

    pub fn due(&self, skip: &[Lane], limit: usize, now: Time) -> Due {
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

    fn lane(n: u8) -> Lane {
        Lane::of_destination(&format!("{n}"))
    }

    fn lanes(heads: &Heads, now: Time) -> Vec<Lane> {
        heads.due(&[lane(9)], 2, now).lanes.into_iter().map(|due| due.lane).collect()
    }

    #[test]
    fn a_dear_look_is_remembered_for_a_while_and_kept_up_with_what_we_do() {
        let (mut heads, began) = (Heads::default(), Instant::now());
        let at = Time::from_s;
        let all = [(lane(1), at(30)), (lane(2), at(10)), (lane(3), at(20)), (lane(9), at(1))];
        heads.seen(all, Duration::from_millis(100), began);
        assert!(heads.remembered(began));
        assert_eq!(lanes(&heads, at(100)), [lane(2), lane(3)]);
        assert_eq!(heads.due(&[], 9, at(15)).next_due, Some(at(20)));
        heads.exhausted(&lane(2));
        heads.add(&lane(4), at(5));
        heads.add(&lane(1), at(6));
        assert_eq!(lanes(&heads, at(100)), [lane(4), lane(1)]);
        assert!(!heads.remembered(began + Duration::from_secs(1)));
    }

    #[test]
    fn a_cheap_look_is_not_remembered() {
        let (mut heads, now) = (Heads::default(), Instant::now());
        heads.seen([(lane(1), Time::EPOCH)], Duration::from_millis(2), now);
        assert!(!heads.remembered(now));
    }
}
