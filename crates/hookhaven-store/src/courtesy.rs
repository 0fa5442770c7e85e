//! Who only looks gives way to senders: lists and searches that run one after the other while events come in wait for
//! their turn now and then, so that together they take a part of the machine and no more. Whoever looks once in a while
//! notices nothing, nor does anybody while nothing comes in.
//!
//! An account of time: what a look took is put down, and goes down again by and by; a look begins once it is low enough.
//! Not here: limits of numbers (pages, stretches), which hold in any case.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hookhaven_core::Time;

use crate::clock::Clock;

/// So much looking is free of waiting: some pages at once.
const FREE: Duration = Duration::from_millis(400);
/// Beyond it one part of looking to so many parts of waiting.
const WAITING: u32 = 3;
/// More than this is never put down: a first look after many waits less than two seconds.
const ACCOUNT_MAX: Duration = Duration::from_millis(1_000);

#[derive(Debug)]
pub(crate) struct Courtesy {
    clock: Arc<dyn Clock>,
    accepts: AtomicU64,
    account: Mutex<Account>,
}

#[derive(Debug)]
struct Account {
    at: Time,
    taken: Duration,
}

impl Account {
    /// As it stands now.
    fn settle(&mut self, now: Time) {
        let paid = now.since(self.at) / WAITING;
        self.taken = self.taken.saturating_sub(paid);
        self.at = now;
    }
}

impl Courtesy {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let account = Mutex::new(Account { at: clock.now(), taken: Duration::ZERO });
        Courtesy { clock, accepts: AtomicU64::new(0), account }
    }

    /// Something was offered to the store.
    pub fn accepting(&self) {
        self.accepts.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks, when it is polite to.
    pub async fn look<T>(&self, look: impl Future<Output = T>) -> T {
        while let Some(until) = self.wait() {
            self.clock.sleep_until(until).await;
        }
        let (began, accepts) = (self.clock.now(), self.accepts.load(Ordering::Relaxed));
        let seen = look.await;
        if self.accepts.load(Ordering::Relaxed) != accepts {
            self.put_down(self.clock.now().since(began));
        }
        seen
    }

    fn wait(&self) -> Option<Time> {
        let now = self.clock.now();
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        account.settle(now);
        // What rounding leaves is nothing to wait for.
        let over = account.taken.checked_sub(FREE).filter(|over| *over >= Duration::from_millis(1))?;
        Some(now.plus(over * WAITING))
    }

    fn put_down(&self, took: Duration) {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        account.settle(self.clock.now());
        account.taken = (account.taken + took).min(ACCOUNT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;
    use crate::clock::ManualClock;

    fn courtesy() -> (ManualClock, Courtesy) {
        let clock = ManualClock::at(Time::from_s(1_000));
        (clock.clone(), Courtesy::new(Arc::new(clock)))
    }

    /// Looks for so long, while an event comes in or not. Whether it could begin at once.
    fn looks_at_once(clock: &ManualClock, courtesy: &Courtesy, took: Duration, busy: bool) -> bool {
        let look = pin!(courtesy.look(async {
            clock.advance(took);
            if busy {
                courtesy.accepting();
            }
        }));
        look.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn nobody_waits_while_nothing_comes_in() {
        let (clock, courtesy) = courtesy();
        assert!((0..100).all(|_| looks_at_once(&clock, &courtesy, FREE, false)));
    }

    #[test]
    fn who_looks_all_the_time_while_events_come_in_gets_a_part() {
        let (clock, courtesy) = courtesy();
        let (mut looked, began) = (Duration::ZERO, clock.now());
        let some = Duration::from_millis(100);
        while clock.now().since(began) < Duration::from_secs(60) {
            match looks_at_once(&clock, &courtesy, some, true) {
                true => looked += some,
                false => clock.advance(Duration::from_millis(10)),
            }
        }
        assert!(looked > Duration::from_secs(14) && looked < Duration::from_secs(21), "{looked:?} of a minute");
    }

    #[test]
    fn after_many_looks_the_next_one_waits_two_seconds_at_most() {
        let (clock, courtesy) = courtesy();
        assert!(looks_at_once(&clock, &courtesy, Duration::from_secs(3_600), true));
        assert!(!looks_at_once(&clock, &courtesy, FREE, true));
        clock.advance(Duration::from_secs(2));
        assert!(looks_at_once(&clock, &courtesy, FREE, true));
    }
}
