//! The names and labels that operators build on, and the bounds of labels.

use std::time::Duration;

use hookhaven_store::Depth;

use super::*;

fn metrics(types_max: usize) -> Metrics {
    Metrics::new(types_max, Time::EPOCH, Arc::default())
}

fn rendered(metrics: &Metrics) -> String {
    metrics.render(&Stats::default(), &[("worker".into(), 2)], Time::from_s(60))
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|l| l == line), "no line {line:?} in\n{text}");
}

#[test]
fn what_happens_is_counted_under_the_documented_names() {
    let m = metrics(10);
    let (stripe, billing) = (Arc::from("stripe"), Arc::from("billing"));
    m.received("stripe", "invoice.paid", Duration::from_millis(3));
    m.received("stripe", "invoice.paid", Duration::from_millis(3));
    m.signature_invalid(&stripe, "timestamp_stale");
    m.refused(&stripe, "body_too_large");
    m.duplicate(&stripe);
    m.asked(&stripe, "no_room");
    m.unrouted("stripe", "x");
    m.attempt(&stripe, &billing, "invoice.paid", "retry", ErrorClass::Http5xx, Duration::from_millis(7));
    m.attempt(&stripe, &billing, "invoice.paid", "delivered", ErrorClass::Ok, Duration::from_millis(7));
    m.end_to_end("stripe", "billing", Duration::from_secs(6));
    m.deadline_missed(&stripe, &billing);
    m.retried();
    m.lease_lost();
    m.breaker(&billing, true);
    m.destinations_paused([(stripe.clone(), "operator")]);
    m.destinations_paused([(billing.clone(), "410")]);
    m.config_reload(false);
    m.config_reload(true);
    let text = rendered(&m);
    for line in [
        r#"webhook_received_total{source="stripe",type="invoice.paid"} 2"#,
        r#"webhook_received_duration_seconds_count 2"#,
        r#"webhook_received_duration_seconds_bucket{le="0.0025"} 0"#,
        r#"webhook_received_duration_seconds_bucket{le="0.005"} 2"#,
        r#"webhook_signature_invalid_total{source="stripe",reason="timestamp_stale"} 1"#,
        r#"webhook_refused_total{source="stripe",reason="body_too_large"} 1"#,
        r#"webhook_duplicate_total{source="stripe"} 1"#,
        r#"webhook_asked_total{source="stripe",answer="no_room"} 1"#,
        r#"webhook_unrouted_total{source="stripe",type="x"} 1"#,
        r#"webhook_attempts_total{source="stripe",destination="billing",outcome="retry"} 1"#,
        r#"webhook_attempts_total{source="stripe",destination="billing",outcome="delivered"} 1"#,
        r#"webhook_delivery_duration_seconds_count{destination="billing",type="invoice.paid"} 2"#,
        r#"webhook_delivery_failed_total{destination="billing",class="http_5xx"} 1"#,
        r#"webhook_end_to_end_seconds_sum 6.0"#,
        r#"webhook_deadline_missed_total{source="stripe",destination="billing"} 1"#,
        r#"webhook_retries_total 1"#,
        r#"webhook_lease_lost_total 1"#,
        r#"webhook_destination_paused{destination="billing",by="410"} 1"#,
        r#"webhook_breaker_open{destination="billing"} 1"#,
        r#"hookhaven_config_reloads_total{result="refused"} 1"#,
        r#"hookhaven_config_current 1"#,
        r#"hookhaven_uptime_seconds 60.0"#,
        r#"hookhaven_log_lines_dropped_total 0"#,
    ] {
        has(&text, line);
    }
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(text.matches("# EOF").count(), 1);
}

#[test]
fn the_store_s_figures_are_those_of_the_scrape() {
    let depth = |source: &str, pending, leased, dead_letters, dead_letters_critical| Depth {
        source: source.into(),
        destination: "billing".into(),
        pending,
        leased,
        dead_letters,
        dead_letters_critical,
    };
    let stats = Stats {
        kept_back: vec![],
        superseded: 0,
        depths: vec![depth("stripe", 5, 2, 1, 3), depth("github", 1, 0, 0, 0)],
        oldest_due: vec![("billing".into(), Time::from_s(48))],
        pending: 8,
        pending_max: 100,
        index_lag: 4,
        journal_bytes: 1 << 20,
        segments: 3,
        index_bytes: 4_096,
        oldest_event: Some(Time::from_s(20)),
        dismissed_by_age: 2,
        sessions: 1,
        free_bytes: Some(5_000),
        free_min_bytes: 4_000,
        damages: 2,
        damage: vec![],
    };
    let text = metrics(1).render(&stats, &[], Time::from_s(60));
    for line in [
        r#"webhook_queue_depth{source="stripe",destination="billing"} 7"#,
        r#"webhook_queue_depth{source="github",destination="billing"} 1"#,
        r#"webhook_queue_oldest_seconds{destination="billing"} 12.0"#,
        r#"webhook_dlq_size{source="stripe",destination="billing",critical="true"} 3"#,
        r#"webhook_dlq_size{source="stripe",destination="billing",critical="false"} 1"#,
        r#"webhook_deliveries{destination="billing",state="pending"} 6"#,
        r#"webhook_deliveries{destination="billing",state="leased"} 2"#,
        r#"webhook_deliveries{destination="billing",state="dead_letter"} 4"#,
        r#"hookhaven_store_pending 8"#,
        r#"hookhaven_store_pending_max 100"#,
        r#"hookhaven_store_index_lag_records 4"#,
        r#"hookhaven_store_journal_bytes 1048576"#,
        r#"hookhaven_store_segments 3"#,
        r#"hookhaven_store_index_bytes 4096"#,
        r#"hookhaven_store_oldest_event_seconds 40.0"#,
        r#"webhook_dlq_dismissed_by_age_total 2"#,
        r#"hookhaven_store_sessions 1"#,
        r#"hookhaven_store_free_bytes 5000"#,
        r#"hookhaven_store_free_min_bytes 4000"#,
        r#"hookhaven_store_damages_total 2"#,
    ] {
        has(&text, line);
    }
}

#[test]
fn event_types_are_bounded_per_source_and_hostile_ones_do_no_harm() {
    let m = metrics(2);
    for n in 0..50 {
        m.received("a", &format!("type-{n}"), Duration::ZERO);
    }
    m.received("a", "type-0", Duration::ZERO);
    m.received("b", "quote\"back\\slash", Duration::ZERO);
    m.received("b", "line\nbreak", Duration::ZERO);
    m.received("b", &"long".repeat(100), Duration::ZERO);
    m.received("b", "second", Duration::ZERO);
    let text = rendered(&m);
    for line in [
        r#"webhook_received_total{source="a",type="type-0"} 2"#,
        r#"webhook_received_total{source="a",type="type-1"} 1"#,
        r#"webhook_received_total{source="a",type="other"} 48"#,
        r#"webhook_received_total{source="b",type="quote\"back\\slash"} 1"#,
        r#"webhook_received_total{source="b",type="other"} 2"#,
        r#"webhook_received_total{source="b",type="second"} 1"#,
    ] {
        has(&text, line);
    }
    assert_eq!(text.matches("webhook_received_total{").count(), 6, "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_shows_its_own_figures() {
    let text = rendered(&metrics(1));
    for name in ["process_resident_memory_bytes ", "process_open_fds ", "process_cpu_seconds_total "] {
        let line = text.lines().find(|l| l.starts_with(name)).unwrap();
        let value: f64 = line[name.len()..].parse().unwrap();
        assert!(value >= 0.0 && (name.starts_with("process_cpu") || value > 0.0), "{line}");
    }
    has(&text, concat!("hookhaven_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"));
}
