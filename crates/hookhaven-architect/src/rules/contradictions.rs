//! Answers that cannot all be true.
//!
//! Not here: wishes that cannot be had (`ordering`, `retry`, `queue`), more nodes than machines (`hosting`).

use super::prelude::*;

/// Handlers at once that no set-up of one team runs.
pub(super) const HANDLERS_MAX: f64 = 1_000.0;

pub const RULES: &[Rule] = &[
    Rule {
        id: "peak-below-usual",
        severity: Contradiction,
        subject: Subject::Queue,
        fires: |intake, _| {
            let fires = |s: &&SenderAnswers| s.volume.peak_day < s.volume.per_day;
            let found = intake.senders.iter().filter(fires).map(|s| {
                let figures =
                    Firing::of(s).with("peak", count(s.volume.peak_day)).with("usual", count(s.volume.per_day));
                figures.behind([s.path("volume"), "senders".to_owned()])
            });
            found.collect()
        },
        text: "{sender}: {usual} events on an ordinary day, and {peak} on the busiest.",
        mend: "Look the two up (the sender's own dashboard counts them) and correct `volume.{name}`. Until then the \
               busiest day is taken to be like the ordinary one.",
        fires_for: r#"volume.stripe = { per_day = 5000, peak_day = 4999 }"#,
        rests_for: r#"volume.stripe = { per_day = 5000, peak_day = 5000 }"#,
    },
    Rule {
        id: "burst-above-the-day",
        severity: Contradiction,
        subject: Subject::Queue,
        fires: |intake, _| {
            let one = |s: &SenderAnswers| {
                let burst = s.volume.burst.filter(|burst| burst.events > s.volume.peak_day.max(s.volume.per_day))?;
                let figures = Firing::of(s)
                    .with("burst", count(burst.events))
                    .with("within", span(burst.within))
                    .with("day", count(s.volume.peak_day.max(s.volume.per_day)));
                Some(figures.behind([s.path("volume"), "senders".to_owned()]))
            };
            intake.senders.iter().filter_map(one).collect()
        },
        text: "{sender}: a burst of {burst} events within {within}, and {day} on the whole of the busiest day.",
        mend: "Correct whichever is a guess. Concurrency follows from the burst, disk and memory from the day.",
        fires_for: r#"volume.stripe = { per_day = 1000, burst = { events = 1001, within = "5m" } }"#,
        rests_for: r#"volume.stripe = { per_day = 1000, burst = { events = 1000, within = "5m" } }"#,
    },
    Rule {
        id: "burst-below-the-average",
        severity: Contradiction,
        subject: Subject::Queue,
        fires: |intake, design| {
            let one = |s: &SenderAnswers| {
                let burst = s.volume.burst?;
                let burst = burst.events as f64 / burst.within.as_secs_f64();
                let mean = design.source(&s.name)?.per_second.mean;
                let figures = Firing::of(s).with("burst", rate(burst)).with("mean", rate(mean));
                (burst < mean).then(|| figures.behind([s.path("volume"), "senders".to_owned()]))
            };
            intake.senders.iter().filter_map(one).collect()
        },
        text: "{sender}: the burst you describe is {burst}, less than an ordinary day's average of {mean}.",
        mend: "Say the most that came within a minute or five; the sender's dashboard or your access log has it.",
        fires_for: r#"volume.stripe = { per_day = 86400, burst = { events = 59, within = "1m" } }"#,
        rests_for: r#"volume.stripe = { per_day = 86400, burst = { events = 60, within = "1m" } }"#,
    },
    Rule {
        id: "no-events-at-all",
        severity: Contradiction,
        subject: Subject::Queue,
        fires: |intake, _| {
            let none = |s: &&SenderAnswers| s.volume.per_day == 0 && s.volume.peak_day == 0;
            let found = together(intake.senders.iter().filter(none)).map(|f| f.behind(["volume"]));
            found.into_iter().collect()
        },
        text: "No events a day are named for {senders}. Nothing can be sized for none.",
        mend: "Put it under `planned` if it is to come, or say the most that a day could bring.",
        fires_for: r#"volume.stripe = 0"#,
        rests_for: r#"volume.stripe = 1"#,
    },
    Rule {
        id: "sooner-than-the-work",
        severity: Contradiction,
        subject: Subject::Queue,
        fires: |intake, _| {
            let fires = |s: &&SenderAnswers| facts::soonest(s) < s.processing.takes;
            let found = intake.senders.iter().filter(fires).map(|s| {
                let figures =
                    Firing::of(s).with("latency", span(facts::soonest(s))).with("takes", span(s.processing.takes));
                let figures = figures.with("both", span(facts::soonest(s) + s.processing.takes));
                figures.behind([s.path("latency"), s.path("processing"), "senders".to_owned()])
            });
            found.collect()
        },
        text: "{sender}: events are to be handled within {latency}, and the handler takes {takes} for one. No queue makes that \
               true: every deadline is missed.",
        mend: "If {latency} is when the work should begin, say {both} in `latency.{name}`. If it has to be done by then, split \
               the part that is needed so soon from the rest, and make that one faster.",
        fires_for: r#"
            latency.stripe = "4900ms"
            processing.stripe = { does = "update a row", takes = "5s" }
        "#,
        rests_for: r#"
            latency.stripe = "5s"
            processing.stripe = { does = "update a row", takes = "5s" }
        "#,
    },
    Rule {
        id: "more-handlers-than-can-be",
        severity: Contradiction,
        subject: Subject::Queue,
        fires: |intake, design| {
            let one = |s: &SenderAnswers| {
                let busy = more_than_can_be(s, design)?;
                let figures = Firing::of(s)
                    .with("rate", rate(design.source(&s.name)?.per_second.peak))
                    .with("takes", span(s.processing.takes))
                    .with("busy", count(busy as u64));
                Some(figures.behind([s.path("volume"), s.path("processing"), "senders".to_owned()]))
            };
            intake.senders.iter().filter_map(one).collect()
        },
        text: "{sender}: {rate} in the busiest hour, {takes} of work each, keep {busy} handlers busy. With fewer the queue grows \
               through the hour, whatever the latency you ask for.",
        mend: "Measure how long the handler takes when it does only what must be done at once, and move the rest to a batch; \
               or subscribe to fewer types.",
        fires_for: r#"
            volume.stripe = 20000000
            processing.stripe = { does = "render", takes = "1s" }
        "#,
        rests_for: r#"
            volume.stripe = 20000000
            processing.stripe = { does = "render", takes = "800ms" }
        "#,
    },
    Rule {
        id: "a-user-waits-for-minutes",
        severity: Contradiction,
        subject: Subject::Receiver,
        fires: |intake, _| {
            let fires = |s: &&SenderAnswers| {
                let shown = s.sender.is_none_or(|declared| declared.user_waits());
                shown && s.processing.answers_user && facts::soonest(s) > Duration::from_secs(60)
            };
            let found = intake.senders.iter().filter(fires).map(|s| {
                let figures = Firing::of(s).with("latency", span(facts::soonest(s)));
                figures.behind([s.path("latency"), s.path("processing"), "senders".to_owned()])
            });
            found.collect()
        },
        text: "{sender}: somebody waits for what the handler answers, and every type of event may be handled as late as \
               {latency}.",
        mend: "Say how soon the types with somebody waiting have to be done (`latency.{name} = { \"TYPE\" = \"5s\" }`), or \
               that nobody waits (`answers_user = false` in `processing.{name}`).",
        fires_for: r#"
            senders = ["slack"]
            processing.slack = "answer mentions"
            latency.slack = "61s"
        "#,
        rests_for: r#"
            senders = ["slack"]
            processing.slack = "answer mentions"
            latency.slack = "1m"
        "#,
    },
    Rule {
        id: "mature-with-incidents",
        severity: Contradiction,
        subject: Subject::Receiver,
        fires: |intake, _| {
            let told: Vec<&str> =
                PREVENTED.iter().filter(|(trouble, _)| facts::had(intake, *trouble)).map(|(_, words)| *words).collect();
            let fires = intake.existing.kind == State::Mature && !told.is_empty();
            let firing = Firing::whole().with("told", list(&told)).behind(["existing"]);
            if fires { vec![firing] } else { Vec::new() }
        },
        text: "What you have is said to store, retry and keep dead letters, and you tell of what this is there to prevent: \
               {told}.",
        mend: "Find out which it is before replacing anything: one gap in a sound set-up is mended where it is. The \
               findings on the incidents name the causes to look for.",
        fires_for: "existing.state = \"mature, with outbox and dead letters\"\nexisting.incidents = [\"events were lost\"]",
        rests_for: "existing.state = \"mature, with outbox and dead letters\"\nexisting.incidents = [\"a signature was wrong\"]",
    },
    Rule {
        id: "costs-more-than-the-budget",
        severity: Contradiction,
        subject: Subject::Hosting,
        fires: |intake, design| {
            let least = least_of(design.hosting.value.cost);
            let budget = intake.requirements.budget_per_month.filter(|budget| *budget < least && design.needed.value);
            let firing = budget.map(|budget| {
                Firing::whole()
                    .with("budget", count(budget))
                    .with("cost", design.hosting.value.cost)
                    .with("size", &*design.hosting.value.size)
                    .behind(design.hosting.answers.clone())
                    .behind(["requirements.budget_per_month", "volume", "infrastructure"])
            });
            firing.into_iter().collect()
        },
        text: "You have {budget} a month, and what the answers ask for costs {cost}: {size}.",
        mend: "Fewer nodes or a shorter retention bring it down first; look at which answer asked for what with \
               `--explain`. Below one machine it does not go.",
        fires_for: "requirements.budget_per_month = 9\ninfrastructure.nodes = 2",
        rests_for: "requirements.budget_per_month = 9\ninfrastructure.nodes = 1",
    },
];

/// What storing, retrying and keeping dead letters ends.
const PREVENTED: &[(Trouble, &str)] = &[
    (Trouble::TimedOut, "answers that came too late"),
    (Trouble::Twice, "events that were processed twice"),
    (Trouble::Lost, "events that were lost"),
    (Trouble::Overload, "handlers that were overrun"),
];

/// Handlers busy in the worst hour, where they are more than can be: latency spreads a burst, but not an hour of it.
pub(super) fn more_than_can_be(sender: &SenderAnswers, design: &Design) -> Option<f64> {
    let busy = design.source(&sender.name)?.per_second.peak * sender.processing.takes.as_secs_f64();
    (busy > HANDLERS_MAX).then_some(busy)
}

/// The lower end of a cost class; nothing costs nothing.
fn least_of(class: &str) -> u64 {
    let from = class.strip_prefix("over ").or_else(|| class.split_once(" to ").map(|(least, _)| least));
    from.and_then(|least| least.parse().ok()).unwrap_or(1)
}
