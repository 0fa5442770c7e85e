//! `hookhaven replay`: events delivered again, where they went or elsewhere, as a job; then what became of them, and a
//! check of the team's own before and after.

use std::{
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use hookhaven_core::JobId;
use serde_json::{Value, json};
use tokio::{process::Command, time::Instant};

use super::{
    Context, DONE, FAILED,
    args::{ReplayArgs, ToArgs},
    client::{Client, Query, with_gateway},
    jobs::{self, Bar, Watched, deliveries},
    print::{Colour, Screen, clean, clean_bytes, count, span},
};
use crate::{
    api::{JobDelivery, JobState, JobView, LIMIT_MAX, view::Listing},
    jobs::{Act, JobFilter, Of, Order},
};

/// Deliveries shown of those that were answered otherwise than before.
const DIFFERING_SHOWN: usize = 20;
/// Between two looks at what is still under way.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Shown of what a check prints, its end.
const CHECK_BYTES_SHOWN: usize = 16 << 10;

pub async fn run(args: ReplayArgs, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(args, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(args: ReplayArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    if let Some(command) = args.check.as_deref().filter(|_| !args.pace.dry_run)
        && !check(command, "before", screen).await?
    {
        screen.remark("The check fails before anything was replayed; nothing was done.");
        return Ok(FAILED);
    }
    let begun = match args.resume {
        Some(id) => take_up(id, args.yes, client, screen).await?,
        None => jobs::begin(order(&args, screen), args.yes, client, screen).await?,
    };
    let Some(job) = begun else { return Ok(FAILED) };
    if args.pace.detach && !job.has_ended() {
        return jobs::detached(&job, screen);
    }
    let job = match jobs::watch(job, client, screen).await? {
        Watched::Ended(job) => job,
        Watched::Left(job) => {
            screen.remark(jobs::by_itself(job.id));
            return Ok(FAILED);
        }
    };
    if job.order.dry_run || job.matched == 0 {
        return nothing_made(&job, screen);
    }
    let tally = tokio::select! {
        tally = follow(&job, args.wait, client, screen) => tally?,
        _ = tokio::signal::ctrl_c() => {
            screen.remark(format!("The deliveries go on. To see them: hookhaven jobs show {}", job.id));
            return Ok(FAILED);
        }
    };
    let checked = match &args.check {
        Some(command) => Some(check(command, "after", screen).await?),
        None => None,
    };
    report(&job, &tally, checked, screen)?;
    let fine = job.state == JobState::Done && tally.failed + tally.pending == 0 && checked != Some(false);
    Ok(if fine { DONE } else { FAILED })
}

fn order(args: &ReplayArgs, screen: &Screen) -> Order {
    let filter = JobFilter {
        source: args.source.clone(),
        event_type: args.event_type.clone(),
        destination: args.destination.clone(),
        since: args.since.map(|m| m.resolve(screen.now)),
        until: args.until.map(|m| m.resolve(screen.now)),
        ..JobFilter::default()
    };
    let ToArgs { to, one_first, new_key } = args.to.clone();
    let (rate, dry_run) = (args.pace.rate.clone(), args.pace.dry_run);
    Order { of: Some(Of::Events), filter, to, one_first, new_key, rate, dry_run, ..Order::new(Act::Replay) }
}

/// A job that was paused, or that nobody watches; one that has ended is told of again. `None`: it was not counted yet,
/// and is not to begin.
async fn take_up(id: JobId, yes: bool, client: &Client, screen: &mut Screen) -> anyhow::Result<Option<JobView>> {
    let job: JobView = client.get(&format!("/jobs/{id}"), &Query::default()).await?;
    let job = match job.state {
        JobState::Paused | JobState::Counted => client.post(&format!("/jobs/{id}/resume"), &json!({})).await?,
        _ => job,
    };
    match job.state {
        JobState::Counting if job.order.ask => jobs::confirmed(job, yes, client, screen).await,
        _ => Ok(Some(job)),
    }
}

fn nothing_made(job: &JobView, screen: &mut Screen) -> anyhow::Result<u8> {
    if screen.json {
        screen.value(&json!({ "job": job }))?;
    } else if job.matched == 0 {
        jobs::report(job, screen)?;
    } else {
        let what = if job.order.to.is_some() { count(job.matched, "event") } else { deliveries(job.matched) };
        screen.line(format!("{what} would be replayed."))?;
    }
    Ok(if job.state == JobState::Done { DONE } else { FAILED })
}

/// What became of the deliveries that were made.
#[derive(Debug, Default)]
struct Tally {
    delivered: u64,
    /// Dead or cancelled.
    failed: u64,
    pending: u64,
    differing: u64,
    /// The first of those.
    shown: Vec<JobDelivery>,
}

impl Tally {
    fn add(&mut self, made: JobDelivery) {
        match made.delivery.state.as_str() {
            "delivered" => self.delivered += 1,
            "pending" | "leased" => self.pending += 1,
            _ => self.failed += 1,
        }
        if made.differs && made.delivery.ended_at.is_some() {
            self.differing += 1;
            if self.shown.len() < DIFFERING_SHOWN {
                self.shown.push(made);
            }
        }
    }
}

/// Goes through what was made, page by page, and waits at each for what is still under way; in all no longer than
/// `wait`.
async fn follow(job: &JobView, wait: Duration, client: &Client, screen: &Screen) -> anyhow::Result<Tally> {
    let (bar, until) = (Bar::new(screen), Instant::now() + wait);
    let (mut tally, mut after) = (Tally::default(), None::<String>);
    loop {
        let query = Query::default().with("limit", Some(LIMIT_MAX)).with("after", after.as_ref());
        let page: Listing<JobDelivery> = client.get(&format!("/jobs/{}/deliveries", job.id), &query).await?;
        let open = page.items.iter().filter(|made| made.delivery.ended_at.is_none()).count() as u64;
        let over = tally.delivered + tally.failed + tally.pending + page.items.len() as u64 - open;
        bar.tell(over, job.counts.done.max(over), "being delivered".to_owned());
        if open > 0 && Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        page.items.into_iter().for_each(|made| tally.add(made));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(tally),
        }
    }
}

fn report(job: &JobView, tally: &Tally, checked: Option<bool>, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.json {
        let differing: Vec<Value> = tally.shown.iter().map(differing).collect();
        return screen.value(&json!({
            "job": job,
            "delivered": tally.delivered,
            "failed": tally.failed,
            "pending": tally.pending,
            "differing_count": tally.differing,
            "differing": differing,
            "check_passed": checked,
        }));
    }
    jobs::report(job, screen)?;
    let failed = format!("{} failed", tally.failed);
    let failed = if tally.failed > 0 { screen.paint(Colour::Red, &failed) } else { failed };
    screen.line(format!("{} delivered, {failed}, {} still to come.", tally.delivered, tally.pending))?;
    if tally.pending > 0 {
        screen.remark(format!("To see later what became of them: hookhaven replay --resume {}", job.id));
    }
    if tally.differing > 0 {
        screen.line(format!("{} answered otherwise than before:", tally.differing))?;
    }
    for made in &tally.shown {
        let before: Vec<_> = made.original_statuses.iter().map(u16::to_string).collect();
        let now = made.delivery.last_attempt.as_ref().and_then(|last| last.status).unwrap_or_default();
        let d = &made.delivery;
        screen.line(format!("  {}  {}: {} before, {now} now", d.event, clean(&d.event_type), before.join(" or ")))?;
    }
    let more = tally.differing - tally.shown.len() as u64;
    if more > 0 {
        screen.line(format!("  and {more} more"))?;
    }
    match checked {
        Some(false) => screen.remark("The check fails now."),
        Some(true) => screen.remark("The check passes."),
        None => {}
    }
    Ok(())
}

fn differing(made: &JobDelivery) -> Value {
    let status = made.delivery.last_attempt.as_ref().and_then(|last| last.status);
    json!({
        "event": made.delivery.event,
        "delivery": made.delivery.id,
        "original_statuses": made.original_statuses,
        "status": status,
    })
}

/// Runs the team's own check and shows what it says. Answers whether it passes.
async fn check(command: &str, when: &str, screen: &mut Screen) -> anyhow::Result<bool> {
    let began = Instant::now();
    let shell = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::select! {
        output = shell => output.with_context(|| format!("the check could not be run: {command}"))?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("the check was broken off"),
    };
    for bytes in [&output.stdout, &output.stderr] {
        let end = &bytes[bytes.len().saturating_sub(CHECK_BYTES_SHOWN)..];
        clean_bytes(end).lines().for_each(|line| screen.remark(format!("check {when}: {line}")));
    }
    let took = span(began.elapsed());
    screen.remark(format!("check {when}: {} after {took}", output.status));
    Ok(output.status.success())
}
