//! Routes: a sender's types by how soon, how surely and in which order they have to be handled.

use std::time::Duration;

use super::{OrderingDesign, RetryDesign, RouteDesign};
use crate::{
    Choice,
    intake::{Once, OrderKind, OrderWish, SenderAnswers},
    words::{list, span},
};

/// How soon at least: below it, somebody waits at the other end of the line.
const SOON: Duration = Duration::from_secs(10);

/// Those whose types are named first, because the first that matches decides.
pub fn of(sender: &SenderAnswers) -> Vec<RouteDesign> {
    let mut routes: Vec<RouteDesign> = Vec::new();
    for event_type in types(sender) {
        let route = one(sender, &event_type);
        match routes.iter_mut().find(|known| alike(known, &route)) {
            Some(known) => known.events.push(event_type),
            None => routes.push(route),
        }
    }
    routes.sort_by_key(|route| (route.events.iter().any(|t| t == "*"), !route.critical.value));
    routes
}

/// All that were named anywhere, in that order; everything, if none was.
fn types(sender: &SenderAnswers) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    let of_latency = sender.latency.some.iter().map(|(t, _)| t);
    let of_once = sender.once.some.iter().map(|(t, _)| t);
    let of_order = sender.ordering.some.iter().map(|(t, _)| t);
    let rest = sender.events.is_empty().then(|| "*".to_owned());
    for event_type in of_latency.chain(of_once).chain(of_order).chain(&sender.events).chain(&rest) {
        if !types.contains(event_type) {
            types.push(event_type.clone());
        }
    }
    types
}

fn one(sender: &SenderAnswers, event_type: &str) -> RouteDesign {
    let once = *sender.once.of(event_type);
    let latency = *sender.latency.of(event_type);
    RouteDesign {
        source: sender.name.clone(),
        events: vec![event_type.to_owned()],
        to: format!("{}-handler", sender.name),
        deadline: deadline(sender, latency),
        critical: critical(sender, event_type, once),
        once,
        ordering: ordering(sender, sender.ordering.of(event_type)),
        retry: retry(sender, once, latency),
        answers: Choice::usual(false, "The sender is answered as soon as the event is on disk."),
    }
}

fn alike(a: &RouteDesign, b: &RouteDesign) -> bool {
    (a.deadline.value, a.critical.value, a.once, &a.ordering.value, &a.retry.value, a.answers.value)
        == (b.deadline.value, b.critical.value, b.once, &b.ordering.value, &b.retry.value, b.answers.value)
}

fn deadline(sender: &SenderAnswers, latency: Duration) -> Choice<Duration> {
    let why = format!("You want it handled within {}; more than 1% later than that is an alert.", span(latency));
    Choice::from(latency.max(Duration::from_secs(1)), why, [sender.path("latency")])
}

fn critical(sender: &SenderAnswers, event_type: &str, once: Once) -> Choice<bool> {
    let grave = sender.sender.is_none_or(|d| d.conduct.critical.is_empty() || d.conduct.critical.contains(&event_type));
    let path = [sender.path("idempotency")];
    match (once, grave) {
        (Once::Must, true) => {
            Choice::from(true, "It must be processed, and only once: a dead letter of it wakes somebody.", path)
        }
        (Once::Must, false) => {
            let why = "A dead letter of it is told in the morning: these types can be made up for.";
            Choice::from(false, why, path)
        }
        _ => Choice::from(false, "Nothing is hurt if it waits for somebody to look.", path),
    }
}

fn ordering(sender: &SenderAnswers, wish: &OrderWish) -> Choice<OrderingDesign> {
    let path = [sender.path("ordering")];
    let title = sender.title();
    match wish.kind {
        OrderKind::None => Choice::from(OrderingDesign::None, "Nobody asked for an order.", path),
        OrderKind::Wished => {
            let why = format!(
                "{title} promises no order, so none is enforced: the handler writes only what is newer than what it has \
                 (UPSERT guarded by the event's time), and then the order of arrival does not matter."
            );
            Choice::from(OrderingDesign::None, why, path)
        }
        OrderKind::Strict => {
            let key = wish.key.clone();
            let keys: Vec<&str> = sender.sender.map(|d| d.order_key.to_vec()).unwrap_or_default();
            let by = key.clone().unwrap_or_else(|| list(&keys));
            let why = format!(
                "One at a time for each {by}, in the order in which they were stored; an event that fails holds up those \
                 behind it. It is the order of arrival: what {title} sends in the wrong order stays in the wrong order."
            );
            Choice::from(OrderingDesign::Fifo { key }, why, path)
        }
    }
}

fn retry(sender: &SenderAnswers, once: Once, latency: Duration) -> Choice<RetryDesign> {
    let paths = [sender.path("idempotency"), sender.path("latency")];
    let hour = Duration::from_secs(3_600);
    let s = Duration::from_secs;
    if sender.processing.answers_user && latency <= SOON {
        let value = RetryDesign { attempts: 3, initial: s(1), factor: 2.0, max: s(10) };
        return Choice::from(value, "Somebody waits for the answer: an hour later nobody wants it any more.", paths);
    }
    let (attempts, covered) = match once {
        Once::Must => (28, "a day"),
        Once::Nice => (10, "five hours"),
        Once::Free => (5, "a quarter of an hour"),
    };
    let value = RetryDesign { attempts, initial: s(5), factor: 5.0, max: hour };
    let why = format!("{attempts} attempts, 5 s to 1 h apart: a handler that is down for {covered} loses nothing.");
    Choice::from(value, why, paths)
}
