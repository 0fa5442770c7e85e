//! `hookhaven routes list|test`: the routes, and which of them take an event and why.
//!
//! An event that the gateway has is judged there. A file is judged here, by the config file, so that an edit can
//! be tried before it is in force.

use std::{path::Path, process::ExitCode};

use bytes::Bytes;
use hookhaven_core::{Event, EventId, json::is_json, sender::Request, senders::facts_or_fallback};
use hookhaven_store::clock::{Clock, Entropy, OsEntropy, SystemClock};
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;

use super::{
    Context, DONE, FAILED, UsageError,
    args::{RoutesCommand, RoutesListArgs, RoutesTestArgs},
    client::{Client, Query, with_gateway},
    events,
    print::{Colour, Screen, clean, column, optional},
    settings::Settings,
    trigger,
};
use crate::{
    api::{
        self,
        view::{EventDetail, FindingView, ListedRoute, Listing, RouteView, Routing},
    },
    config::Config,
    headers::is_kept,
};

pub async fn run(command: RoutesCommand, context: &Context) -> anyhow::Result<ExitCode> {
    let code = match command {
        RoutesCommand::Test(args) if is_file(&args) => {
            let clock = SystemClock::start();
            let settings = Settings::read(context)?;
            let mut screen = Screen::of(context, clock.now());
            test_file(&args, settings.config()?, &clock, &OsEntropy, &mut screen)?
        }
        command => with_gateway(context, async |client, screen| act(command, client, screen).await).await?,
    };
    Ok(ExitCode::from(code))
}

pub(super) async fn act(command: RoutesCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    match command {
        RoutesCommand::List(args) => list(args, client, screen).await,
        RoutesCommand::Test(args) => test_event(&args, client, screen).await,
    }
}

async fn list(args: RoutesListArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let mut routes: Listing<ListedRoute> = client.get("/routes", &Query::default()).await?;
    routes.items.retain(|route| args.source.as_ref().is_none_or(|source| route.source == *source));
    if screen.json {
        screen.value(&serde_json::to_value(&routes)?)?;
        return Ok(DONE);
    }
    if routes.items.is_empty() {
        screen.remark("No such routes.");
        return Ok(DONE);
    }
    let columns =
        [column("ROUTE"), column("SOURCE"), column("EVENTS"), column("WHEN"), column("TO"), optional("CRITICAL")];
    let row = |route: &ListedRoute| {
        let cells =
            [&route.name, &route.source, &route.events.join(", "), &route.when.join("; "), &route.to.join(", ")];
        let mut cells = cells.map(|cell| clean(cell).into_owned()).to_vec();
        cells.push(if route.critical { "yes" } else { "" }.to_owned());
        cells
    };
    let rows: Vec<_> = routes.items.iter().map(row).collect();
    screen.table(&columns, &rows)?;
    Ok(DONE)
}

/// Whether a file is meant: what only a file needs was given, or there is one of that name.
fn is_file(args: &RoutesTestArgs) -> bool {
    let is_id = args.what.to_str().is_some_and(|text| text.parse::<EventId>().is_ok());
    let of_file = args.source.is_some() || args.event_type.is_some() || !args.headers.is_empty();
    of_file || args.what == Path::new("-") || (!is_id && args.what.is_file())
}

async fn test_event(args: &RoutesTestArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let text = args.what.to_str().ok_or_else(|| UsageError("that is no event's id, and no file".to_owned()))?;
    let id = events::find(text, client).await?;
    if screen.json {
        let answer: Value = client.get(&format!("/events/{id}/routes"), &Query::default()).await?;
        screen.value(&answer)?;
        return Ok(code(&serde_json::from_value(answer)?));
    }
    let detail: EventDetail = client.get(&format!("/events/{id}"), &Query::default()).await?;
    let title = format!("{}  {}  {}", id, clean(&detail.event.source), clean(&detail.event.event_type));
    report(&title, &detail.routing, screen)
}

pub(super) fn test_file(
    args: &RoutesTestArgs,
    config: &Config,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    screen: &mut Screen,
) -> anyhow::Result<u8> {
    let event = event(args, config, clock, entropy)?;
    let routing = api::routing(config, &event);
    if screen.json {
        screen.value(&serde_json::to_value(&routing)?)?;
        return Ok(code(&routing));
    }
    let title = format!("{}  {}  {}", args.what.display(), clean(&event.source), clean(&event.event_type));
    report(&title, &routing, screen)
}

/// The event that the file would become, if it came in now.
fn event(args: &RoutesTestArgs, config: &Config, clock: &dyn Clock, entropy: &dyn Entropy) -> anyhow::Result<Event> {
    let name = match (&args.source, config.sources.keys().next()) {
        (Some(name), _) => name,
        (None, Some(only)) if config.sources.len() == 1 => &only.to_string(),
        _ => return Err(UsageError("say with --source by which source it would come in".to_owned()).into()),
    };
    let source = trigger::source(config, name)?;
    let body = Bytes::from(trigger::read_body(&args.what)?);
    let mut headers = HeaderMap::new();
    for (name, value) in &args.headers {
        headers.append(name, value.clone());
    }
    if !headers.contains_key(header::CONTENT_TYPE) && is_json(&body) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let request = Request { method: &Method::POST, url: None, query: None, headers: &headers, body: &body };
    let (key, event_type, occurred_at) = facts_or_fallback(&*source.sender, &request);
    let now = clock.now();
    let kept = headers.iter().filter(|(name, _)| is_kept(name.as_str()));
    Ok(Event {
        digest: None,
        part: None,
        id: EventId::mint(now, entropy.id_bytes()),
        source: source.name.clone(),
        event_type: args.event_type.clone().unwrap_or(event_type).into(),
        idempotency_key: key.into(),
        received_at: now,
        occurred_at,
        correlation_id: "".into(),
        matched_secret: None,
        remote: "".into(),
        headers: kept.map(|(n, v)| (n.as_str().into(), Bytes::copy_from_slice(v.as_bytes()))).collect(),
        body,
    })
}

/// Whether it goes anywhere.
fn code(routing: &Routing) -> u8 {
    if routing.goes_to.iter().any(|to| !to.disabled) { DONE } else { FAILED }
}

fn report(title: &str, routing: &Routing, screen: &mut Screen) -> anyhow::Result<u8> {
    let title = screen.paint(Colour::Bold, title);
    screen.line(title)?;
    for route in &routing.routes {
        screen.line(judgement(route))?;
        for line in route.conditions.iter().filter(|_| route.takes_type).flat_map(|finding| lines(finding, 1)) {
            screen.line(line)?;
        }
    }
    for to in &routing.goes_to {
        let (name, route) = (clean(&to.destination), clean(&to.route));
        let disabled = if to.disabled { ", which is disabled: no delivery is made" } else { "" };
        let arrow = screen.paint(if to.disabled { Colour::Red } else { Colour::Green }, "=>");
        screen.line(format!("{arrow} to {name} by route {route}{disabled}"))?;
    }
    if routing.goes_to.is_empty() {
        let arrow = screen.paint(Colour::Red, "=>");
        let why = if routing.routes.is_empty() { "its source has no route" } else { "no route takes it" };
        screen.line(format!("{arrow} nowhere: {why}"))?;
    }
    Ok(code(routing))
}

/// One route's answer, in a line.
pub(super) fn judgement(route: &RouteView) -> String {
    let took = match (route.takes, route.takes_type) {
        (true, _) => "takes it",
        (false, true) => "does not take it, by its filter",
        (false, false) => "does not take it",
    };
    let (events, to) = (route.events.join(", "), route.to.join(", "));
    format!("route {} ({} to {}) {took}", clean(&route.name), clean(&events), clean(&to))
}

/// The conditions that keep a route from an event whose type it takes, a line each.
pub(super) fn unmet(route: &RouteView) -> Vec<String> {
    let unmet = route.conditions.iter().filter(|finding| route.takes_type && !finding.holds);
    unmet.flat_map(|finding| lines(finding, 1)).collect()
}

/// A condition, whether it holds, what was seen; and below it those of a group.
fn lines(finding: &FindingView, depth: usize) -> Vec<String> {
    let mark = if finding.holds { "yes" } else { "no " };
    let seen = finding.seen.as_ref().map(|seen| format!(" (there is {})", clean(seen))).unwrap_or_default();
    let mut all = vec![format!("{:1$}{mark} {2}{seen}", "", depth * 2, clean(&finding.condition))];
    all.extend(finding.conditions.iter().flat_map(|part| lines(part, depth + 1)));
    all
}
