//! Whether the deliveries of a route are ordered against each other: `fifo` where somebody insists, `latest` where only
//! the newest state counts and nothing is lost with what it overtook, else not at all.
//!
//! Not here: what a `fifo` order makes of retries (`retry`), what is told about it (`rules`).

use hookhaven_core::{
    glob,
    senders::{Declaration, OrderPromise},
};

use super::{OrderingDesign, types};
use crate::{
    Choice,
    intake::{Effect, Once, OrderKind, OrderWish, SenderAnswers},
    words::list,
};

/// Of the type that a team calls so, which arrives as `events`.
pub fn of(sender: &SenderAnswers, event_type: &str, events: &[String], once: Once) -> Choice<OrderingDesign> {
    let wish = types::said(&sender.ordering, event_type);
    let paths = [sender.path("ordering"), "senders".to_owned()];
    match wish.kind {
        _ if wish.newest => newest(sender, wish, events, once),
        OrderKind::None => Choice::from(OrderingDesign::None, "Nobody asked for an order.", [sender.path("ordering")]),
        OrderKind::Wished => {
            let why = format!("{}, so none is enforced: {GUARD}.", promise(sender));
            Choice::from(OrderingDesign::None, why, paths)
        }
        OrderKind::Strict => {
            let (value, why) = strict(sender, wish);
            Choice::from(value, why, paths)
        }
    }
}

/// What makes any order of arrival do.
const GUARD: &str = "the handler writes only what is newer than what it has (UPSERT guarded by the event's time), and \
                     then the order of arrival does not matter";

fn strict(sender: &SenderAnswers, wish: &OrderWish) -> (OrderingDesign, String) {
    let keys = sender.sender.map(|declared| declared.order_key).unwrap_or_default();
    if wish.key.is_none() && keys.is_empty() {
        let why = format!(
            "A strict order has to know what is ordered against what, and no usual key of {} is known: say \
             ordering.{} = {{ mode = \"strict\", key = \"json:/path\" }} and have the set-up made again. Until then \
             nothing waits for anything.",
            sender.title(),
            sender.name
        );
        return (OrderingDesign::None, why);
    }
    let by = by(wish, keys);
    let why = format!(
        "One at a time for each {by}, in the order in which they were stored; one that fails holds up those behind it, \
         for an hour at most. It is the order of arrival: {}, and what it sends in the wrong order stays in the wrong \
         order.",
        promise(sender)
    );
    (OrderingDesign::Fifo { key: wish.key.clone() }, why)
}

/// `latest` cancels what was overtaken, so it is right only where that is truly left out without loss.
fn newest(sender: &SenderAnswers, wish: &OrderWish, events: &[String], once: Once) -> Choice<OrderingDesign> {
    let tables = ["ordering", "processing", "idempotency", "events"].map(|table| sender.path(table));
    let paths = [tables.as_slice(), &["senders".to_owned()]].concat();
    if let Some(but) = loses(sender, wish, events, once) {
        let why =
            format!("Only the newest state counts for you, and still nothing is cancelled: {but}. Instead {GUARD}.");
        return Choice::from(OrderingDesign::None, why, paths);
    }
    let keys = sender.sender.map(|declared| declared.order_key).unwrap_or_default();
    // Types that are alike share a route.
    let meant = match wish.key {
        None => " `check` warns of several types on such a route: here each holds the whole object.",
        Some(_) => "",
    };
    let why = format!(
        "Only the newest state counts, and each event holds all of it: of each {} what a newer one overtook is \
         cancelled, so after a downtime the handler gets one event of an object and not its whole past. An attempt \
         that is under way goes on, so {GUARD} all the same.{meant}",
        by(wish, keys)
    );
    Choice::from(OrderingDesign::Latest { key: wish.key.clone(), version: None }, why, paths)
}

/// What would be lost with an event that is never delivered.
fn loses(sender: &SenderAnswers, wish: &OrderWish, events: &[String], once: Once) -> Option<String> {
    let title = sender.title();
    let Some(declared) = sender.sender else {
        return Some(format!("what in an event of {title} says which of two is newer is not known here"));
    };
    if once == Once::Must {
        return Some("you say that each of them must be processed".to_owned());
    }
    if sender.processing.answers_user {
        return Some("somebody waits for each of them".to_owned());
    }
    let kinds: Vec<&str> = sender.processing.effects.iter().filter_map(|effect| for_each(*effect)).collect();
    if !kinds.is_empty() {
        return Some(format!("your handler also {} for each event, which those left out would miss", list(&kinds)));
    }
    if declared.version.is_empty() && declared.time.is_empty() {
        return Some(format!("nothing in an event of {title} says which of two is newer"));
    }
    // A key of their own may put several objects together, unless there is one type alone, whatever the route: all of a
    // destination stand in one line.
    let own = wish.key.is_some() && matches!(events, [one] if !one.contains('*') && sender.events.len() == 1);
    if !own && (wish.key.is_some() || !events.iter().all(|glob| is_whole(declared, glob))) {
        return Some(format!(
            "not every event of {} is known to hold the whole state of what it is ordered by, so a newer one may \
             lack what an older one told",
            list(events)
        ));
    }
    None
}

fn is_whole(declared: &Declaration, events: &str) -> bool {
    declared.conduct.whole.iter().any(|whole| glob::matches(whole, events))
}

/// What is done once for each event, rather than made so by the last.
fn for_each(effect: Effect) -> Option<&'static str> {
    match effect {
        Effect::Database | Effect::Call => None,
        Effect::Mail => Some("sends mail"),
        Effect::Money => Some("moves money"),
        Effect::Build => Some("starts a job"),
        Effect::Message => Some("sends a message"),
        Effect::Fulfilment => Some("hands something out"),
        Effect::Record => Some("counts or logs"),
    }
}

fn promise(sender: &SenderAnswers) -> String {
    let title = sender.title();
    match sender.sender.map_or(OrderPromise::Silent, |declared| declared.conduct.order) {
        OrderPromise::None => format!("{title} promises no order"),
        OrderPromise::Silent => format!("{title} says nothing of order, which is no promise"),
        OrderPromise::Within(how) => format!("{title} keeps order only in {how}"),
    }
}

fn by(wish: &OrderWish, keys: &[&str]) -> String {
    match (&wish.key, keys) {
        (Some(key), _) => key.clone(),
        (None, [first, rest @ ..]) if !rest.is_empty() => format!("{first} (else {})", list(rest)),
        (None, keys) => keys.concat(),
    }
}
