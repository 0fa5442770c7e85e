//! One thing that happened, told by several events with an id each: what no deduplication can see.
//!
//! Not here: one event that comes several times (`idempotency`).

use super::prelude::*;

pub const RULES: &[Rule] = &[Rule {
    id: "one-cause-several-events",
    severity: Warning,
    subject: Subject::Idempotency,
    fires: |intake, _| intake.senders.iter().flat_map(siblings).collect(),
    text: "At {sender}, {cause} makes several of the events that you receive: {types}. Each has an id of its own, so a \
               handler that does the work for each does it {times}, and no remembered id catches that.",
    mend: "{instead}",
    fires_for: r#"
        senders = [{ name = "shop", sender = "stripe" }]
        events.shop = ["payment_intent.succeeded", "invoice.*"]
    "#,
    rests_for: r#"events.stripe = ["invoice.paid", "invoice.payment_failed"]"#,
}];

fn siblings(sender: &SenderAnswers) -> Vec<Firing> {
    // A team names GitHub's events without their actions.
    let takes = |pattern: &str, event_type: &str| {
        let plain = event_type.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('.'));
        plain || hookhaven_core::glob::matches(pattern, event_type)
    };
    let received = |event_type: &&&str| sender.events.iter().any(|pattern| takes(pattern, event_type));
    let of = facts::conduct(sender).siblings.iter().filter_map(|siblings| {
        let types: Vec<&str> = siblings.types.iter().filter(received).copied().collect();
        let times = match types.len() {
            0 | 1 => return None,
            2 => "twice".to_owned(),
            n => format!("{n} times"),
        };
        let firing = Firing::of(sender)
            .with("cause", siblings.cause)
            .with("types", list(&types))
            .with("times", times)
            .with("instead", siblings.instead);
        Some(firing.behind([sender.path("events"), "senders".to_owned()]))
    });
    of.collect()
}
