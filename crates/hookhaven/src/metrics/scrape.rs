//! Figures asked for at a scrape: the store's and the process's.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hookhaven_core::Time;
use hookhaven_store::Stats;
use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{
        counter::ConstCounter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        info::Info,
    },
    registry::{Registry, Unit},
};

use super::{OfDestination, OfPair, SenderNetworks, gauges};

/// Ticks of `/proc/self/stat` in a second: fixed by the kernel's interface to programs (`USER_HZ`).
const TICKS_PER_S: f64 = 100.0;

labels! {
    OfRole { role: String }
    OfSender { sender: &'static str }
    OfState { destination: Arc<str>, state: &'static str }
    DeadLetters { source: Arc<str>, destination: Arc<str>, critical: bool }
}

/// A registry that lives for one scrape.
pub(super) fn registry(
    stats: &Stats,
    nodes: &[(String, u64)],
    now: Time,
    up: Duration,
    log_lines_dropped: u64,
) -> Registry {
    let mut registry = Registry::default();
    deliveries(&mut registry, stats, now);
    store(&mut registry, stats, now);
    process(&mut registry, up);
    let living = gauges(&mut registry, "hookhaven_nodes", "Nodes of this store that were heard of lately");
    for (role, count) in nodes {
        add(&living, &OfRole { role: role.clone() }, *count);
    }
    let dropped = ConstCounter::new(log_lines_dropped);
    registry.register("hookhaven_log_lines_dropped", "Log lines nobody took fast enough", dropped);
    registry
}

/// A registry of the addresses that senders publish.
pub(super) fn networks(all: &[SenderNetworks], now: Time) -> Registry {
    let mut registry = Registry::default();
    let r = &mut registry;
    let count =
        gauges(r, "hookhaven_sender_networks", "Networks in the copy of what a sender publishes; 0: no copy yet");
    let ages: Family<OfSender, Gauge<f64, std::sync::atomic::AtomicU64>> = Family::default();
    for SenderNetworks { sender, networks, fetched_at } in all {
        add(&count, &OfSender { sender }, *networks as u64);
        if let Some(at) = fetched_at {
            ages.get_or_create(&OfSender { sender }).set(now.since(*at).as_secs_f64());
        }
    }
    r.register_with_unit("hookhaven_sender_networks_age", "How old that copy is", Unit::Seconds, ages);
    registry
}

pub(super) fn text(registries: &[&Registry]) -> String {
    let mut text = String::with_capacity(16 << 10);
    for registry in registries {
        // Writing to a String does not fail.
        let _ = encode_registry(&mut text, registry);
    }
    let _ = encode_eof(&mut text);
    text
}

fn deliveries(registry: &mut Registry, stats: &Stats, now: Time) {
    let depth = gauges(registry, "webhook_queue_depth", "Deliveries waiting or in hand");
    let dead = gauges(registry, "webhook_dlq_size", "Dead letters: dead, not replayed, not dismissed");
    let states = gauges(registry, "webhook_deliveries", "Deliveries that are not history yet, by state");
    let mut oldest: BTreeMap<&Arc<str>, Duration> = BTreeMap::new();
    for d in &stats.depths {
        let (source, destination) = (d.source.clone(), d.destination.clone());
        let of = OfPair { source: source.clone(), destination: destination.clone() };
        add(&depth, &of, d.pending + d.leased);
        for (critical, count) in [(false, d.dead_letters), (true, d.dead_letters_critical)] {
            let of = DeadLetters { source: source.clone(), destination: destination.clone(), critical };
            add(&dead, &of, count);
        }
        let dead = d.dead_letters + d.dead_letters_critical;
        for (state, count) in [("pending", d.pending), ("leased", d.leased), ("dead_letter", dead)] {
            add(&states, &OfState { destination: destination.clone(), state }, count);
        }
        oldest.entry(&d.destination).or_default();
    }
    for (destination, due_at) in &stats.oldest_due {
        oldest.insert(destination, now.since(*due_at));
    }
    let help = "Deliveries kept back behind others of their ordering key";
    let kept_back = gauges(registry, "webhook_ordering_kept_back", help);
    let help = "Ordering keys parked by a dead delivery";
    let parked = gauges(registry, "webhook_ordering_keys_parked", help);
    for kept in &stats.kept_back {
        let of = OfDestination { destination: kept.destination.clone() };
        add(&kept_back, &of, kept.deliveries);
        add(&parked, &of, kept.parked_lines);
    }
    let superseded = ConstCounter::new(stats.superseded);
    registry.register("webhook_superseded", "Deliveries cancelled because a newer version overtook them", superseded);
    let ages: Family<OfDestination, Gauge<f64, std::sync::atomic::AtomicU64>> = Family::default();
    for (destination, age) in oldest {
        ages.get_or_create(&OfDestination { destination: destination.clone() }).set(age.as_secs_f64());
    }
    let help = "How long ago the oldest due delivery fell due";
    registry.register_with_unit("webhook_queue_oldest", help, Unit::Seconds, ages);
}

fn store(registry: &mut Registry, stats: &Stats, now: Time) {
    for (name, help, value) in [
        ("hookhaven_store_pending", "Deliveries that have not ended", stats.pending),
        ("hookhaven_store_pending_max", "Where store.pending_max stands", stats.pending_max),
        ("hookhaven_store_index_lag_records", "Journal records not yet in the index", stats.index_lag),
        ("hookhaven_store_journal_bytes", "Bytes of journal kept", stats.journal_bytes),
        ("hookhaven_store_segments", "Segment files of the journal", stats.segments),
        ("hookhaven_store_index_bytes", "Bytes of the index", stats.index_bytes),
        ("hookhaven_store_sessions", "Live sessions of workers", stats.sessions),
        ("hookhaven_store_free_min_bytes", "Where store.free_min stands", stats.free_min_bytes),
    ] {
        registry.register(name, help, ConstGauge::new(value));
    }
    let age = stats.oldest_event.map_or(Duration::ZERO, |at| now.since(at));
    let age = ConstGauge::new(age.as_secs_f64());
    registry.register_with_unit(
        "hookhaven_store_oldest_event",
        "How long ago the oldest event came",
        Unit::Seconds,
        age,
    );
    let dismissed = ConstCounter::new(stats.dismissed_by_age);
    let help = "Dead letters dismissed because they were older than store.retention_dead";
    registry.register("webhook_dlq_dismissed_by_age", help, dismissed);
    if let Some(free) = stats.free_bytes {
        registry.register("hookhaven_store_free_bytes", "Bytes free on the disk", ConstGauge::new(free));
    }
    let damages = ConstCounter::new(stats.damages);
    registry.register("hookhaven_store_damages", "Damaged places of the journal met since the start", damages);
}

fn process(registry: &mut Registry, up: Duration) {
    registry.register("hookhaven_build", "What runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    let uptime = ConstGauge::new(up.as_secs_f64());
    registry.register_with_unit("hookhaven_uptime", "Since the start", Unit::Seconds, uptime);
    // Without /proc (not Linux) these are absent rather than wrong.
    if let Some(bytes) = resident_bytes() {
        let gauge = ConstGauge::new(bytes);
        registry.register_with_unit("process_resident_memory", "Memory in use", Unit::Bytes, gauge);
    }
    if let Ok(fds) = std::fs::read_dir("/proc/self/fd") {
        let gauge = ConstGauge::new(fds.count() as u64);
        registry.register("process_open_fds", "Open files and sockets", gauge);
    }
    if let Some(cpu_s) = cpu_s() {
        let counter = ConstCounter::new(cpu_s);
        registry.register_with_unit("process_cpu", "Processor time used", Unit::Seconds, counter);
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold blanks; fields are counted after it. User and system time are
    // the 14th and 15th of all (proc(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

fn add<L>(family: &Family<L, Gauge>, of: &L, count: u64)
where
    L: Clone + std::hash::Hash + Eq,
{
    family.get_or_create(of).inc_by(i64::try_from(count).unwrap_or(i64::MAX));
}
