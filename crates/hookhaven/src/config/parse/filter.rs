//! `when = { … }` of a route: conditions on headers and on values in the body.
//!
//! A key is a place (`"json:/path/in/body"`, `"header:NAME"`) or joins conditions (`any`, `all`, `not`); a value is
//! what must stand there, a list of what may, or a table of operators. What it all means is the filter's
//! (`hookhaven_core::filter`); here it is read, and what is wrong is told with the mend.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use hookhaven_core::{
    filter::{
        CHOICES_MAX, CONDITIONS_MAX, Condition, DEPTH_MAX, Filter, LITERAL_BYTES_MAX, Literal, Order, PATHS_MAX, Test,
        is_number,
    },
    json::{BadPointer, Pointer},
    route::Route,
    senders::{BadPlace, Place},
};
use toml::de::DeValue;

use super::{
    document::{Item, Table},
    values::quote,
};
use crate::{
    config::{problem::Severity, suggest},
    headers::{is_credential, is_kept},
};

const TABLE: &str = "a table of conditions, such as { \"json:/livemode\" = true }";
const VALUE: &str = "a text in quotes, a number, true or false";
const NUMBER: &str = "a number, such as 1000";
const JOINS: [&str; 3] = ["any", "all", "not"];
const OPERATORS: [&str; 9] = ["equals", "in", "prefix", "exists", "gt", "gte", "lt", "lte", "not"];
/// What the operators are called elsewhere.
const ALIASES: [(&str, &str); 16] = [
    ("=", "equals"),
    ("==", "equals"),
    ("eq", "equals"),
    ("is", "equals"),
    ("!=", "not"),
    ("ne", "not"),
    ("neq", "not"),
    ("nin", "not"),
    ("one_of", "in"),
    (">", "gt"),
    (">=", "gte"),
    ("min", "gte"),
    ("<", "lt"),
    ("<=", "lte"),
    ("max", "lte"),
    ("begins_with", "prefix"),
];

/// `None` if something is wrong with it, which is then reported.
pub fn filter(item: &Item<'_>) -> Option<Filter> {
    let conditions = group(&item.table(TABLE)?, 1)?;
    let count: usize = conditions.iter().map(count).sum();
    if count > CONDITIONS_MAX {
        item.error(format!("{count} conditions are too many"), format!("write at most {CONDITIONS_MAX}"));
        return None;
    }
    Some(Filter::new(conditions))
}

fn count(condition: &Condition) -> usize {
    match condition {
        Condition::At(_, tests) => tests.len(),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(count).sum(),
        Condition::Not(part) => count(part),
    }
}

/// The conditions of a table; all of them must hold.
fn group(table: &Table<'_>, depth: usize) -> Option<Vec<Condition>> {
    let entries = table.named();
    if entries.is_empty() {
        table.error("there is no condition in it", "write one, such as \"json:/livemode\" = true, or take it out");
        return None;
    }
    let read = |(key, at, item): (&str, Range<usize>, Item<'_>)| match key {
        "any" => list(&item, depth).map(Condition::Any),
        "all" => list(&item, depth).map(Condition::All),
        "not" => one(&item, depth).map(|inner| Condition::Not(Box::new(inner))),
        _ => {
            let place = place(key, &at, &item);
            // Where no place was meant, what is said of the value would mislead.
            let tests = if key.contains([':', '/']) { tests(&item) } else { None };
            Some(Condition::At(place?, tests?))
        }
    };
    whole(entries.into_iter().map(read))
}

/// What could be read, if all could; reads all, so that all is told that is wrong.
fn whole<T>(read: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    read.collect::<Vec<_>>().into_iter().collect()
}

fn list(item: &Item<'_>, depth: usize) -> Option<Vec<Condition>> {
    let items = item.list("a list of tables of conditions, such as [{ \"json:/a\" = 1 }, { \"json:/b\" = 2 }]")?;
    if items.is_empty() {
        item.error("the list is empty", "write conditions into it, or take it out");
        return None;
    }
    whole(items.iter().map(|item| one(item, depth)))
}

/// A table inside another.
fn one(item: &Item<'_>, depth: usize) -> Option<Condition> {
    if depth >= DEPTH_MAX {
        item.error("conditions stand too deep inside one another", format!("use at most {DEPTH_MAX} levels"));
        return None;
    }
    let mut all = group(&item.table(TABLE)?, depth + 1)?;
    Some(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
}

fn place(key: &str, at: &Range<usize>, item: &Item<'_>) -> Option<Place> {
    let error = |what: String, mend: String| {
        item.doc.report(Severity::Error, at, &item.path, what, mend);
        None
    };
    match Place::parse(key) {
        Ok(Place::Header(name)) if is_credential(name.as_str()) => {
            error(format!("{name} carries credentials"), "they do not belong into a config file's filters".to_owned())
        }
        Ok(Place::Header(name)) if !is_kept(name.as_str()) => error(
            format!("the header {name} is not kept with events"),
            "use another one; `hookhaven events show` lists what is kept".to_owned(),
        ),
        Ok(place) => Some(place),
        Err(BadPlace::Pointer(BadPointer::NoSlash)) => {
            let path = key.trim_start_matches("json:").trim_start_matches('$').trim_start_matches('.');
            let meant = format!("json:/{}", path.replace('.', "/"));
            error(BadPointer::NoSlash.to_string(), format!("did you mean {}?", quote(&meant)))
        }
        Err(BadPlace::Kind(_)) => error(format!("{} is no place for a condition", quote(key)), mend_place(key)),
        Err(why) => error(why.to_string(), String::new()),
    }
}

fn mend_place(key: &str) -> String {
    let meant = match key.split_once(':') {
        _ if key.starts_with('/') => Some(format!("json:{key}")),
        Some(("body", rest)) => Some(format!("json:{rest}")),
        Some((kind, rest)) => suggest::nearest(kind, ["json", "header"]).map(|kind| format!("{kind}:{rest}")),
        None => suggest::nearest(key, JOINS).map(str::to_owned),
    };
    match meant {
        Some(meant) => format!("did you mean {}?", quote(&meant)),
        None => "write \"json:/path/in/body\" or \"header:NAME\", or any, all or not".to_owned(),
    }
}

/// What must hold of the value at a place.
fn tests(item: &Item<'_>) -> Option<Vec<Test>> {
    match item.value {
        DeValue::Table(_) => operators(&item.table("")?, false),
        _ => plain(item).map(|test| vec![test]),
    }
}

/// A value by itself, or a list of them.
fn plain(item: &Item<'_>) -> Option<Test> {
    match item.value {
        DeValue::Array(_) => choices(item),
        _ => Some(Test::In(vec![literal(item)?])),
    }
}

fn choices(item: &Item<'_>) -> Option<Test> {
    let items = item.list("a list of values, such as [\"eu\", \"us\"]")?;
    match items.len() {
        0 => {
            item.error("the list is empty, so nothing would be taken", "write values into it");
            None
        }
        1..=CHOICES_MAX => whole(items.iter().map(literal)).map(Test::In),
        n => {
            item.error(format!("{n} values are too many"), format!("write at most {CHOICES_MAX}"));
            None
        }
    }
}

fn operators(table: &Table<'_>, inside_not: bool) -> Option<Vec<Test>> {
    let entries = table.named();
    if entries.is_empty() {
        table.error("there is no operator in it", format!("operators: {}", OPERATORS.join(", ")));
        return None;
    }
    let tests = whole(entries.into_iter().map(|(key, at, item)| operator(key, &at, &item, inside_not)))?;
    if has_empty_range(&tests) {
        table.error("no number lies between these limits", "gt and gte say the lower one, lt and lte the upper one");
        return None;
    }
    Some(tests)
}

fn operator(key: &str, at: &Range<usize>, item: &Item<'_>, inside_not: bool) -> Option<Test> {
    let compare = |order| number(item).map(|with| Test::Compare(order, with));
    let error = |what: &str, mend: String| {
        item.doc.report(Severity::Error, at, &item.path, what.to_owned(), mend);
        None
    };
    match key {
        "equals" => Some(Test::In(vec![literal(item)?])),
        "in" => choices(item),
        "prefix" => short(item, item.text("a text in quotes")?).map(Test::Prefix),
        "gt" => compare(Order::Greater),
        "gte" => compare(Order::GreaterOrEqual),
        "lt" => compare(Order::Less),
        "lte" => compare(Order::LessOrEqual),
        "exists" if inside_not => error("exists has no use inside not", "write exists = false by itself".to_owned()),
        "exists" => item.boolean().map(Test::Exists),
        "not" if inside_not => error("not has no use inside not", "take both out".to_owned()),
        "not" => match item.value {
            DeValue::Table(_) => operators(&item.table("")?, true).map(Test::Not),
            _ => plain(item).map(|test| Test::Not(vec![test])),
        },
        _ => error("unknown operator", mend_operator(key)),
    }
}

fn mend_operator(key: &str) -> String {
    let word = key.trim_start_matches('$').to_ascii_lowercase();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == word || alias.replace('_', "") == word);
    match alias {
        Some((_, meant)) => format!("did you mean \"{meant}\"?"),
        None if word.starts_with("starts") => "did you mean \"prefix\"?".to_owned(),
        None => suggest::mend(&word, OPERATORS, "operators"),
    }
}

fn literal(item: &Item<'_>) -> Option<Literal> {
    match item.value {
        DeValue::String(text) => short(item, text).map(Literal::Text),
        DeValue::Boolean(truth) => Some(Literal::Bool(*truth)),
        DeValue::Integer(_) | DeValue::Float(_) => number(item).map(Literal::Number),
        DeValue::Array(_) | DeValue::Table(_) | DeValue::Datetime(_) => {
            item.expected(VALUE);
            None
        }
    }
}

fn short(item: &Item<'_>, text: &str) -> Option<Box<str>> {
    if text.len() > LITERAL_BYTES_MAX {
        item.error("the text is too long", format!("write at most {LITERAL_BYTES_MAX} bytes"));
        return None;
    }
    Some(text.into())
}

/// As JSON writes it, of any size.
fn number(item: &Item<'_>) -> Option<Box<str>> {
    let digits = match item.value {
        DeValue::Integer(n) if n.radix() == 10 => n.as_str().trim_start_matches('+').to_owned(),
        DeValue::Integer(n) => i128::from_str_radix(n.as_str(), n.radix()).map(|n| n.to_string()).unwrap_or_default(),
        DeValue::Float(n) => n.as_str().trim_start_matches('+').to_owned(),
        _ => {
            item.expected(NUMBER);
            return None;
        }
    };
    if !is_number(&digits) {
        item.error("nothing can be compared with this number", format!("write {NUMBER}"));
        return None;
    }
    short(item, &digits)
}

/// Whether a lower limit stands above an upper one.
fn has_empty_range(tests: &[Test]) -> bool {
    let limit = |test: &Test| match test {
        Test::Compare(order, with) => with.parse::<f64>().ok().map(|with| (*order, with)),
        _ => None,
    };
    let limits: Vec<_> = tests.iter().filter_map(limit).collect();
    let lower = limits.iter().filter(|(order, _)| matches!(order, Order::Greater | Order::GreaterOrEqual));
    lower.into_iter().any(|(_, lower)| {
        limits.iter().any(|(order, upper)| matches!(order, Order::Less | Order::LessOrEqual) && lower > upper)
    })
}

/// What the filters of each source ask for in the body.
#[derive(Default)]
pub struct Paths {
    of_source: BTreeMap<Arc<str>, BTreeSet<Pointer>>,
}

impl Paths {
    /// Complains if it is too much with this route.
    pub fn add(&mut self, route: &Route, item: &Item<'_>) {
        let paths = self.of_source.entry(route.source.clone()).or_default();
        paths.extend(route.when.iter().flat_map(|filter| filter.pointers()).cloned());
        if paths.len() > PATHS_MAX {
            item.error(
                format!("the filters of source \"{}\" look at more than {PATHS_MAX} places in the body", route.source),
                "ask for fewer",
            );
        }
    }
}
