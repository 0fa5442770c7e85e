//! Routes: a sender's types by how soon, how surely and in which order they have to be handled.

use std::time::Duration;

use hookhaven_core::{
    glob,
    senders::{Declaration, OrderPromise},
};

use super::{OrderingDesign, RetryDesign, RouteDesign, types};
use crate::{
    Choice,
    intake::{Once, OrderKind, OrderWish, SenderAnswers},
    words::{list, span},
};

/// How soon at least: below it, somebody waits at the other end of the line.
const SOON: Duration = Duration::from_secs(10);
/// The longest that a route can be told.
const DEADLINE_MAX: Duration = Duration::from_secs(86_400);
/// Of the time that an event may take, what its handler may use without being counted off.
const HANDLER_SHARE: u32 = 10;

/// Exact types before patterns, because the first route that matches decides.
pub fn of(sender: &SenderAnswers) -> Vec<RouteDesign> {
    let mut routes: Vec<RouteDesign> = Vec::new();
    for event_type in types(sender) {
        let route = one(sender, &event_type);
        match routes.iter_mut().find(|known| alike(known, &route)) {
            Some(known) => known.events.extend(route.events),
            None => routes.push(route),
        }
    }
    for route in &mut routes {
        let all = std::mem::take(&mut route.events);
        route.events = each_once(&all);
    }
    let has = |route: &RouteDesign, test: fn(&str) -> bool| route.events.iter().any(|t| test(t));
    routes.sort_by_key(|route| (has(route, |t| t == "*"), has(route, |t| t.contains('*')), !route.critical.value));
    routes
}

/// Without those that another of them takes.
fn each_once(all: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for event_type in all {
        let taken = |other: &String| other != event_type && glob::matches(other, event_type);
        if !kept.contains(event_type) && !all.iter().any(taken) {
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
    let wish = types::said(&sender.ordering, event_type);
    let ordering = ordering(sender, wish);
    RouteDesign {
        source: sender.name.clone(),
        events: types::globs(sender.sender, event_type),
        to: format!("{}-handler", sender.name),
        deadline: deadline(sender, latency),
        critical: critical(sender, event_type, once),
        once,
        retry: retry(sender, once, latency, &ordering.value),
        ordering,
        answers: answers(sender, event_type),
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
    let grave = |declared: &Declaration| {
        let named = declared.conduct.critical;
        named.is_empty() || named.iter().any(|t| glob::matches(event_type, t))
    };
    let paths = [sender.path("idempotency"), "senders".to_owned()];
    match (once, sender.sender.is_none_or(grave)) {
        (Once::Must, true) => {
            Choice::from(true, "It must be processed, and only once: a dead letter of it wakes somebody.", paths)
        }
        (Once::Must, false) => {
            let why = "A dead letter of it is told in the morning: these types can be made up for.";
            Choice::from(false, why, paths)
        }
        _ => Choice::from(false, "Nothing is hurt if it waits for somebody to look.", paths),
    }
}

fn ordering(sender: &SenderAnswers, wish: &OrderWish) -> Choice<OrderingDesign> {
    let paths = [sender.path("ordering"), "senders".to_owned()];
    let title = sender.title();
    let promise = match sender.sender.map_or(OrderPromise::Silent, |d| d.conduct.order) {
        OrderPromise::None => format!("{title} promises no order"),
        OrderPromise::Silent => format!("{title} says nothing of order, which is no promise"),
        OrderPromise::Within(how) => format!("{title} keeps order only in {how}"),
    };
    let keys: Vec<&str> = sender.sender.map(|d| d.order_key.to_vec()).unwrap_or_default();
    match wish.kind {
        OrderKind::None => Choice::from(OrderingDesign::None, "Nobody asked for an order.", [sender.path("ordering")]),
        OrderKind::Wished => {
            let why = format!(
                "{promise}, so none is enforced: the handler writes only what is newer than what it has (UPSERT \
                 guarded by the event's time), and then the order of arrival does not matter."
            );
            Choice::from(OrderingDesign::None, why, paths)
        }
        OrderKind::Strict if wish.key.is_none() && keys.is_empty() => {
            let why = format!(
                "A strict order has to know what is ordered against what, and no usual key of {title} is known: say \
                 ordering.{name} = {{ mode = \"strict\", key = \"json:/path\" }} and have the set-up made again. \
                 Until then nothing waits for anything.",
                name = sender.name
            );
            Choice::from(OrderingDesign::None, why, paths)
        }
        OrderKind::Strict => {
            let key = wish.key.clone();
            let by = key.clone().unwrap_or_else(|| alternatives(&keys));
            let why = format!(
                "One at a time for each {by}, in the order in which they were stored; one that fails holds up those \
                 behind it, for an hour at most. It is the order of arrival: {promise}, and what it sends in the \
                 wrong order stays in the wrong order."
            );
            Choice::from(OrderingDesign::Fifo { key }, why, paths)
        }
    }
}

fn alternatives(keys: &[&str]) -> String {
    match keys {
        [first, rest @ ..] if !rest.is_empty() => format!("{first} (else {})", list(rest)),
        keys => keys.concat(),
    }
}

fn retry(sender: &SenderAnswers, once: Once, latency: Duration, ordering: &OrderingDesign) -> Choice<RetryDesign> {
    let paths = ["idempotency", "latency", "processing", "ordering"].map(|table| sender.path(table));
    let s = Duration::from_secs;
    if sender.processing.answers_user && latency <= SOON && once != Once::Must {
        let value = RetryDesign { attempts: 3, initial: s(1), factor: 2.0, max: s(10) };
        return Choice::from(value, "Somebody waits for the answer: an hour later nobody wants it any more.", paths);
    }
    if matches!(ordering, OrderingDesign::Fifo { .. }) {
        let value = RetryDesign { attempts: 8, initial: s(5), factor: 5.0, max: s(600) };
        let why = format!(
            "{} attempts over {}, within the hour that one event may hold up its key: what has not gone through by \
             then waits for somebody as a dead letter.",
            value.attempts,
            span(value.covers())
        );
        return Choice::from(value, why, paths);
    }
    let attempts = match once {
        Once::Must => 28,
        Once::Nice => 10,
        Once::Free => 5,
    };
    let value = RetryDesign { attempts, initial: s(5), factor: 5.0, max: s(3_600) };
    let why = format!(
        "{attempts} attempts, from 5 s to 1 h apart: a handler that is down for {} loses nothing.",
        span(value.covers())
    );
    Choice::from(value, why, paths)
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
