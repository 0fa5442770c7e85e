//! Metrics: each with its documented name and labels, and no more types than the limit.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;

/// What §8 of the design promises, with exactly these labels.
const METRICS: &[(&str, &[&str])] = &[
    ("webhook_received_total", &["source", "type"]),
    ("webhook_received_duration_seconds_bucket", &["le"]),
    ("webhook_signature_invalid_total", &["source", "reason"]),
    ("webhook_duplicate_total", &["source"]),
    ("webhook_queue_depth", &["source", "destination"]),
    ("webhook_queue_oldest_seconds", &["destination"]),
    ("webhook_delivery_duration_seconds_bucket", &["destination", "type", "le"]),
    ("webhook_delivery_failed_total", &["destination", "class"]),
    ("webhook_dlq_size", &["source", "destination", "critical"]),
    ("webhook_end_to_end_seconds_bucket", &["le"]),
    ("webhook_attempts_total", &["source", "destination", "outcome"]),
    ("webhook_retries_total", &[]),
    ("webhook_deadline_missed_total", &["source", "destination"]),
    ("webhook_unrouted_total", &["source", "type"]),
    ("webhook_deliveries", &["destination", "state"]),
    ("webhook_lease_lost_total", &[]),
    ("webhook_breaker_open", &["destination"]),
    ("hookhaven_store_pending", &[]),
    ("hookhaven_store_pending_max", &[]),
    ("hookhaven_store_journal_bytes", &[]),
    ("hookhaven_store_index_lag_records", &[]),
    ("hookhaven_store_sessions", &[]),
    ("hookhaven_config_current", &[]),
    ("hookhaven_log_lines_dropped_total", &[]),
    ("hookhaven_build_info", &["version"]),
    ("process_resident_memory_bytes", &[]),
    ("process_open_fds", &[]),
    ("process_cpu_seconds_total", &[]),
];

/// One line of an exposition.
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

fn samples(text: &str) -> Vec<Sample> {
    assert!(text.ends_with("# EOF\n"), "the exposition is whole");
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

fn sample(line: &str) -> Sample {
    let (left, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?} is no sample"));
    let value = value.parse().unwrap_or_else(|_| panic!("{line:?} has no value"));
    let Some((name, labels)) = left.split_once('{') else {
        return Sample { name: left.into(), labels: BTreeMap::new(), value };
    };
    let mut rest = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line:?} is cut"));
    let mut labels = BTreeMap::new();
    while let Some((label, after)) = rest.split_once("=\"") {
        let escaped = |at: usize| after[..at].bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
        let mut ends = after.match_indices('"').map(|(at, _)| at);
        let end = ends.find(|at| !escaped(*at)).unwrap_or_else(|| panic!("{line:?} has an open quote"));
        labels.insert(label.trim_start_matches(',').to_owned(), after[..end].to_owned());
        rest = &after[end + 1..];
    }
    Sample { name: name.into(), labels, value }
}

#[tokio::test]
async fn every_documented_metric_is_there_with_its_labels() {
    let scene = Scene::start().await;
    scene.traffic().await;
    let text = scene.metrics().await;
    let samples = samples(&text);
    for (name, labels) in METRICS {
        let of_it: Vec<_> = samples.iter().filter(|sample| sample.name == *name).collect();
        assert!(!of_it.is_empty(), "no {name} in\n{text}");
        let wanted: BTreeSet<&str> = labels.iter().copied().collect();
        for sample in of_it {
            let found: BTreeSet<&str> = sample.labels.keys().map(String::as_str).collect();
            assert_eq!(found, wanted, "the labels of {name}");
        }
    }
    let value = |name: &str, labels: &[(&str, &str)]| {
        let has = |sample: &&Sample| {
            labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
        };
        samples.iter().filter(|sample| sample.name == name).filter(has).map(|sample| sample.value).sum::<f64>()
    };
    for (name, labels, count) in [
        ("webhook_received_total", &[("type", "good.one")][..], 2.0),
        ("webhook_duplicate_total", &[("source", "shop")], 1.0),
        ("webhook_unrouted_total", &[("type", "nobody.wants")], 1.0),
        ("webhook_signature_invalid_total", &[("reason", "signature_mismatch")], 1.0),
        ("webhook_attempts_total", &[("destination", "good"), ("outcome", "delivered")], 1.0),
        ("webhook_attempts_total", &[("destination", "bad"), ("outcome", "retry")], 1.0),
        ("webhook_attempts_total", &[("destination", "bad"), ("outcome", "dead")], 1.0),
        ("webhook_retries_total", &[], 1.0),
        ("webhook_delivery_failed_total", &[("destination", "bad"), ("class", "http_5xx")], 2.0),
        ("webhook_deadline_missed_total", &[("destination", "good")], 1.0),
        ("webhook_dlq_size", &[("destination", "bad"), ("critical", "true")], 1.0),
        ("webhook_queue_depth", &[("destination", "late")], 1.0),
        ("webhook_deliveries", &[("destination", "late"), ("state", "pending")], 1.0),
        ("webhook_breaker_open", &[("destination", "late")], 1.0),
        ("webhook_received_duration_seconds_count", &[], 5.0),
        ("webhook_end_to_end_seconds_count", &[], 1.0),
    ] {
        assert_eq!(value(name, labels), count, "{name} {labels:?} in\n{text}");
    }
}

#[tokio::test]
async fn types_beyond_the_limit_are_counted_together() {
    let scene = Scene::start().await;
    for n in 0..1_000 {
        assert_eq!(scene.send(&format!("evt_{n}"), &format!("other.type{n}"), &[]).await.status, 200);
    }
    let samples = samples(&scene.metrics().await);
    for name in ["webhook_received_total", "webhook_unrouted_total"] {
        let of_it: Vec<_> = samples.iter().filter(|sample| sample.name == name).collect();
        let others = of_it.iter().filter(|sample| sample.labels["type"] == "other").map(|s| s.value).sum::<f64>();
        assert_eq!((of_it.len(), others), (21, 980.0), "{name}: the limit of 20 and one for the others");
    }
}
