//! Sweeps: upkeep of the store that is due now and then. Each may run at any time, on any node, twice
//! or not at all for a while, and changes nothing the second time.
//!
//! A new sweep is one function and one line in [`SWEEPS`]. Not here: anything an event waits for.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use hookhaven_core::Lane;
use hookhaven_store::{Retained, Retention, Store, StoreError, clock::Clock};
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
    pub keep: Keep,
}

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub events: Duration,
    /// `None`: for ever.
    pub dead_letters: Option<Duration>,
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
    Sweep { name: "retain", every: Duration::from_secs(60), run: |parts| Box::pin(retain(parts)) },
];

/// Steps of retention in one run: segments, as a rule.
const RETAIN_STEPS_MAX: usize = 100;

/// Leases of nodes that went away go back to their lanes.
async fn release_lapsed(parts: &SweepParts) -> Result<usize, StoreError> {
    parts.store.release_lapsed().await
}

/// Deliveries that waited past their `max_age` for a destination that does not work end dead.
async fn expire(parts: &SweepParts) -> Result<usize, StoreError> {
    let lanes = (parts.failing_lanes)();
    if lanes.is_empty() { Ok(0) } else { parts.store.expire(&lanes).await }
}

/// What is older than its retention goes, dead letters past theirs are dismissed, expired keys forgotten.
async fn retain(parts: &SweepParts) -> Result<usize, StoreError> {
    let (now, mut swept) = (parts.clock.now(), 0);
    let retention = Retention {
        before: now.minus(parts.keep.events),
        dead_before: parts.keep.dead_letters.map(|keep| now.minus(keep)),
    };
    for _ in 0..RETAIN_STEPS_MAX {
        let Retained { events, dismissed, keys, more, .. } = parts.store.retain(retention).await?;
        swept += events + dismissed + keys;
        if !more {
            break;
        }
    }
    Ok(usize::try_from(swept).unwrap_or(usize::MAX))
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
        let parts = SweepParts {
            store: store.clone(),
            clock: Arc::new(clock.clone()),
            failing_lanes: Arc::new(failing_lanes),
            keep: Keep { events: Duration::from_secs(3_600), dead_letters: None },
        };
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

    #[tokio::test]
    async fn retention_is_asked_for_with_the_configured_times() {
        let clock = ManualClock::at(Time::from_s(1_700_000_000));
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1))));
        let keep = Keep { events: Duration::from_secs(7_200), dead_letters: Some(Duration::from_secs(3_600)) };
        let parts = SweepParts {
            store: store.clone(),
            clock: Arc::new(clock.clone()),
            failing_lanes: Arc::new(Vec::new),
            keep,
        };
        let event = hookhaven_core::Event {
            digest: None,
            part: None,
            id: hookhaven_core::EventId::from_bytes([1; 16]),
            source: "stripe".into(),
            event_type: "x".into(),
            idempotency_key: "k".into(),
            received_at: clock.now(),
            occurred_at: None,
            correlation_id: "c".into(),
            matched_secret: None,
            remote: "".into(),
            headers: vec![],
            body: Default::default(),
        };
        let key_until = clock.now().plus(Duration::from_secs(9_000));
        store
            .accept(vec![hookhaven_store::NewEvent {
                refuses_replay: false,
                revives: true,
                event,
                key_until,
                deliveries: vec![],
            }])
            .await
            .unwrap();
        // Neither event nor key; then the event; then the key.
        for swept in [0, 1, 1] {
            clock.advance(Duration::from_secs(3_601));
            assert_eq!(retain(&parts).await, Ok(swept));
        }
    }
}
