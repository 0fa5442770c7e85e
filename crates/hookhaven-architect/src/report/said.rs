//! What several sections say in the same words: kinds of answers, facts of a sender, addresses.
//!
//! Not here: figures (`design`), quantities (`words`).

use std::sync::Arc;

use hookhaven_core::{
    sender::Sender,
    senders::{Declaration, Rotation, SenderOptions},
};

use super::document::{Text, alternatives, codes, plain, prose};
use crate::{
    Choice, Plan,
    design::{RouteDesign, SourceDesign},
    intake::{Effect, Framework, Host, Once, OrderKind, OrderWish, SenderAnswers, State, Trouble},
    rules::Severity,
    words,
};

/// The answers and the design of each sender, in the intake's order.
pub fn each(plan: &Plan) -> impl Iterator<Item = (&SenderAnswers, &SourceDesign)> {
    plan.intake.senders.iter().zip(&plan.design.sources)
}

/// What a source is called in sentences.
pub fn title<'p>(plan: &'p Plan, source: &'p str) -> &'p str {
    plan.intake.senders.iter().find(|sender| sender.name == source).map_or(source, SenderAnswers::title)
}

/// How a sender signs, if the catalogue knows it; one that is described in the config file is not known here.
pub fn known(sender: &SenderAnswers) -> Option<(&'static Declaration, Arc<dyn Sender>)> {
    let declared = sender.sender?;
    Some((declared, declared.build(&SenderOptions::default()).ok()?))
}

/// What is signed and where it stands, with `<…>` for what varies.
pub fn scheme(declared: &Declaration) -> Text {
    catalogue(&declared.scheme_in_words())
}

/// Variables that hold what must not leak: whoever has one can make events that verify.
pub fn secrets(plan: &Plan) -> Vec<&str> {
    let signs = |sender: &SenderAnswers| sender.sender.is_none_or(|d| d.about.rotation != Rotation::Public);
    let secret = each(plan).filter(|(sender, _)| signs(sender));
    secret.flat_map(|(_, source)| &source.secret_variables).map(String::as_str).collect()
}

/// Whether an answer was taken for granted.
pub fn is_assumed(plan: &Plan, path: &str) -> bool {
    plan.intake.assumed.iter().any(|assumed| assumed.path == path)
}

/// How long a handler takes, and whether anybody said so.
pub fn takes(plan: &Plan, sender: &SenderAnswers) -> String {
    let takes = words::span(sender.processing.takes);
    let is_assumed = is_assumed(plan, &format!("{}.takes", sender.path("processing")));
    if is_assumed { format!("{takes} (assumed)") } else { takes }
}

/// How long the receiver is down, as they said it, else as it was taken.
pub fn downtime(plan: &Plan) -> String {
    match plan.intake.infrastructure.downtime {
        Some(length) => format!("in the downtime you named ({})", words::span(length)),
        None => "in an hour's downtime".to_owned(),
    }
}

/// A sentence of the catalogue.
pub fn catalogue(text: &str) -> Text {
    prose(&angled(text))
}

/// With `<name>` for `{name}`, so that nothing looks as if somebody forgot to fill it in.
fn angled(text: &str) -> String {
    let mut parts = text.split('{');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name = part.split_once('}').filter(|(name, _)| is_plain_name(name));
        match name {
            Some((name, rest)) => out.extend(["<", name, ">", rest]),
            None => out.extend(["{", part]),
        }
    }
    out
}

/// Where the sender posts to.
pub fn url(plan: &Plan, source: &str) -> String {
    let host = plan.intake.infrastructure.public_url.as_deref().unwrap_or("https://YOUR-HOST");
    format!("{host}/webhooks/{source}")
}

/// The types of a route.
pub fn types(plan: &Plan, route: &RouteDesign) -> Text {
    match route.events.iter().any(|t| t == "*") {
        true if plan.design.routes_of(&route.source).count() == 1 => plain("all"),
        true => plain("all others"),
        false => codes(&route.events),
    }
}

/// The types that a dead letter of wakes somebody, of all senders; nothing if none does.
pub fn critical(plan: &Plan) -> Option<Text> {
    let mut text: Option<Text> = None;
    for route in plan.design.routes.iter().filter(|route| route.critical.value) {
        let of = match route.events.iter().any(|t| t == "*") {
            true => types(plan, route) + plain(format!(" of {}", title(plan, &route.source))),
            false => types(plan, route),
        };
        text = Some(match text {
            Some(text) => text + plain("; ") + of,
            None => of,
        });
    }
    text
}

/// Routes of one sender that are alike in one choice, as the first of them with the types of all.
pub fn alike<'p, T: PartialEq + 'p>(
    plan: &'p Plan,
    choice: impl Fn(&'p RouteDesign) -> &'p Choice<T>,
) -> Vec<(&'p RouteDesign, Text)> {
    let mut groups: Vec<Vec<&RouteDesign>> = Vec::new();
    for route in &plan.design.routes {
        let same = |known: &'p RouteDesign| known.source == route.source && choice(known) == choice(route);
        match groups.iter_mut().find(|group| group.first().is_some_and(|known| same(known))) {
            Some(group) => group.push(route),
            None => groups.push(vec![route]),
        }
    }
    let joined = |group: Vec<&'p RouteDesign>| {
        let first = *group.first()?;
        if group.iter().any(|route| route.events.iter().any(|t| t == "*")) {
            let all = if group.len() == plan.design.routes_of(&first.source).count() { "all" } else { "all others" };
            return Some((first, plain(all)));
        }
        let types: Vec<&String> = group.iter().flat_map(|route| &route.events).collect();
        Some((first, codes(&types)))
    };
    groups.into_iter().filter_map(joined).collect()
}

/// Where a value stands in an event, best place first, or that it stands nowhere.
pub fn places(declared: &Declaration, places: &[&str]) -> Text {
    let places: Vec<String> = places.iter().map(|place| self::place(declared, place)).collect();
    if places.is_empty() { plain("none") } else { alternatives(&places) }
}

/// Without the unit of a time, and with the first name of a header that has several.
pub fn place(declared: &Declaration, place: &str) -> String {
    let is_unit = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let bare = match place.rsplit_once(' ') {
        Some((bare, last)) if is_unit(last) => bare,
        _ => place,
    };
    bare.replace('*', declared.prefixes.first().copied().unwrap_or_default())
}

/// A type that can be sent as a sample: at best one that was named and of which the catalogue has a body.
pub fn sample_type(sender: &SenderAnswers) -> String {
    let samples = sender.sender.map_or(&[][..], |declared| declared.sample_types);
    let named = || sender.events.iter().filter(|name| is_plain_name(name)).map(String::as_str);
    let both = named().find(|name| samples.contains(name));
    both.or_else(|| named().next()).or_else(|| samples.first().copied()).unwrap_or("sample").to_owned()
}

/// Whether it can stand in a command as it is.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'))
}

pub fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Database => "writes to a database",
        Effect::Mail => "sends mail",
        Effect::Money => "moves money",
        Effect::Build => "starts a build or a job",
        Effect::Message => "says something to a person",
        Effect::Fulfilment => "grants or ships something",
        Effect::Record => "keeps a record",
        Effect::Call => "calls another API",
    }
}

pub fn once(once: Once) -> &'static str {
    match once {
        Once::Free => "may happen twice",
        Once::Nice => "should not happen twice",
        Once::Must => "must not happen twice",
    }
}

pub fn order(wish: &OrderWish) -> &'static str {
    match (wish.kind, wish.newest) {
        (OrderKind::None, false) => "no order",
        (OrderKind::None, true) => "only the newest state counts",
        (OrderKind::Wished, false) => "an order would be good",
        (OrderKind::Wished, true) => "an order would be good; only the newest state counts",
        (OrderKind::Strict, _) => "each after the one before, without exception",
    }
}

pub fn host(host: Host) -> &'static str {
    match host {
        Host::Serverless => "serverless functions",
        Host::Machine => "a machine",
        Host::Containers => "containers",
        Host::Kubernetes => "Kubernetes",
        Host::Platform => "a platform that runs containers",
    }
}

pub fn framework(framework: Framework) -> &'static str {
    match framework {
        Framework::Fastify => "Fastify",
        Framework::Express => "Express",
        Framework::Next => "Next.js",
        Framework::FastApi => "FastAPI",
        Framework::Django => "Django",
        Framework::Axum => "axum",
        Framework::Go => "Go net/http",
    }
}

pub fn state(state: State) -> &'static str {
    match state {
        State::Nothing => "nothing receives them yet",
        State::Synchronous => "a handler that works first and answers afterwards",
        State::Queued => "a receiver that queues and then answers",
        State::Mature => "a receiver with queue, retries, dead letters, idempotency and alerts",
        State::Hosted => "a hosted service",
    }
}

pub fn trouble(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::TimedOut => "answers came too late",
        Trouble::Twice => "an event was processed twice",
        Trouble::Lost => "events were lost",
        Trouble::OutOfOrder => "an older state overwrote a newer one",
        Trouble::BadSignature => "signatures did not hold",
        Trouble::LeakedSecret => "a secret leaked",
        Trouble::Overload => "too much came at once",
    }
}

pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Serious => "serious",
        Severity::Contradiction => "contradiction",
    }
}
