//! What rules ask of a sender and of the answers about it, in one place and in the same words.
//!
//! Not here: what is told about it (the files beside this one).

use std::time::Duration;

use hookhaven_core::{
    sender::{Cover, Sender},
    senders::{Conduct, Declaration, Retries, Scheme, SenderOptions},
};

use crate::{
    Design, Intake,
    intake::{Effect, Once, OrderKind, SenderAnswers, Trouble},
    words::{list, span},
};

/// Senders whose events say that something changed and leave it to the handler to ask what.
const THIN: &[&str] = &["anthropic", "dropbox", "openai", "smartsheet", "strava", "xero"];

/// What it is called in a sentence: its title without what tells one product of a house from another.
pub fn title(sender: &SenderAnswers) -> &str {
    const PRODUCTS: &[&str] = &[
        " interactions",
        " webhook events",
        " event webhook",
        " event hooks",
        " event and log streams",
        " auth hooks",
        " bots",
        " EventSub",
    ];
    let title = sender.title();
    let title = title.split(" (").next().unwrap_or(title);
    PRODUCTS.iter().find_map(|product| title.strip_suffix(product)).unwrap_or(title)
}

/// How long it waits for an answer, where it says so.
pub fn limit(sender: &SenderAnswers) -> Option<Duration> {
    sender.sender?.about.timeout_s.map(|s| Duration::from_secs(s.into()))
}

pub fn retries(sender: &SenderAnswers) -> Retries {
    sender.sender.map_or(Retries::Unknown, |declared| declared.about.retries)
}

pub fn conduct(sender: &SenderAnswers) -> Conduct {
    sender.sender.map_or(Conduct::UNKNOWN, |declared| declared.conduct)
}

/// Whether nobody knows how it signs: it is not in the catalogue, or is named as what has to be described.
pub fn is_unknown(sender: &SenderAnswers) -> bool {
    sender.sender.is_none_or(|declared| declared.name == "hmac")
}

/// As its requests are verified; `None` where that has to be described first.
pub fn built(sender: &SenderAnswers) -> Option<(&'static Declaration, std::sync::Arc<dyn Sender>)> {
    let declared = sender.sender?;
    declared.build(&SenderOptions::default()).ok().map(|built| (declared, built))
}

/// Whether its requests carry a proof over their bytes, if not over all of them.
pub fn signs(sender: &SenderAnswers) -> bool {
    built(sender).is_some_and(|(_, built)| built.covers() != Cover::Nothing)
}

pub fn proves_nothing(sender: &SenderAnswers) -> bool {
    sender.sender.is_some_and(|declared| declared.scheme == Scheme::Nothing)
}

pub fn shows_its_secret(sender: &SenderAnswers) -> bool {
    sender.sender.is_some_and(|declared| matches!(declared.scheme, Scheme::Shared(_)))
}

pub fn signs_url(declared: &Declaration) -> bool {
    match &declared.scheme {
        Scheme::Signed(spec) => spec.signed.contains("{url}"),
        Scheme::Own { signs_url, .. } => *signs_url,
        Scheme::Shared(_) | Scheme::Nothing => false,
    }
}

/// Whether events hold too little to act on without asking the sender's API.
pub fn is_thin(sender: &SenderAnswers) -> bool {
    let thin = |event_type: &String| event_type.starts_with("v1.") || event_type.starts_with("v2.");
    THIN.contains(&&*sender.name) || sender.name == "stripe" && sender.events.iter().any(thin)
}

/// Whether what the sender hears within its limit is what a person sees.
pub fn is_waited_for(sender: &SenderAnswers) -> bool {
    let waits = sender.sender.is_some_and(|declared| declared.user_waits);
    waits && sender.processing.answers_user && (sender.name != "slack" || asks_at_once(sender))
}

/// Slack's commands and interactions, which unlike its events are answered in the answer.
pub fn asks_at_once(sender: &SenderAnswers) -> bool {
    const INTERACTIONS: &[&str] = &["block_actions", "view_submission", "view_closed", "shortcut", "message_action"];
    sender.name == "slack" && sender.events.iter().any(|t| t.starts_with('/') || INTERACTIONS.contains(&&**t))
}

pub fn must(sender: &SenderAnswers) -> bool {
    sender.once.values().any(|once| *once == Once::Must)
}

pub fn does(sender: &SenderAnswers, effect: Effect) -> bool {
    sender.processing.effects.contains(&effect)
}

/// The soonest that any of its types has to be handled.
pub fn soonest(sender: &SenderAnswers) -> Duration {
    sender.latency.values().min().copied().unwrap_or_default()
}

pub fn wishes(sender: &SenderAnswers, kind: OrderKind) -> bool {
    sender.ordering.values().any(|wish| wish.kind == kind)
}

/// Whether failures that go on make it stop sending at all, rather than drop the event alone.
pub fn quits(sender: &SenderAnswers) -> bool {
    const QUITS: &[&str] = &["disable", "delete", "switch", "suspend", "unsubscribe", "revoke", "is off", "expires"];
    let says = conduct(sender).gives_up;
    !says.contains("nothing is switched off") && QUITS.iter().any(|word| says.contains(word))
}

pub fn had(intake: &Intake, trouble: Trouble) -> bool {
    intake.existing.troubles.contains(&trouble)
}

/// `Slack waits 3 s, GitHub 10 s`, the strictest first; empty where none says.
pub fn limits_in_words(intake: &Intake) -> String {
    let mut limits: Vec<(Duration, &str)> =
        intake.senders.iter().filter_map(|sender| Some((limit(sender)?, title(sender)))).collect();
    limits.sort();
    let all: Vec<String> = limits
        .iter()
        .take(4)
        .enumerate()
        .map(|(i, (limit, title))| match i {
            0 => format!("{title} waits {}", span(*limit)),
            _ => format!("{title} {}", span(*limit)),
        })
        .collect();
    all.join(", ")
}

/// How long ids of these senders are remembered: `31 days`, or `7 days to 31 days`.
pub fn windows_in_words(design: &Design, senders: &[&SenderAnswers]) -> String {
    let all = || senders.iter().filter_map(|s| design.source(&s.name)).map(|source| source.dedupe_window.value);
    match (all().min(), all().max()) {
        (Some(least), Some(most)) if least != most => format!("{} to {}", span(least), span(most)),
        (least, _) => span(least.unwrap_or_default()),
    }
}

/// What the catalogue says of each, where these are one or two; else who they are, and `rest` of all of them.
pub fn each_in_words(senders: &[&SenderAnswers], says: fn(&Conduct) -> &'static str, rest: &str) -> String {
    let said = |sender: &&SenderAnswers| format!("{}: {}.", title(sender), says(&conduct(sender)));
    match senders {
        [] | [_] | [_, _] => senders.iter().map(said).collect::<Vec<_>>().join(" "),
        many => format!("{}: {rest}", list(&many.iter().map(|sender| title(sender)).collect::<Vec<_>>())),
    }
}

/// Types of a sender in a sentence: no more than four of them.
pub fn types_in_words(types: &[&str]) -> String {
    match types {
        [a, b, c, _, more @ ..] if !more.is_empty() => format!("{a}, {b}, {c} and {} more", more.len() + 1),
        _ => list(types),
    }
}

/// What works things off in the background, by the stack's own word; `None` if none is named.
pub fn queue_of(intake: &Intake) -> Option<&str> {
    const QUEUES: &[&str] = &[
        "bullmq", "bull", "celery", "sidekiq", "sqs", "kafka", "rabbitmq", "nats", "river", "oban", "faktory",
        "resque", "rq", "pubsub", "temporal",
    ];
    let of = |item: &String| {
        let mut words = item.split(|c: char| !c.is_alphanumeric());
        words.any(|word| QUEUES.contains(&&*word.to_lowercase()))
    };
    intake.infrastructure.stack.iter().find(|item| of(item)).map(String::as_str)
}

/// A few words of the team's own, so that they cannot break a page: on one line, and no longer than a name.
pub fn one_line(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARS_MAX).collect::<String>().trim().to_owned()
}
