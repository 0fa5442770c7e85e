//! Filters: conditions of a route on an event's headers and on values in its JSON body, beyond its type.
//!
//! They see what is stored with the event (body bytes as received, and the headers that are kept), so a filter
//! says the same of a fresh event and of one that is routed later. The body is read in one pass for all the
//! filters that ask, and never parsed into a tree ([`crate::json`]).
//!
//! *Defined:* A place that holds nothing (absent, `null`, or the body is not JSON in UTF-8) meets no condition but
//! `exists = false`, and `not` at a place wants something there as well; [`Condition::Not`] around conditions is
//! plain negation. Of equal keys the last counts, of equal headers the first. A number or a truth value
//! also meets a text that is written like it: headers are texts, and many senders write amounts as texts.
//! Numbers are compared exactly, of any length.
//!
//! Not here: how a filter is written (the config's parser), globs over types (`glob`), which route wins (`route`).

mod number;
#[cfg(test)]
mod tests;
mod words;

use std::cmp::Ordering;

pub use number::is_number;
pub use words::Finding;

use crate::{
    event::Event,
    json::{Pointer, Value, scan},
    senders::Place,
};

/// Most conditions of one filter.
pub const CONDITIONS_MAX: usize = 32;
/// How deep `any`, `all` and `not` may stand inside one another.
pub const DEPTH_MAX: usize = 4;
/// Most values that one condition may choose from.
pub const CHOICES_MAX: usize = 256;
/// Longest value that is compared with.
pub const LITERAL_BYTES_MAX: usize = 1 << 10;
/// Most different paths into the body that all filters of one source may ask for: they share one pass over it,
/// in which each key on the way is compared with each of them.
pub const PATHS_MAX: usize = 32;

/// What must hold of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// What stands there passes all of these.
    At(Place, Vec<Test>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// A question about one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    Exists(bool),
    /// It is one of these.
    In(Vec<Literal>),
    /// It is a text that begins so.
    Prefix(Box<str>),
    /// It is a number, or a text that is written like one, and stands so to this one.
    Compare(Order, Box<str>),
    /// It is there and does not pass all of these.
    Not(Vec<Test>),
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    Text(Box<str>),
    /// As JSON writes it.
    Number(Box<str>),
    Bool(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn allows(self, order: Ordering) -> bool {
        match self {
            Order::Less => order.is_lt(),
            Order::LessOrEqual => order.is_le(),
            Order::Greater => order.is_gt(),
            Order::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// All conditions of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    conditions: Vec<Condition>,
    /// What they ask for in the body, each once.
    pointers: Vec<Pointer>,
}

impl Filter {
    /// All of `conditions` must hold.
    pub fn new(conditions: Vec<Condition>) -> Self {
        let mut pointers = Vec::new();
        conditions.iter().for_each(|condition| condition.pointers(&mut pointers));
        pointers.sort_unstable();
        pointers.dedup();
        Filter { conditions, pointers }
    }

    /// As they were written; each can be printed.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// What it asks for in the body, each once, sorted.
    pub fn pointers(&self) -> &[Pointer] {
        &self.pointers
    }

    /// Whether the event has what is asked for. The reading must have been made for this filter.
    pub fn holds(&self, reading: &Reading<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(reading))
    }
}

impl Condition {
    fn pointers(&self, into: &mut Vec<Pointer>) {
        match self {
            Condition::At(Place::Json(pointer), _) => into.push(pointer.clone()),
            Condition::At(Place::Header(_), _) => {}
            Condition::All(inner) | Condition::Any(inner) => inner.iter().for_each(|c| c.pointers(into)),
            Condition::Not(inner) => inner.pointers(into),
        }
    }

    fn holds(&self, reading: &Reading<'_>) -> bool {
        match self {
            Condition::At(place, tests) => {
                let value = reading.at(place);
                tests.iter().all(|test| test.passes(&value))
            }
            Condition::All(inner) => inner.iter().all(|c| c.holds(reading)),
            Condition::Any(inner) => inner.iter().any(|c| c.holds(reading)),
            Condition::Not(inner) => !inner.holds(reading),
        }
    }
}

impl Test {
    fn passes(&self, value: &Value<'_>) -> bool {
        let there = *value != Value::Null;
        match self {
            Test::Exists(wanted) => there == *wanted,
            Test::In(choices) => choices.iter().any(|literal| literal.equals(value)),
            Test::Prefix(prefix) => matches!(value, Value::Text(text) if text.starts_with(&**prefix)),
            Test::Compare(order, with) => {
                numeric(value).and_then(|n| number::compare(n, with)).is_some_and(|found| order.allows(found))
            }
            Test::Not(tests) => there && !tests.iter().all(|test| test.passes(value)),
        }
    }
}

impl Literal {
    fn equals(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Literal::Text(wanted), Value::Text(text)) => **wanted == **text,
            (Literal::Bool(wanted), Value::Bool(found)) => wanted == found,
            (Literal::Bool(wanted), Value::Text(text)) => text == if *wanted { "true" } else { "false" },
            (Literal::Number(wanted), value) => {
                numeric(value).and_then(|n| number::compare(n, wanted)) == Some(Ordering::Equal)
            }
            _ => false,
        }
    }
}

/// Its digits, if it may be a number.
fn numeric<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value {
        Value::Number(digits) => Some(digits),
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// What an event holds where some filters look, read in one pass over its body.
#[derive(Debug)]
pub struct Reading<'e> {
    event: &'e Event,
    /// Sorted.
    pointers: Vec<Pointer>,
    /// What stands at each of them.
    values: Vec<Value<'e>>,
}

impl<'e> Reading<'e> {
    /// For all of these filters. Does not look at the body if none of them does.
    pub fn of<'f>(event: &'e Event, filters: impl Iterator<Item = &'f Filter>) -> Self {
        let mut pointers: Vec<Pointer> = filters.flat_map(Filter::pointers).cloned().collect();
        pointers.sort_unstable();
        pointers.dedup();
        // JSON is UTF-8 (RFC 8259 §8.1); else what is found would depend on which texts are looked at.
        let readable = !pointers.is_empty() && std::str::from_utf8(&event.body).is_ok();
        let found = if readable { scan(&event.body, &pointers) } else { vec![None; pointers.len()] };
        let values = found.into_iter().map(|found| found.map_or(Value::Null, |found| found.value())).collect();
        Reading { event, pointers, values }
    }

    /// `Null` if there is nothing.
    fn at(&self, place: &Place) -> Value<'_> {
        match place {
            Place::Header(name) => match self.event.header(name.as_str()).map(std::str::from_utf8) {
                None => Value::Null,
                Some(Ok(text)) => Value::Text(text.into()),
                Some(Err(_)) => Value::BrokenText,
            },
            Place::Json(pointer) => {
                let found = self.pointers.binary_search(pointer).ok().and_then(|at| self.values.get(at));
                found.map_or(Value::Null, Value::borrowed)
            }
        }
    }
}
