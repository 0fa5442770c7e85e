//! `hookhaven dlq list|show|replay|dismiss`: dead letters, one or many.
//!
//! Acting by filter says how many there are first, and asks. What died after it was counted is not
//! touched: nobody has seen it yet.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{
    Context, DONE, FAILED,
    args::{DeliveryFilterArgs, DeliveryShowArgs, DlqCommand, DlqListArgs, SelectArgs},
    client::{Client, Query, with_gateway},
    deliveries, events,
    print::{Colour, Column, Screen, clean, column, count, optional, relative, second, short, when, whole},
};
use crate::api::{
    BulkRequest, DeadLetterFilter, LIMIT_MAX,
    view::{BulkAnswer, DeliveryDetail, EventDetail},
};

/// What is done to dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Replay,
    Dismiss,
}

impl Act {
    fn path(self) -> &'static str {
        match self {
            Act::Replay => "/dead-letters/replay",
            Act::Dismiss => "/dead-letters/dismiss",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Act::Replay => "Replay",
            Act::Dismiss => "Dismiss",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Act::Replay => "replayed",
            Act::Dismiss => "dismissed",
        }
    }
}

pub async fn run(command: DlqCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: DlqCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let (act, select) = match command {
        DlqCommand::List(args) => return list(args, client, screen).await,
        DlqCommand::Show(args) => return show(args, client, screen).await,
        DlqCommand::Replay(args) => (Act::Replay, args.select),
        DlqCommand::Dismiss(args) => (Act::Dismiss, args.select),
    };
    match select.ids.is_empty() {
        true => by_filter(act, select, client, screen).await,
        false => by_ids(act, select, client, screen).await,
    }
}

async fn list(args: DlqListArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    const COLUMNS: [Column; 7] = [
        whole("DELIVERY"),
        column("DESTINATION"),
        optional("TYPE"),
        optional("FAILED AT"),
        column("LAST ERROR"),
        optional("SOURCE"),
        optional("EVENT"),
    ];
    let query = deliveries::query(&args.filter, screen);
    let answer = client.list("/dead-letters", &query, args.page.limit as usize, args.page.after).await?;
    deliveries::listed(answer, &COLUMNS, screen, |d, screen| {
        let last = d.last_attempt.as_ref();
        let error = last.map(|l| if l.error.is_empty() { &l.class } else { &l.error });
        let failed = d.ended_at.map(|at| format!("{} ({})", second(at), relative(at, screen.now)));
        vec![
            d.id.to_string(),
            clean(&d.destination).into_owned(),
            clean(&d.event_type).into_owned(),
            failed.unwrap_or_default(),
            short(&clean(error.map_or("", |e| e.as_str())), 80).into_owned(),
            clean(&d.source).into_owned(),
            d.event.to_string(),
        ]
    })
}

async fn show(args: DeliveryShowArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.get(&format!("/deliveries/{}", args.id), &Query::default()).await?;
    let detail: DeliveryDetail = serde_json::from_value(answer.clone())?;
    let d = &detail.delivery;
    let event: EventDetail = client.get(&format!("/events/{}", d.event), &Query::default()).await?;
    let sender = event.routing.sender.as_deref().unwrap_or("(its source is not in the config file any more)");
    if screen.json {
        let body = client.bytes(&format!("/events/{}/body", d.event)).await?;
        let mut answer = answer;
        answer["sender"] = json!(sender);
        answer["payload"] = serde_json::to_value(crate::api::view::Text::of(&body))?;
        screen.value(&answer)?;
        return Ok(DONE);
    }
    if !d.dead_letter {
        screen.remark(format!("{} is no dead letter: {}", d.id, deliveries::in_short(d, screen)));
    }
    let last = d.last_attempt.as_ref();
    let error = last.map_or_else(
        || "it was never attempted".to_owned(),
        |l| format!("{} {}", deliveries::answer_in_short(&l.class, l.status), clean(&l.error)),
    );
    let id = screen.paint(Colour::Bold, &d.id.to_string());
    screen.line(format!("dead letter    {id}"))?;
    screen.line(format!("sender         {} (source {})", clean(sender), clean(&d.source)))?;
    screen.line(format!("event          {}", d.event))?;
    screen.line(format!("key            {}", clean(&event.event.idempotency_key)))?;
    screen.line(format!("type           {}", clean(&d.event_type)))?;
    screen.line(format!("destination    {}{}", clean(&d.destination), if d.critical { " (critical)" } else { "" }))?;
    let reason = d.end_reason.as_deref().unwrap_or("not ended");
    screen.line(format!("reason         {}, {} of {} attempts", clean(reason), d.attempt_count, d.attempts_max))?;
    screen.line(format!("last error     {}", screen.paint(Colour::Red, error.trim())))?;
    if let Some(at) = d.ended_at {
        screen.line(format!("failed at      {}", when(at, screen.now)))?;
    }
    events::body(d.event, client, screen).await?;
    if d.dead_letter {
        screen.remark(format!("To deliver it again: hookhaven dlq replay {}", d.id));
    }
    Ok(DONE)
}

async fn by_ids(act: Act, select: SelectArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let mut total = BulkAnswer::default();
    for ids in select.ids.chunks(LIMIT_MAX) {
        let request = BulkRequest { ids: Some(ids.to_vec()), ..BulkRequest::default() };
        add(&mut total, &client.post(act.path(), &request).await?);
    }
    report(act, &total, screen)?;
    Ok(if total.refused + total.unknown == 0 { DONE } else { FAILED })
}

/// Counts, asks, acts. Without any filter it is every dead letter.
pub(super) async fn by_filter(
    act: Act,
    select: SelectArgs,
    client: &Client,
    screen: &mut Screen,
) -> anyhow::Result<u8> {
    let mut filter = filter(&select.filter, screen);
    let counted = walk(act, &filter, true, client).await?;
    if counted.matched == 0 {
        if screen.json {
            screen.value(&serde_json::to_value(&counted)?)?;
        } else {
            screen.remark("No dead letter matches; nothing was done.");
        }
        return Ok(DONE);
    }
    let question = format!("{} {}?", act.verb(), count(counted.matched, "dead letter"));
    if !screen.confirm(&question, select.yes)? {
        screen.remark("Nothing was done.");
        return Ok(FAILED);
    }
    filter.until = counted.until;
    let total = walk(act, &filter, false, client).await?;
    report(act, &total, screen)?;
    Ok(DONE)
}

fn filter(args: &DeliveryFilterArgs, screen: &Screen) -> DeadLetterFilter {
    DeadLetterFilter {
        event: args.event,
        source: args.source.clone(),
        destination: args.destination.clone(),
        event_type: args.event_type.clone(),
        since: args.since.map(|m| m.resolve(screen.now)),
        until: args.until.map(|m| m.resolve(screen.now)),
        class: args.class.map(|c| c.as_str().to_owned()),
    }
}

/// The same request until nothing is left of it; each one is bounded.
async fn walk(act: Act, filter: &DeadLetterFilter, dry_run: bool, client: &Client) -> anyhow::Result<BulkAnswer> {
    let mut total = BulkAnswer { dry_run, ..BulkAnswer::default() };
    let mut request = BulkRequest { filter: Some(filter.clone()), dry_run, ..BulkRequest::default() };
    loop {
        let answer: BulkAnswer = client.post(act.path(), &request).await?;
        add(&mut total, &answer);
        if answer.next.is_none() {
            return Ok(total);
        }
        request.after = answer.next;
    }
}

fn add(total: &mut BulkAnswer, more: &BulkAnswer) {
    total.matched += more.matched;
    total.done += more.done;
    total.already += more.already;
    total.refused += more.refused;
    total.unknown += more.unknown;
    // The first answer's: later ones were asked later.
    total.until = total.until.or(more.until);
}

fn report(act: Act, total: &BulkAnswer, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.json {
        return screen.value(&serde_json::to_value(total)?);
    }
    screen.line(format!("{} {}.", count(total.done, "dead letter"), act.done()))?;
    for (n, why) in [
        (total.already, "had been replayed or dismissed before"),
        (total.refused, "not a dead letter"),
        (total.unknown, "unknown"),
    ] {
        if n > 0 {
            screen.remark(format!("{n}: {why}."));
        }
    }
    Ok(())
}
