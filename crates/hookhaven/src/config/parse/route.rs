//! `[[routes]]`: which events go where, under which policy.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

use hookhaven_core::{Destination, Policy, glob::Glob, retry::RetryPolicy, route::Route, senders, source::Source};

use super::{
    ask,
    document::{Item, Table},
    filter::{Paths, filter},
    name::Named,
    ordering::ordering,
    values::quote,
};
use crate::config::{problem::Severity, suggest};

/// Unless the file says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(30);
pub const MAX_AGE: Duration = Duration::from_secs(3 * 86_400);

const DAY: Duration = Duration::from_secs(86_400);

/// A route and where it stands, for what is said about several of them.
#[derive(Debug)]
pub struct Placed {
    pub route: Route,
    /// Such as `routes[0]`.
    pub path: String,
    pub at: Range<usize>,
}

/// The routes that could be read.
#[derive(Debug, Default)]
pub struct Routes {
    pub routes: Vec<Placed>,
    /// Whether those are all of the file's.
    pub complete: bool,
}

pub fn all(root: &mut Table<'_>, sources: &Named<Source>, destinations: &Named<Destination>) -> Routes {
    let items = root.take("routes").and_then(|item| item.list("a list, each begun by [[routes]]"));
    let mut names = BTreeMap::new();
    let mut of_source = BTreeMap::new();
    let mut paths = Paths::default();
    let mut routes = Vec::new();
    let items = items.unwrap_or_default();
    let count = items.len();
    for item in items {
        let table = item.table("a table, begun by [[routes]]");
        let Some(route) = table.and_then(|t| one(t, sources, destinations, &mut of_source)) else { continue };
        if let Some(first) = names.insert(route.name.clone(), item.path.clone()) {
            let what = format!("the name \"{}\" is already that of {first}", route.name);
            item.doc.report(Severity::Error, &item.at, &item.path, what, "rename one of the two".to_owned());
        }
        paths.add(&route, &item);
        routes.push(Placed { route, path: item.path, at: item.at });
    }
    Routes { complete: routes.len() == count, routes }
}

fn one(
    mut table: Table<'_>,
    sources: &Named<Source>,
    destinations: &Named<Destination>,
    of_source: &mut BTreeMap<String, usize>,
) -> Option<Route> {
    let given = table.take("name").map(|item| name(&item));
    let source = table.require("source", "add source = \"NAME\"").and_then(|item| known_source(&item, sources));
    let events = table.take("events").map_or_else(|| Some(vec![Glob::any()]), |item| events(&item));
    let when = table.take("when").map(|item| filter(&item));
    let to = table
        .require("to", "add to = [\"NAME\"], the destinations")
        .and_then(|item| known_destinations(&item, destinations));
    let policy = policy(&mut table);
    let answer = table.take("answer");
    let ordering = table.take("ordering").map(|item| {
        let source = source.as_ref().and_then(|name| sources.get(name));
        ordering(&item, source.map(|source| &**source))
    });
    table.finish();
    let source = source?;
    let sender = || sources.get(&source).and_then(|source| senders::find(source.sender.name()));
    let answer = answer.map(|item| ask::read(&item, sender()));
    let position = of_source.entry(source.to_string()).or_default();
    *position += 1;
    let name = match given {
        Some(name) => name?,
        None => format!("{source}#{position}").into(),
    };
    // A filter that could not be read must not be taken for none.
    let when = when.map_or(Some(None), |when| when.map(Some))?;
    let ordering = ordering.unwrap_or(Some(None))?;
    Some(Route {
        name,
        source,
        events: events?,
        when,
        to: to?,
        policy: Arc::new(policy?),
        ordering,
        answer_within: answer.flatten(),
    })
}

fn name(item: &Item<'_>) -> Option<Arc<str>> {
    let text = item.text("a name in quotes")?;
    let fine = !text.is_empty() && text.len() <= super::name::NAME_BYTES_MAX && !text.chars().any(char::is_control);
    if !fine {
        item.error("not a name that can be used", "use 1 to 64 printable characters");
    }
    fine.then(|| text.into())
}

fn known_source(item: &Item<'_>, sources: &Named<Source>) -> Option<Arc<str>> {
    let text = item.text("the name of a source in quotes")?;
    if sources.contains(text) {
        return Some(text.into());
    }
    item.error(format!("there is no source {}", quote(text)), suggest::mend(text, sources.names(), "sources"));
    None
}

fn events(item: &Item<'_>) -> Option<Vec<Glob>> {
    let items = item.list("a list of event types, such as [\"invoice.*\"]")?;
    if items.is_empty() {
        item.error("the list is empty, so the route would take nothing", "take the key out to take every type");
        return None;
    }
    let globs: Vec<Option<Glob>> = items.iter().map(glob).collect();
    globs.into_iter().collect()
}

fn glob(item: &Item<'_>) -> Option<Glob> {
    let text = item.text("an event type in quotes, such as \"invoice.*\"")?;
    match Glob::parse(text) {
        Ok(glob) => Some(glob),
        Err(why) => {
            item.error(format!("bad pattern {}", quote(text)), why.to_string());
            None
        }
    }
}

fn known_destinations(item: &Item<'_>, destinations: &Named<Destination>) -> Option<Vec<Arc<str>>> {
    let items = item.list("a list of destinations, such as [\"billing\"]")?;
    if items.is_empty() {
        item.error("the list is empty, so the events would go nowhere", "name a destination, or take the route out");
        return None;
    }
    let mut to: Vec<Arc<str>> = Vec::new();
    let mut fine = true;
    for item in &items {
        match item.text("the name of a destination in quotes") {
            None => fine = false,
            Some(text) if !destinations.contains(text) => {
                let mend = suggest::mend(text, destinations.names(), "destinations");
                item.error(format!("there is no destination {}", quote(text)), mend);
                fine = false;
            }
            Some(text) if to.iter().any(|name| &**name == text) => {
                item.warn(
                    format!("{} is in the list twice", quote(text)),
                    "an event makes one delivery per destination",
                );
            }
            Some(text) => to.push(text.into()),
        }
    }
    fine.then_some(to)
}

fn policy(table: &mut Table<'_>) -> Option<Policy> {
    let deadline = table.take("deadline").map_or(Some(DEADLINE), |i| i.duration(Duration::ZERO..=DAY));
    let max_age = table.take("max_age").map_or(Some(MAX_AGE), |i| i.duration(Duration::from_secs(1)..=365 * DAY));
    let critical = table.take("critical").map_or(Some(false), |i| i.boolean());
    let retry = table.take("retry").map_or_else(|| Some(RetryPolicy::default()), |item| retry(&item));
    Some(Policy { retry: retry?, deadline: deadline?, max_age: max_age?, critical: critical? })
}

fn retry(item: &Item<'_>) -> Option<RetryPolicy> {
    let default = RetryPolicy::default();
    let mut table = item.table("a table such as { attempts = 5, initial = \"5s\", factor = 5.0, max = \"1h\" }")?;
    let attempts = table.take("attempts").map_or(Some(default.attempts), |i| i.count(1..=100).map(u32::from));
    let initial = table.take("initial").map_or(Some(default.initial), |i| i.duration(Duration::from_millis(1)..=DAY));
    let factor = table.take("factor").map_or(Some(default.factor), |i| i.number(1.0..=100.0));
    let max = table.take("max").map_or(Some(default.max), |i| i.duration(Duration::from_millis(1)..=7 * DAY));
    table.finish();
    let policy = RetryPolicy { attempts: attempts?, initial: initial?, factor: factor?, max: max? };
    if policy.initial > policy.max {
        item.warn("initial is longer than max", "every wait will be as long as max");
    }
    Some(policy)
}
