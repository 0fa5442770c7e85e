//! What becomes of an event that nobody was there to receive, and of one that the handler did not manage.
//!
//! Not here: the schedule and the classes of failure in full (`report`).

use hookhaven_core::senders::Retries;

use super::prelude::*;
use crate::design::{Loss, RouteDesign};

const HOUR: Duration = Duration::from_secs(3_600);

pub const RULES: &[Rule] = &[
    Rule {
        id: "downtime-loses-what-must-not-be-lost",
        severity: Serious,
        subject: Subject::Retry,
        fires: |intake, design| never_again(intake, design, true),
        text: "{sender} never comes again, and you call events of it \"must\": {downtime} without a gateway costs up to {lost}, \
               for good.",
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
        text: "{sender} {comes}: {downtime} without a gateway costs up to {lost}, for good.",
        mend: "{back} If that many do not matter, nothing has to be done.",
        fires_for: r#"
            senders = ["slack"]
            idempotency.slack = "no"
            infrastructure.downtime = "7m"
        "#,
        rests_for: r#"
            senders = ["slack"]
            idempotency.slack = "no"
            infrastructure.downtime = "6m"
        "#,
    },
    Rule {
        id: "downtime-outlasts-retries",
        severity: Serious,
        subject: Subject::Retry,
        fires: |intake, design| intake.senders.iter().filter_map(|s| outlasted(s, intake, design)).collect(),
        text: "You are down for up to {downtime}, and {sender} comes again for {window}: if the gateway goes down with the \
               rest, all but what came in the last {window} is lost: up to {lost}.",
        mend: "Keep the gateway up while your handlers are down: it needs nothing of theirs, so that their deploys and \
               migrations no longer count. {back}",
        fires_for: r#"
            senders = ["slack"]
            idempotency.slack = "must"
            infrastructure.downtime = "4h"
        "#,
        rests_for: r#"
            senders = ["stripe"]
            idempotency.stripe = "must"
            infrastructure.downtime = "4h"
        "#,
    },
    Rule {
        id: "retries-not-documented",
        severity: Note,
        subject: Subject::Retry,
        fires: |intake, design| undocumented(intake, design).into_iter().collect(),
        text: "Nothing says whether {senders} will come again after a failure: take what is sent while the gateway is down \
               for lost.",
        mend: "Keep the gateway's own downtime to the seconds of an upgrade, and compare after each. {places}",
        fires_for: r#"
            senders = ["pagerduty"]
            idempotency.pagerduty = "must"
        "#,
        rests_for: r#"
            senders = ["pagerduty"]
            idempotency.pagerduty = "nice"
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
        rests_for: r#"
            senders = ["slack"]
            infrastructure.downtime = "5m"
        "#,
    },
    Rule {
        id: "sender-switches-off",
        severity: Warning,
        subject: Subject::Sender,
        fires: |intake, _| switches_off(intake),
        text: "Failures cost more than the events they hit. {conduct}",
        mend: "As things are, that is near: {near}. Behind the gateway a failing handler is no failure at the sender, which \
               leaves the gateway's own downtime; after a long one, look whether the subscription is still there.",
        fires_for: r#"infrastructure.downtime = "1h""#,
        rests_for: r#"infrastructure.downtime = "59m""#,
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
        fires_for: r#"latency.stripe = "5s""#,
        rests_for: r#"latency.stripe = "6s""#,
    },
    Rule {
        id: "late-is-useless",
        severity: Note,
        subject: Subject::Retry,
        fires: |intake, design| useless(intake, design).into_iter().collect(),
        text: "Somebody waits for what is done with some events of {senders}. These are tried for {covers} and wait {age} at \
               most; then they end as dead letters, since nobody wants an answer from an hour ago.",
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

/// Of senders whose events must be processed, those that never come again; of the rest, whatever is lost.
fn never_again(intake: &Intake, design: &Design, must: bool) -> Vec<Firing> {
    let downtime = match intake.infrastructure.downtime {
        Some(said) => format!("your longest downtime ({})", span(said)),
        None => "an hour".to_owned(),
    };
    let one = |sender: &SenderAnswers| {
        let comes = match (facts::retries(sender), intake.infrastructure.downtime) {
            (Retries::Never, _) => "never comes again".to_owned(),
            // A downtime that nobody named is told of all of them at once.
            (Retries::For(window, _), Some(_)) if !must => format!("comes again for {} only", span(window)),
            _ => return None,
        };
        // Whoever waits for an answer sees that there is none, and asks again.
        let missed = must || !facts::is_waited_for(sender, design);
        let firing = lost(sender, design)?
            .with("comes", comes)
            .with("downtime", &*downtime)
            .with("back", back(sender))
            .behind(["volume", "idempotency", "processing", "events"].map(|table| sender.path(table)))
            .behind(["senders", "infrastructure.downtime"]);
        (missed && facts::must(sender) == must).then_some(firing)
    };
    intake.senders.iter().filter_map(one).collect()
}

/// About a sender of which events are gone for good: how many (`{events}`), and that with the noun (`{lost}`).
fn lost(sender: &SenderAnswers, design: &Design) -> Option<Firing> {
    let events = match design.source(&sender.name)?.loss.value {
        Loss::Events(0) | Loss::NothingWithin(_) | Loss::Unknown => return None,
        Loss::Events(events) => events,
    };
    let noun = if events == 1 { "event" } else { "events" };
    Some(Firing::of(sender).with("events", count(events)).with("lost", format!("{} {noun}", count(events))))
}

fn outlasted(sender: &SenderAnswers, intake: &Intake, design: &Design) -> Option<Firing> {
    let Retries::For(window, _) = facts::retries(sender) else { return None };
    let downtime = intake.infrastructure.downtime?;
    let firing = lost(sender, design)?
        .with("downtime", span(downtime))
        .with("window", span(window))
        .with("back", back(sender))
        .behind(["volume", "idempotency"].map(|table| sender.path(table)))
        .behind(["senders", "infrastructure.downtime"]);
    facts::must(sender).then_some(firing)
}

/// Of those that are described nobody knows anything, which is told as such.
fn undocumented(intake: &Intake, design: &Design) -> Option<Firing> {
    let silent = |s: &&SenderAnswers| {
        let known = !facts::is_unknown(s) && s.sender.is_some_and(|declared| !declared.about.docs.is_empty());
        known && facts::retries(s) == Retries::Unknown && facts::must(s) && !facts::is_waited_for(s, design)
    };
    let senders: Vec<&SenderAnswers> = intake.senders.iter().filter(silent).collect();
    let known: Vec<&SenderAnswers> =
        senders.iter().copied().filter(|s| !facts::conduct(s).reconcile.is_empty()).collect();
    let rest = "what there is to compare with, each one's own section says.";
    let places = match known.is_empty() {
        true => "What was missed has to be found by comparing objects through the API.".to_owned(),
        false => facts::each_in_words(&known, |conduct| conduct.reconcile, rest),
    };
    Some(together(senders)?.with("places", places).behind(["idempotency", "processing", "events"]))
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
    let stopping: Vec<&SenderAnswers> = intake.senders.iter().filter(|s| facts::conduct(s).stops).collect();
    let rest = "each stops sending when failures go on, and its own section says when.";
    let conduct = facts::each_in_words(&stopping, |conduct| conduct.gives_up, rest);
    let found = together(stopping).map(|f| f.with("conduct", conduct).with("near", near));
    found.map(|f| f.behind(["existing", "infrastructure.downtime"])).into_iter().collect()
}

/// Routes that are given up while somebody may still remember what they asked for.
fn useless(intake: &Intake, design: &Design) -> Option<Firing> {
    let is_brief = |route: &&RouteDesign| route.retry.value.max_age.is_some();
    let retry = &design.routes.iter().find(is_brief)?.retry.value;
    let asked = |s: &&SenderAnswers| design.routes_of(&s.name).any(|route| is_brief(&route));
    let found = together(intake.senders.iter().filter(asked))?;
    let found = found.with("covers", span(retry.covers())).with("age", span(retry.max_age?));
    Some(found.behind(["processing", "events", "latency", "idempotency"]))
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
