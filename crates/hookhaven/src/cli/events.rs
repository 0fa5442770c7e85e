//! `hookhaven events list|show|replay`; `search` has a file of its own.

mod search;

use std::process::ExitCode;

use anyhow::bail;
use hookhaven_core::{DeliveryState, EventId};
use serde_json::{Value, json};

use super::{
    Context, DONE, FAILED, UsageError,
    args::{EventFilterArgs, EventShowArgs, EventsCommand, EventsListArgs, EventsReplayArgs},
    client::{Client, Query, Refusal, with_gateway},
    deliveries::{self, header_lines},
    print::{Colour, Screen, clean, clean_bytes, column, count, optional, relative, second, when, whole},
};
use crate::api::view::{EventDetail, EventView, Listing, ReplayAnswer};

/// Most events that one replay by filter takes; beyond it the filter is to be narrowed.
const REPLAY_EVENTS_MAX: usize = 100_000;
/// Shown of a body.
const BODY_BYTES_SHOWN: usize = 16 << 10;

pub async fn run(command: EventsCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: EventsCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    match command {
        EventsCommand::List(args) => list(args, client, screen).await,
        EventsCommand::Search(args) => search::run(args, client, screen).await,
        EventsCommand::Show(args) => show(args, client, screen).await,
        EventsCommand::Replay(args) => replay(args, client, screen).await,
    }
}

fn query(filter: &EventFilterArgs, screen: &Screen) -> Query {
    Query::default()
        .with("source", filter.source.as_ref())
        .with("type", filter.event_type.as_ref())
        .with("key", filter.key.as_ref())
        .with("destination", filter.destination.as_ref())
        .with("state", filter.state.map(DeliveryState::as_str))
        .with("since", filter.since.map(|m| m.resolve(screen.now)))
        .with("until", filter.until.map(|m| m.resolve(screen.now)))
        .with("unrouted", filter.unrouted.then_some(true))
}

async fn list(args: EventsListArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let after = args.page.after.clone();
    let answer = client.list("/events", &query(&args.filter, screen), args.page.limit as usize, after).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let events: Listing<EventView> = serde_json::from_value(answer)?;
    if events.items.is_empty() {
        screen.remark("No such events.");
        return Ok(DONE);
    }
    let columns = [
        whole("EVENT"),
        column("SOURCE"),
        column("TYPE"),
        optional("RECEIVED"),
        optional("DELIVERIES"),
        optional("AGE"),
        optional("KEY"),
    ];
    let rows: Vec<_> = events.items.iter().map(|e| row(e, screen)).collect();
    screen.table(&columns, &rows)?;
    if let Some(next) = events.next {
        screen.remark(format!("There are more: --after {next}"));
    }
    Ok(DONE)
}

fn row(event: &EventView, screen: &Screen) -> Vec<String> {
    let deliveries = match event.delivery_count {
        0 => "unrouted".to_owned(),
        n => n.to_string(),
    };
    vec![
        event.id.to_string(),
        clean(&event.source).into_owned(),
        clean(&event.event_type).into_owned(),
        second(event.received_at),
        deliveries,
        relative(event.received_at, screen.now),
        clean(&event.idempotency_key).into_owned(),
    ]
}

/// Finds an event by our id, or by the one that its sender's dashboard shows: its idempotency key.
pub(super) async fn find(id: &str, client: &Client) -> anyhow::Result<EventId> {
    if let Ok(ours) = id.parse() {
        return Ok(ours);
    }
    let query = Query::default().with("key", Some(id)).with("limit", Some(2));
    let found: Listing<EventView> = client.get("/events", &query).await?;
    match &found.items[..] {
        [] => bail!("there is no event {}, neither by that id nor by its sender's", clean(id)),
        [event] => Ok(event.id),
        _ => {
            let text = format!(
                "several events have the sender's id {0}; `hookhaven events list --key {0}` shows them",
                clean(id)
            );
            Err(UsageError(text).into())
        }
    }
}

async fn show(args: EventShowArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let id = find(&args.id, client).await?;
    if args.body {
        let body = client.bytes(&format!("/events/{id}/body")).await?;
        // Into a file or a pipe exactly as received; a terminal would obey what stands in it.
        match screen.terminal {
            true => screen.line(clean_bytes(&body))?,
            false => screen.bytes(&body)?,
        }
        return Ok(DONE);
    }
    let answer: Value = client.get(&format!("/events/{id}"), &Query::default()).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let detail: EventDetail = serde_json::from_value(answer)?;
    facts(&detail, screen)?;
    screen.line("headers")?;
    for line in header_lines(&detail.headers) {
        screen.line(format!("  {line}"))?;
    }
    body(id, client, screen).await?;
    if detail.deliveries.is_empty() {
        return screen.line(format!("deliveries     none; `hookhaven why {id}` says why")).map(|()| DONE);
    }
    screen.line("deliveries")?;
    for delivery in &detail.deliveries {
        screen.line(format!("  {}  {}", delivery.delivery.id, deliveries::in_short(&delivery.delivery, screen)))?;
        if let Some(order) = &delivery.delivery.ordering {
            screen.line(format!("    {}", deliveries::ordering(order, screen.now)))?;
        }
    }
    Ok(DONE)
}

fn facts(detail: &EventDetail, screen: &mut Screen) -> anyhow::Result<()> {
    let event = &detail.event;
    let sender = detail.routing.sender.as_deref().unwrap_or("(not in the config file any more)");
    let verified = match event.matched_secret {
        Some(n) => format!("by secret {} of the source", u32::from(n) + 1),
        None => "no".to_owned(),
    };
    let id = screen.paint(Colour::Bold, &event.id.to_string());
    screen.line(format!("event          {id}"))?;
    screen.line(format!("source         {} ({})", clean(&event.source), clean(sender)))?;
    screen.line(format!("type           {}", clean(&event.event_type)))?;
    screen.line(format!("key            {}", clean(&event.idempotency_key)))?;
    screen.line(format!("received       {}", when(event.received_at, screen.now)))?;
    if let Some(at) = event.occurred_at {
        screen.line(format!("occurred       {}", when(at, screen.now)))?;
    }
    screen.line(format!("verified       {verified}"))?;
    screen.line(format!("from           {}", clean(&event.remote)))?;
    screen.line(format!("correlation    {}", clean(&event.correlation_id)))
}

/// The beginning of an event's body, safe to print.
pub(super) async fn body(id: EventId, client: &Client, screen: &mut Screen) -> anyhow::Result<()> {
    let body = client.bytes(&format!("/events/{id}/body")).await?;
    screen.line(format!("body           {}", count(body.len() as u64, "byte")))?;
    let shown = &body[..body.len().min(BODY_BYTES_SHOWN)];
    for line in clean_bytes(shown).lines() {
        screen.line(format!("  {line}"))?;
    }
    if shown.len() < body.len() {
        screen.line(format!("  … all of it: hookhaven events show {id} --body"))?;
    }
    Ok(())
}

/// What a replay of many events came to.
#[derive(Default)]
struct Tally {
    replayed: u64,
    routed: u64,
    /// With the reason.
    refused: Vec<(EventId, String)>,
}

async fn replay(args: EventsReplayArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let by_filter = args.ids.is_empty();
    let ids = if by_filter { found(&args.filter, client, screen).await? } else { args.ids };
    if by_filter {
        if ids.is_empty() {
            screen.remark("No such events; nothing was done.");
            return Ok(DONE);
        }
        let question = format!("Replay the dead letters of {}?", count(ids.len() as u64, "event"));
        if !screen.confirm(&question, args.yes)? {
            screen.remark("Nothing was done.");
            return Ok(FAILED);
        }
    }
    let mut tally = Tally::default();
    for id in ids {
        let answer = client.post::<ReplayAnswer>(&format!("/events/{id}/replay"), &json!({})).await;
        match answer.map_err(anyhow::Error::downcast::<Refusal>) {
            Ok(answer) => {
                tally.replayed += answer.replayed.len() as u64;
                tally.routed += answer.routed.len() as u64;
            }
            Err(Ok(refusal)) => tally.refused.push((id, refusal.to_string())),
            Err(Err(error)) => return Err(error),
        }
    }
    report(&tally, by_filter, screen)
}

async fn found(filter: &EventFilterArgs, client: &Client, screen: &Screen) -> anyhow::Result<Vec<EventId>> {
    let answer = client.list("/events", &query(filter, screen), REPLAY_EVENTS_MAX, None).await?;
    let events: Listing<EventView> = serde_json::from_value(answer)?;
    if events.next.is_some() {
        let text = format!("more than {REPLAY_EVENTS_MAX} events match; narrow it with --since and --until");
        return Err(UsageError(text).into());
    }
    Ok(events.items.into_iter().map(|e| e.id).collect())
}

/// Of events named one by one, each refusal counts; a filter may well match some that need nothing.
fn report(tally: &Tally, by_filter: bool, screen: &mut Screen) -> anyhow::Result<u8> {
    if screen.json {
        let refused: Vec<_> = tally.refused.iter().map(|(id, why)| json!({"event": id, "detail": why})).collect();
        screen.value(&json!({"replayed": tally.replayed, "routed": tally.routed, "refused": refused}))?;
    } else {
        let dead = count(tally.replayed, "dead letter");
        screen.line(format!("{dead} replayed, {} made for unrouted events.", count_deliveries(tally.routed)))?;
        match by_filter {
            true if !tally.refused.is_empty() => {
                screen.remark(format!("{} had nothing to replay.", count(tally.refused.len() as u64, "event")));
            }
            true => {}
            false => tally.refused.iter().for_each(|(id, why)| screen.remark(format!("{id}: {why}"))),
        }
    }
    Ok(if by_filter || tally.refused.is_empty() { DONE } else { FAILED })
}

fn count_deliveries(n: u64) -> String {
    if n == 1 { "1 delivery".to_owned() } else { format!("{n} deliveries") }
}
