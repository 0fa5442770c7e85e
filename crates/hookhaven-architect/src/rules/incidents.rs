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
        text: "Answers come too late because they wait for the work{limits}: the sender hangs up{again}.{twice}",
        mend: "Take the work out of the answer. Hookhaven answers once the event is on disk, in milliseconds, so there is \
               nothing left to come again for; the handler then has {timeout} for an attempt, and is tried again only \
               when it failed.",
        fires_for: r#"existing.incidents = ["the sender retries because answers take more than 5 s"]"#,
        rests_for: r#"
            senders = ["discord"]
            processing.discord = "answer the command"
            existing.incidents = ["answers take more than 3 s"]
        "#,
    },
    Rule {
        id: "waited-for-in-vain",
        severity: Serious,
        subject: Subject::Receiver,
        fires: |intake, design| intake.senders.iter().filter_map(|s| in_vain(s, intake, design)).collect(),
        text: "People waited in vain for what {sender} shows them, although your handler takes {takes} as a rule, and {within} \
               is what it has. What breaks that is its worst case: a cold start, a lock, another API that is slow.",
        mend: "Measure the slowest of a hundred answers, not the mean, and answer before the work wherever the text does not \
               depend on it. The gateway asks the handler at once; when it is late the sender hears the usual answer, and \
               the attempt goes on.",
        fires_for: r#"
            senders = ["discord"]
            processing.discord = { does = "answer the command", takes = "2s" }
            existing.incidents = ["commands time out in the morning"]
        "#,
        rests_for: r#"
            senders = ["discord"]
            processing.discord = { does = "answer the command", takes = "3s" }
            existing.incidents = ["commands time out in the morning"]
        "#,
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
               compare with what the sender has after each downtime; what is missing is sent again from there, or made up \
               from its API.",
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
        mend: "Keep the event's time in the row and write nothing that is older: `INSERT … ON CONFLICT (id) DO UPDATE … WHERE \
               row.event_at <= excluded.event_at`. A row that was not changed is a success, not an error. Of two with the \
               same time (many senders count in seconds) the later to arrive stands: where that matters, fetch the object.",
        fires_for: r#"existing.incidents = ["an older event overwrote a newer one"]"#,
        rests_for: r#"existing.incidents = ["an event was processed twice"]"#,
    },
    Rule {
        id: "signatures-failed-before",
        severity: Warning,
        subject: Subject::Verification,
        fires: |intake, _| only_if(intake, Trouble::BadSignature, Firing::whole().behind([TOLD])),
        text: "You tell of trouble with signatures. Where true requests were refused, the usual causes are a body that a \
               JSON parser or a proxy changed before the check, another endpoint's secret, and a clock that is off. Where \
               false ones got in, nothing was checked, or not on every path.",
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
        rests_for: r#"existing.incidents = ["a memory leak"]"#,
    },
    Rule {
        id: "overrun-before",
        severity: Warning,
        subject: Subject::Queue,
        fires: |intake, design| overrun(intake, design).into_iter().collect(),
        text: "Your handlers went down or fell behind, since it was the sender that set the pace. The worst that follows from your answers is {burst} from \
               {sender}.",
        mend: "Here `concurrency` and `rate` of a destination set it: {destination} is asked {concurrency} at a time{limit}, and \
               the rest waits on disk. If that is still too much for it, lower the two: what waits loses nothing.",
        fires_for: r#"existing.incidents = ["a burst took the handler down"]"#,
        rests_for: r#"existing.incidents = ["an event was processed twice"]"#,
    },
];

fn only_if(intake: &Intake, trouble: Trouble, firing: Firing) -> Vec<Firing> {
    if facts::had(intake, trouble) { vec![firing] } else { Vec::new() }
}

/// Of those that nobody waits for: only their answers may come before the work.
fn slow_answers(intake: &Intake, design: &Design) -> Vec<Firing> {
    let senders = || intake.senders.iter().filter(|sender| !facts::is_waited_for(sender, design));
    let told = super::receiver::slower(intake, design).next().is_some();
    if told || senders().next().is_none() {
        return Vec::new();
    }
    let never = |s: &&SenderAnswers| facts::retries(s) == Retries::Never;
    let again = match (senders().all(|s| never(&s)), senders().any(|s| never(&s))) {
        (true, _) => ", counts it as failed and does not come again",
        (false, true) => ", and those that come again do so for work that was done",
        (false, false) => ", and comes again for work that was done",
    };
    let twice = match facts::had(intake, Trouble::Twice) {
        true => " What was processed twice is the other half of that: with each repeat the work begins again.",
        false => "",
    };
    let timeouts = || senders().filter_map(|s| facts::destination(s, design)).map(|d| d.timeout.value);
    let timeout = match (timeouts().min().unwrap_or_default(), timeouts().max().unwrap_or_default()) {
        (least, most) if least == most => span(least),
        (least, most) => format!("{} to {}", span(least), span(most)),
    };
    let firing = Firing::whole()
        .with("limits", facts::limits_in_words(senders()))
        .with("again", again)
        .with("twice", twice)
        .with("timeout", timeout)
        .behind([TOLD, "senders", "processing", "events", "existing.state", "existing.kind"]);
    only_if(intake, Trouble::TimedOut, firing)
}

/// Where the handler is too slow as a rule, that is told instead.
fn in_vain(sender: &SenderAnswers, intake: &Intake, design: &Design) -> Option<Firing> {
    let within = sender.sender?.answer_within();
    let takes = sender.processing.takes;
    let too_slow = |s: &SenderAnswers| s.sender.is_some_and(|d| s.processing.takes > d.answer_within());
    let waited = |s: &&SenderAnswers| facts::is_waited_for(s, design);
    let told = intake.senders.iter().filter(waited).any(too_slow);
    let fires = facts::had(intake, Trouble::TimedOut) && waited(&sender) && !told;
    let firing = Firing::of(sender).with("takes", span(takes)).with("within", span(within));
    fires.then(|| firing.behind([TOLD, "senders", "processing", "events"]))
}

fn overrun(intake: &Intake, design: &Design) -> Option<Firing> {
    let worst = design.sources.iter().max_by(|a, b| a.per_second.burst.total_cmp(&b.per_second.burst))?;
    let sender = intake.senders.iter().find(|sender| sender.name == worst.name)?;
    let destination = facts::destination(sender, design)?;
    let limit =
        destination.rate_per_second.value.map(|most| format!(" and at most {} times a second", count(most.into())));
    let firing = Firing::of(sender)
        .with("burst", rate(worst.per_second.burst))
        .with("destination", &*destination.name)
        .with("concurrency", count(destination.concurrency.value.into()))
        .with("limit", limit.unwrap_or_default());
    let firing = firing.behind([TOLD, "senders", "volume", "processing", "latency"]);
    facts::had(intake, Trouble::Overload).then_some(firing)
}
