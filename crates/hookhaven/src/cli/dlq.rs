//! `hookhaven dlq groups|list|show|replay|dismiss`: dead letters, one or many, or by root cause.
//!
//! What is named by a filter is a job of the gateway's (`jobs`); what is named by ids is done at once.

use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};

use super::{
    Context, DONE, FAILED, UsageError,
    args::{
        DeliveryFilterArgs, DeliveryShowArgs, DlqCommand, DlqGroupsArgs, DlqListArgs, DlqSelectArgs, PaceArgs,
        SelectArgs, ToArgs,
    },
    client::{Client, Query, with_gateway},
    deliveries, events, jobs,
    print::{Colour, Column, Screen, clean, column, count, optional, relative, second, short, when, whole},
};
use crate::{
    api::{
        BulkRequest, GroupView, GroupsView, LIMIT_MAX,
        view::{BulkAnswer, DeliveryDetail, EventDetail},
    },
    jobs::{Act, JobFilter, Order},
};

/// Between two looks at groups while letters are read, and how many of them: half a minute.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOKS_MAX: u32 = 150;
/// Types named with a group.
const TYPES_SHOWN: usize = 3;

pub async fn run(command: DlqCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: DlqCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let (act, args, to) = match command {
        DlqCommand::Groups(args) => return groups(args, client, screen).await,
        DlqCommand::List(args) => return list(args, client, screen).await,
        DlqCommand::Show(args) => return show(args, client, screen).await,
        DlqCommand::Replay(args) => (Act::Replay, args.letters, args.to),
        DlqCommand::Dismiss(args) => (Act::Dismiss, args, ToArgs::default()),
    };
    let DlqSelectArgs { select, pace, group, .. } = args;
    if !select.ids.is_empty() {
        check_by_ids(&pace, &to)?;
        return by_ids(act, select, client, screen).await;
    }
    let ToArgs { to, one_first, new_key } = to;
    let mut order = Order { to, one_first, new_key, ..order(act, &select.filter, &pace, screen) };
    order.filter.group = group;
    jobs::by_filter(order, select.yes, pace.detach, client, screen).await
}

/// What is named one by one is done at once.
pub(super) fn check_by_ids(pace: &PaceArgs, to: &ToArgs) -> Result<(), UsageError> {
    let given = [
        ("--rate", pace.rate.is_some()),
        ("--dry-run", pace.dry_run),
        ("--detach", pace.detach),
        ("--to", to.to.is_some()),
        ("--one-first", to.one_first),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(UsageError(format!("{name} goes with a filter, not with ids"))),
        None => Ok(()),
    }
}

/// Bulk work on deliveries by a filter; without one it is about every one.
pub(super) fn order(act: Act, filter: &DeliveryFilterArgs, pace: &PaceArgs, screen: &Screen) -> Order {
    let filter = JobFilter {
        event: filter.event,
        source: filter.source.clone(),
        destination: filter.destination.clone(),
        event_type: filter.event_type.clone(),
        since: filter.since.map(|m| m.resolve(screen.now)),
        until: filter.until.map(|m| m.resolve(screen.now)),
        class: filter.class.map(|c| c.as_str().to_owned()),
        group: None,
    };
    Order { filter, rate: pace.rate.clone(), dry_run: pace.dry_run, ..Order::new(act) }
}

async fn groups(args: DlqGroupsArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    const COLUMNS: [Column; 7] = [
        whole("GROUP"),
        column("LETTERS"),
        column("DESTINATION"),
        column("CAUSE"),
        optional("LAST"),
        optional("SINCE"),
        optional("TYPES"),
    ];
    let query = Query::default()
        .with("destination", args.destination)
        .with("source", args.source)
        .with("since", args.since.map(|m| m.resolve(screen.now)))
        .with("limit", Some(args.limit));
    let mut answer: Value = client.get("/dead-letters/groups", &query).await?;
    for _ in 0..LOOKS_MAX {
        if answer["learning"] != true {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        answer = client.get("/dead-letters/groups", &query).await?;
    }
    if screen.json {
        return screen.value(&answer).map(|()| DONE);
    }
    let GroupsView { items, group_count, letter_count, looked_back_to, .. } = serde_json::from_value(answer)?;
    if items.is_empty() {
        screen.remark("None.");
        return Ok(DONE);
    }
    let row = |group: &GroupView| {
        let types: Vec<_> = group.types.iter().take(TYPES_SHOWN).map(|named| clean(&named.name).into_owned()).collect();
        let more = if group.types.len() > TYPES_SHOWN { ", …" } else { "" };
        vec![
            group.id.to_string(),
            format!("{}{}", group.letter_count, if group.critical { " (critical)" } else { "" }),
            clean(&group.destination).into_owned(),
            short(&clean(&group.cause), 120).into_owned(),
            relative(group.last_died_at, screen.now),
            relative(group.first_died_at, screen.now),
            format!("{}{more}", types.join(", ")),
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    screen.table(&COLUMNS, &rows)?;
    if group_count > items.len() as u64 {
        screen
            .remark(format!("{} in {group_count} groups; these are the largest.", count(letter_count, "dead letter")));
    }
    if let Some(at) = looked_back_to {
        screen.remark(format!("There are older ones: it looked at those that died since {}.", when(at, screen.now)));
    }
    Ok(DONE)
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
    let query = deliveries::query(&args.filter, &args.more, screen).with("group", args.group);
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
    let path = if act == Act::Dismiss { "/dead-letters/dismiss" } else { "/dead-letters/replay" };
    let mut total = BulkAnswer::default();
    for ids in select.ids.chunks(LIMIT_MAX) {
        let request = BulkRequest { ids: Some(ids.to_vec()), ..BulkRequest::default() };
        add(&mut total, &client.post(path, &request).await?);
    }
    report(act, &total, screen)?;
    Ok(if total.refused + total.unknown == 0 { DONE } else { FAILED })
}

fn add(total: &mut BulkAnswer, more: &BulkAnswer) {
    total.matched += more.matched;
    total.done += more.done;
    total.already += more.already;
    total.refused += more.refused;
    total.unknown += more.unknown;
}

fn report(act: Act, total: &BulkAnswer, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.json {
        return screen.value(&serde_json::to_value(total)?);
    }
    let done = if act == Act::Dismiss { "dismissed" } else { "replayed" };
    screen.line(format!("{} {done}.", count(total.done, "dead letter")))?;
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
