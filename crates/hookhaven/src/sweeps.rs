//! Sweeps: upkeep of the store that is due now and then. Each may run at any time, on any node, twice
//! or not at all for a while, and changes nothing the second time.
//!
//! A new sweep is one function and one line in [`SWEEPS`]. Not here: anything an event waits for.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use hookhaven_core::Lane;
use hookhaven_store::{Store, StoreError, clock::Clock};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a stop waits for sweeps that are at work.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// What sweeps work with.
#[derive(Clone)]
pub struct SweepParts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    /// Lanes that cannot be attempted for their destination's own fault; the worker knows.
    pub failing_lanes: Arc<dyn Fn() -> Vec<Lane> + Send + Sync>,
}

impl fmt::Debug for SweepParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SweepParts").field("store", &self.store).finish_non_exhaustive()
    }
}

/// How many things were swept.
type Swept<'a> = Pin<Box<dyn Future<Output = Result<usize, StoreError>> + Send + 'a>>;

struct Sweep {
    name: &'static str,
    every: Duration,
    run: for<'a> fn(&'a SweepParts) -> Swept<'a>,
}

const SWEEPS: &[Sweep] = &[
    Sweep { name: "release-lapsed", every: Duration::from_secs(5), run: |parts| Box::pin(release_lapsed(parts)) },
    Sweep { name: "expire", every: Duration::from_secs(60), run: |parts| Box::pin(expire(parts)) },
];

/// Leases of nodes that went away go back to their lanes.
async fn release_lapsed(parts: &SweepParts) -> Result<usize, StoreError> {
    parts.store.release_lapsed().await
}

/// Deliveries that waited past their `max_age` for a destination that does not work end dead.
async fn expire(parts: &SweepParts) -> Result<usize, StoreError> {
    let lanes = (parts.failing_lanes)();
    if lanes.is_empty() { Ok(0) } else { parts.store.expire(&lanes).await }
}

/// The running sweeps.
#[derive(Debug)]
pub struct Sweeps {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Sweeps {
    /// Starts all sweeps on the current runtime; the first runs of each are at once.
    pub fn start(parts: SweepParts) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        for sweep in SWEEPS {
            tasks.spawn(repeat(sweep, parts.clone(), stop.clone()));
        }
        tasks.close();
        Sweeps { tasks, stop }
    }

    /// Stops them, those at work after the step they are in; returns in a bounded time.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.tasks.wait()).await;
    }
}

async fn repeat(sweep: &Sweep, parts: SweepParts, stop: CancellationToken) {
    let mut complained = false;
    while !stop.is_cancelled() {
        match (sweep.run)(&parts).await {
            Ok(swept) => {
                complained = false;
                if swept > 0 {
                    tracing::info!(sweep = sweep.name, swept, "sweep");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(sweep = sweep.name, %error, "a sweep failed; it is tried again");
                }
            }
        }
        tokio::select! {
            biased;
            () = parts.clock.sleep_until(parts.clock.now().plus(sweep.every)) => {}
            () = stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Time;
    use hookhaven_store::{
        Renewed,
        clock::{ManualClock, SeededEntropy},
        memory::MemoryStore,
    };

    use super::*;

    #[tokio::test]
    async fn sweeps_run_at_once_and_then_on_the_clock() {
        let clock = ManualClock::at(Time::from_s(1_700_000_000));
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1))));
        let session = store.open_session(Duration::from_secs(3)).await.unwrap();
        let (asked, mut times) = tokio::sync::mpsc::unbounded_channel();
        let failing_lanes = move || {
            let _ = asked.send(());
            vec![Lane::of_destination("billing")]
        };
        let parts =
            SweepParts { store: store.clone(), clock: Arc::new(clock.clone()), failing_lanes: Arc::new(failing_lanes) };
        let sweeps = Sweeps::start(parts);
        times.recv().await.unwrap();
        for _ in 0..2 {
            while clock.next_wake().is_none_or(|at| at <= clock.now()) {
                tokio::task::yield_now().await;
            }
            clock.advance(Duration::from_secs(60));
            times.recv().await.unwrap();
        }
        sweeps.stop().await;
        assert!(times.try_recv().is_err());
        assert_eq!(store.renew_session(session).await, Ok(Renewed::Lapsed));
        assert_eq!(store.stats().await.unwrap().sessions, 0);
    }
}
