//! What becomes of an event that nobody was there to receive, and of one that the handler did not manage.
//!
//! Not here: the schedule and the classes of failure in full (`report`).

use hookhaven_core::senders::Retries;

use super::prelude::*;
use crate::design::Loss;

const HOUR: Duration = Duration::from_secs(3_600);

pub const RULES: &[Rule] = &[
    Rule {
        id: "downtime-loses-what-must-not-be-lost",
        severity: Serious,
        subject: Subject::Retry,
        fires: |intake, design| never_again(intake, design, true),
        text: "{sender} never comes again, and you say of its events that they must be processed: {downtime} without a \
               gateway costs up to {events} of them, for good.",
        mend: "{back} Put the gateway on a machine of its own: it is down for the seconds of an upgrade, whatever your \
               handlers do; a second node makes even that none.",
        fires_for: r#"
            senders = ["github"]
            idempotency.github = "must"
        "#,
        rests_for: r#"
            senders = ["stripe"]
            idempotency.stripe = "must"
        "#,
    },
    Rule {
        id: "downtime-loses-events",
        severity: Note,
        subject: Subject::Retry,
        fires: |intake, design| never_again(intake, design, false),
        text: "{sender} never comes again: {downtime} without a gateway costs up to {events} events, for good.",
        mend: "{back} If that many do not matter, nothing has to be done.",
        fires_for: r#"
            senders = ["github"]
            idempotency.github = "no"
        "#,
        rests_for: r#"
            senders = ["github"]
            idempotency.github = "must"
        "#,
    },
    Rule {
        id: "downtime-outlasts-retries",
        severity: Serious,
        subject: Subject::Retry,
        fires: |intake, design| intake.senders.iter().filter_map(|s| outlasted(s, intake, design)).collect(),
        text: "You are down for up to {downtime}, and {sender} comes again for {window}: if the gateway goes down with the \
               rest, all but what came in the last {window} is lost{events}.",
        mend: "Keep the gateway up while your handlers are down: it needs nothing of theirs, so that their deploys and \
               migrations no longer count. {back}",
        fires_for: r#"
            senders = ["slack"]
            infrastructure.downtime = "4h"
        "#,
        rests_for: r#"
            senders = ["stripe"]
            infrastructure.downtime = "4h"
        "#,
    },
    Rule {
        id: "retries-end-soon",
        severity: Note,
        subject: Subject::Retry,
        fires: retries_end_soon,
        text: "Not every sender comes again for days. These stop within the hour: {windows}. A longer downtime of the \
               gateway loses their events.",
        mend: "Say how long you are down at most (`infrastructure.downtime`), and upgrade the gateway by starting the new \
               process while the old one drains: the pause is seconds.",
        fires_for: r#"senders = ["slack"]"#,
        rests_for: r#"senders = ["stripe"]"#,
    },
    Rule {
        id: "sender-switches-off",
        severity: Warning,
        subject: Subject::Sender,
        fires: |intake, _| switches_off(intake),
        text: "Failures cost more than the events they hit. {conduct}",
        mend: "As things are, that is near: {near}. Behind the gateway a failing handler is no failure at the sender, which \
               leaves the gateway's own downtime; after a long one, look whether the subscription is still there.",
        fires_for: r#"existing.incidents = ["answers timed out"]"#,
        rests_for: r#"existing.incidents = ["an event was processed twice"]"#,
    },
    Rule {
        id: "no-room-for-a-second-attempt",
        severity: Note,
        subject: Subject::Retry,
        fires: |intake, design| intake.senders.iter().filter_map(|s| no_second(s, design)).collect(),
        text: "Events of {sender} are to be handled within {latency}, and the first retry comes {initial} after a failure: one \
               failed attempt is a missed deadline.",
        mend: "That is right as an alarm (more than 1% late is told) and no reason to retry faster: an attempt failed \
               because something is down or wrong, and hurrying it adds load. If each second counts, keep the handler's \
               work to one fast write.",
        fires_for: r#"latency.stripe = "3s""#,
        rests_for: r#"latency.stripe = "1m""#,
    },
    Rule {
        id: "late-is-useless",
        severity: Note,
        subject: Subject::Retry,
        fires: |intake, design| {
            let briefly = |s: &&SenderAnswers| {
                s.processing.answers_user && design.routes_of(&s.name).any(|route| route.retry.value.max_age.is_some())
            };
            let found = intake.senders.iter().filter(briefly);
            found
                .map(|s| {
                    Firing::of(s).behind([
                        "senders".to_owned(),
                        s.path("processing"),
                        s.path("latency"),
                        s.path("idempotency"),
                    ])
                })
                .collect()
        },
        text: "Somebody waits for what is done with some of {sender}'s events. These are tried a few times within a minute \
               and then end as dead letters: nobody wants an answer from an hour ago.",
        mend: "Let the handler say so to the user when it fails (\"that did not work, ask again\") and return 200; what then \
               still dies is a fault of yours to look at, not something to replay.",
        fires_for: r#"
            senders = ["slack"]
            processing.slack = "answer mentions"
            latency.slack = "5s"
        "#,
        rests_for: r#"
            senders = ["slack"]
            processing.slack = "log activity"
            latency.slack = "5s"
        "#,
    },
];

/// How what was missed is found and got back, as the sender offers it.
fn back(sender: &SenderAnswers) -> String {
    let conduct = facts::conduct(sender);
    match (conduct.reconcile, conduct.resend) {
        ("", "") => "What was missed has to be found by comparing objects through its API.".to_owned(),
        ("", resend) => format!("What was missed can be sent again: {resend}."),
        (reconcile, _) => format!("Where to find what was missed: {reconcile}."),
    }
}

fn never_again(intake: &Intake, design: &Design, must: bool) -> Vec<Firing> {
    let downtime = match intake.infrastructure.downtime {
        Some(said) => format!("your longest downtime ({})", span(said)),
        None => "an hour".to_owned(),
    };
    let one = |sender: &SenderAnswers| {
        let Loss::Events(events) = design.source(&sender.name)?.loss.value else { return None };
        // Whoever waits for an answer sees that there is none, and asks again.
        let missed = facts::retries(sender) == Retries::Never && (must || !facts::is_waited_for(sender));
        let firing = Firing::of(sender)
            .with("events", count(events))
            .with("downtime", &*downtime)
            .with("back", back(sender))
            .behind(["volume", "idempotency", "processing", "events"].map(|table| sender.path(table)))
            .behind(["senders"]);
        (missed && facts::must(sender) == must && events > 0).then(|| firing.behind(["infrastructure.downtime"]))
    };
    intake.senders.iter().filter_map(one).collect()
}

fn outlasted(sender: &SenderAnswers, intake: &Intake, design: &Design) -> Option<Firing> {
    let Retries::For(window, _) = facts::retries(sender) else { return None };
    let downtime = intake.infrastructure.downtime.filter(|downtime| *downtime > window)?;
    let events = match design.source(&sender.name)?.loss.value {
        Loss::Events(lost) => format!(": up to {} events", count(lost)),
        Loss::NothingWithin(_) | Loss::Unknown => String::new(),
    };
    let firing = Firing::of(sender)
        .with("downtime", span(downtime))
        .with("window", span(window))
        .with("events", events)
        .with("back", back(sender));
    Some(firing.behind(["senders".to_owned(), "infrastructure.downtime".to_owned(), sender.path("volume")]))
}

fn retries_end_soon(intake: &Intake, _design: &Design) -> Vec<Firing> {
    let mut soon: Vec<(Duration, &str)> = Vec::new();
    for sender in &intake.senders {
        if let Retries::For(window, _) = facts::retries(sender) {
            soon.extend((window < HOUR).then(|| (window, facts::title(sender))));
        }
    }
    soon.sort();
    let windows: Vec<String> = soon.iter().map(|(window, title)| format!("{title} after {}", span(*window))).collect();
    let firing = Firing::whole().with("windows", list(&windows)).behind(["senders", "infrastructure.downtime"]);
    if windows.is_empty() || intake.infrastructure.downtime.is_some() { Vec::new() } else { vec![firing] }
}

/// Only where something told of failures: else it is one of the sender's quirks and no warning.
fn switches_off(intake: &Intake) -> Vec<Firing> {
    let near = if facts::had(intake, Trouble::TimedOut) {
        "answers time out".to_owned()
    } else if facts::had(intake, Trouble::Overload) {
        "the handler was overrun".to_owned()
    } else {
        match intake.infrastructure.downtime {
            Some(downtime) if downtime >= HOUR => format!("you are down for up to {}", span(downtime)),
            _ if intake.existing.kind == State::Synchronous => "your handler's failures are the sender's".to_owned(),
            _ => return Vec::new(),
        }
    };
    let quitters: Vec<&SenderAnswers> = intake.senders.iter().filter(|s| facts::quits(s)).collect();
    let rest = "each stops sending when failures go on, and its own section says when.";
    let conduct = facts::each_in_words(&quitters, |conduct| conduct.gives_up, rest);
    let found = together(quitters).map(|f| f.with("conduct", conduct).with("near", near));
    found.map(|f| f.behind(["existing", "infrastructure.downtime"])).into_iter().collect()
}

fn no_second(sender: &SenderAnswers, design: &Design) -> Option<Firing> {
    let route = design.routes_of(&sender.name).min_by_key(|route| route.deadline.value)?;
    let (latency, initial) = (facts::soonest(sender), route.retry.value.initial);
    let takes = sender.processing.takes;
    let tight = !sender.processing.answers_user && latency >= takes && latency < initial + takes;
    let firing = Firing::of(sender).with("latency", span(latency)).with("initial", span(initial));
    let answers = ["latency", "processing", "idempotency", "events"].map(|table| sender.path(table));
    tight.then(|| firing.behind(answers).behind(["senders"]))
}
