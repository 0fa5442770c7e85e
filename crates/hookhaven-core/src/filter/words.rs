//! Filters in words: each condition, whether it held, and what was seen, for those who ask why.
//!
//! Nothing is decided here. A finding holds exactly when its condition does.

use std::fmt;

use super::{Condition, Filter, Literal, Order, Reading, Test};
use crate::{
    json::{Value, is_json},
    senders::Place,
};

/// Shown of a text that was seen or is wanted, in characters.
const SHOWN_CHARS_MAX: usize = 80;
/// Shown of the values to choose from.
const CHOICES_SHOWN: usize = 8;

/// What became of one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Such as `json:/livemode is true`, or `any of these`.
    pub condition: String,
    pub holds: bool,
    /// What stood there, cut if it is long; `None` for a group.
    pub seen: Option<String>,
    /// The conditions of a group.
    pub parts: Vec<Finding>,
}

impl Filter {
    /// All conditions, in the order they were written.
    pub fn explain(&self, reading: &Reading<'_>) -> Vec<Finding> {
        self.conditions.iter().map(|condition| condition.explain(reading)).collect()
    }
}

impl Condition {
    fn explain(&self, reading: &Reading<'_>) -> Finding {
        let group = |name: &str, parts: &[Condition]| Finding {
            condition: name.to_owned(),
            holds: self.holds(reading),
            seen: None,
            parts: parts.iter().map(|part| part.explain(reading)).collect(),
        };
        match self {
            Condition::All(parts) => group("all of these", parts),
            Condition::Any(parts) => group("any of these", parts),
            Condition::Not(part) => group("not", std::slice::from_ref(part)),
            Condition::At(place, _) => Finding {
                condition: self.to_string(),
                holds: self.holds(reading),
                seen: Some(seen(place, reading)),
                parts: Vec::new(),
            },
        }
    }
}

fn seen(place: &Place, reading: &Reading<'_>) -> String {
    match reading.at(place) {
        Value::Null if matches!(place, Place::Json(_)) && !is_json(&reading.event.body) => "a body that is not JSON",
        Value::Null => "nothing",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::BrokenText => "a text that is not Unicode",
        Value::List => "a list",
        Value::Object => "an object",
        Value::Number(digits) => return cut(digits),
        Value::Text(text) => return quoted(&text),
    }
    .to_owned()
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::At(place, tests) => write!(f, "{place} {}", joined(tests, " and ")),
            Condition::All(parts) => write!(f, "all of ({})", joined(parts, "; ")),
            Condition::Any(parts) => write!(f, "any of ({})", joined(parts, "; ")),
            Condition::Not(part) => write!(f, "not ({part})"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Test::Exists(true) => f.write_str("exists"),
            Test::Exists(false) => f.write_str("does not exist"),
            Test::In(choices) => match &choices[..] {
                [one] => write!(f, "is {one}"),
                all => {
                    let more = all.len().saturating_sub(CHOICES_SHOWN);
                    write!(f, "is {}", joined(&all[..all.len() - more], " or "))?;
                    if more > 0 { write!(f, " or one of {more} more") } else { Ok(()) }
                }
            },
            Test::Prefix(prefix) => write!(f, "begins with {}", quoted(prefix)),
            Test::Compare(order, with) => write!(f, "{} {}", order.as_str(), cut(with)),
            Test::Not(tests) => write!(f, "is there and not: {}", joined(tests, " and ")),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Text(text) => f.write_str(&quoted(text)),
            Literal::Number(digits) => f.write_str(&cut(digits)),
            Literal::Bool(truth) => write!(f, "{truth}"),
        }
    }
}

impl Order {
    fn as_str(self) -> &'static str {
        match self {
            Order::Less => "<",
            Order::LessOrEqual => "<=",
            Order::Greater => ">",
            Order::GreaterOrEqual => ">=",
        }
    }
}

fn joined<T: fmt::Display>(all: &[T], between: &str) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", cut(text))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
