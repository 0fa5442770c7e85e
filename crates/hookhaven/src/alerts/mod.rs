//! Alerts: looks at the figures now and then, decides with the core what fires and ends, and sees that it is told.
//!
//! - `sampler` takes the figures: what this node counts, and what the store says to all.
//! - `shared` is what nodes know of each other: episodes, silences, figures, all in the catalog.
//! - `telling` makes an event of what is to be told, with a delivery for each channel: from there on it is a delivery
//!   like any other, retried, kept over a crash, held back by a channel that cannot take it.
//! - `channels` tells one event to one channel: what the worker calls ([`crate::alerting::Teller`]).
//!
//! Every node looks, none is a leader. Figures are of all nodes together. What two nodes find at once is told once,
//! because the event's idempotency key is made of rule, scope, episode and number: the store says to one of them that
//! it is new. The catalog only remembers; if a node dies between the event and the catalog, the next look finds the
//! event there and writes down what is missing. While the store takes nothing, pages go to the channels directly, by
//! each node that finds them, once.
//!
//! Not here: the rules (`hookhaven_core::alert`), their syntax (`config::parse::alerts`).

pub mod channels;
mod sampler;
mod shared;
mod telling;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use hookhaven_core::{
    Time,
    alert::{Change, Figure, Rule, Setup, Sight, Watching},
};
use hookhaven_store::{
    Store,
    clock::{Clock, Entropy},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::{
    channels::Channels,
    sampler::{Common, Sampler},
    shared::Shared,
};
use crate::{
    alerting::{Desk, Holding, Look},
    config::{Config, reload::ReloadState},
    egress::Sent,
    metrics::Metrics,
    secrets::SecretUse,
};

/// On a shared store, where nothing has happened, the store is asked this seldom: idle nodes stay idle.
const IDLE_EVERY: Duration = Duration::from_secs(120);
/// How long the end of a node waits for the store to forget its figures.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// What alerts are made of.
#[derive(Clone, Debug)]
pub struct AlertParts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub config: Arc<ArcSwap<Config>>,
    pub metrics: Arc<Metrics>,
    pub secrets: Arc<SecretUse>,
    pub reload: watch::Receiver<ReloadState>,
    pub around: Arc<dyn Around>,
    pub channels: Arc<Channels>,
}

/// What is known where everything meets.
pub trait Around: Send + Sync + fmt::Debug {
    /// This node's id.
    fn node(&self) -> String;
    /// Ids of the nodes that were heard of lately.
    fn living(&self) -> Vec<String>;
    /// Destinations whose breaker is open on this node.
    fn open_breakers(&self) -> Vec<String>;
}

/// The alerts of one gateway.
#[derive(Debug)]
pub struct Alerts {
    parts: AlertParts,
    look: Mutex<Look>,
}

/// What one turn leaves to the next.
#[derive(Default)]
struct Memory {
    sampler: Sampler,
    watching: Watching,
    shared: Shared,
    /// When everything was last looked at.
    looked_at: Option<Time>,
}

impl Alerts {
    pub fn new(parts: AlertParts) -> Arc<Self> {
        Arc::new(Alerts { parts, look: Mutex::default() })
    }

    /// Looks every `alerts.every`, and whenever the config file was read, until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (mut memory, mut reload) = (Memory::default(), self.parts.reload.clone());
        let (mut changes, mut has_news) = (self.parts.store.changes(), true);
        loop {
            let now = self.parts.clock.now();
            has_news |= changes.has_changed().unwrap_or(false);
            changes.mark_unchanged();
            self.turn(&mut memory, has_news, now).await;
            let every = self.parts.config.load().alerts.every;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.parts.clock.sleep_until(now.plus(every)) => has_news = false,
                Ok(()) = reload.changed() => has_news = true,
            }
        }
        let leaving = memory.shared.leave(&self.parts);
        let _ = tokio::time::timeout(LEAVE_TIMEOUT, leaving).await;
    }

    async fn turn(&self, memory: &mut Memory, has_news: bool, now: Time) {
        let config = self.parts.config.load_full();
        let rules: &[Rule] = if config.alerts.enabled { &config.alerts.rules } else { &[] };
        let has_grown = memory.sampler.count(self.parts.metrics.tallies(), now);
        let mut figures = memory.sampler.local(&self.parts, rules, now);
        let nothing_new = !has_news && !has_grown && figures.is_empty();
        if config.shares_store() && nothing_new && memory.is_idle(now) {
            return;
        }
        memory.looked_at = Some(now);
        memory.shared.read(&self.parts, &config, now).await;
        memory.shared.publish(&self.parts, &config, &figures, now).await;
        figures.extend(memory.shared.of_others().cloned());
        let common = memory.sampler.common(&self.parts, &config, &memory.shared, now).await;
        let sight = match &common {
            Some(common) => {
                figures.extend(common.figures.iter().cloned());
                Sight::Everything
            }
            None => Sight::LocalOnly,
        };
        for change in self.decide(memory, &config, rules, &figures, sight, now).await {
            self.carry_out(memory, &config, change, now).await;
        }
        self.tidy(memory, common.as_ref(), now).await;
        self.show(memory, now);
    }

    /// On a shared store somebody may just have done the same, so what is to be done is decided by a fresh look.
    async fn decide(
        &self,
        memory: &mut Memory,
        config: &Config,
        rules: &[Rule],
        figures: &[Figure],
        sight: Sight,
        now: Time,
    ) -> Vec<Change> {
        let changes = memory.look(config, rules, figures, sight, now);
        if changes.is_empty() || !config.shares_store() {
            return changes;
        }
        memory.shared.read(&self.parts, config, now).await;
        memory.look(config, rules, figures, sight, now)
    }

    async fn carry_out(&self, memory: &mut Memory, config: &Config, change: Change, now: Time) {
        let Change { mut episode, tell, forget } = change;
        if let Some(kind) = tell {
            match telling::tell(&self.parts, config, &episode, kind, now).await {
                Some(told) => episode = episode.having_told(told),
                // The next look finds it again.
                None => return,
            }
        }
        memory.shared.save(&self.parts, episode, forget).await;
    }

    /// What need not be kept goes.
    async fn tidy(&self, memory: &mut Memory, common: Option<&Common>, now: Time) {
        if common.is_some_and(|common| common.failed_tellings > 0) {
            telling::dismiss_failed(&self.parts).await;
        }
        memory.shared.forget_old(&self.parts, now).await;
    }

    fn show(&self, memory: &Memory, now: Time) {
        self.parts.metrics.alerts_firing(&memory.shared.firing());
        let holding = memory.watching.holding().filter_map(|(rule, scope, watch)| {
            let since = watch.holds_since?;
            Some(Holding { rule: rule.to_owned(), scope: scope.to_owned(), value: watch.value, since })
        });
        let unsaved = memory.shared.unsaved().cloned().collect();
        let look = Look { at: Some(now), holding: holding.collect(), unsaved };
        *self.look.lock().unwrap_or_else(PoisonError::into_inner) = look;
    }
}

impl Memory {
    fn look(&mut self, config: &Config, rules: &[Rule], figures: &[Figure], sight: Sight, now: Time) -> Vec<Change> {
        let setup = Setup {
            rules,
            silences: self.shared.silences(),
            repeat: config.alerts.repeat,
            per_minute_max: config.alerts.per_minute_max,
        };
        self.watching.look(&setup, figures, self.shared.known(), sight, now)
    }

    fn is_idle(&self, now: Time) -> bool {
        let lately = self.looked_at.is_some_and(|at| now.since(at) < IDLE_EVERY);
        lately && !self.shared.is_busy() && self.watching.holding().next().is_none()
    }
}

#[async_trait]
impl Desk for Alerts {
    fn look(&self) -> Look {
        self.look.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn trial(&self, channel: &str) -> Option<Sent> {
        self.parts.channels.trial(channel).await
    }
}
