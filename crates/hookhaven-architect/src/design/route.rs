//! Routes: a sender's types by how soon, how surely and in which order they have to be handled.
//!
//! Not here: the order itself (`ordering`), how often it is tried (`retry`), what a type is called (`types`).

use std::time::Duration;

use hookhaven_core::{
    glob,
    senders::{Conduct, Declaration, Siblings},
};

use super::{RouteDesign, ordering, retry, types};
use crate::{
    Choice,
    intake::{Once, SenderAnswers},
    words::span,
};

/// The longest that a route can be told.
const DEADLINE_MAX: Duration = Duration::from_secs(86_400);
/// Of the time that an event may take, what its handler may use without being counted off.
const HANDLER_SHARE: u32 = 10;

/// What is narrower first, because the first route that matches decides.
pub fn of(sender: &SenderAnswers) -> Vec<RouteDesign> {
    let mut routes: Vec<RouteDesign> = Vec::new();
    for event_type in types(sender) {
        let route = one(sender, &event_type);
        match routes.iter_mut().find(|known| alike(known, &route)) {
            Some(known) => known.events.extend(route.events),
            None => routes.push(route),
        }
    }
    let mut routes = apart(routes);
    for route in &mut routes {
        let all = std::mem::take(&mut route.events);
        route.events = each_once(&all);
    }
    let has = |route: &RouteDesign, test: fn(&str) -> bool| route.events.iter().any(|t| test(t));
    routes.sort_by_key(|route| (has(route, |t| t == "*"), has(route, |t| t.contains('*')), !route.critical.value));
    let mut placed: Vec<RouteDesign> = Vec::new();
    for route in routes {
        let takes =
            |other: &RouteDesign| route.events.iter().any(|t| other.events.iter().any(|glob| is_wider(glob, t)));
        let before = placed.iter().position(takes).unwrap_or(placed.len());
        placed.insert(before, route);
    }
    placed
}

fn is_wider(glob: &str, than: &str) -> bool {
    glob != than && glob::matches(glob, than)
}

/// What a wider pattern of another route takes, too, gets a route of its own, so that it can stand before that one.
fn apart(routes: Vec<RouteDesign>) -> Vec<RouteDesign> {
    let patterns: Vec<Vec<String>> =
        routes.iter().map(|route| route.events.iter().filter(|t| t.contains('*')).cloned().collect()).collect();
    let mut all = Vec::new();
    for (n, mut route) in routes.into_iter().enumerate() {
        let elsewhere = |t: &String| {
            let others = patterns.iter().enumerate().filter(|(other, _)| *other != n).flat_map(|(_, globs)| globs);
            others.into_iter().any(|glob| glob != "*" && is_wider(glob, t))
        };
        let (narrow, rest): (Vec<String>, Vec<String>) =
            std::mem::take(&mut route.events).into_iter().partition(elsewhere);
        for events in [narrow, rest].into_iter().filter(|events| !events.is_empty()) {
            all.push(RouteDesign { events, ..route.clone() });
        }
    }
    all
}

/// Without those that another of them takes.
fn each_once(all: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for event_type in all {
        if !kept.contains(event_type) && !all.iter().any(|other| is_wider(other, event_type)) {
            kept.push(event_type.clone());
        }
    }
    kept
}

/// All that were named anywhere, in that order; everything, if none was.
fn types(sender: &SenderAnswers) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    let of_latency = sender.latency.some.iter().map(|(t, _)| t.as_str());
    let of_once = sender.once.some.iter().map(|(t, _)| t.as_str());
    let of_order = sender.ordering.some.iter().map(|(t, _)| t.as_str());
    let named = sender.events.iter().map(String::as_str);
    let none = sender.events.is_empty();
    let asking = sender.sender.filter(|_| none && sender.processing.answers_user).map_or(&[][..], |d| d.asks);
    let rest: &[&str] = if none { &["*"] } else { &[] };
    for event_type in of_latency.chain(of_once).chain(of_order).chain(named).chain(asking.iter().chain(rest).copied()) {
        if !types.iter().any(|t| t == event_type) {
            types.push(event_type.to_owned());
        }
    }
    types
}

fn one(sender: &SenderAnswers, event_type: &str) -> RouteDesign {
    let once = *types::said(&sender.once, event_type);
    let latency = *types::said(&sender.latency, event_type);
    let events = types::globs(sender.sender, event_type);
    let ordering = ordering::of(sender, event_type, &events, once);
    let answers = answers(sender, event_type);
    RouteDesign {
        source: sender.name.clone(),
        events,
        to: format!("{}-handler", sender.name),
        deadline: deadline(sender, latency),
        critical: critical(sender, event_type, once),
        once,
        retry: retry::of(sender, once, latency, &ordering.value, answers.value),
        ordering,
        answers,
    }
}

fn alike(a: &RouteDesign, b: &RouteDesign) -> bool {
    (a.deadline.value, a.critical.value, a.once, &a.ordering.value, &a.retry.value, a.answers.value)
        == (b.deadline.value, b.critical.value, b.once, &b.ordering.value, &b.retry.value, b.answers.value)
}

/// A deadline is about the beginning of an attempt, and a wish about its end.
fn deadline(sender: &SenderAnswers, latency: Duration) -> Choice<Duration> {
    let paths = ["latency", "processing"].map(|table| sender.path(table));
    let takes = sender.processing.takes;
    let late = "more than 1% that begin later are an alert";
    if takes >= latency {
        let why = format!(
            "You want it handled within {}, and the handler alone takes {}: that cannot be held. What is watched is \
             that it is handed over by then.",
            span(latency),
            span(takes)
        );
        return Choice::from(latency.min(DEADLINE_MAX), why, paths);
    }
    if takes * HANDLER_SHARE <= latency {
        let why = format!("You want it handled within {}; {late}.", span(latency));
        return Choice::from(latency.min(DEADLINE_MAX), why, paths);
    }
    let left = (latency - takes).min(DEADLINE_MAX);
    let why = format!(
        "You want it handled within {}, of which the handler takes {}: it has to begin within {}; {late}.",
        span(latency),
        span(takes),
        span(left)
    );
    Choice::from(left, why, paths)
}

fn critical(sender: &SenderAnswers, event_type: &str, once: Once) -> Choice<bool> {
    let paths = [sender.path("idempotency"), sender.path("events"), "senders".to_owned()];
    match (once, sender.sender.is_none_or(|declared| is_grave(declared, sender, event_type))) {
        (Once::Must, true) => {
            Choice::from(true, "It must be processed, and only once: a dead letter of it wakes somebody.", paths)
        }
        (Once::Must, false) => {
            let why = "It must be processed, and a night does not matter: what it tells can still be fetched then, and \
                       its dead letter is told when it has waited an hour.";
            Choice::from(false, why, paths)
        }
        _ => Choice::from(false, "Nothing is hurt if it waits for somebody to look.", paths),
    }
}

/// A type of which a dead letter should wake somebody, or the one that tells this team what such a type would tell.
fn is_grave(declared: &Declaration, sender: &SenderAnswers, event_type: &str) -> bool {
    let Conduct { critical, siblings, .. } = declared.conduct;
    let takes = |glob: &str, all: &[&str]| all.iter().any(|t| glob::matches(glob, t));
    let stands_in = |siblings: &Siblings| {
        let grave: Vec<&str> = siblings.types.iter().copied().filter(|t| critical.contains(t)).collect();
        let received = sender.events.iter().any(|named| takes(named, &grave));
        !grave.is_empty() && !received && takes(event_type, siblings.types)
    };
    critical.is_empty() || takes(event_type, critical) || siblings.iter().any(stands_in)
}

fn answers(sender: &SenderAnswers, event_type: &str) -> Choice<bool> {
    let usual = "The sender is answered as soon as the event is on disk.";
    let Some(declared) = sender.sender.filter(|d| d.user_waits()) else {
        return Choice::from(false, usual, ["senders"]);
    };
    let paths = ["senders".to_owned(), sender.path("processing")];
    let waits = types::is_asked(declared, event_type);
    if waits && sender.processing.answers_user {
        return Choice::from(true, asked(sender, declared), paths);
    }
    let by_api =
        "The sender is answered as soon as the event is on disk; what the handler has to say it says by the API.";
    let why = if waits { usual } else { by_api };
    Choice::from(false, why, paths)
}

/// Somebody waits for the answer itself.
fn asked(sender: &SenderAnswers, declared: &Declaration) -> String {
    let (takes, within) = (sender.processing.takes, declared.answer_within());
    let asked = format!("Somebody waits for what the handler says: it is asked at once and has {}", span(within));
    let stored = "the event is stored, and the attempt goes on";
    if takes < within {
        return format!("{asked}. An answer that comes later is no lost work: {stored}.");
    }
    let takes = span(takes);
    if let Some(late) = declared.late_answers {
        return format!(
            "{asked}; yours takes {takes}, so its answer comes late and is posted to the address in the request, \
             which takes it for {}.",
            span(late.valid)
        );
    }
    format!(
        "{asked}; yours takes {takes}, and {} does not wait that long: it hears the usual answer, {stored}, and what \
         the handler has to say it must say by the API.",
        declared.title
    )
}
