//! Who hears of it, and of what nobody would.
//!
//! Not here: the alerts and their thresholds (`report`).

use super::prelude::*;

pub const RULES: &[Rule] = &[
    Rule {
        id: "nobody-is-told",
        severity: Warning,
        subject: Subject::Observability,
        fires: |intake, _| {
            let silent = intake.infrastructure.alert_channels.is_empty();
            let found = together(intake.senders.iter().filter(|s| facts::must(s))).filter(|_| silent);
            found.map(|f| f.behind(["infrastructure.alerts", "idempotency"])).into_iter().collect()
        },
        text: "Events of {senders} must be processed, and no alert channel is named: a dead letter waits until somebody looks \
               at the dashboard by chance.",
        mend: "Say `infrastructure.alerts = [\"slack\"]`, or `pagerduty`, `email`, `webhook`, put the address into `.env`, and run \
               `hookhaven alerts test`. A dead letter of a critical route pages; most others can wait for the morning.",
        fires_for: r#"idempotency.stripe = "must""#,
        rests_for: "idempotency.stripe = \"must\"\ninfrastructure.alerts = [\"pagerduty\"]",
    },
    Rule {
        id: "mail-wakes-nobody",
        severity: Note,
        subject: Subject::Observability,
        fires: |intake, _| {
            let names = [("email", "e-mail"), ("slack", "Slack")];
            let channels = &intake.infrastructure.alert_channels;
            let quiet: Vec<&str> =
                names.iter().filter(|(name, _)| channels.iter().any(|c| c == name)).map(|(_, words)| *words).collect();
            let alone = !channels.is_empty() && quiet.len() == channels.len();
            let found = together(intake.senders.iter().filter(|s| facts::must(s))).filter(|_| alone);
            let found = found.map(|f| f.with("channels", list(&quiet)));
            found.map(|f| f.behind(["infrastructure.alerts", "idempotency"])).into_iter().collect()
        },
        text: "Alerts go by {channels} alone. A dead letter of {senders} at night is read in the morning.",
        mend: "Add a pager for `severities = [\"page\"]` and leave what there is for the rest; or decide that the morning is \
               soon enough, and it is.",
        fires_for: "idempotency.stripe = \"must\"\ninfrastructure.alerts = [\"email\", \"slack\"]",
        rests_for: "idempotency.stripe = \"must\"\ninfrastructure.alerts = [\"email\", \"pagerduty\"]",
    },
    Rule {
        id: "told-by-the-one-that-fails",
        severity: Note,
        subject: Subject::Observability,
        fires: |intake, _| {
            let channels = &intake.infrastructure.alert_channels;
            let only = channels.len() == 1;
            let same = |s: &&SenderAnswers| only && channels.iter().any(|channel| facts::is(s, channel));
            let found = intake.senders.iter().filter(same);
            found.map(|s| Firing::of(s).behind(["infrastructure.alerts", "senders"])).collect()
        },
        text: "{sender} sends you events and is the only way that you hear of trouble: when it is down, you hear nothing \
               twice.",
        mend: "Add a second channel of another kind, an e-mail will do.",
        fires_for: "senders = [\"slack\"]\ninfrastructure.alerts = [\"slack\"]",
        rests_for: "senders = [\"slack\"]\ninfrastructure.alerts = [\"slack\", \"email\"]",
    },
    Rule {
        id: "grave-types-not-received",
        severity: Note,
        subject: Subject::Observability,
        fires: |intake, _| intake.senders.iter().filter_map(not_received).collect(),
        text: "You do not receive {types} of {sender}, which others are woken for.",
        mend: "Look whether that is meant. If somebody else in the house receives them, all is well; if not, subscribe, name \
               them in `events.{name}`, and say how soon they have to be handled.",
        fires_for: r#"
            events.stripe = ["invoice.paid"]
            idempotency.stripe = "must"
        "#,
        rests_for: r#"
            events.stripe = ["payment_intent.*", "customer.subscription.*", "charge.*"]
            idempotency.stripe = "must"
        "#,
    },
    Rule {
        id: "silence-is-no-error",
        severity: Note,
        subject: Subject::Observability,
        fires: |intake, _| {
            let stops = |s: &&SenderAnswers| facts::conduct(s).stops && s.volume.per_day >= 1_000;
            let found = together(intake.senders.iter().filter(stops));
            found.map(|f| f.behind(["volume"])).into_iter().collect()
        },
        text: "A subscription that is switched off by {senders} makes no error: events just stop, and every figure looks calm.",
        mend: "At your volume an hour without any is already odd. Alert in Prometheus on \
               `increase(webhook_received_total{source=\"…\"}[1h]) == 0` in working hours.",
        fires_for: r#"volume.stripe = 1000"#,
        rests_for: r#"volume.stripe = 999"#,
    },
];

/// Types that wake others, that no pattern of theirs takes.
fn not_received(sender: &SenderAnswers) -> Option<Firing> {
    let taken =
        |event_type: &str| sender.events.iter().any(|pattern| hookhaven_core::glob::matches(pattern, event_type));
    let missing: Vec<&str> = facts::conduct(sender).critical.iter().copied().filter(|t| !taken(t)).collect();
    let fires = facts::must(sender) && !sender.events.is_empty() && !missing.is_empty();
    let firing = Firing::of(sender).with("types", facts::types_in_words(&missing));
    fires.then(|| firing.behind([sender.path("events"), sender.path("idempotency"), "senders".to_owned()]))
}
