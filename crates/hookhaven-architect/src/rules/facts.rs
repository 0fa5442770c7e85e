//! What rules ask of a sender and of the answers about it, in one place and in the same words.
//!
//! Not here: what is told about it (the files beside this one).

use std::time::Duration;

use hookhaven_core::{
    glob,
    sender::{Cover, Sender},
    senders::{Conduct, Declaration, Retries, Scheme, SenderOptions},
};

use crate::{
    Design, Intake,
    design::DestinationDesign,
    intake::{Effect, Once, OrderKind, SenderAnswers, Trouble},
    words::{list, span},
};

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

/// Whether it is that one of the catalogue, whatever its source is called.
pub fn is(sender: &SenderAnswers, name: &str) -> bool {
    sender.sender.is_some_and(|declared| declared.name == name)
}

/// Whether some of its events hold too little to act on without asking the sender's API.
pub fn is_thin(sender: &SenderAnswers) -> bool {
    conduct(sender).thin.contains(&"*") || sender.events.iter().any(|event_type| is_thin_type(sender, event_type))
}

pub fn is_thin_type(sender: &SenderAnswers, event_type: &str) -> bool {
    conduct(sender).thin.iter().any(|thin| glob::matches(thin, event_type))
}

/// Where its events go.
pub fn destination<'d>(sender: &SenderAnswers, design: &'d Design) -> Option<&'d DestinationDesign> {
    design.destinations.iter().find(|destination| destination.source == sender.name)
}

/// Whether what the sender hears within its limit is what a person sees.
pub fn is_waited_for(sender: &SenderAnswers, design: &Design) -> bool {
    design.routes_of(&sender.name).any(|route| route.answers.value)
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

pub fn had(intake: &Intake, trouble: Trouble) -> bool {
    intake.existing.troubles.contains(&trouble)
}

/// ` (Slack waits 3 s, GitHub 10 s)`: of those that say so the four strictest; empty where none does.
pub fn limits_in_words<'i>(senders: impl Iterator<Item = &'i SenderAnswers>) -> String {
    let mut limits: Vec<(Duration, &str)> =
        senders.filter_map(|sender| Some((limit(sender)?, title(sender)))).collect();
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
    if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) }
}

/// What keeps everybody else out, where these publish the addresses that they post from; begins with a blank.
pub fn addresses_in_words(senders: &[&SenderAnswers]) -> String {
    let published = |s: &&&SenderAnswers| s.sender.is_some_and(|declared| !declared.addresses.is_empty());
    let titles: Vec<&str> = senders.iter().filter(published).map(|sender| title(sender)).collect();
    match titles[..] {
        [] => String::new(),
        [one] => format!(" Only the addresses that {one} publishes get in with `allow = [\"published\"]`."),
        _ => format!(" Only the addresses that {} publish get in with `allow = [\"published\"]`.", named(&titles)),
    }
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
        many => format!("{}: {rest}", named(&many.iter().map(|sender| title(sender)).collect::<Vec<_>>())),
    }
}

/// Types of a sender in a sentence: no more than four of them.
pub fn types_in_words(types: &[&str]) -> String {
    first_of(types, 4)
}

/// Senders in a sentence: as many as one reads, and products of one house once.
pub fn named(titles: &[&str]) -> String {
    let mut each: Vec<&str> = Vec::new();
    for title in titles {
        if !each.contains(title) {
            each.push(title);
        }
    }
    first_of(&each, 16)
}

/// `a, b, c and 5 more`, where there are more than so many.
fn first_of(all: &[&str], most: usize) -> String {
    match all.get(..most.saturating_sub(1)) {
        Some(first) if all.len() > most => format!("{} and {} more", first.join(", "), all.len() - first.len()),
        _ => list(all),
    }
}

/// What works things off in the background, by the stack's own word; `None` if none is named.
pub fn queue_of(intake: &Intake) -> Option<&str> {
    const QUEUES: &[&str] = &[
        "bullmq", "bull", "celery", "sidekiq", "sqs", "kafka", "redpanda", "rabbitmq", "activemq", "nats", "pulsar",
        "kinesis", "river", "oban", "faktory", "resque", "rq", "dramatiq", "asynq", "hangfire", "pubsub", "temporal",
    ];
    let of = |item: &String| {
        let mut words = item.split(|c: char| !c.is_alphanumeric());
        words.any(|word| QUEUES.contains(&&*word.to_lowercase()))
    };
    intake.infrastructure.stack.iter().find(|item| of(item)).map(String::as_str)
}

/// A few words of the team's own, no longer than a name.
pub fn short(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    crate::words::one_line(text, CHARS_MAX)
}
