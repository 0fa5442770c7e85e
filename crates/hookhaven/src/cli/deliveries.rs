//! `hookhaven deliveries list|show|replay|cancel`, and the words for a delivery that other commands use too.

use std::{process::ExitCode, time::Duration};

use hookhaven_core::Time;
use serde_json::{Value, json};

use super::{
    Context, DONE, FAILED,
    args::{
        DeliveriesCommand, DeliveriesListArgs, DeliveryFilterArgs, DeliveryListArgs, DeliveryShowArgs, SelectArgs,
        ToArgs,
    },
    client::{Client, Query, Refusal, with_gateway},
    dlq, jobs,
    print::{
        Colour, Column, Screen, clean, clean_bytes, column, millisecond, optional, relative, short, span, when, whole,
    },
};
use crate::{
    api::{
        CancelAnswer, CancelBecame,
        view::{AttemptView, DeliveryDetail, DeliveryView, HeaderView, Listing, OrderView, ReplayAnswer},
    },
    jobs::Act,
};

/// Shown of the beginning of a handler's answer.
const EXCERPT_LINES_SHOWN: usize = 5;

pub async fn run(command: DeliveriesCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: DeliveriesCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    match command {
        DeliveriesCommand::List(args) => list(args, client, screen).await,
        DeliveriesCommand::Show(args) => show(args, client, screen).await,
        DeliveriesCommand::Replay(args) if args.select.ids.is_empty() => {
            let order = dlq::order(Act::Replay, &args.select.filter, &args.pace, screen);
            jobs::by_filter(order, args.select.yes, args.pace.detach, client, screen).await
        }
        DeliveriesCommand::Cancel(args) if args.select.ids.is_empty() => {
            let order = dlq::order(Act::Cancel, &args.select.filter, &args.pace, screen);
            jobs::by_filter(order, args.select.yes, args.pace.detach, client, screen).await
        }
        DeliveriesCommand::Replay(args) => {
            dlq::check_by_ids(&args.pace, &ToArgs::default())?;
            replay(args.select, client, screen).await
        }
        DeliveriesCommand::Cancel(args) => {
            dlq::check_by_ids(&args.pace, &ToArgs::default())?;
            cancel(args.select, client, screen).await
        }
    }
}

pub(super) fn query(filter: &DeliveryFilterArgs, more: &DeliveryListArgs, screen: &Screen) -> Query {
    Query::default()
        .with("route", more.route.as_ref())
        .with("key", more.key.as_ref())
        .with("status", more.status)
        .with("event", filter.event)
        .with("source", filter.source.as_ref())
        .with("destination", filter.destination.as_ref())
        .with("type", filter.event_type.as_ref())
        .with("class", filter.class.map(|c| c.as_str()))
        .with("since", filter.since.map(|m| m.resolve(screen.now)))
        .with("until", filter.until.map(|m| m.resolve(screen.now)))
}

async fn list(args: DeliveriesListArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    const COLUMNS: [Column; 7] = [
        whole("DELIVERY"),
        column("DESTINATION"),
        optional("TYPE"),
        column("STATE"),
        optional("ATTEMPTS"),
        optional("LAST ANSWER"),
        optional("EVENT"),
    ];
    let query = query(&args.filter, &args.more, screen).with("state", args.state.map(|s| s.as_str()));
    let answer = client.list("/deliveries", &query, args.page.limit as usize, args.page.after).await?;
    listed(answer, &COLUMNS, screen, |d, _| {
        vec![
            d.id.to_string(),
            clean(&d.destination).into_owned(),
            clean(&d.event_type).into_owned(),
            clean(&d.state).into_owned(),
            format!("{}/{}", d.attempt_count, d.attempts_max),
            d.last_attempt.as_ref().map(|l| answer_in_short(&l.class, l.status)).unwrap_or_default(),
            d.event.to_string(),
        ]
    })
}

/// Prints a page of deliveries, as the API's JSON or as a table.
pub(super) fn listed(
    answer: Value,
    columns: &[Column],
    screen: &mut Screen,
    row: impl Fn(&DeliveryView, &Screen) -> Vec<String>,
) -> anyhow::Result<u8> {
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let page: Listing<DeliveryView> = serde_json::from_value(answer)?;
    if page.items.is_empty() {
        screen.remark("None.");
        return Ok(DONE);
    }
    let rows: Vec<_> = page.items.iter().map(|d| row(d, screen)).collect();
    screen.table(columns, &rows)?;
    if let Some(next) = page.next {
        screen.remark(format!("There are more: --after {next}"));
    }
    Ok(DONE)
}

/// Where a delivery stands among those of its ordering key, and what keeps it back.
pub(super) fn ordering(order: &OrderView, now: Time) -> String {
    let version = order.version.as_ref().map(|version| format!(", version {}", clean(version))).unwrap_or_default();
    let mut text = format!("{} by {}{version}", clean(&order.mode), clean(&order.key));
    if let Some(until) = order.parks_until.filter(|until| *until > now) {
        text.push_str(&format!("; dead, it keeps those behind it back; that ends {}", relative(until, now)));
    }
    let Some(waits) = &order.waits_for else { return text };
    if let (Some(by), Some(until)) = (waits.parked_by, waits.parked_until) {
        text.push_str(&format!("; kept back by {by}, which is dead; that ends {}", relative(until, now)));
    } else if let Some(behind) = waits.behind {
        text.push_str(&format!("; kept back by {behind}, {} before it", waits.ahead));
    }
    text
}

async fn show(args: DeliveryShowArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.get(&format!("/deliveries/{}", args.id), &Query::default()).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let detail: DeliveryDetail = serde_json::from_value(answer)?;
    let d = &detail.delivery;
    let id = screen.paint(Colour::Bold, &d.id.to_string());
    screen.line(format!("delivery       {id}"))?;
    screen.line(format!("event          {}", d.event))?;
    screen.line(format!("source         {}", clean(&d.source)))?;
    screen.line(format!("type           {}", clean(&d.event_type)))?;
    screen.line(format!("destination    {}", clean(&d.destination)))?;
    screen.line(format!("route          {}{}", clean(&d.route), if d.critical { " (critical)" } else { "" }))?;
    screen.line(format!("accepted       {}", when(d.accepted_at, screen.now)))?;
    screen.line(format!("state          {}", in_short(d, screen)))?;
    if let Some(order) = &d.ordering {
        screen.line(format!("ordering       {}", ordering(order, screen.now)))?;
    }
    for (word, other) in [("replaces", d.replaces), ("replaced by", d.replaced_by)] {
        if let Some(other) = other {
            screen.line(format!("{word:<15}{other}"))?;
        }
    }
    for attempt in &detail.attempts {
        screen.line(format!("{}  {}", millisecond(attempt.started_at), attempt_in_short(attempt)))?;
        for line in attempt_details(attempt) {
            screen.line(format!("  {line}"))?;
        }
    }
    Ok(DONE)
}

/// Ended deliveries named one by one, delivered ones too.
async fn replay(select: SelectArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let mut replayed = Vec::new();
    let mut refused = Vec::new();
    for id in select.ids {
        let answer = client.post::<ReplayAnswer>(&format!("/deliveries/{id}/replay"), &json!({})).await;
        match answer.map_err(anyhow::Error::downcast::<Refusal>) {
            Ok(answer) => replayed.extend(answer.replayed),
            Err(Ok(refusal)) => refused.push((id, refusal.to_string())),
            Err(Err(error)) => return Err(error),
        }
    }
    if screen.json {
        let refused: Vec<_> = refused.iter().map(|(id, why)| json!({"delivery": id, "detail": why})).collect();
        screen.value(&json!({"replayed": replayed, "refused": refused}))?;
    } else {
        for r in &replayed {
            let how = if r.already { "had been replayed before, as" } else { "is replayed as" };
            screen.line(format!("{} {how} {}", r.delivery, r.replaced_by))?;
        }
        refused.iter().for_each(|(id, why)| screen.remark(format!("{id}: {why}")));
    }
    Ok(if refused.is_empty() { DONE } else { FAILED })
}

/// Deliveries named one by one.
async fn cancel(select: SelectArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let (mut answers, mut refused) = (Vec::new(), Vec::new());
    for id in select.ids {
        let answer = client.post::<CancelAnswer>(&format!("/deliveries/{id}/cancel"), &json!({})).await;
        match answer.map_err(anyhow::Error::downcast::<Refusal>) {
            Ok(answer) => answers.push(answer),
            Err(Ok(refusal)) => refused.push((id, refusal.to_string())),
            Err(Err(error)) => return Err(error),
        }
    }
    if screen.json {
        let refused: Vec<_> = refused.iter().map(|(id, why)| json!({"delivery": id, "detail": why})).collect();
        screen.value(&json!({"cancelled": answers, "refused": refused}))?;
        return Ok(if refused.is_empty() { DONE } else { FAILED });
    }
    for CancelAnswer { delivery, became } in &answers {
        screen.line(match became {
            CancelBecame::Done => format!("{delivery} is cancelled"),
            CancelBecame::Asked => format!("{delivery} is being attempted; unless that succeeds, it ends cancelled"),
            CancelBecame::Before => format!("{delivery} had ended, or was to be cancelled before"),
        })?;
    }
    refused.iter().for_each(|(id, why)| screen.remark(format!("{id}: {why}")));
    Ok(if refused.is_empty() { DONE } else { FAILED })
}

/// The state with its colour.
fn state(d: &DeliveryView, screen: &Screen) -> String {
    let colour = match d.state.as_str() {
        "delivered" => Colour::Green,
        "dead" if d.dead_letter => Colour::Red,
        "pending" | "leased" if d.attempt_count > 0 => Colour::Yellow,
        _ => Colour::Dim,
    };
    screen.paint(colour, &clean(&d.state))
}

/// Where a delivery stands, in one line.
pub(super) fn in_short(d: &DeliveryView, screen: &Screen) -> String {
    let mut text = format!("{} to {}", state(d, screen), clean(&d.destination));
    let tries = format!("{} of {} attempts", d.attempt_count, d.attempts_max);
    match (d.due_at, d.ended_at) {
        (Some(due), _) if d.state == "pending" => {
            text.push_str(&format!(", {tries}, next {}", relative(due, screen.now)));
        }
        (_, Some(ended)) => text.push_str(&format!(", {tries}, ended {}", when(ended, screen.now))),
        _ => text.push_str(&format!(", {tries}")),
    }
    if let Some(reason) = &d.end_reason {
        text.push_str(&format!(" ({})", clean(reason)));
    }
    if d.replaced_by.is_some() {
        text.push_str(", replayed since");
    }
    if d.dismissed_at.is_some() {
        text.push_str(", dismissed");
    }
    text
}

/// `200`, `503`, `timeout`.
pub(super) fn answer_in_short(class: &str, status: Option<u16>) -> String {
    status.map_or_else(|| clean(class).into_owned(), |s| s.to_string())
}

/// `attempt 2: 503 after 12 ms`.
pub(super) fn attempt_in_short(a: &AttemptView) -> String {
    let took = span(Duration::from_micros(a.duration_us));
    format!("attempt {}: {} after {took}", a.number, answer_in_short(&a.class, a.status))
}

/// What else is known of an attempt, a line each: what went wrong, what was answered, what was planned.
pub(super) fn attempt_details(a: &AttemptView) -> Vec<String> {
    let mut lines = Vec::new();
    if !a.error.is_empty() {
        lines.push(clean(&a.error).into_owned());
    }
    let excerpt = clean_bytes(&a.response_excerpt.to_bytes());
    lines.extend(excerpt.lines().take(EXCERPT_LINES_SHOWN).map(|l| format!("| {}", short(l, 200))));
    if let Some(next) = a.next_attempt_at {
        lines.push(format!("next attempt planned {} later", span(next.since(a.started_at))));
    }
    lines
}

/// Headers as lines, safe to print.
pub(super) fn header_lines(headers: &[HeaderView]) -> Vec<String> {
    let value = |h: &HeaderView| clean_bytes(&h.value.to_bytes()).replace(['\n', '\t'], " ");
    headers.iter().map(|h| format!("{}: {}", clean(&h.name), value(h))).collect()
}
