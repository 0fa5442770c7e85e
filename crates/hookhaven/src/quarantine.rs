//! The way into the quarantine: what ingest refuses is offered here and forgotten there. Nobody waits: an offer goes
//! into a bounded channel or nowhere, and one task writes. Under a flood only so many of a source in a second are
//! kept; what is left out is counted.
//!
//! And what may be done with those that are kept ([`Rejections`]): ingest does it, the API asks for it, and neither knows
//! the other. Not here: where they are kept (`hookhaven_store::quarantine`).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use hookhaven_core::{EventId, Rejected, RejectedId, Time, diagnosis::Diagnosis, pace::Pace};
use hookhaven_store::{
    StoreError,
    clock::Clock,
    quarantine::{Bounds, Quarantine, Released},
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    config::{Config, Terms},
    metrics::Metrics,
};

/// Rejected requests that may wait to be written, of at most 64 KiB and their headers each.
const WAITING_MAX: usize = 256;
/// Written at a time.
const BATCH_MAX: usize = 64;
/// How often old ones are let go of.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// What may be done with rejected requests.
#[async_trait]
pub trait Rejections: Send + Sync + std::fmt::Debug {
    /// Why it was refused. `None` if its source is not configured any more.
    async fn diagnose(&self, rejected: Rejected) -> Option<Diagnosis>;

    /// Makes it the event that it should have been, if its signature holds by now.
    ///
    /// # Errors
    /// The store could not be asked; nothing is known of what became of it, and it may be asked for again.
    async fn release(&self, id: RejectedId) -> Result<Release, StoreError>;
}

/// What became of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    Done {
        event: EventId,
        /// Its sender had sent it again, and this is that event.
        duplicate: bool,
        /// The body was put back into the form that was signed.
        restored: bool,
    },
    /// It was released before; nothing was done now.
    Already(Released),
    /// It would still be refused.
    Refused(Diagnosis),
    /// It is rightly signed and only asks something about the subscription.
    NoEvent,
    /// Its source is not configured any more.
    NoSource,
    Unknown,
}

/// Takes rejected requests to be kept. Shared by all that refuse.
#[derive(Debug)]
pub struct Keeper {
    waiting: mpsc::Sender<(Rejected, Bounds)>,
    paces: Mutex<HashMap<Arc<str>, Pace>>,
    metrics: Arc<Metrics>,
}

impl Keeper {
    /// Starts the task that writes. It ends, everything written, when the keeper is dropped.
    pub fn start(quarantine: Arc<dyn Quarantine>, metrics: Arc<Metrics>) -> (Arc<Self>, JoinHandle<()>) {
        let (waiting, next) = mpsc::channel(WAITING_MAX);
        let writing = tokio::spawn(write(quarantine, metrics.clone(), next));
        (Arc::new(Keeper { waiting, paces: Mutex::default(), metrics }), writing)
    }

    /// Keeps it if there is room; never waits. The request is only made up if it is kept.
    pub fn offer(&self, source: &Arc<str>, terms: Terms, now: Time, rejected: impl FnOnce() -> Rejected) {
        if !self.may(source, terms, now) {
            return self.metrics.rejected_not_kept(source, "sampled", 1);
        }
        match self.waiting.try_reserve() {
            Ok(room) => room.send((rejected(), terms.bounds)),
            Err(_) => self.metrics.rejected_not_kept(source, "busy", 1),
        }
    }

    fn may(&self, source: &Arc<str>, terms: Terms, now: Time) -> bool {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(source.clone()).or_insert_with(Pace::of_requests);
        let may = pace.room(terms.rate, now) > 0;
        if may {
            pace.take(terms.rate, now);
        }
        may
    }
}

async fn write(quarantine: Arc<dyn Quarantine>, metrics: Arc<Metrics>, mut next: mpsc::Receiver<(Rejected, Bounds)>) {
    let mut complained = false;
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while next.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let mut sources: BTreeMap<Arc<str>, (Vec<Rejected>, Bounds)> = BTreeMap::new();
        for (rejected, bounds) in batch.drain(..) {
            let (all, of_source) = sources.entry(rejected.source.clone()).or_insert_with(|| (Vec::new(), bounds));
            all.push(rejected);
            *of_source = bounds;
        }
        for (source, (all, bounds)) in sources {
            let count = all.len() as u64;
            match quarantine.put(&source, all, bounds).await {
                Ok(()) => {
                    complained = false;
                    metrics.rejected_kept(&source, count);
                }
                Err(error) => {
                    metrics.rejected_not_kept(&source, "failed", count);
                    if !std::mem::replace(&mut complained, true) {
                        tracing::warn!(%error, "rejected requests could not be kept");
                    }
                }
            }
        }
    }
}

/// Lets go of what is older than its source's `max_age`, now and then, and of all that sources have which say by now
/// that nothing is kept of them.
pub async fn forget_old(quarantine: Arc<dyn Quarantine>, config: Arc<ArcSwap<Config>>, clock: Arc<dyn Clock>) {
    loop {
        if let Err(error) = forget_once(&*quarantine, &config.load(), clock.now()).await {
            tracing::warn!(%error, "old rejected requests stay for now");
        }
        clock.sleep_until(clock.now().plus(FORGET_EVERY)).await;
    }
}

async fn forget_once(quarantine: &dyn Quarantine, config: &Config, now: Time) -> Result<(), StoreError> {
    for count in quarantine.counts().await? {
        let max_age = config.quarantine.terms(&count.source).map_or(Duration::ZERO, |terms| terms.bounds.max_age);
        quarantine.forget(&count.source, now.minus(max_age)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use hookhaven_core::{destination::Rate, sender::Rejection};
    use hookhaven_store::{
        Page,
        quarantine::{MemoryQuarantine, RejectedFilter},
    };

    use super::*;

    const NOW: Time = Time::from_s(1_790_000_000);

    fn rejected(source: &Arc<str>, n: u8) -> Rejected {
        Rejected {
            id: RejectedId::from_bytes([n; 16]),
            received_at: NOW,
            source: source.clone(),
            reason: Rejection::SignatureMismatch,
            method: http::Method::POST,
            target: "/".into(),
            headers: vec![],
            body: "{}".into(),
            body_bytes: 2,
            remote: "".into(),
        }
    }

    fn metrics() -> Arc<Metrics> {
        Arc::new(Metrics::new(10, NOW, Arc::default()))
    }

    #[tokio::test]
    async fn a_flood_is_sampled_and_counted_and_costs_others_nothing() {
        let (quarantine, metrics) = (Arc::new(MemoryQuarantine::default()), metrics());
        let (keeper, writing) = Keeper::start(quarantine.clone(), metrics.clone());
        let rate = Rate { count: NonZeroU32::new(3).unwrap(), per: Duration::from_secs(1) };
        let terms = Terms { rate, ..Terms::default() };
        let [flooded, quiet] = ["flooded", "quiet"].map(Arc::<str>::from);
        for n in 0..50 {
            keeper.offer(&flooded, terms, NOW, || rejected(&flooded, n));
        }
        keeper.offer(&quiet, terms, NOW, || rejected(&quiet, 99));
        keeper.offer(&flooded, terms, NOW.plus(Duration::from_secs(1)), || rejected(&flooded, 60));
        drop(keeper);
        writing.await.unwrap();
        let rows = quarantine.list(&RejectedFilter::default(), Page::first(99)).await.unwrap();
        assert_eq!(rows.iter().filter(|row| row.source == flooded).count(), 4);
        assert_eq!(rows.len(), 5);
        let text = metrics.render(&Default::default(), &[], NOW);
        assert!(text.contains("webhook_rejected_kept_total{source=\"flooded\"} 4"), "{text}");
        assert!(text.contains("webhook_rejected_not_kept_total{source=\"flooded\",reason=\"sampled\"} 47"), "{text}");
    }

    #[tokio::test]
    async fn what_is_old_goes_and_what_shall_not_be_kept_any_more() {
        let quarantine = MemoryQuarantine::default();
        for (name, n) in [("old", 1), ("off", 2)] {
            quarantine.put(&name.into(), vec![rejected(&name.into(), n)], Bounds::default()).await.unwrap();
        }
        let mut config = Config::default();
        config.quarantine.sources.insert("off".into(), None);
        let left = async || quarantine.counts().await.unwrap().len();
        forget_once(&quarantine, &config, NOW.plus(Duration::from_secs(86_400))).await.unwrap();
        assert_eq!(left().await, 1);
        forget_once(&quarantine, &config, NOW.plus(Duration::from_secs(15 * 86_400))).await.unwrap();
        assert_eq!(left().await, 0);
    }
}
