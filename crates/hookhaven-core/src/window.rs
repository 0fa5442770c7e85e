//! A counted window: at most so many calls start in each period, which begins with its first call.
//! QStash's flow control. Plain data; who waits for a window keeps the time.
//!
//! Not the pace of a configured destination, which spaces its calls evenly (`pace`).

use crate::{destination::Rate, time::Time};

/// Calls started in the period that began last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// `None` before the first call.
    began_at: Option<Time>,
    count: u32,
}

impl Window {
    /// How many calls may start now.
    pub fn room(&self, rate: Rate, now: Time) -> u32 {
        rate.count.get().saturating_sub(self.count(rate, now))
    }

    /// A call starts now; the first of a period begins it.
    pub fn take(&mut self, rate: Rate, now: Time) {
        if self.is_over(rate, now) {
            *self = Window { began_at: Some(now), count: 0 };
        }
        self.count = self.count.saturating_add(1);
    }

    /// When there is room again; in the past if there is.
    pub fn free_at(&self, rate: Rate) -> Time {
        match self.began_at {
            Some(began_at) if self.count >= rate.count.get() => began_at.plus(rate.per),
            _ => Time::EPOCH,
        }
    }

    /// Calls of the period that runs now; 0 if it has passed.
    pub fn count(&self, rate: Rate, now: Time) -> u32 {
        if self.is_over(rate, now) { 0 } else { self.count }
    }

    /// When the period that runs now began.
    pub fn began_at(&self, rate: Rate, now: Time) -> Option<Time> {
        self.began_at.filter(|_| !self.is_over(rate, now))
    }

    /// Nothing was called, and a period begins now.
    pub fn reset(&mut self, now: Time) {
        *self = Window { began_at: Some(now), count: 0 };
    }

    fn is_over(&self, rate: Rate, now: Time) -> bool {
        self.began_at.is_none_or(|began_at| now >= began_at.plus(rate.per))
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::*;

    const NOW: Time = Time::from_s(1_700_000_000);

    fn rate(count: u32, per_s: u64) -> Rate {
        Rate { count: NonZeroU32::new(count).unwrap(), per: Duration::from_secs(per_s) }
    }

    fn at(s: u64) -> Time {
        NOW.plus(Duration::from_secs(s))
    }

    #[test]
    fn a_period_begins_with_its_first_call() {
        let (rate, mut window) = (rate(3, 60), Window::default());
        assert_eq!((window.room(rate, NOW), window.began_at(rate, NOW)), (3, None));
        window.take(rate, at(50));
        window.take(rate, at(100));
        window.take(rate, at(109));
        assert_eq!((window.room(rate, at(109)), window.free_at(rate)), (0, at(110)));
        assert_eq!((window.room(rate, at(110)), window.count(rate, at(110))), (3, 0));
        window.take(rate, at(200));
        assert_eq!(window.began_at(rate, at(200)), Some(at(200)));
        assert_eq!(window.room(rate, at(259)), 2);
    }

    #[test]
    fn no_more_start_than_the_rate_says_and_waiters_get_all_of_it() {
        let (rate, mut window, mut now, mut starts) = (rate(5, 2), Window::default(), NOW, Vec::new());
        while now < at(20) {
            for _ in 0..window.room(rate, now) {
                window.take(rate, now);
                starts.push(now);
            }
            assert!(window.free_at(rate) > now);
            now = window.free_at(rate);
        }
        assert_eq!(starts.len(), 50);
        assert!(starts.chunks(5).all(|c| c[0] == c[4]) && starts.windows(6).all(|w| w[5].since(w[0]) >= rate.per));
    }

    #[test]
    fn a_reset_gives_all_of_a_new_period() {
        let (rate, mut window) = (rate(1, 60), Window::default());
        window.take(rate, NOW);
        window.reset(at(1));
        assert_eq!((window.room(rate, at(1)), window.count(rate, at(1))), (1, 0));
        window.take(rate, at(2));
        assert_eq!(window.free_at(rate), at(61));
    }

    #[test]
    fn a_rate_that_was_lowered_counts_at_once() {
        let mut window = Window::default();
        (0..5).for_each(|_| window.take(rate(10, 60), NOW));
        assert_eq!((window.room(rate(3, 60), NOW), window.free_at(rate(3, 60))), (0, at(60)));
        assert_eq!(window.room(rate(3, 10), at(10)), 3);
    }
}
