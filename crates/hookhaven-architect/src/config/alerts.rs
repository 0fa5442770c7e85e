//! `[publish]` and `[alerts]`.

use super::write::{Toml, quoted};
use crate::Plan;

pub fn write(toml: &mut Toml, plan: &Plan) {
    toml.table("publish");
    if publishes(plan) {
        let why = "Your programs publish with QStash's clients as before: QSTASH_URL is this gateway, QSTASH_TOKEN \
        this token.";
        toml.set(why, "tokens", "[\"env:HOOKHAVEN_TOKEN\"]");
    } else {
        let why = "Only webhooks come in here. Your programs could publish messages too (docs/publishing.md).";
        toml.set(why, "enabled", "false");
    }
    let channels = &plan.intake.infrastructure.alert_channels;
    if channels.is_empty() {
        toml.blank();
        toml.note(
            "Nobody is told yet: the alerts fire, and are only logged and listed. Name a channel (slack, pagerduty, \
             webhook or email) before the first real event.",
        );
        toml.line("# [alerts.channels.ops]");
        toml.line("# slack = \"env:ALERTS_SLACK_URL\"");
    }
    for kind in channels {
        toml.table(&format!("alerts.channels.{kind}"));
        channel(toml, kind);
    }
}

/// Whether what they have today publishes messages.
pub fn publishes(plan: &Plan) -> bool {
    let infrastructure = &plan.intake.infrastructure;
    let said = format!("{} {}", plan.intake.existing.state, infrastructure.stack.join(" ")).to_lowercase();
    said.contains("qstash")
}

fn channel(toml: &mut Toml, kind: &str) {
    match kind {
        "slack" => toml.set("Every alert, in a channel that people read.", "slack", &quoted("env:ALERTS_SLACK_URL")),
        "pagerduty" => {
            toml.set(
                "What cannot wait for the morning, and only that.",
                "pagerduty",
                &quoted("env:ALERTS_PAGERDUTY_KEY"),
            );
            toml.line("severities = [\"page\"]");
        }
        "webhook" => {
            toml.set(
                "CHANGE THIS to where alerts are posted, signed.",
                "webhook",
                &quoted("https://example.com/alerts"),
            );
            toml.line("secret = \"env:ALERTS_WEBHOOK_SECRET\"");
        }
        _ => {
            toml.note("CHANGE THIS to your own addresses.");
            toml.line(
                "email = { smtp = \"env:ALERTS_SMTP_URL\", from = \"hookhaven@example.com\", to = \
                 [\"ops@example.com\"] }",
            );
        }
    }
}
