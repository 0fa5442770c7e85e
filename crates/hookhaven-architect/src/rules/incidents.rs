//! What went wrong before: why it did, and what ends it.
//!
//! Not here: what is wrong as it stands (the files beside this one).

use hookhaven_core::senders::Retries;

use super::prelude::*;

const TOLD: &str = "existing.incidents";

pub const RULES: &[Rule] = &[
    Rule {
        id: "retries-from-slow-answers",
        severity: Serious,
        subject: Subject::Receiver,
        fires: slow_answers,
        text: "Answers come too late because they wait for the work{limits}: the sender hangs up, and most come again for \
               it.{twice}",
        mend: "Take the work out of the answer. Hookhaven answers once the event is on disk, in milliseconds, so there is \
               nothing left to come again for; the handler then has {timeout} for an attempt, and is tried again only \
               when it failed.",
        fires_for: r#"existing.incidents = ["the sender retries because answers take more than 5 s"]"#,
        rests_for: r#"existing.incidents = ["an event was processed twice"]"#,
    },
    Rule {
        id: "processed-twice",
        severity: Serious,
        subject: Subject::Idempotency,
        fires: |intake, design| {
            let window = facts::windows_in_words(design, &intake.senders.iter().collect::<Vec<_>>());
            only_if(intake, Trouble::Twice, Firing::whole().with("window", window).behind([TOLD, "senders"]))
        },
        text: "An event was processed twice. Either looking up the id and doing the work are not one transaction, so that \
               two copies both find it new; or the answer came late and the sender sent it again.",
        mend: "Insert the event's id (`webhook-id`) under a unique constraint in the transaction that does the work: the \
               second copy fails there, and is answered 200. Hookhaven drops the sender's own repeats for {window}; the \
               constraint is for its attempts after a crash.",
        fires_for: r#"existing.incidents = ["an event was processed twice"]"#,
        rests_for: r#"existing.incidents = ["events were lost in a deploy"]"#,
    },
    Rule {
        id: "events-were-lost",
        severity: Serious,
        subject: Subject::Receiver,
        fires: |intake, _| {
            let never = |s: &&SenderAnswers| facts::retries(s) == Retries::Never;
            let never: Vec<&str> = intake.senders.iter().filter(never).map(facts::title).collect();
            let never = if never.is_empty() { String::new() } else { format!(" (never: {})", list(&never)) };
            only_if(intake, Trouble::Lost, Firing::whole().with("never", never).behind([TOLD, "senders"]))
        },
        text: "Events were lost. Either the answer left before the event was stored and the process died in between, or \
               nobody received for longer than the sender comes again{never}.",
        mend: "The first ends here: the answer leaves after the event is on disk. For the second, keep restarts short and \
               compare with the sender's own list after each downtime; what is found missing is sent again from there.",
        fires_for: r#"existing.incidents = ["events were lost in a deploy"]"#,
        rests_for: r#"existing.incidents = ["an event was processed twice"]"#,
    },
    Rule {
        id: "older-overwrote-newer",
        severity: Warning,
        subject: Subject::Ordering,
        fires: |intake, _| only_if(intake, Trouble::OutOfOrder, Firing::whole().behind([TOLD])),
        text: "An older event overwrote a newer one. Retries and parallel deliveries do that with every sender; being \
               faster makes it rarer and does not end it.",
        mend: "Keep the event's time in the row and write only what is newer: `INSERT … ON CONFLICT (id) DO UPDATE … WHERE \
               row.event_at < excluded.event_at`. A row that was not changed is a success, not an error.",
        fires_for: r#"existing.incidents = ["an older event overwrote a newer one"]"#,
        rests_for: r#"existing.incidents = ["an event was processed twice"]"#,
    },
    Rule {
        id: "signatures-failed-before",
        severity: Warning,
        subject: Subject::Verification,
        fires: |intake, _| only_if(intake, Trouble::BadSignature, Firing::whole().behind([TOLD])),
        text: "Signatures failed before. The usual causes are a body that a JSON parser or a proxy changed before the \
               check, another endpoint's secret, and a clock that is off.",
        mend: "Hookhaven checks the bytes as they arrive and keeps what it refused: `hookhaven rejected list`, then \
               `hookhaven verify REJECTED_ID`, says which of them it was. Let nothing in front touch the body.",
        fires_for: r#"existing.incidents = ["a wrong signature for a day"]"#,
        rests_for: r#"existing.incidents = ["an event was processed twice"]"#,
    },
    Rule {
        id: "secret-leaked",
        severity: Serious,
        subject: Subject::Verification,
        fires: |intake, _| only_if(intake, Trouble::LeakedSecret, Firing::whole().behind([TOLD])),
        text: "A secret leaked. Until it is replaced, whoever has it makes events that verify, and no receiver can tell \
               them from real ones.",
        mend: "Make a new one at the sender, put it first in `secrets`, and take the old one out as soon as `hookhaven \
               secrets` shows no use of it; at once, if the leak is public. Then look through what came since: \
               `hookhaven events list --since`, against the sender's own list.",
        fires_for: r#"existing.incidents = ["the signing secret was committed to the repository"]"#,
        rests_for: r#"existing.incidents = ["an event was processed twice"]"#,
    },
    Rule {
        id: "overrun-before",
        severity: Warning,
        subject: Subject::Queue,
        fires: |intake, design| overrun(intake, design).into_iter().collect(),
        text: "Your handlers were overrun: the sender set the pace. The worst that you describe is {burst} from {sender}.",
        mend: "Here `concurrency` and `rate` of a destination set it: {destination} is asked {concurrency} at a time{limit}, and \
               the rest waits on disk. If that is still too much for it, lower the two: what waits loses nothing.",
        fires_for: r#"existing.incidents = ["a burst took the handler down"]"#,
        rests_for: r#"existing.incidents = ["an event was processed twice"]"#,
    },
];

fn only_if(intake: &Intake, trouble: Trouble, firing: Firing) -> Vec<Firing> {
    if facts::had(intake, trouble) { vec![firing] } else { Vec::new() }
}

fn slow_answers(intake: &Intake, design: &Design) -> Vec<Firing> {
    let limits = match facts::limits_in_words(intake) {
        none if none.is_empty() => none,
        limits => format!(" ({limits})"),
    };
    let twice = match facts::had(intake, Trouble::Twice) {
        true => " What was processed twice is the other half of that: with each repeat the work begins again.",
        false => "",
    };
    let timeout = design.destinations.iter().map(|d| d.timeout.value).min().unwrap_or_default();
    let firing = Firing::whole().with("limits", limits).with("twice", twice).with("timeout", span(timeout));
    let told = super::receiver::slower(intake).next().is_some();
    let firing = firing.behind([TOLD, "senders", "processing", "existing.state", "existing.kind"]);
    if told { Vec::new() } else { only_if(intake, Trouble::TimedOut, firing) }
}

fn overrun(intake: &Intake, design: &Design) -> Option<Firing> {
    let worst = design.sources.iter().max_by(|a, b| a.per_second.burst.total_cmp(&b.per_second.burst))?;
    let destination = design.destinations.iter().find(|d| d.source == worst.name)?;
    let sender = intake.senders.iter().find(|sender| sender.name == worst.name)?;
    let limit = destination.rate_per_second.value.map(|most| format!(" and at most {most} times a second"));
    let firing = Firing::of(sender)
        .with("burst", rate(worst.per_second.burst))
        .with("destination", &*destination.name)
        .with("concurrency", destination.concurrency.value.to_string())
        .with("limit", limit.unwrap_or_default());
    let firing = firing.behind([TOLD, "senders", "volume", "processing", "latency"]);
    facts::had(intake, Trouble::Overload).then_some(firing)
}
