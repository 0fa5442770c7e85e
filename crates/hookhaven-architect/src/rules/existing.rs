//! What a team has already: whether to keep it, and what to mind on the way from it.
//!
//! Not here: its incidents (`incidents`), the steps of the way (`report`).

use super::prelude::*;

pub const RULES: &[Rule] = &[
    Rule {
        id: "not-needed",
        severity: Note,
        subject: Subject::Receiver,
        fires: |intake, design| not_needed(intake, design, |kind| !matches!(kind, State::Mature | State::Hosted)),
        text: "You do not need this. {why}",
        mend: "Keep to three things: verify the signature over the raw body, answer within a second or two, and look at the \
               sender's list of failed deliveries once a month. Come back when an event that is lost or done twice costs \
               somebody something.",
        fires_for: r#"
            volume.stripe = 49
            idempotency.stripe = "no"
        "#,
        rests_for: r#"
            volume.stripe = 50
            idempotency.stripe = "no"
        "#,
    },
    Rule {
        id: "keep-what-you-have",
        severity: Note,
        subject: Subject::Receiver,
        fires: |intake, design| not_needed(intake, design, |kind| kind == State::Mature),
        text: "You do not need this. {why}",
        mend: "Kill it once under load, on a test system, and count: every event that was answered with 200 has to come out, \
               once. If that holds, spend the time elsewhere; come back when it does not, or when nobody is left who knows \
               how it works.",
        fires_for: r#"existing.state = "mature, with outbox and dead letters""#,
        rests_for: r#"
            existing.state = "mature, with outbox and dead letters"
            existing.incidents = ["events were lost"]
        "#,
    },
    Rule {
        id: "seen-and-then-queued",
        severity: Warning,
        subject: Subject::Idempotency,
        fires: |intake, _| {
            let firing = Firing::whole().behind(["existing.state", "existing.kind"]);
            if intake.existing.kind == State::Queued { vec![firing] } else { Vec::new() }
        },
        text: "A receiver that marks an id as seen and queues the event afterwards loses it when it dies in between: the \
               sender comes again and is told that it is a duplicate. Queueing first and marking afterwards doubles it.",
        mend: "Look in yours for two writes where one is needed. Here key, event and deliveries are one commit, so the mark \
               and the event cannot come apart.",
        fires_for: r#"existing.state = "a Lambda that puts events on SQS""#,
        rests_for: r#"existing.state = "a queue on SQS with retries and dead letters""#,
    },
    Rule {
        id: "second-queue",
        severity: Note,
        subject: Subject::Queue,
        fires: |intake, design| {
            let queue = facts::queue_of(intake).filter(|_| design.needed.value);
            let firing = queue.map(|queue| Firing::whole().with("queue", facts::short(queue)));
            let answers = design.needed.answers.clone();
            firing.map(|f| f.behind(["infrastructure.stack"]).behind(answers)).into_iter().collect()
        },
        text: "Your stack has a queue of its own ({queue}). A handler that only passes events on to it has two of everything: \
               two schedules of retries, two places for dead letters, and a gap between them.",
        mend: "Let the handler do the work and let Hookhaven retry it. Keep {queue} for what takes longer than an attempt may \
               and for work that no event starts.",
        fires_for: r#"infrastructure.stack = ["node 20", "postgres", "bullmq"]"#,
        rests_for: r#"infrastructure.stack = ["node 20", "postgres"]"#,
    },
    Rule {
        id: "hosted-today",
        severity: Note,
        subject: Subject::Hosting,
        fires: |intake, design| {
            let firing = Firing::whole()
                .with("cost", design.hosting.value.cost)
                .behind(design.hosting.answers.clone())
                .behind(["existing.state", "existing.kind", "volume"]);
            if intake.existing.kind == State::Hosted { vec![firing] } else { Vec::new() }
        },
        text: "A hosted service does this for you. Moving is worth it for data that may not leave your machines, for a bill \
               that grows with the events (this one is {cost} a month, whatever they are), or for an order or a size that \
               the service does not give; not for its own sake.",
        mend: "If one of these holds, move a source at a time: post to both, compare `hookhaven events list` with theirs for \
               a week, then take theirs out. If you have nobody to be called when a disk is full, stay.",
        fires_for: r#"existing.state = "a hosted service, Hookdeck""#,
        rests_for: r#"existing.state = "synchronous handler""#,
    },
];

fn not_needed(intake: &Intake, design: &Design, of: impl Fn(State) -> bool) -> Vec<Firing> {
    let firing = Firing::whole().with("why", &*design.needed.why).behind(design.needed.answers.clone());
    let fires = !design.needed.value && of(intake.existing.kind);
    if fires { vec![firing.behind(["existing"])] } else { Vec::new() }
}
