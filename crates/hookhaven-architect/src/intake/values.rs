//! Single answers: how many, how soon, in which order, by which names; each with its bounds.
//!
//! Not here: which answers there are, and what is missing (`read`); what free text means (`text`).

use std::{collections::BTreeSet, time::Duration};

use hookhaven_core::senders::{Declaration, Place};
use hookhaven_toml::{Item, Severity, Table, duration, suggest, values::quote};
use toml::de::DeValue;

use super::{
    Burst, Framework, Once, OrderKind, OrderWish, PerType, Processing, Trouble, Volume, names, text, typed, types,
};
use crate::words::one_line;

/// Of one sender.
pub const EVENTS_MAX: usize = 500;
/// Of a text in somebody's own words.
pub const TEXT_CHARS_MAX: usize = 1_000;
/// Texts in a list.
const TEXTS_MAX: usize = 100;
const PER_DAY_MAX: u64 = 10_000_000_000;
const DAY: Duration = Duration::from_secs(86_400);
/// Of a body whose size nobody said: what most senders stay under.
pub const BODY_BYTES: u64 = 4 << 10;
const BODY_BYTES_MAX: u64 = 60 << 20;
/// For what a handler does to one event, where nobody said.
pub const TAKES: Duration = Duration::from_millis(500);
const TAKES_MIN: Duration = Duration::from_millis(1);
/// For types of which nothing is said where something is said of others.
pub const LENIENT: Duration = Duration::from_secs(300);

pub const IN_WORDS: &str = "a few words in quotes";

/// In somebody's own words, on one line.
pub fn words(item: &Item<'_>) -> Option<String> {
    let text = item.text(IN_WORDS)?;
    if text.chars().count() > TEXT_CHARS_MAX {
        item.error(format!("longer than {TEXT_CHARS_MAX} characters"), "say it in fewer words");
        return None;
    }
    Some(one_line(text, TEXT_CHARS_MAX))
}

pub fn texts(item: &Item<'_>) -> Option<Vec<String>> {
    let items = item.list("a list of words in quotes, such as [\"node 20\", \"postgres\"]")?;
    if items.len() > TEXTS_MAX {
        item.error(format!("more than {TEXTS_MAX} entries"), "name those that matter");
        return None;
    }
    Some(items.iter().filter_map(words).filter(|text| !text.is_empty()).collect())
}

/// As they were named.
pub fn events(item: &Item<'_>, sender: Option<&'static Declaration>) -> Option<Vec<String>> {
    let items = item.list("a list of event types, such as [\"invoice.*\"]")?;
    if items.len() > EVENTS_MAX {
        item.error(format!("more than {EVENTS_MAX} types"), "use patterns, such as \"invoice.*\"");
        return None;
    }
    let mut types: Vec<String> = Vec::new();
    for item in &items {
        let Some(text) = item.text("an event type in quotes") else { continue };
        if let Some((what, mend)) = types::refused(text) {
            item.error(what, mend);
        } else if types.iter().any(|t| t == text) {
            item.warn("it is there twice", "take one of the two out");
        } else {
            if let Some(meant) = types::meant(sender, text) {
                let what = format!("{text:?} is not among the types that are known");
                item.warn(what, format!("did you mean {meant:?}?"));
            }
            types.push(text.to_owned());
        }
    }
    Some(types)
}

pub fn volume(item: &Item<'_>) -> Option<Volume> {
    if matches!(item.value, DeValue::Integer(_)) {
        let per_day = item.integer(0..=PER_DAY_MAX)?;
        return Some(Volume { per_day, peak_day: per_day, burst: None, body_bytes: BODY_BYTES });
    }
    if let DeValue::String(text) = item.value {
        let meant = typed::volume(text);
        let mend = meant.map_or("write a whole number, without quotes".to_owned(), |toml| format!("write {toml}"));
        item.error(format!("{} is a text, not a number of events a day", quote(text)), mend);
        return None;
    }
    let mut table = item.table("events a day, or a table such as { per_day = 5000, peak_day = 20000 }")?;
    let per_day = table.require("per_day", "add per_day = 5000").and_then(|item| item.integer(0..=PER_DAY_MAX));
    let peak_day = table.take("peak_day").map_or(Some(None), |item| item.integer(0..=PER_DAY_MAX).map(Some));
    let burst = table.take("burst").map_or(Some(None), |item| burst(&item).map(Some));
    let body = table.take("body").map_or(Some(BODY_BYTES), |item| item.size(1..=BODY_BYTES_MAX));
    table.finish();
    let per_day = per_day?;
    Some(Volume { per_day, peak_day: peak_day?.unwrap_or(per_day), burst: burst?, body_bytes: body? })
}

fn burst(item: &Item<'_>) -> Option<Burst> {
    let mut table = item.table("a table such as { events = 2000, within = \"1m\" }")?;
    let events = table.require("events", "add events = 2000").and_then(|item| item.integer(1..=PER_DAY_MAX));
    let within = table.require("within", "add within = \"1m\"");
    let within = within.and_then(|item| item.duration(Duration::from_secs(1)..=DAY));
    table.finish();
    Some(Burst { events: events?, within: within? })
}

pub fn processing(item: &Item<'_>) -> Option<Processing> {
    if matches!(item.value, DeValue::String(_)) {
        return words(item).and_then(|text| in_words(item, &text));
    }
    let mut table = item.table("what the handler does, in words, or { does = \"…\", takes = \"2s\" }")?;
    let does = table.require("does", "add does = \"…\", what the handler does");
    let read = does.and_then(|item| words(&item).map(|text| (item, text)));
    let takes = table.take("takes").map_or(Some(None), |item| item.duration(TAKES_MIN..=DAY).map(Some));
    let answers = table.take("answers_user").map_or(Some(None), |item| item.boolean().map(Some));
    let effects = table.take("effects").map_or(Some(None), |item| each_of(&item, names::EFFECTS).map(Some));
    table.finish();
    let (item, text) = read?;
    let read = if takes?.is_some() { of_text(&text) } else { in_words(&item, &text)? };
    Some(Processing {
        takes: takes?.unwrap_or(read.takes),
        answers_user: answers?.unwrap_or(read.answers_user),
        effects: effects?.unwrap_or_else(|| read.effects.clone()),
        ..read
    })
}

/// How long it takes may stand among the words.
fn in_words(item: &Item<'_>, words: &str) -> Option<Processing> {
    let read = of_text(words);
    let outright = "say how long it takes outright, as in { does = \"…\", takes = \"2s\" }";
    match text::work(words) {
        Some((_, Ok(takes))) if !(TAKES_MIN..=DAY).contains(&takes) => {
            item.error(format!("{} is out of range for one event", duration::print(takes)), outright);
            None
        }
        Some((_, Ok(takes))) => Some(Processing { takes, ..read }),
        Some((_, Err(said))) => {
            item.warn(format!("how long it takes is not understood: {}", quote(said)), outright);
            Some(read)
        }
        None => Some(read),
    }
}

/// What the words say of what is done; not how long it takes.
pub fn of_text(words: &str) -> Processing {
    Processing {
        text: words.to_owned(),
        effects: text::effects(words),
        takes: TAKES,
        answers_user: text::answers_user(words),
    }
}

/// One value, or a table of types, in which `default` is for the others.
pub fn per_type<T>(item: &Item<'_>, rest: T, read: impl Fn(&Item<'_>) -> Option<T>) -> Option<PerType<T>> {
    let DeValue::Table(_) = item.value else { return read(item).map(PerType::all) };
    let table = item.table("one answer, or a table of event types")?;
    let mut all = Some(rest);
    let mut some: Vec<(String, T)> = Vec::new();
    let named = table.named();
    if named.len() > EVENTS_MAX {
        item.error(format!("more than {EVENTS_MAX} types"), "use patterns, such as \"invoice.*\"");
        return None;
    }
    for (key, at, item) in named {
        if key == "default" {
            all = read(&item);
        } else if let Some((what, mend)) = types::refused(key) {
            item.doc.report(Severity::Error, &at, &item.path, what, mend);
        } else if let Some(value) = read(&item) {
            some.push((key.to_owned(), value));
        }
    }
    Some(PerType { all: all?, some })
}

/// Types of a table that are not among those that were named, in `events` or by the sender's catalogue.
pub fn unnamed_types(item: &Item<'_>, named: &[String], sender: Option<&'static Declaration>) {
    let DeValue::Table(_) = item.value else { return };
    let Some(table) = item.table("a table") else { return };
    let samples = sender.map(|sender| sender.sample_types).unwrap_or_default();
    for (key, at, item) in table.named().into_iter().take(EVENTS_MAX).filter(|(key, ..)| *key != "default") {
        let is_among = named.iter().any(|named| types::meet(key, named));
        let warn = |what: String, mend: String| item.doc.report(Severity::Warning, &at, &item.path, what, mend);
        if named.is_empty() {
            if let Some(meant) = types::meant(sender, key) {
                warn(format!("{key:?} is not among the types that are known"), format!("did you mean {meant:?}?"));
            }
        } else if !is_among && types::refused(key).is_none() {
            let known: BTreeSet<&str> = named.iter().map(String::as_str).chain(samples.iter().copied()).collect();
            let mend = suggest::nearest(key, known).map(|meant| format!("did you mean {meant:?}?"));
            let add = || "add it there if you want it".to_owned();
            warn(format!("{key:?} is not among the event types that you named"), mend.unwrap_or_else(add));
        }
    }
}

pub fn once(item: &Item<'_>) -> Option<Once> {
    let words = [("must", Once::Must), ("nice", Once::Nice), ("no", Once::Free)];
    let text = item.text("one of must, nice, no")?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, once)| *once);
    if found.is_none() {
        let near = suggest::nearest(text, words.map(|(word, _)| word)).map(|meant| format!("did you mean {meant:?}?"));
        let choose =
            "choose one of: must, nice, no; who does not know leaves it out, and --defaults takes the usual one";
        item.error(format!("{} is not known here", quote(text)), near.unwrap_or_else(|| choose.to_owned()));
    }
    found
}

/// From as good as at once to a month.
pub fn latency(item: &Item<'_>) -> Option<Duration> {
    item.duration(Duration::from_millis(100)..=30 * DAY)
}

pub fn no_order() -> OrderWish {
    OrderWish { kind: OrderKind::None, newest: false, text: String::new(), key: None }
}

pub fn ordering(item: &Item<'_>) -> Option<PerType<OrderWish>> {
    if is_one_order(item) { order(item).map(PerType::all) } else { per_type(item, no_order(), order) }
}

/// Whether a table says one order outright, rather than one for each of several types.
pub fn is_one_order(item: &Item<'_>) -> bool {
    ["mode", "key", "text"].iter().any(|key| item.has(key))
}

fn order(item: &Item<'_>) -> Option<OrderWish> {
    if matches!(item.value, DeValue::String(_)) {
        let wish = |text: String| OrderWish { kind: text::order(&text), newest: text::newest(&text), text, key: None };
        return words(item).map(wish);
    }
    let mut table = item.table("what has to be in order, in words, or { mode = \"strict\", key = \"json:/path\" }")?;
    let kind = table.require("mode", "add mode = \"strict\", \"wished\", \"newest\" or \"none\"");
    let kind = kind.and_then(|item| item.one_of(names::ORDERS));
    let key = table.take("key").map_or(Some(None), |item| place(&item).map(Some));
    let said = table.take("text").map_or(Some(String::new()), |item| words(&item));
    table.finish();
    let (kind, newest) = kind?;
    Some(OrderWish { kind, newest, text: said?, key: key? })
}

fn place(item: &Item<'_>) -> Option<String> {
    let text = item.text("a place in quotes, such as \"json:/customer\"")?;
    let hostile = |c: char| crate::words::is_unseen(c) || matches!(c, '"' | '`');
    match Place::parse(text) {
        Ok(_) if !text.contains(hostile) => return Some(text.to_owned()),
        Ok(_) => item.error(format!("{text:?} is no place"), "take out what is neither letter, digit nor \"/\""),
        Err(why) => item.error(why.to_string(), "write \"json:/path/in/body\" or \"header:NAME\""),
    }
    None
}

fn each_of<T: Copy + PartialEq>(item: &Item<'_>, names: &[(&'static str, T)]) -> Option<Vec<T>> {
    let example = names.first().map_or("", |(name, _)| name);
    let items = item.list(&format!("a list such as [\"{example}\"]"))?;
    let mut found: Vec<T> = Vec::new();
    for item in &items {
        let value = item.one_of(names)?;
        if found.contains(&value) {
            item.warn("it is there twice", "take one of the two out");
        } else {
            found.push(value);
        }
    }
    Some(found)
}

pub fn frameworks(item: &Item<'_>) -> Option<Vec<Framework>> {
    each_of(item, names::FRAMEWORKS)
}

pub fn troubles(item: &Item<'_>) -> Option<Vec<Trouble>> {
    each_of(item, names::TROUBLES)
}

pub fn channels(item: &Item<'_>) -> Option<Vec<String>> {
    let kinds = ["slack", "pagerduty", "webhook", "email"].map(|kind| (kind, kind));
    each_of(item, &kinds).map(|all| all.into_iter().map(str::to_owned).collect())
}

/// Without a slash at its end, so that paths can be put behind it.
pub fn base_url(item: &Item<'_>, example: &str) -> Option<String> {
    let url = item.http_url(example)?;
    if url.query().is_some() {
        item.error("a path is put behind it, so it cannot have a query (?…)", "take the query out");
        return None;
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// Keys of a table by sender that name no sender.
pub fn unknown_senders(table: &Table<'_>, names: &[String], refused: &[String]) {
    for (key, at, item) in table.named() {
        if !names.is_empty() && !names.iter().chain(refused).any(|name| name == key) {
            let mend = suggest::mend(key, names.iter().map(String::as_str), "senders");
            item.doc.report(Severity::Error, &at, &item.path, format!("{key:?} is not among the senders"), mend);
        }
    }
}
