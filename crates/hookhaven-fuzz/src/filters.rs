//! Routing filters over any body: what a filter says does not depend on which others are asked beside it, agrees with
//! what it says of itself in words, and with a whole parser where that can read the body; and of two
//! numbers at most one of less, equal and greater holds.

use std::{iter, sync::Arc};

use bytes::Bytes;
use hookhaven_core::{
    Event, EventId, Time,
    filter::{Condition, Filter, Literal, Order, Reading, Test, is_number},
    json::{Pointer, is_json},
    senders::Place,
};
use serde_json::Value;

use crate::first_line;

/// Pointers of one input.
const POINTERS_MAX: usize = 16;

/// An input is a line of words, each a pointer or a value to compare with, then a body.
pub fn run(data: &[u8]) {
    let (first, body) = first_line(data);
    let words: Vec<&str> = std::str::from_utf8(first).unwrap_or_default().split(' ').collect();
    let pointers: Vec<Pointer> = words.iter().filter_map(|word| Pointer::parse(word).ok()).take(POINTERS_MAX).collect();
    let event = event(body);
    let filters: Vec<Filter> = pointers.iter().flat_map(|p| filters(p, &words)).collect();
    let together = Reading::of(&event, filters.iter());
    for filter in &filters {
        let holds = filter.holds(&together);
        assert_eq!(filter.holds(&Reading::of(&event, iter::once(filter))), holds, "alone: {filter:?}");
        let findings = filter.explain(&together);
        assert_eq!(findings.iter().all(|finding| finding.holds), holds, "in words: {filter:?}");
    }
    let tree: Option<Value> = std::str::from_utf8(body).ok().and_then(|text| serde_json::from_str(text).ok());
    for pointer in &pointers {
        existence(&event, pointer, tree.as_ref());
        words.iter().filter(|word| is_number(word)).for_each(|digits| order(&event, pointer, digits));
    }
}

fn event(body: &[u8]) -> Event {
    Event {
        digest: None,
        part: None,
        id: EventId::from_bytes([1; 16]),
        source: "s".into(),
        event_type: "t".into(),
        idempotency_key: "k".into(),
        received_at: Time::EPOCH,
        occurred_at: None,
        correlation_id: Arc::from(""),
        matched_secret: None,
        remote: "".into(),
        headers: Vec::new(),
        body: Bytes::copy_from_slice(body),
    }
}

fn at(pointer: &Pointer, test: Test) -> Condition {
    Condition::At(Place::Json(pointer.clone()), vec![test])
}

fn filters(pointer: &Pointer, words: &[&str]) -> Vec<Filter> {
    let texts: Vec<_> = words.iter().map(|word| Literal::Text((*word).into())).collect();
    let any = at(pointer, Test::In(texts));
    let prefix = words.first().map(|word| at(pointer, Test::Prefix((*word).into())));
    let bools = [true, false].map(|truth| at(pointer, Test::In(vec![Literal::Bool(truth)])));
    let not = Condition::Not(Box::new(Condition::Any(bools.to_vec())));
    [any, not].into_iter().chain(prefix).chain(bools).map(|condition| Filter::new(vec![condition])).collect()
}

fn holds(event: &Event, pointer: &Pointer, test: Test) -> bool {
    let filter = Filter::new(vec![at(pointer, test)]);
    filter.holds(&Reading::of(event, iter::once(&filter)))
}

fn existence(event: &Event, pointer: &Pointer, tree: Option<&Value>) {
    let exists = holds(event, pointer, Test::Exists(true));
    assert_ne!(exists, holds(event, pointer, Test::Exists(false)));
    assert!(!exists || is_json(&event.body), "found in what is not JSON");
    // Too deep, a number out of range, half a surrogate: more can be found than a tree can hold.
    let Some(tree) = tree else { return };
    let there = tree.pointer(&pointer.to_string()).filter(|value| !value.is_null());
    assert_eq!(exists, there.is_some(), "{pointer}");
    if let Some(Value::String(text)) = there {
        assert!(holds(event, pointer, Test::In(vec![Literal::Text(text.as_str().into())])), "{pointer}");
        assert!(holds(event, pointer, Test::Prefix(text.chars().take(3).collect::<String>().into())), "{pointer}");
    }
}

fn order(event: &Event, pointer: &Pointer, digits: &str) {
    let compare = |order| holds(event, pointer, Test::Compare(order, digits.into()));
    let equal = holds(event, pointer, Test::In(vec![Literal::Number(digits.into())]));
    let (less, greater) = (compare(Order::Less), compare(Order::Greater));
    assert!(u8::from(less) + u8::from(equal) + u8::from(greater) <= 1, "{pointer} {digits}");
    assert_eq!(compare(Order::LessOrEqual), less || equal);
    assert_eq!(compare(Order::GreaterOrEqual), greater || equal);
}
