//! Retention turning over again and again: small events through a store whose clock is moved, so that what
//! takes months takes minutes. Each round accepts and delivers its share while the round before the last
//! goes; memory, open files and disk must stay as they were once the first rounds are through.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hookhaven_core::{DeliveryId, Event, EventId, Lane, Policy, Time, retry::RetryPolicy};
use hookhaven_store::{
    LaneRoom, NewDelivery, NewEvent, Next, Retained, Retention, Settlement, Store,
    clock::{Clock, Entropy, ManualClock, OsEntropy},
    embedded::{EmbeddedOptions, EmbeddedStore, disk::RealDisk},
};

use crate::{
    process::usage,
    scenarios::{Figure, Figures},
};

const ROUNDS: u64 = 13;
/// After so many rounds everything has its size, which is the most of the rounds up to the second number.
const SETTLED: std::ops::Range<usize> = 3..6;
const DAY: Duration = Duration::from_secs(24 * 3_600);
const SEGMENT_BYTES: u64 = 8 << 20;
/// Accepted, claimed and settled in one call.
const AT_ONCE: usize = 64;
const CALLERS: u64 = 16;
const DESTINATION: &str = "sink";

/// What is seen at the end of a round.
#[derive(Clone, Copy, Debug)]
struct Seen {
    resident_bytes: u64,
    open_files: u64,
    disk_bytes: u64,
    segments_removed: u64,
}

struct Soak {
    store: EmbeddedStore,
    clock: ManualClock,
    policy: Arc<Policy>,
}

pub async fn run(results: &Path, events: u64) -> Result<Figures> {
    let directory = tempfile::Builder::new().prefix("soak-").tempdir_in(results)?;
    let soak = Arc::new(Soak::open(directory.path())?);
    let mut seen: Vec<Seen> = Vec::new();
    for round in 0..ROUNDS {
        let retaining = tokio::spawn({
            let soak = soak.clone();
            async move { soak.retain().await }
        });
        soak.load(events / ROUNDS).await?;
        let retained = retaining.await??;
        let now = soak.look(retained).await?;
        let Seen { resident_bytes, open_files, disk_bytes, .. } = now;
        println!(
            "round {round}: {} MB of memory, {open_files} open files, {} MB on disk, {} segments and {} events gone",
            resident_bytes >> 20,
            disk_bytes >> 20,
            retained.segments,
            retained.events
        );
        seen.push(now);
        soak.clock.advance(2 * DAY);
    }
    soak.store.close().await;
    figures(&seen)
}

fn figures(seen: &[Seen]) -> Result<Figures> {
    let (early, late) = (seen.get(SETTLED).context("too few rounds")?, seen.get(SETTLED.end..).unwrap_or_default());
    let most = |of: fn(&Seen) -> u64, rounds: &[Seen]| rounds.iter().map(of).max().unwrap_or(0) as f64;
    let mut figures = Figures::default();
    let turned = seen.iter().filter(|seen| seen.segments_removed > 0).count();
    figures.add(Figure::new("rounds in which segments went", turned as f64, "").at_least(10.0));
    let grown = |of: fn(&Seen) -> u64| most(of, late) / most(of, early).max(1.0);
    figures.add(
        Figure::new("memory, most of the last rounds to that of the first", grown(|s| s.resident_bytes), "")
            .at_most(1.25),
    );
    figures.add(Figure::new("open files, likewise", grown(|s| s.open_files), "").at_most(1.25));
    figures.add(Figure::new("disk, likewise", grown(|s| s.disk_bytes), "").at_most(1.25));
    figures.add(Figure::new("memory, at most", most(|s| s.resident_bytes, seen) / 1e6, "MB"));
    figures.add(Figure::new("disk, at most", most(|s| s.disk_bytes, seen) / 1e6, "MB"));
    Ok(figures)
}

impl Soak {
    fn open(directory: &Path) -> Result<Self> {
        let clock = ManualClock::at(Time::from_s(1_790_000_000));
        let store = EmbeddedStore::open(EmbeddedOptions {
            dir: directory.join("data"),
            pending_max: 10_000_000,
            segment_bytes: SEGMENT_BYTES,
            index_lag_bytes_max: 1 << 30,
            queue: Default::default(),
            space: Default::default(),
            disk: Arc::new(RealDisk),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(OsEntropy),
        })?;
        let policy = Policy {
            retry: RetryPolicy::default(),
            deadline: Duration::from_secs(30),
            max_age: 3 * DAY,
            critical: false,
        };
        Ok(Soak { store, clock, policy: Arc::new(policy) })
    }

    fn event(&self) -> NewEvent {
        let now = self.clock.now();
        let id = || (&OsEntropy as &dyn Entropy).id_bytes();
        let event = EventId::mint(now, id());
        NewEvent {
            refuses_replay: false,
            revives: true,
            event: Event {
                digest: None,
                part: None,
                id: event,
                source: "soak".into(),
                event_type: "order.created".into(),
                idempotency_key: event.to_string().into(),
                received_at: now,
                occurred_at: None,
                correlation_id: "soak".into(),
                matched_secret: None,
                remote: "".into(),
                headers: Vec::new(),
                body: Bytes::from_static(br#"{"order":"a small one"}"#),
            },
            key_until: now.plus(3 * DAY),
            deliveries: vec![NewDelivery {
                order: None,
                id: DeliveryId::mint(now, id()),
                destination: DESTINATION.into(),
                lane: Lane::of_destination(DESTINATION),
                route: "soak#1".into(),
                policy: self.policy.clone(),
                due_at: now,
            }],
        }
    }

    /// Accepts so many events and delivers them.
    async fn load(self: &Arc<Self>, events: u64) -> Result<()> {
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..CALLERS {
            let soak = self.clone();
            callers.spawn(async move { soak.call(events / CALLERS).await });
        }
        while let Some(done) = callers.join_next().await {
            done??;
        }
        Ok(())
    }

    async fn call(&self, events: u64) -> Result<()> {
        let session = self.store.open_session(DAY).await?;
        let mut left = events;
        while left > 0 {
            let now = left.min(AT_ONCE as u64);
            self.store.accept((0..now).map(|_| self.event()).collect()).await?;
            left -= now;
            loop {
                let room = LaneRoom { lane: Lane::of_destination(DESTINATION), room: AT_ONCE, limit: None };
                let leased = self.store.claim(session, &[room], AT_ONCE).await?;
                if leased.is_empty() {
                    break;
                }
                let delivered = |leased: &hookhaven_store::Leased| Settlement {
                    follows: vec![],
                    delivery: leased.delivery.id,
                    fence: leased.fence,
                    attempt: Some(attempt(leased, self.clock.now())),
                    next: Next::Delivered,
                };
                self.store.settle(session, leased.iter().map(delivered).collect()).await?;
            }
        }
        Ok(self.store.close_session(session).await?)
    }

    /// Lets go of what is older than a day.
    async fn retain(&self) -> Result<Retained> {
        let retention = Retention { before: self.clock.now().minus(DAY), dead_before: None };
        let mut all = Retained::default();
        loop {
            let step = self.store.retain(retention).await?;
            all.segments += step.segments;
            all.events += step.events;
            if !step.more {
                return Ok(all);
            }
        }
    }

    async fn look(&self, retained: Retained) -> Result<Seen> {
        let stats = self.store.stats().await?;
        let usage = usage(std::process::id()).context("/proc says nothing of this process")?;
        Ok(Seen {
            resident_bytes: usage.resident_bytes,
            open_files: std::fs::read_dir("/proc/self/fd")?.count() as u64,
            disk_bytes: stats.journal_bytes + stats.index_bytes,
            segments_removed: retained.segments,
        })
    }
}

fn attempt(leased: &hookhaven_store::Leased, now: Time) -> hookhaven_core::Attempt {
    hookhaven_core::Attempt {
        id: hookhaven_core::AttemptId::mint(now, (&OsEntropy as &dyn Entropy).id_bytes()),
        delivery: leased.delivery.id,
        number: leased.attempt_number,
        started_at: now,
        duration_us: 100,
        phases: Default::default(),
        status: Some(200),
        class: hookhaven_core::ErrorClass::Ok,
        error: "".into(),
        response_headers: Vec::new(),
        response_excerpt: Bytes::new(),
        next_attempt_at: None,
    }
}
