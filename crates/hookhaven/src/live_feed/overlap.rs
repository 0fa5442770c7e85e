//! What one reader was told lately, so that the recent past can be read again without telling anything twice.
//! Rules only: nothing is read here.

use std::{collections::BTreeSet, time::Duration};

use hookhaven_core::Time;

/// Things remembered at most. Where more happens within the time that is read again, less time is read again.
pub(super) const TOLD_MAX: usize = 100_000;

/// The told ones among things of one kind, by their times.
#[derive(Debug)]
pub(super) struct Overlap<K> {
    /// Nothing before is told.
    from: Time,
    /// The latest time of anything read.
    newest: Time,
    told: BTreeSet<(Time, K)>,
    /// What is older may have been forgotten. It is not read again, but may still be read for the first time.
    forgotten: Time,
}

impl<K: Ord + Copy> Overlap<K> {
    pub fn from(from: Time) -> Self {
        Overlap { from, newest: from, told: BTreeSet::new(), forgotten: from }
    }

    /// From when on to read, where something may be committed so late.
    pub fn back(&self, late: Duration, now: Time) -> Time {
        self.newest.min(now.minus(late)).max(self.from)
    }

    /// Something was read, in the order of times: whether it is to be told now. A time that lies ahead of `now` is a
    /// clock's mistake and moves nothing.
    pub fn take(&mut self, at: Time, key: K, now: Time) -> bool {
        self.reached(at, now);
        self.note(at, key)
    }

    /// The same, of things that are read in another order.
    pub fn note(&mut self, at: Time, key: K) -> bool {
        if at < self.from || !self.told.insert((at, key)) {
            return false;
        }
        if self.told.len() > TOLD_MAX
            && let Some((oldest, _)) = self.told.pop_first()
        {
            // Ids know milliseconds only.
            self.forgotten = self.forgotten.max(oldest.plus(Duration::from_millis(1)));
        }
        true
    }

    /// Everything up to then was read.
    pub fn reached(&mut self, at: Time, now: Time) {
        self.newest = self.newest.max(at.min(now));
        self.from = self.from.max(self.forgotten);
    }

    /// Lets go of what will not be read again.
    pub fn forget_before(&mut self, late: Duration, now: Time) {
        let back = self.back(late, now);
        while self.told.first().is_some_and(|(at, _)| *at < back) {
            self.told.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Time {
        Time::from_s(s)
    }

    #[test]
    fn what_is_read_again_is_told_once() {
        let mut overlap = Overlap::from(at(100));
        assert!(!overlap.take(at(99), 'z', at(200)), "before the beginning");
        assert!(overlap.take(at(101), 'a', at(200)));
        assert!(overlap.take(at(190), 'b', at(200)));
        assert_eq!(overlap.back(Duration::from_secs(30), at(200)), at(170));
        assert!(overlap.take(at(175), 'c', at(200)), "one that came late");
        assert!(!overlap.take(at(175), 'c', at(200)));
        assert!(!overlap.take(at(190), 'b', at(200)));
        assert_eq!(overlap.back(Duration::from_secs(30), at(230)), at(190), "nothing can come late any more");
        assert_eq!(overlap.back(Duration::from_secs(300), at(200)), at(100), "not before the beginning");
    }

    #[test]
    fn what_is_forgotten_is_not_read_again() {
        let mut overlap = Overlap::from(at(0));
        for (s, key) in [(10, 'a'), (100, 'b')] {
            assert!(overlap.take(at(s), key, at(200)));
        }
        overlap.forget_before(Duration::from_secs(60), at(110));
        assert_eq!(overlap.told.len(), 1);
        assert!(!overlap.take(at(100), 'b', at(110)));
    }

    #[test]
    fn a_clock_that_is_ahead_hides_nothing() {
        let mut overlap = Overlap::from(at(0));
        assert!(overlap.take(at(5_000), 'a', at(100)));
        assert_eq!(overlap.back(Duration::ZERO, at(100)), at(100));
        assert!(overlap.take(at(101), 'b', at(102)));
    }

    #[test]
    fn what_is_remembered_has_a_limit_and_nothing_is_told_twice_for_it() {
        let mut overlap = Overlap::from(at(0));
        let all: Vec<_> = (0..TOLD_MAX as i64 + 10).map(|n| (Time::from_ms(n), n)).collect();
        assert!(all.iter().all(|(time, key)| overlap.take(*time, *key, at(1_000))));
        assert_eq!(overlap.told.len(), TOLD_MAX);
        let again = all.iter().filter(|(time, key)| overlap.take(*time, *key, at(1_000))).count();
        assert_eq!(again, 0);
        assert!(overlap.back(Duration::from_secs(9_999), at(1_000)) >= Time::from_ms(10));
    }

    #[test]
    fn what_is_read_in_another_order_is_all_told_however_much_it_is() {
        let mut overlap = Overlap::from(at(0));
        let many = TOLD_MAX as i64 + 10;
        // The latest first: what is forgotten on the way must hide none of those that are yet to come.
        assert!((0..many).rev().all(|n| overlap.note(Time::from_ms(n), n)));
        overlap.reached(Time::from_ms(many - 1), at(1_000));
        assert_eq!(overlap.told.len(), TOLD_MAX);
        let again = (0..many).filter(|n| overlap.note(Time::from_ms(*n), *n)).count();
        assert_eq!(again, 0, "none twice");
    }
}
