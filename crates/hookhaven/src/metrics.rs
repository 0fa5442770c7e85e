//! Metrics: what the gateway counts and times, and how a scrape shows it (OpenMetrics text).
//!
//! Counters and histograms are moved as things happen, by the methods below; figures that belong to
//! the store or the process are asked for at the scrape ([`Metrics::render`]) and kept nowhere. Labels
//! are bounded: sources and destinations come from the configuration, event types from a bounded
//! table ([`types`]). One value per process part, no globals, so that tests can have many.
//!
//! Not here: alerts (`tallies` is what they are judged by), percentiles, the dashboard's figures.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use hookhaven_core::{ErrorClass, Time, alert::ANSWER_BUCKETS_S};
use hookhaven_store::Stats;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

pub use self::tallies::Tallies;
use self::types::{Series, Types};
use crate::stats::Recorder;

macro_rules! labels {
    ($($name:ident { $($label:ident: $type:ty),+ })+) => {
        $(#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
        struct $name { $($label: $type),+ })+
    };
}

mod scrape;
mod tallies;
mod types;

/// Content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A handler may take its whole timeout, usually 10 s.
const DELIVERY_BUCKETS_S: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0, 60.0];
/// From acceptance to delivery, retries included: up to a day.
const END_TO_END_BUCKETS_S: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 21600.0, 86400.0];

labels! {
    OfSource { source: Arc<str> }
    OfType { source: Arc<str>, r#type: Arc<str> }
    Refused { source: Arc<str>, reason: &'static str }
    OfAnswer { source: Arc<str>, answer: &'static str }
    Suspected { source: Arc<str>, kind: &'static str }
    OfDelivery { destination: Arc<str>, r#type: Arc<str> }
    OfClass { destination: Arc<str>, class: &'static str }
    OfAttempt { source: Arc<str>, destination: Arc<str>, outcome: &'static str }
    OfPair { source: Arc<str>, destination: Arc<str> }
    OfDestination { destination: Arc<str> }
    OfResult { result: &'static str }
    OfCode { code: String }
    NotKept { source: Arc<str>, reason: &'static str }
    OfRelease { source: Arc<str>, outcome: &'static str }
    OfSecret { source: Arc<str>, secret: usize }
    OfAlert { rule: String, severity: &'static str }
    OfTelling { channel: String, outcome: &'static str }
    OfFate { fate: &'static str }
    OfPause { destination: Arc<str>, by: &'static str }
}

/// Everything counted by one gateway.
pub struct Metrics {
    registry: Registry,
    types: Types,
    started: Time,
    log_lines_dropped: Arc<AtomicU64>,
    /// The same, for charts.
    recorder: Arc<Recorder>,
    received_seconds: Histogram,
    signature_invalid: Family<Refused, Counter>,
    refused: Family<Refused, Counter>,
    suspicious: Family<Suspected, Counter>,
    duplicate: Family<OfSource, Counter>,
    asked: Family<OfAnswer, Counter>,
    rejected_kept: Family<OfSource, Counter>,
    rejected_not_kept: Family<NotKept, Counter>,
    rejected_released: Family<OfRelease, Counter>,
    secret_matched: Family<OfSecret, Counter>,
    secret_age_seconds: Family<OfSecret, Gauge>,
    attempts: Family<OfAttempt, Counter>,
    delivery_seconds: Family<OfDelivery, Histogram, fn() -> Histogram>,
    delivery_failed: Family<OfClass, Counter>,
    end_to_end_seconds: Histogram,
    deadline_missed: Family<OfPair, Counter>,
    retries: Counter,
    leases_lost: Counter,
    breaker_open: Family<OfDestination, Gauge>,
    destination_paused: Family<OfPause, Gauge>,
    config_reloads: Family<OfResult, Counter>,
    access_refused: Family<OfCode, Counter>,
    config_current: Gauge,
    nodes_differing: Gauge,
    trace_spans: Family<OfFate, Counter>,
    sender_networks: ArcSwap<Vec<SenderNetworks>>,
    alerts_firing: Family<OfAlert, Gauge>,
    alert_tellings: Family<OfTelling, Counter>,
    tallies: Tallies,
}

/// The addresses that a sender publishes, as they are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderNetworks {
    pub sender: &'static str,
    pub networks: usize,
    /// `None`: there is no copy yet.
    pub fetched_at: Option<Time>,
}

impl Metrics {
    /// `types_max`: distinct event types per source before further ones count as `other`
    /// (`limits.metric_types_max`). `started`: when the process did. `log_lines_dropped`: the log's own
    /// count.
    pub fn new(types_max: usize, started: Time, log_lines_dropped: Arc<AtomicU64>) -> Self {
        let mut registry = Registry::default();
        let r = &mut registry;
        let received = family(r, "webhook_received", "Verified requests answered with success");
        let asked = "Requests whose route asks for the handler's answer, by whose answer went back";
        let unrouted = family(r, "webhook_unrouted", "Events stored that no route takes");
        let current = "1 while the file's configuration is the one in use, 0 after it was refused";
        let differing = "Other nodes of this version whose configuration is not this one's";
        let metrics = Metrics {
            received_seconds: seconds(r, "webhook_received_duration", "Arrival to answer", &ANSWER_BUCKETS_S),
            signature_invalid: family(r, "webhook_signature_invalid", "Requests whose signature did not hold"),
            suspicious: family(r, "webhook_suspicious", "Stored events that look like a replay, or are old"),
            refused: family(r, "webhook_refused", "Requests refused for another reason than their signature"),
            duplicate: family(r, "webhook_duplicate", "Requests whose event was stored before"),
            asked: family(r, "webhook_asked", asked),
            rejected_kept: family(r, "webhook_rejected_kept", "Rejected requests put into quarantine"),
            rejected_not_kept: family(r, "webhook_rejected_not_kept", "Rejected requests left out of quarantine"),
            rejected_released: family(r, "webhook_rejected_released", "Rejected requests released"),
            secret_matched: family(r, "webhook_secret_matched", "Requests by the place of the secret that signed them"),
            secret_age_seconds: secret_ages(r),
            attempts: family(r, "webhook_attempts", "Finished attempts"),
            delivery_seconds: delivery_seconds(r),
            delivery_failed: family(r, "webhook_delivery_failed", "Failed attempts by class of error"),
            end_to_end_seconds: seconds(r, "webhook_end_to_end", "Acceptance to delivery", &END_TO_END_BUCKETS_S),
            deadline_missed: family(r, "webhook_deadline_missed", "First attempts begun after the deadline"),
            retries: counter(r, "webhook_retries", "Attempts that were not the first of their delivery"),
            leases_lost: counter(r, "webhook_lease_lost", "Settles refused because the lease was no longer ours"),
            breaker_open: gauges(r, "webhook_breaker_open", "1 while the destination's breaker is open"),
            destination_paused: gauges(r, "webhook_destination_paused", "1 while the destination is paused"),
            config_reloads: family(r, "hookhaven_config_reloads", "Changed configurations, taken or refused"),
            access_refused: family(
                r,
                "hookhaven_access_refused",
                "Requests refused on the admin side, by the problem's code",
            ),
            config_current: gauge(r, "hookhaven_config_current", current),
            nodes_differing: gauge(r, "hookhaven_nodes_config_differing", differing),
            trace_spans: family(r, "hookhaven_trace_spans", "Spans by what became of them"),
            sender_networks: ArcSwap::default(),
            alerts_firing: gauges(r, "webhook_alerts_firing", "Alerts that fire, one for each scope of a rule"),
            alert_tellings: family(r, "webhook_alert_tellings", "Tries to tell an alert to a channel"),
            tallies: Tallies::default(),
            types: Types::new(types_max, received, unrouted),
            started,
            log_lines_dropped,
            recorder: Arc::default(),
            registry,
        };
        metrics.config_current.set(1);
        metrics
    }

    /// What is counted here too, and kept by the minute.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// An event, new or not, was answered with success. `took`: arrival to answer.
    pub fn received(&self, source: &str, event_type: &str, took: Duration) {
        self.types.with(source, event_type, |series: &Series| series.received.inc());
        self.received_seconds.observe(took.as_secs_f64());
        self.tallies.answered(took);
        self.recorder.received(source, took);
    }

    /// `reason`: a `Rejection`'s name.
    pub fn signature_invalid(&self, source: &Arc<str>, reason: &'static str) {
        self.tallies.invalid(source);
        self.signature_invalid.get_or_create(&Refused { source: source.clone(), reason }).inc();
        self.recorder.rejected(source);
    }

    /// Refused before or beside the signature: too large, not ready, wrong method …
    pub fn refused(&self, source: &Arc<str>, reason: &'static str) {
        self.refused.get_or_create(&Refused { source: source.clone(), reason }).inc();
        self.recorder.rejected(source);
    }

    pub fn duplicate(&self, source: &Arc<str>) {
        self.duplicate.get_or_create(&OfSource { source: source.clone() }).inc();
        self.recorder.duplicate(source);
    }

    /// A route asked for the handler's answer; `answer` is `handler`, `default` or `no_room`.
    pub fn asked(&self, source: &Arc<str>, answer: &'static str) {
        self.asked.get_or_create(&OfAnswer { source: source.clone(), answer }).inc();
    }

    /// `kind`: `suspected_replay`, `other_bytes` or `old`.
    pub fn suspicious(&self, source: &Arc<str>, kind: &'static str) {
        self.suspicious.get_or_create(&Suspected { source: source.clone(), kind }).inc();
    }

    pub fn rejected_kept(&self, source: &Arc<str>, count: u64) {
        self.rejected_kept.get_or_create(&OfSource { source: source.clone() }).inc_by(count);
    }

    /// `reason`: `sampled` under a flood, `busy` when too many waited, `failed` to be written.
    pub fn rejected_not_kept(&self, source: &Arc<str>, reason: &'static str, count: u64) {
        self.rejected_not_kept.get_or_create(&NotKept { source: source.clone(), reason }).inc_by(count);
    }

    /// `outcome`: `queued`, or `duplicate` of an event that had come meanwhile.
    pub fn rejected_released(&self, source: &Arc<str>, outcome: &'static str) {
        self.rejected_released.get_or_create(&OfRelease { source: source.clone(), outcome }).inc();
    }

    /// A request was signed with the secret at this place of its source's list, from 1.
    pub fn secret_matched(&self, source: &Arc<str>, secret: usize) {
        self.secret_matched.get_or_create(&OfSecret { source: source.clone(), secret }).inc();
    }

    /// How old the secrets of all sources are, by their places from 1.
    pub fn secret_ages(&self, ages: impl IntoIterator<Item = (Arc<str>, usize, Duration)>) {
        self.secret_age_seconds.clear();
        for (source, secret, age) in ages {
            let age_s = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            self.secret_age_seconds.get_or_create(&OfSecret { source, secret }).set(age_s);
        }
    }

    pub fn unrouted(&self, source: &str, event_type: &str) {
        self.types.with(source, event_type, |series: &Series| series.unrouted().inc());
    }

    /// An attempt is over. `outcome` is `delivered`, `retry` or `dead`; `took` the attempt's duration.
    pub fn attempt(
        &self,
        source: &Arc<str>,
        destination: &Arc<str>,
        event_type: &str,
        outcome: &'static str,
        class: ErrorClass,
        took: Duration,
    ) {
        self.tallies.attempt(source, destination, class != ErrorClass::Ok);
        self.recorder.attempt(source, destination, outcome, took);
        let r#type = self.types.label(source, event_type);
        let (source, destination) = (source.clone(), destination.clone());
        if class != ErrorClass::Ok {
            let class = class.as_str();
            self.delivery_failed.get_or_create(&OfClass { destination: destination.clone(), class }).inc();
        }
        let of = OfDelivery { destination: destination.clone(), r#type };
        self.delivery_seconds.get_or_create(&of).observe(took.as_secs_f64());
        self.attempts.get_or_create(&OfAttempt { source, destination, outcome }).inc();
    }

    /// A delivery succeeded. `took`: since its event was accepted.
    pub fn end_to_end(&self, source: &str, destination: &str, took: Duration) {
        self.end_to_end_seconds.observe(took.as_secs_f64());
        self.recorder.end_to_end(source, destination, took);
    }

    pub fn deadline_missed(&self, source: &Arc<str>, destination: &Arc<str>) {
        self.tallies.deadline_missed(source, destination);
        let of = OfPair { source: source.clone(), destination: destination.clone() };
        self.deadline_missed.get_or_create(&of).inc();
    }

    pub fn retried(&self) {
        self.retries.inc();
    }

    pub fn lease_lost(&self) {
        self.leases_lost.inc();
    }

    pub fn breaker(&self, destination: &Arc<str>, open: bool) {
        let of = OfDestination { destination: destination.clone() };
        self.breaker_open.get_or_create(&of).set(i64::from(open));
    }

    /// Who is paused, and by whom: `config`, `operator` or `410` (its own answers).
    pub fn destinations_paused(&self, paused: impl IntoIterator<Item = (Arc<str>, &'static str)>) {
        self.destination_paused.clear();
        for (destination, by) in paused {
            self.destination_paused.get_or_create(&OfPause { destination, by }).set(1);
        }
    }

    /// A changed configuration was taken, or refused.
    pub fn config_reload(&self, ok: bool) {
        let result = if ok { "ok" } else { "refused" };
        self.config_reloads.get_or_create(&OfResult { result }).inc();
        self.config_current.set(i64::from(ok));
    }

    /// The admin side refused a request; `code` is one of the API's.
    pub fn access_refused(&self, code: &str) {
        self.access_refused.get_or_create(&OfCode { code: code.to_owned() }).inc();
    }

    /// How many other nodes are configured differently.
    pub fn nodes_differing(&self, count: usize) {
        self.nodes_differing.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// `fate`: `exported`, `queue_full` where the collector was too slow, `failed` after the last try to export, or
    /// `refused` by the collector.
    pub fn trace_spans(&self, fate: &'static str, count: u64) {
        self.trace_spans.get_or_create(&OfFate { fate }).inc_by(count);
    }

    /// The published addresses that sources go by now.
    pub fn sender_networks(&self, all: Vec<SenderNetworks>) {
        self.sender_networks.store(Arc::new(all));
    }

    /// The whole exposition. `nodes`: how many live, by role. Its content type is [`CONTENT_TYPE`].
    pub fn render(&self, stats: &Stats, nodes: &[(String, u64)], now: Time) -> String {
        let log_lines_dropped = self.log_lines_dropped.load(Relaxed);
        let then = scrape::registry(stats, nodes, now, now.since(self.started), log_lines_dropped);
        let networks = scrape::networks(&self.sender_networks.load(), now);
        scrape::text(&[&self.registry, &then, &networks])
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// What a set of labels must be able to do.
trait Labels: EncodeLabelSet + Clone + std::fmt::Debug + std::hash::Hash + Eq + Send + Sync + 'static {}
impl<L: EncodeLabelSet + Clone + std::fmt::Debug + std::hash::Hash + Eq + Send + Sync + 'static> Labels for L {}

fn family<L: Labels>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Counter> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

fn gauges<L: Labels>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Gauge> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

fn seconds(registry: &mut Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let histogram = Histogram::new(buckets.iter().copied());
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

fn secret_ages(registry: &mut Registry) -> Family<OfSecret, Gauge> {
    let family = Family::default();
    registry.register_with_unit("webhook_secret_age", "Since a secret was first seen", Unit::Seconds, family.clone());
    family
}

fn delivery_seconds(registry: &mut Registry) -> Family<OfDelivery, Histogram, fn() -> Histogram> {
    let family = Family::new_with_constructor((|| Histogram::new(DELIVERY_BUCKETS_S)) as fn() -> Histogram);
    registry.register_with_unit("webhook_delivery_duration", "Duration of attempts", Unit::Seconds, family.clone());
    family
}

#[cfg(test)]
mod tests;
