//! Who only looks gives way to senders: lists and searches that run one after the other while events come in wait for
//! their turn now and then, so that together they take a part of the machine and no more. Whoever looks once in a while
//! notices nothing, nor does anybody while nothing comes in.
//!
//! Not more of them run at a time than take half of the machine's cores: two readers must not have both of two. And there is
//! an account of time: how long somebody looked is put down, and goes down again by and by; a look begins once it is low
//! enough. Looks that run beside each other, or wait in one line for the same few connections, take their time together:
//! a page that asks fifty small things at once is charged for as long as it took, not for fifty waits.
//! Not here: limits of numbers (pages, stretches), which hold in any case.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use hookhaven_core::Time;
use tokio::sync::Semaphore;

use crate::clock::Clock;

/// So much looking is free of waiting: some pages at once.
const FREE: Duration = Duration::from_millis(400);
/// Beyond it one part of looking to so many parts of waiting.
const WAITING: u32 = 4;
/// More than this is never put down: a first look after many waits less than two seconds.
const ACCOUNT_MAX: Duration = Duration::from_millis(900);

/// So long a look waits for others to be done.
const TURN_WAIT_MAX: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Courtesy {
    clock: Arc<dyn Clock>,
    accepts: AtomicU64,
    account: Mutex<Account>,
    turns: Semaphore,
}

#[derive(Debug)]
struct Account {
    /// It stands as it was then.
    at: Time,
    taken: Duration,
    /// Looks that are under way.
    looking: usize,
    /// What had been offered when the first of them began.
    accepts_before: u64,
    /// For so long they have looked while nothing came in.
    alone: Duration,
}

impl Account {
    /// As it stands now, when so much has been offered to the store.
    fn settle(&mut self, now: Time, accepts: u64) {
        let past = now.since(std::mem::replace(&mut self.at, now));
        if self.looking == 0 {
            self.taken = self.taken.saturating_sub(past / WAITING);
            return;
        }
        self.alone += past;
        if accepts != self.accepts_before {
            self.taken = (self.taken + std::mem::take(&mut self.alone)).min(ACCOUNT_MAX);
        }
    }
}

impl Courtesy {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let at = clock.now();
        let account = Account { at, taken: Duration::ZERO, looking: 0, accepts_before: 0, alone: Duration::ZERO };
        let at_once = thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
        let turns = Semaphore::new(at_once);
        Courtesy { clock, accepts: AtomicU64::new(0), account: Mutex::new(account), turns }
    }

    /// Something was offered to the store.
    pub fn accepting(&self) {
        self.accepts.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks, when it is polite to.
    pub async fn look<T>(&self, look: impl Future<Output = T>) -> T {
        let _looking = loop {
            match self.begin() {
                Ok(looking) => break looking,
                Err(until) => self.clock.sleep_until(until).await,
            }
        };
        // Behind one that hangs nobody waits for long.
        let _turn = tokio::select! {
            turn = self.turns.acquire() => turn.ok(),
            () = self.clock.sleep_until(self.clock.now().plus(TURN_WAIT_MAX)) => None,
        };
        look.await
    }

    /// Or when to ask again.
    fn begin(&self) -> Result<Looking<'_>, Time> {
        self.settled(|account, now, accepts| {
            // What rounding leaves is nothing to wait for.
            let over = account.taken.checked_sub(FREE).filter(|over| *over >= Duration::from_millis(1));
            if let Some(over) = over {
                return Err(now.plus(over * WAITING));
            }
            if account.looking == 0 {
                (account.accepts_before, account.alone) = (accepts, Duration::ZERO);
            }
            account.looking += 1;
            Ok(Looking(self))
        })
    }

    fn settled<T>(&self, then: impl FnOnce(&mut Account, Time, u64) -> T) -> T {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, accepts) = (self.clock.now(), self.accepts.load(Ordering::Relaxed));
        account.settle(now, accepts);
        then(&mut account, now, accepts)
    }
}

/// A look that is under way; given up, it is over too.
struct Looking<'a>(&'a Courtesy);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.settled(|account, _, _| account.looking -= 1);
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
        assert!(looked > Duration::from_secs(11) && looked < Duration::from_secs(17), "{looked:?} of a minute");
    }

    #[test]
    fn looks_beside_each_other_are_charged_together() {
        let (clock, courtesy) = courtesy();
        let page: Vec<_> = (0..50).map(|_| courtesy.begin().expect("all of a page begin")).collect();
        courtesy.accepting();
        clock.advance(FREE / 2);
        drop(page);
        assert!(looks_at_once(&clock, &courtesy, FREE / 2, true), "less is put down than is free");
        assert!(looks_at_once(&clock, &courtesy, FREE / 2, true), "and just so much");
        assert!(!looks_at_once(&clock, &courtesy, FREE, true), "but no more");
    }

    #[test]
    fn so_many_look_at_a_time_and_the_next_when_one_is_done() {
        let (clock, courtesy) = courtesy();
        let mut context = Context::from_waker(Waker::noop());
        let mut looks: Vec<_> = (0..courtesy.turns.available_permits())
            .map(|_| Box::pin(courtesy.look(std::future::pending::<()>())))
            .collect();
        assert!(looks.iter_mut().all(|look| look.as_mut().poll(&mut context).is_pending()));
        let mut next = pin!(courtesy.look(async {}));
        assert!(next.as_mut().poll(&mut context).is_pending());
        looks.pop();
        assert!(next.poll(&mut context).is_ready());

        looks.push(Box::pin(courtesy.look(std::future::pending())));
        assert!(looks.iter_mut().all(|look| look.as_mut().poll(&mut context).is_pending()));
        let mut patient = pin!(courtesy.look(async {}));
        assert!(patient.as_mut().poll(&mut context).is_pending());
        clock.advance(TURN_WAIT_MAX);
        assert!(patient.poll(&mut context).is_ready(), "those before it hang");
    }

    #[test]
    fn a_look_that_is_given_up_is_over() {
        let (clock, courtesy) = courtesy();
        drop(courtesy.begin());
        courtesy.accepting();
        clock.advance(Duration::from_secs(60));
        assert!(looks_at_once(&clock, &courtesy, FREE, true), "the minute since was nobody's");
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
