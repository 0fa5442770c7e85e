//! What wakes somebody, what is only told, and which figures to look at; with the thresholds that the gateway begins
//! with.
//!
//! The rules are the gateway's own (`hookhaven_core::alert`), so that this page cannot say another number. Not here:
//! who is told of a dead letter (`retry`).

use std::time::Duration;

use hookhaven_core::alert::{Metric, Rule, Severity, Unit, runbook};

use super::{RETRY, WORKERS};
use crate::{
    Plan,
    design::load::busiest_day,
    report::{
        document::{Block, Text, code, codes, link, plain, say},
        said,
    },
    words::{count, span},
};

/// A queue that is deep sooner than that in the busiest hour is no alarm.
const SOON_S: f64 = 60.0;
const HOUR_S: f64 = 3_600.0;

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let rules = Rule::defaults();
    vec![
        say!(
            "These alerts are on from the start; each tells when it ends, too. `hookhaven alerts rules NAME` says \
             what to do about it."
        )
        .into(),
        Block::table(["alert", "fires when", "tells", "for you"], rules.iter().map(|r| rule(plan, r)).collect()),
        Block::heading(say!("Figures to have on a screen")),
        say!("For Prometheus, at `/metrics` on the admin address; `packaging/` has rules and a Grafana dashboard.")
            .into(),
        Block::table(["figure", "what it answers here"], figures(plan)),
        Block::heading(say!("One event's story")),
        say!(
            "`hookhaven why ID` takes the sender's own id, as its dashboard shows it, and tells where the event went, \
             every attempt, and why. `hookhaven tail --failed` shows failures as they happen. Each request and each \
             attempt is one log line with `event_id`, `event_type`, `status`, `duration_ms` and `correlation_id`; \
             bodies and secrets are in none."
        )
        .into(),
    ]
}

fn rule(plan: &Plan, rule: &Rule) -> [Text; 4] {
    let tells = match rule.severity {
        Severity::Page => "page",
        Severity::Notify => "notify",
    };
    [code(&*rule.name), plain(condition(rule)), plain(tells), yours(plan, rule)]
}

/// `more than 10 in 1 minute`, in the metric's own unit.
fn condition(rule: &Rule) -> String {
    let title = runbook(rule.metric).title;
    let amount = match rule.metric.unit() {
        Unit::Count if rule.threshold == 0.0 => "any".to_owned(),
        Unit::Count => format!("more than {}", count(rule.threshold as u64)),
        Unit::Seconds if rule.threshold == 0.0 => "any".to_owned(),
        Unit::Seconds => format!("more than {}", span(Duration::from_secs_f64(rule.threshold))),
        Unit::Percent => format!("more than {}%", rule.threshold),
    };
    let amount = if rule.metric == Metric::AnswerP95 { format!("5 in 100 take {amount}") } else { amount };
    let window = if windowed(rule.metric) { format!(" in {}", span(rule.window)) } else { String::new() };
    let hold = if rule.hold.is_zero() { String::new() } else { format!(", for {}", span(rule.hold)) };
    format!("{title}: {amount}{window}{hold}")
}

fn windowed(metric: Metric) -> bool {
    use Metric::*;
    matches!(metric, SignaturesInvalid | AnswerP95 | DeadlinesMissed | AttemptsFailed | StoreDamages)
}

/// What it is about in this set-up.
fn yours(plan: &Plan, rule: &Rule) -> Text {
    let handlers: Vec<&str> = plan.design.destinations.iter().map(|d| d.name.as_str()).collect();
    match rule.metric {
        Metric::DeadLettersCritical => {
            said::critical(plan).unwrap_or_else(|| plain("no route is critical, so it never fires"))
        }
        Metric::DeadlinesMissed => deadlines(plan),
        Metric::SignaturesInvalid => {
            codes(&plan.intake.senders.iter().map(|sender| sender.name.as_str()).collect::<Vec<_>>())
        }
        Metric::QueueDepth => deepest(plan, rule),
        Metric::BreakerOpen | Metric::DestinationPaused | Metric::DestinationGone | Metric::DeadLetters => {
            codes(&handlers)
        }
        Metric::AnswerP95 => answers(plan),
        _ => code(runbook(rule.metric).command.replace("{scope}", "NAME")),
    }
}

fn deadlines(plan: &Plan) -> Text {
    let mut text = Text::default();
    for (i, route) in plan.design.routes.iter().enumerate() {
        let apart = if i == 0 { "" } else { "; " };
        let title = said::title(plan, &route.source);
        text = text + say!("{}{} ", apart, title) + said::types(plan, route) + say!(": {}", span(route.deadline.value));
    }
    text
}

/// How long the busiest source may pile up before it fires.
fn deepest(plan: &Plan, rule: &Rule) -> Text {
    let busiest = said::each(plan).max_by(|(_, a), (_, b)| a.per_second.peak.total_cmp(&b.per_second.peak));
    let Some((sender, source)) = busiest.filter(|(_, source)| source.per_second.peak > 0.0) else {
        return plain("nothing comes in, so nothing piles up");
    };
    let title = sender.title();
    let full_s = rule.threshold / source.per_second.peak;
    let days = rule.threshold / busiest_day(&sender.volume) as f64;
    if full_s < SOON_S {
        say!(
            "a handler of {} that stops for {} in the busiest hour is enough: raise `threshold` under \
             `[alerts.rules.{}]`",
            title,
            span(Duration::from_secs_f64(full_s.ceil())),
            rule.name
        )
    } else if full_s <= HOUR_S {
        let full = Duration::from_secs_f64(full_s.ceil());
        say!("a stopped handler of {} gets there in {} of its busiest hour", title, span(full))
    } else if days <= 1.0 {
        say!("a stopped handler of {} gets there on its busiest day", title)
    } else {
        say!("a stopped handler of {} gets there after {} of its busiest days", title, count(days.ceil() as u64))
    }
}

fn answers(plan: &Plan) -> Text {
    let waits = |s: &crate::intake::SenderAnswers| s.sender.and_then(|d| d.about.timeout_s);
    match plan.intake.senders.iter().filter(|s| waits(s).is_some()).min_by_key(|s| waits(s)) {
        Some(soonest) => say!("{} gives up after {} s", soonest.title(), waits(soonest).unwrap_or_default()),
        None => plain("none of your senders says when it gives up"),
    }
}

fn figures(plan: &Plan) -> Vec<[Text; 2]> {
    let source = plan.intake.senders.first().map_or("", |sender| sender.name.as_str());
    let destination = plan.design.destinations.first().map_or("", |destination| destination.name.as_str());
    let figure = |name: &str, what: Text| [code(name), what];
    vec![
        figure(
            &format!("rate(webhook_received_total{{source=\"{source}\"}}[5m])"),
            say!("whether {} still sends: a silence is the failure that no error tells of", said::title(plan, source)),
        ),
        figure(
            "webhook_received_duration_seconds",
            say!("from arrival to answer, which is what a sender's limit is held against"),
        ),
        figure(
            "webhook_signature_invalid_total",
            say!("by `source` and `reason`: whether a secret is wrong, or somebody tries"),
        ),
        figure("webhook_duplicate_total", say!("how often senders come again; a rise means that answers get lost")),
        figure(
            &format!("webhook_queue_depth{{destination=\"{destination}\"}}"),
            say!("what waits; what an hour's downtime brings stands under ") + link(WORKERS),
        ),
        figure("webhook_queue_oldest_seconds", say!("whether deadlines are about to be missed")),
        figure("webhook_end_to_end_seconds", say!("from arrival to delivered: what your latency was meant for")),
        figure(
            "webhook_delivery_failed_total",
            say!("by `destination` and `class`: which remedy of the table under ") + link(RETRY),
        ),
        figure("webhook_deadline_missed_total", say!("by `source` and `destination`: what began later than you allow")),
        figure("webhook_dlq_size", say!("by `critical`: what waits for a person")),
        figure(
            "webhook_unrouted_total",
            say!("types that arrive and that no route takes: a new one at the sender, or a typing error here"),
        ),
    ]
}
