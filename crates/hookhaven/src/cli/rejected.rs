//! `hookhaven rejected list|show|release`: requests that were refused and kept.
//!
//! Releasing by filter says first how many there are and how many of them would be accepted, and asks.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Context, DONE, FAILED,
    args::{RejectedCommand, RejectedFilterArgs, RejectedListArgs, RejectedReleaseArgs, RejectedShowArgs},
    client::{Client, Query, with_gateway},
    deliveries,
    print::{Colour, Column, Screen, clean, clean_bytes, column, count, optional, relative, second, when, whole},
};
use crate::api::{
    DiagnosisView, LIMIT_MAX, RejectedDetail, RejectedSelection, RejectedView, ReleaseAnswer, ReleaseRequest,
    view::Listing,
};

/// Of a body, so much is shown.
const BODY_BYTES_SHOWN: usize = 2_000;
/// Of what was not released, so many are told one by one.
const TOLD_MAX: usize = 20;

pub async fn run(command: RejectedCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: RejectedCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    match command {
        RejectedCommand::List(args) => list(args, client, screen).await,
        RejectedCommand::Show(args) => show(args, client, screen).await,
        RejectedCommand::Release(args) => release(args, client, screen).await,
    }
}

async fn list(args: RejectedListArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    const COLUMNS: [Column; 6] = [
        whole("REJECTED"),
        column("SOURCE"),
        column("REASON"),
        optional("RECEIVED"),
        optional("STATE"),
        optional("FROM"),
    ];
    let selection = selection(&args.filter, screen);
    let query = Query::default()
        .with("source", selection.source)
        .with("reason", selection.reason)
        .with("since", selection.since)
        .with("until", selection.until);
    let answer = client.list("/rejected", &query, args.page.limit as usize, args.page.after).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let all: Listing<RejectedView> = serde_json::from_value(answer)?;
    if all.items.is_empty() {
        screen.remark("No rejected request is kept that matches.");
        return Ok(DONE);
    }
    let row = |it: &RejectedView| {
        vec![
            it.id.to_string(),
            clean(&it.source).into_owned(),
            clean(&it.reason).into_owned(),
            format!("{} ({})", second(it.received_at), relative(it.received_at, screen.now)),
            state(it),
            clean(&it.remote).into_owned(),
        ]
    };
    let rows: Vec<_> = all.items.iter().map(row).collect();
    screen.table(&COLUMNS, &rows)?;
    if let Some(next) = all.next {
        screen.remark(format!("There are more: --after {next}"));
    }
    screen.remark("Why: hookhaven rejected show REJECTED_ID");
    Ok(DONE)
}

fn state(it: &RejectedView) -> String {
    match (it.event, it.whole) {
        (Some(event), _) => format!("released: {event}"),
        (None, false) => "kept in part".to_owned(),
        (None, true) => "kept".to_owned(),
    }
}

async fn show(args: RejectedShowArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.get(&format!("/rejected/{}", args.id), &Query::default()).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let detail: RejectedDetail = serde_json::from_value(answer)?;
    let it = &detail.rejected;
    let id = screen.paint(Colour::Bold, &it.id.to_string());
    screen.line(format!("rejected       {id}"))?;
    screen.line(format!("source         {}", clean(&it.source)))?;
    screen.line(format!("reason         {}", screen.paint(Colour::Red, &clean(&it.reason))))?;
    screen.line(format!("received       {}", when(it.received_at, screen.now)))?;
    screen.line(format!("from           {}", clean(&it.remote)))?;
    screen.line(format!("request        {} {}", clean(&detail.method), clean(&detail.target)))?;
    screen.line("headers")?;
    for line in deliveries::header_lines(&detail.headers) {
        screen.line(format!("  {line}"))?;
    }
    body(it, client, screen).await?;
    if let Some((event, at)) = it.event.zip(it.released_at) {
        screen.line(format!("released       {}, as {event}", when(at, screen.now)))?;
        return Ok(DONE);
    }
    match &detail.diagnosis {
        Some(found) => diagnosis(found, screen)?,
        None => screen.line("diagnosis      its source is not in the config file any more")?,
    }
    if detail.diagnosis.is_some_and(|found| found.may_be_released) {
        screen.remark(format!("To accept it: hookhaven rejected release {}", it.id));
    }
    Ok(DONE)
}

async fn body(it: &RejectedView, client: &Client, screen: &mut Screen) -> anyhow::Result<()> {
    let body = client.bytes(&format!("/rejected/{}/body", it.id)).await?;
    let kept = if it.whole { String::new() } else { format!(", of which {} are kept", body.len()) };
    screen.line(format!("body           {}{kept}", count(it.body_bytes, "byte")))?;
    let shown = &body[..body.len().min(BODY_BYTES_SHOWN)];
    for line in clean_bytes(shown).lines() {
        screen.line(format!("  {line}"))?;
    }
    Ok(())
}

/// The findings, each with its mend.
pub(super) fn diagnosis(found: &DiagnosisView, screen: &mut Screen) -> anyhow::Result<()> {
    let verdict = match found.verdict.as_str() {
        "holds" => "it would be accepted now",
        "holds_restored" => "it would be accepted now, its body put back into the form that was signed",
        "truncated" => "it cannot be judged again",
        "key_needed" => "it cannot be judged now",
        _ => "it would still be refused",
    };
    let colour = if found.may_be_released { Colour::Green } else { Colour::Red };
    screen.line(format!("verdict        {}", screen.paint(colour, verdict)))?;
    for finding in &found.findings {
        let sure = if finding.certain { "why" } else { "perhaps" };
        screen.line(format!("{sure:<15}{}", clean(&finding.sentence)))?;
        screen.line(format!("mend           {}", clean(&finding.mend)))?;
    }
    Ok(())
}

fn selection(args: &RejectedFilterArgs, screen: &Screen) -> RejectedSelection {
    RejectedSelection {
        source: args.source.clone(),
        reason: args.reason.map(|reason| reason.as_str().to_owned()),
        since: args.since.map(|moment| moment.resolve(screen.now)),
        until: args.until.map(|moment| moment.resolve(screen.now)),
    }
}

async fn release(args: RejectedReleaseArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let mut total = ReleaseAnswer { dry_run: args.dry_run, ..ReleaseAnswer::default() };
    if !args.ids.is_empty() {
        for ids in args.ids.chunks(LIMIT_MAX) {
            let request =
                ReleaseRequest { ids: Some(ids.to_vec()), dry_run: args.dry_run, ..ReleaseRequest::default() };
            add(&mut total, client.post("/rejected/release", &request).await?);
        }
        report(&total, screen)?;
        return Ok(if total.refused + total.unknown + total.no_event == 0 { DONE } else { FAILED });
    }
    let mut filter = selection(&args.filter, screen);
    let counted = walk(&filter, true, client).await?;
    if counted.matched == 0 || args.dry_run {
        report(&counted, screen)?;
        return Ok(DONE);
    }
    let question = format!(
        "Release {}, of which {} would be accepted now?",
        count(counted.matched, "rejected request"),
        counted.released
    );
    if !screen.confirm(&question, args.yes)? {
        screen.remark("Nothing was done.");
        return Ok(FAILED);
    }
    filter.until = counted.until;
    let total = walk(&filter, false, client).await?;
    report(&total, screen)?;
    Ok(DONE)
}

/// The same request until nothing is left of it; each one is bounded.
async fn walk(filter: &RejectedSelection, dry_run: bool, client: &Client) -> anyhow::Result<ReleaseAnswer> {
    let mut total = ReleaseAnswer { dry_run, ..ReleaseAnswer::default() };
    let mut request = ReleaseRequest { filter: Some(filter.clone()), dry_run, ..ReleaseRequest::default() };
    loop {
        let answer: ReleaseAnswer = client.post("/rejected/release", &request).await?;
        let next = answer.next;
        add(&mut total, answer);
        if next.is_none() {
            return Ok(total);
        }
        request.after = next;
    }
}

fn add(total: &mut ReleaseAnswer, more: ReleaseAnswer) {
    total.matched += more.matched;
    total.released += more.released;
    total.duplicates += more.duplicates;
    total.restored += more.restored;
    total.already += more.already;
    total.refused += more.refused;
    total.no_event += more.no_event;
    total.unknown += more.unknown;
    total.items.extend(more.items);
    // The first answer's: later ones were asked later.
    total.until = total.until.or(more.until);
}

fn report(total: &ReleaseAnswer, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.json {
        return screen.value(&serde_json::to_value(total)?);
    }
    let done = if total.dry_run { "would be released" } else { "released" };
    screen.line(format!("{} {done}.", count(total.released, "rejected request")))?;
    for (n, what) in [
        (total.duplicates, "of them had been sent again meanwhile and make no second event"),
        (total.restored, "of them had their body put back into the form that was signed"),
        (total.already, "released before"),
        (total.refused, "still refused"),
        (total.no_event, "only asked about a subscription"),
        (total.unknown, "unknown"),
    ] {
        if n > 0 {
            screen.remark(format!("{n}: {what}."));
        }
    }
    let told = total.items.iter().filter(|item| matches!(item.outcome.as_str(), "refused" | "already" | "unknown"));
    for item in told.take(TOLD_MAX) {
        screen.remark(format!("{}: {}", item.id, clean(item.detail.as_deref().unwrap_or("there is none"))));
    }
    Ok(())
}
