//! The figures that rules look at: what this node counts by itself, and what the store says to every node alike.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hookhaven_core::{
    Time,
    alert::{Figure, Labels, Metric, Rule, Value, Windows},
    event::{ALERTS, ANSWERS, PUBLISHED},
};
use hookhaven_store::{DeliveryFilter, Depth, Leave, Page, Stats, Store, StoreError};

use super::{AlertParts, shared::Shared};
use crate::{
    alerting::channel_of,
    config::Config,
    metrics::Tallies,
    secrets::{Owner, standings},
};

/// How often it is looked which secrets are too old: they age by the day.
const SECRETS_EVERY: Duration = Duration::from_secs(300);
/// How long it is remembered which routes critical dead letters are of, while their number stays the same.
const ROUTES_FOR: Duration = Duration::from_secs(60);
/// Dead letters of one source and destination that are read for that, a page at a time.
const READ_MAX: usize = 2_000;
const PAGE: usize = 500;

#[derive(Debug, Default)]
pub struct Sampler {
    windows: Windows,
    secrets: Remembered<Vec<Figure>>,
    routes: BTreeMap<(Arc<str>, Arc<str>), Routes>,
}

#[derive(Debug, Default)]
struct Remembered<T> {
    at: Option<Time>,
    value: T,
}

/// How many critical dead letters of one source and destination each route has.
#[derive(Debug)]
struct Routes {
    at: Time,
    count: u64,
    by_route: BTreeMap<Arc<str>, u64>,
}

/// What the store says.
#[derive(Debug, Default)]
pub struct Common {
    pub figures: Vec<Figure>,
    /// Deliveries to channels that were given up.
    pub failed_tellings: u64,
}

impl Sampler {
    /// Takes what was counted since the last time; answers whether anything was.
    pub fn count(&mut self, tallies: &Tallies, now: Time) -> bool {
        let mut has_grown = false;
        tallies.read(|metric, labels, counts| has_grown |= self.windows.take(metric, labels, counts, now));
        has_grown
    }

    /// What this node alone knows.
    pub fn local(&mut self, parts: &AlertParts, rules: &[Rule], now: Time) -> Vec<Figure> {
        let enabled = rules.iter().filter(|rule| rule.enabled && rule.metric.is_windowed());
        let mut wanted: Vec<_> = enabled.map(|rule| (rule.metric, rule.window)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut figures: Vec<Figure> =
            wanted.into_iter().flat_map(|(metric, window)| self.windows.figures(metric, window, now)).collect();
        let wall = parts.clock.wall();
        let drift_s = wall.since(now).max(now.since(wall)).as_secs_f64();
        let refusing = u64::from(parts.store.ready(Leave::NOTHING).is_err());
        let refused = u64::from(parts.reload.borrow().last_error.is_some());
        for (metric, value) in [
            // Less is the ordinary difference of two clocks, and would be news at every look.
            (Metric::ClockDrift, Value::Peak(if drift_s < 1.0 { 0.0 } else { drift_s.round() })),
            (Metric::StoreRefusing, Value::count(refusing)),
            (Metric::ConfigRefused, Value::count(refused)),
        ] {
            if !value.is_nothing() {
                figures.push(Figure::now(metric, Labels::default(), value));
            }
        }
        figures
    }

    /// `None`: the store cannot say.
    pub async fn common(&mut self, parts: &AlertParts, config: &Config, shared: &Shared, now: Time) -> Option<Common> {
        let common = async {
            let stats = parts.store.stats().await?;
            self.windows.take(Metric::StoreDamages, &Labels::default(), &[stats.damages], now);
            let mut common = Common::default();
            depths(&mut common, config, &stats, now);
            self.critical(&mut common.figures, &*parts.store, &stats.depths, now).await?;
            self.old_secrets(&mut common.figures, parts, config, now).await?;
            Ok::<_, StoreError>(common)
        };
        let mut common = match common.await {
            Ok(common) => common,
            Err(error) => {
                tracing::debug!(%error, "alerts: the store's figures are not known");
                return None;
            }
        };
        let mut resting = parts.around.open_breakers();
        resting.extend(shared.open_breakers().map(str::to_owned));
        resting.sort_unstable();
        resting.dedup();
        let paused = shared.paused_by_410().map(str::to_owned).collect();
        for (metric, names) in [(Metric::BreakerOpen, resting), (Metric::DestinationPaused, paused)] {
            for name in names.iter().filter(|name| config.destinations.contains_key(name.as_str())) {
                common.figures.push(Figure::now(metric, Labels::destination(name), Value::count(1)));
            }
        }
        Some(common)
    }

    /// By route, which the store's totals do not tell.
    async fn critical(
        &mut self,
        figures: &mut Vec<Figure>,
        store: &dyn Store,
        depths: &[Depth],
        now: Time,
    ) -> Result<(), StoreError> {
        let critical = |depth: &&Depth| depth.dead_letters_critical > 0 && &*depth.source != ALERTS;
        let mut kept = BTreeMap::new();
        for depth in depths.iter().filter(critical) {
            let key = (depth.source.clone(), depth.destination.clone());
            let fresh =
                |routes: &Routes| routes.count == depth.dead_letters_critical && now.since(routes.at) < ROUTES_FOR;
            let routes = match self.routes.remove(&key).filter(fresh) {
                Some(routes) => routes,
                None => {
                    let by_route = by_route(store, depth).await?;
                    Routes { at: now, count: depth.dead_letters_critical, by_route }
                }
            };
            for (route, count) in &routes.by_route {
                let labels = Labels {
                    source: depth.source.to_string(),
                    destination: depth.destination.to_string(),
                    route: route.to_string(),
                };
                figures.push(Figure::now(Metric::DeadLettersCritical, labels, Value::count(*count)));
            }
            kept.insert(key, routes);
        }
        self.routes = kept;
        Ok(())
    }

    async fn old_secrets(
        &mut self,
        figures: &mut Vec<Figure>,
        parts: &AlertParts,
        config: &Config,
        now: Time,
    ) -> Result<(), StoreError> {
        if self.secrets.at.is_none_or(|at| now.since(at) >= SECRETS_EVERY) {
            let all = standings(&*parts.store, config, Some(&parts.secrets), now).await?;
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for standing in all.iter().filter(|standing| standing.too_old) {
                let (Owner::Source(name) | Owner::Destination(name)) = &standing.owner;
                *counts.entry(name).or_default() += 1;
            }
            let figure = |(name, count): (&&str, &u64)| {
                Figure::now(Metric::SecretsOld, Labels::source(name), Value::count(*count))
            };
            self.secrets = Remembered { at: Some(now), value: counts.iter().map(figure).collect() };
        }
        figures.extend(self.secrets.value.iter().cloned());
        Ok(())
    }
}

fn depths(common: &mut Common, config: &Config, stats: &Stats, now: Time) {
    for depth in &stats.depths {
        let dead = depth.dead_letters + depth.dead_letters_critical;
        if &*depth.source == ALERTS {
            common.failed_tellings += dead;
            continue;
        }
        let waiting = depth.pending + depth.leased;
        // What is published, and late answers, have no destination in the file.
        let from_file = !matches!(&*depth.source, PUBLISHED | ANSWERS);
        let gone = from_file && !config.destinations.contains_key(&depth.destination);
        let labels = Labels { source: depth.source.to_string(), ..Labels::destination(&depth.destination) };
        for (metric, count) in [
            (Metric::QueueDepth, waiting),
            (Metric::DeadLetters, dead),
            (Metric::DestinationGone, if gone { waiting } else { 0 }),
        ] {
            if count > 0 {
                common.figures.push(Figure::now(metric, labels.clone(), Value::count(count)));
            }
        }
    }
    for (destination, due_at) in stats.oldest_due.iter().filter(|(name, _)| channel_of(name).is_none()) {
        let age = Value::Peak(now.since(*due_at).as_secs_f64());
        common.figures.push(Figure::now(Metric::QueueOldest, Labels::destination(destination), age));
    }
}

async fn by_route(store: &dyn Store, depth: &Depth) -> Result<BTreeMap<Arc<str>, u64>, StoreError> {
    let filter = DeliveryFilter {
        source: Some(depth.source.to_string()),
        destination: Some(depth.destination.to_string()),
        dead_letters: true,
        ..DeliveryFilter::default()
    };
    let (mut counts, mut page, mut read) = (BTreeMap::new(), Page::first(PAGE), 0);
    loop {
        let rows = store.deliveries(&filter, page).await?;
        for row in rows.iter().filter(|row| row.delivery.policy.critical) {
            *counts.entry(row.delivery.route.clone()).or_default() += 1;
        }
        read += rows.len();
        match rows.last() {
            Some(last) if rows.len() == PAGE && read < READ_MAX => page = page.after(last.delivery.id),
            _ => return Ok(counts),
        }
    }
}
