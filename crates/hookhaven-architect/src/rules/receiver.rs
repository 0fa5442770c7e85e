//! How events are received today, against how long their senders wait.
//!
//! Not here: incidents that were told (`incidents`), where it runs (`hosting`).

use hookhaven_core::senders::Retries;

use super::prelude::*;

/// Beneath it an answer must come so soon that the way there counts.
const SHORT: Duration = Duration::from_secs(2);

pub const RULES: &[Rule] = &[
    Rule {
        id: "handler-slower-than-the-sender-waits",
        severity: Serious,
        subject: Subject::Receiver,
        fires: |intake, design| slower(intake, design).filter_map(|sender| too_slow(sender, design)).collect(),
        text: "{sender} waits {limit}, and your handler takes {takes} before it answers. Every event counts as failed \
               there although its work was done{again}.",
        mend: "Let Hookhaven store and answer, in milliseconds, and give the handler its {takes} afterwards; an attempt \
               may take {timeout}. A longer timeout in your framework changes nothing: it is {sender} that hangs up.",
        fires_for: r#"
            senders = ["slack"]
            processing.slack = { does = "summarise the thread", takes = "3s" }
            existing.state = "synchronous handler"
        "#,
        rests_for: r#"
            senders = ["slack"]
            processing.slack = { does = "summarise the thread", takes = "2900ms" }
            existing.state = "synchronous handler"
        "#,
    },
    Rule {
        id: "synchronous-handler",
        severity: Warning,
        subject: Subject::Receiver,
        fires: synchronous,
        text: "Your handler works before it answers. A slow query, a deploy or a full connection pool is a failed \
               delivery at the sender{limits}, {then}.",
        mend: "Let Hookhaven answer. The handler then works in its own time, and what fails waits here with its error and \
               its next attempt instead of at the sender.",
        fires_for: r#"existing.state = "synchronous handler""#,
        rests_for: r#"existing.state = "a handler that puts events into a queue""#,
    },
    Rule {
        id: "very-short-limit",
        severity: Note,
        subject: Subject::Receiver,
        fires: |intake, _| {
            let short = |s: &&SenderAnswers| facts::limit(s).is_some_and(|limit| limit <= SHORT);
            let limit = intake.senders.iter().filter(short).filter_map(facts::limit).min().unwrap_or_default();
            let found = together(intake.senders.iter().filter(short)).map(|f| f.with("limit", span(limit)));
            found.into_iter().collect()
        },
        text: "An answer to {senders} has to be there within {limit}. The gateway's part of that is milliseconds; \
               connecting, TLS and whatever stands in front are the rest.",
        mend: "Run the gateway near the sender's region, with nothing in front that has to wake up, and watch the p99 of \
               `webhook_received_duration_seconds` for this source.",
        fires_for: r#"senders = ["sentry"]"#,
        rests_for: r#"senders = ["slack"]"#,
    },
    Rule {
        id: "public-url-without-tls",
        severity: Serious,
        subject: Subject::Receiver,
        fires: |intake, _| {
            let plain = intake.infrastructure.public_url.iter().filter(|url| url.starts_with("http://"));
            plain.map(|url| Firing::whole().with("url", &**url).behind(["infrastructure.public_url"])).collect()
        },
        text: "The public URL you name ({url}) is without TLS: bodies, and secrets that a sender shows, cross the net in the \
               clear, and most senders refuse to post to it.",
        mend: "Name the `https://` address. The gateway serves TLS itself (`[server.tls]`), or whatever stands in front of it \
               does.",
        fires_for: r#"infrastructure.public_url = "http://hooks.example.com""#,
        rests_for: r#"infrastructure.public_url = "https://hooks.example.com""#,
    },
    Rule {
        id: "answer-too-slow-for-the-user",
        severity: Serious,
        subject: Subject::Receiver,
        fires: |intake, design| intake.senders.iter().filter_map(|s| too_late_for_the_user(s, design)).collect(),
        text: "Somebody waits for what {sender} is answered. {sender} waits {limit}, of which a handler has {within}; yours \
               takes {takes}: what is answered in time is never its own text.",
        mend: "{instead}",
        fires_for: r#"
            senders = ["slack"]
            events.slack = ["/deploy"]
            processing.slack = { does = "answer the command", takes = "2600ms" }
        "#,
        rests_for: r#"
            senders = ["slack"]
            events.slack = ["/deploy"]
            processing.slack = { does = "answer the command", takes = "2400ms" }
        "#,
    },
    Rule {
        id: "mentions-are-answered-by-api",
        severity: Note,
        subject: Subject::Receiver,
        fires: |intake, design| intake.senders.iter().filter_map(|s| answered_by_api(s, design)).collect(),
        text: "{sender} hears its 200 from the gateway; what a user reads is a message that your handler posts by API. \
               The {latency} you allow run until that call, and nobody waits within the HTTP answer.",
        mend: "Keep the posted message's id (`ts`) in the row that holds the event's id: an attempt that comes after a \
               crash then edits the message instead of posting a second one.",
        fires_for: r#"
            senders = ["slack"]
            events.slack = ["app_mention"]
            processing.slack = "answer mentions"
        "#,
        rests_for: r#"
            senders = ["slack"]
            events.slack = ["app_mention"]
            processing.slack = "log activity"
        "#,
    },
    Rule {
        id: "commands-are-not-sent-again",
        severity: Note,
        subject: Subject::Receiver,
        fires: |intake, _| {
            let asked = intake.senders.iter().filter(|sender| is_asked_once(sender));
            asked.map(|sender| Firing::of(sender).behind(["senders".to_owned(), sender.path("events")])).collect()
        },
        text: "Commands and interactions are not sent again by {sender}: its retries are for events only. A `trigger_id` \
               opens a dialog for 3 seconds and no longer.",
        mend: "Open dialogs first and work afterwards. A gateway that is down shows the user an error at once, so they \
               try again by hand; nothing has to be reconciled.",
        fires_for: r#"
            senders = ["slack"]
            events.slack = ["/deploy"]
        "#,
        rests_for: r#"
            senders = ["slack"]
            events.slack = ["app_mention"]
        "#,
    },
];

/// Senders that hang up before a handler that works first is done.
pub(super) fn slower<'i>(intake: &'i Intake, design: &Design) -> impl Iterator<Item = &'i SenderAnswers> {
    let over = |s: &SenderAnswers| facts::limit(s).is_some_and(|limit| s.processing.takes >= limit);
    // Where a person waits for the answer, that is the graver trouble, and told as such.
    let slow = move |s: &&SenderAnswers| over(s) && !facts::is_waited_for(s, design);
    let synchronous = intake.existing.kind == State::Synchronous;
    intake.senders.iter().filter(slow).filter(move |_| synchronous)
}

fn too_slow(sender: &SenderAnswers, design: &Design) -> Option<Firing> {
    let timeout = facts::destination(sender, design)?.timeout.value;
    let again = match facts::retries(sender) {
        Retries::For(..) => ", and is sent again, so the work is done again",
        Retries::Never => "",
        Retries::Unknown => ", and may be sent again",
    };
    let firing = Firing::of(sender)
        .with("limit", span(facts::limit(sender)?))
        .with("takes", span(sender.processing.takes))
        .with("timeout", span(timeout))
        .with("again", again);
    let answers = ["processing", "events"].map(|table| sender.path(table));
    Some(firing.behind(["existing.state", "existing.kind", "senders"]).behind(answers))
}

/// Once, and only where nothing graver says the same.
fn synchronous(intake: &Intake, design: &Design) -> Vec<Firing> {
    let told = facts::had(intake, Trouble::TimedOut) || slower(intake, design).next().is_some();
    if intake.existing.kind != State::Synchronous || told {
        return Vec::new();
    }
    let never = intake.senders.iter().all(|sender| facts::retries(sender) == Retries::Never);
    let then = match never {
        true => "and what was lost or half done by it nobody sends again",
        false => "and half-done work is begun again when it comes back",
    };
    let limits = facts::limits_in_words(intake.senders.iter());
    let firing = Firing::whole().with("limits", limits).with("then", then);
    vec![firing.behind(["existing", "processing", "events", "senders"])]
}

fn too_late_for_the_user(sender: &SenderAnswers, design: &Design) -> Option<Firing> {
    let declared = sender.sender.filter(|_| facts::is_waited_for(sender, design))?;
    let (limit, within, takes) = (facts::limit(sender)?, declared.answer_within(), sender.processing.takes);
    if takes <= within {
        return None;
    }
    let instead = match &declared.late_answers {
        Some(late) => format!(
            "Return the text all the same: Hookhaven posts what comes too late to the address in the request, which \
             takes it for {}, {} times.",
            span(late.valid),
            late.uses
        ),
        None => {
            "Let the handler's first act be a short answer (\"working on it\"), which needs none of the work, and send \
                 the rest by the sender's API when it is done."
                .to_owned()
        }
    };
    let firing = Firing::of(sender)
        .with("limit", span(limit))
        .with("within", span(within))
        .with("takes", span(takes))
        .with("instead", instead);
    Some(firing.behind(["senders".to_owned(), sender.path("processing"), sender.path("events")]))
}

/// Slack's commands and interactions, whose failures it shows to the user.
fn is_asked_once(sender: &SenderAnswers) -> bool {
    const INTERACTIONS: &[&str] = &["block_actions", "view_submission", "view_closed", "shortcut", "message_action"];
    let is_one = |event_type: &String| event_type.starts_with('/') || INTERACTIONS.contains(&&**event_type);
    facts::is(sender, "slack") && sender.events.iter().any(is_one)
}

fn answered_by_api(sender: &SenderAnswers, design: &Design) -> Option<Firing> {
    let by_api = facts::is(sender, "slack") && sender.processing.answers_user && !facts::is_waited_for(sender, design);
    let firing = Firing::of(sender).with("latency", span(facts::soonest(sender)));
    let answers = ["senders".to_owned(), sender.path("processing"), sender.path("events"), sender.path("latency")];
    by_api.then(|| firing.behind(answers))
}
