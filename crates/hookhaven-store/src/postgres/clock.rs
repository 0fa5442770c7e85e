//! The database's clock, as this node knows it: what it said, carried on by our own elapsed time. All nodes
//! share it, so that a lease means the same to each. It never runs back.
//!
//! Not here: when it is asked (`PostgresStore` asks with each renewal of a session).

use std::{
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use hookhaven_core::Time;

use crate::clock::{Clock, Sleep};

/// See the module's text.
#[derive(Debug)]
pub struct DatabaseClock {
    anchor: Mutex<(Time, Instant)>,
    last_us: AtomicI64,
}

impl DatabaseClock {
    /// The database said `now`, and we asked `asked_at`; it read its clock about half way through.
    pub(super) fn new(now: Time, asked_at: Instant) -> Self {
        let anchor = Mutex::new((now.plus(asked_at.elapsed() / 2), Instant::now()));
        DatabaseClock { anchor, last_us: AtomicI64::new(i64::MIN) }
    }

    /// Follows what the database says now. A step forward is taken at once; one back by standing still half
    /// of the time, so that nothing is overdue for long and nothing happens before what it followed.
    pub(super) fn observe(&self, now: Time, asked_at: Instant) {
        let told = now.plus(asked_at.elapsed() / 2);
        let mut anchor = self.anchor.lock().unwrap_or_else(|e| e.into_inner());
        let elapsed = anchor.1.elapsed();
        let ours = anchor.0.plus(elapsed);
        let back = ours.since(told);
        let corrected = if back == Duration::ZERO { told } else { ours.minus(back.min(elapsed / 2)) };
        *anchor = (corrected, Instant::now());
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Time {
        let (at, since) = *self.anchor.lock().unwrap_or_else(|e| e.into_inner());
        let now = at.plus(since.elapsed()).as_us();
        Time::from_us(self.last_us.fetch_max(now, Ordering::Relaxed).max(now))
    }

    fn sleep_until(&self, at: Time) -> Sleep {
        Box::pin(tokio::time::sleep(at.since(self.now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_a_step_forward_and_never_runs_back() {
        let clock = DatabaseClock::new(Time::from_s(1_000), Instant::now());
        clock.observe(Time::from_s(2_000), Instant::now());
        let ahead = clock.now();
        assert!(ahead >= Time::from_s(2_000));
        clock.observe(Time::from_s(1_500), Instant::now());
        assert!(clock.now() >= ahead);
    }
}
