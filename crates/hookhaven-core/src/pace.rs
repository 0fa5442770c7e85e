//! Pacing: when the next attempt of a destination with a rate may start, or the next request of a source
//! be taken. A generic cell rate algorithm (ITU-T I.371) on [`Time`]: one number of state, no timers, no
//! queue.
//!
//! Not a limit on what is in flight.

use std::time::Duration;

use crate::{destination::Rate, time::Time};

/// Starts may bunch up by what falls due in this time, since nobody wakes for every microsecond.
const BUNCH: Duration = Duration::from_millis(50);

/// As much of bulk work.
const BULK_BUNCH: Duration = Duration::from_millis(200);

/// The pace of one destination. In any stretch of `rate.per` at most `rate.count` attempts start, and
/// those few more that fall due within 50 ms (none at up to 20/s).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// When the next attempt would start if all were evenly spaced, in nanoseconds since the epoch.
    next_ns: i128,
    /// How much of what falls due may start at once.
    bunch: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { next_ns: 0, bunch: BUNCH }
    }
}

impl Pace {
    /// The pace of one source. Senders come in bursts, so all of `rate.count` may come at once, and then
    /// as evenly as the rate says: in any stretch of `rate.per` less than twice `rate.count`.
    pub fn of_requests() -> Self {
        Pace { next_ns: 0, bunch: Duration::MAX }
    }

    /// The pace of bulk work, which looks at the store in steps: what falls due in 200 ms may go at once.
    pub fn of_bulk() -> Self {
        Pace { next_ns: 0, bunch: BULK_BUNCH }
    }

    /// How many attempts may start now.
    pub fn room(&self, rate: Rate, now: Time) -> usize {
        let now = ns(now);
        let spare = now + self.slack_ns(rate) - self.next_ns.max(now);
        if spare < 0 {
            return 0;
        }
        usize::try_from(spare / interval_ns(rate) + 1).unwrap_or(usize::MAX)
    }

    /// An attempt starts now.
    pub fn take(&mut self, rate: Rate, now: Time) {
        self.next_ns = self.next_ns.max(ns(now)) + interval_ns(rate);
    }

    /// When there is room again; in the past if there is room.
    pub fn free_at(&self, rate: Rate) -> Time {
        let us = (self.next_ns - self.slack_ns(rate)).div_euclid(1_000) + 1;
        Time::from_us(i64::try_from(us).unwrap_or(i64::MAX)).min(Time::MAX)
    }

    /// How far ahead of the even spacing a start may be.
    fn slack_ns(&self, rate: Rate) -> i128 {
        let interval = interval_ns(rate);
        let bunch = i128::try_from(self.bunch.min(rate.per).as_nanos()).unwrap_or(0);
        ((bunch / interval) - 1).max(0) * interval
    }
}

fn ns(t: Time) -> i128 {
    i128::from(t.as_us()) * 1_000
}

fn interval_ns(rate: Rate) -> i128 {
    let per = i128::try_from(rate.per.as_nanos()).unwrap_or(i128::MAX);
    (per / i128::from(rate.count.get())).max(1)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn rate(count: u32, per: Duration) -> Rate {
        Rate { count: NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN), per }
    }

    /// Starts whenever there is room, looking every `step`; answers when each attempt started.
    fn starts(rate: Rate, step: Duration, until: Duration) -> Vec<Time> {
        let start = Time::from_s(1_700_000_000);
        let (mut pace, mut now, mut starts) = (Pace::default(), start, Vec::new());
        while now < start.plus(until) {
            for _ in 0..pace.room(rate, now) {
                pace.take(rate, now);
                starts.push(now);
            }
            now = now.plus(step);
        }
        starts
    }

    #[test]
    fn slow_rates_are_spaced_evenly() {
        let starts = starts(rate(2, Duration::from_secs(1)), Duration::from_millis(1), Duration::from_secs(3));
        let gaps: Vec<_> = starts.windows(2).map(|w| w[1].since(w[0])).collect();
        assert_eq!(starts.len(), 6);
        assert!(gaps.iter().all(|g| *g == Duration::from_millis(500)), "{gaps:?}");
    }

    #[test]
    fn no_stretch_holds_more_than_the_rate_and_a_bunch() {
        for (count, step_ms) in [(20, 1), (200, 1), (200, 7), (10_000, 1), (10_000, 45)] {
            let rate = rate(count, Duration::from_secs(1));
            let starts = starts(rate, Duration::from_millis(step_ms), Duration::from_secs(3));
            let within = |from: usize| starts.partition_point(|t| *t < starts[from].plus(rate.per)) - from;
            let most = (0..starts.len()).map(within).max();
            let allowed = usize::try_from(count + count / 20).ok();
            assert!(most <= allowed, "{count}/s every {step_ms} ms: {most:?}");
            assert!(
                starts.len() >= usize::try_from(3 * count - count / 10).unwrap_or(0),
                "{count}/s: {}",
                starts.len()
            );
        }
    }

    #[test]
    fn requests_may_come_all_at_once_and_then_evenly() {
        let rate = rate(100, Duration::from_secs(1));
        let now = Time::from_s(1_700_000_000);
        let mut pace = Pace::of_requests();
        assert_eq!(pace.room(rate, now), 100);
        (0..100).for_each(|_| pace.take(rate, now));
        assert_eq!((pace.room(rate, now), pace.free_at(rate).since(now).as_millis()), (0, 10));
        assert_eq!(pace.room(rate, now.plus(Duration::from_millis(95))), 9);
        assert_eq!(pace.room(rate, now.plus(Duration::from_secs(9))), 100);
    }

    #[test]
    fn free_at_is_when_there_is_room() {
        let rate = rate(3, Duration::from_secs(60));
        let now = Time::from_s(1_700_000_000);
        let mut pace = Pace::default();
        assert_eq!(pace.room(rate, now), 1);
        pace.take(rate, now);
        assert_eq!(pace.room(rate, now), 0);
        let free = pace.free_at(rate);
        assert_eq!(pace.room(rate, free), 1);
        assert_eq!(pace.room(rate, free.minus(Duration::from_millis(1))), 0);
    }
}
