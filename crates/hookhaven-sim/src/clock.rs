//! The virtual clock. Time stands still while anything can run, and moves to the next moment for which
//! somebody waits when nothing can (tokio's paused clock). It can also jump ahead, as a machine's does that
//! slept; it never runs back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use hookhaven_core::Time;
use hookhaven_store::clock::{Clock, Sleep};
use tokio::{sync::Notify, time::Instant};

/// Where every run begins.
pub const START: Time = Time::from_s(1_790_000_000);

/// Clones are the same clock.
#[derive(Clone, Debug)]
pub struct SimClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    jumped_us: AtomicI64,
    jumped: Notify,
}

impl SimClock {
    /// Starts at [`START`], on a runtime whose clock is paused.
    pub fn start() -> Self {
        SimClock(Arc::new(Inner { started: Instant::now(), jumped_us: AtomicI64::new(0), jumped: Notify::new() }))
    }

    /// Moves ahead at once; who waited for a time now past is woken late.
    pub fn jump(&self, by: Duration) {
        let us = i64::try_from(by.as_micros()).unwrap_or(0);
        self.0.jumped_us.fetch_add(us, Ordering::SeqCst);
        self.0.jumped.notify_waiters();
    }

    pub async fn sleep(&self, wait: Duration) {
        self.sleep_until(self.now().plus(wait)).await;
    }
}

impl Clock for SimClock {
    fn now(&self) -> Time {
        let jumped = Duration::from_micros(self.0.jumped_us.load(Ordering::SeqCst).unsigned_abs());
        START.plus(self.0.started.elapsed() + jumped)
    }

    fn sleep_until(&self, at: Time) -> Sleep {
        let clock = self.clone();
        Box::pin(async move {
            while clock.now() < at {
                let mut jumped = std::pin::pin!(clock.0.jumped.notified());
                jumped.as_mut().enable();
                tokio::select! {
                    biased;
                    () = tokio::time::sleep(at.since(clock.now())) => {}
                    () = jumped => {}
                }
            }
        })
    }
}
