//! `hookhaven jobs list|show|watch|pause|resume|cancel`, and bulk work as other commands ask for it: count, ask, watch.
//!
//! A job is the gateway's: whoever stops watching changes nothing about it.

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use hookhaven_core::JobId;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    Context, DONE, FAILED,
    args::{JobsCommand, JobsListArgs},
    client::{Client, Query, with_gateway},
    print::{Colour, Screen, clean, column, count, optional, relative, second, when, whole},
};
use crate::{
    api::{JobState, JobView, view::Listing},
    jobs::{Act, Order},
};

/// Between two looks at how far a job is: the first, and the longest.
const LOOK_EVERY: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];

pub async fn run(command: JobsCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: JobsCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let (id, want) = match command {
        JobsCommand::List(args) => return list(&args, client, screen).await,
        JobsCommand::Show(args) => return shown(&look(args.id, client).await?, screen).map(|()| DONE),
        JobsCommand::Watch(args) => {
            let job = look(args.id, client).await?;
            return watched(watch(job, client, screen).await?, screen);
        }
        JobsCommand::Pause(args) => (args.id, "pause"),
        JobsCommand::Resume(args) => (args.id, "resume"),
        JobsCommand::Cancel(args) => (args.id, "cancel"),
    };
    let job: JobView = client.post(&format!("/jobs/{id}/{want}"), &json!({})).await?;
    if screen.json {
        return screen.value(&serde_json::to_value(&job)?).map(|()| DONE);
    }
    let what = match want {
        "pause" => "holds after the step it is in",
        "resume" => "goes on",
        _ => "ends after the step it is in; what it did stays done",
    };
    screen.line(format!("{id} {what}."))?;
    Ok(DONE)
}

async fn look(id: JobId, client: &Client) -> anyhow::Result<JobView> {
    client.get(&format!("/jobs/{id}"), &Query::default()).await
}

async fn list(_: &JobsListArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.get("/jobs", &Query::default()).await?;
    if screen.json {
        return screen.value(&answer).map(|()| DONE);
    }
    let jobs: Listing<JobView> = serde_json::from_value(answer)?;
    if jobs.items.is_empty() {
        screen.remark("None.");
        return Ok(DONE);
    }
    let columns =
        [whole("JOB"), column("WHAT"), column("STATE"), column("DONE"), optional("ASKED"), optional("RUNNER")];
    let row = |job: &JobView| {
        vec![
            job.id.to_string(),
            clean(&job.order.words()).into_owned(),
            job.state.as_str().to_owned(),
            format!("{} of {}", job.counts.done, job.matched),
            relative(job.asked_at, screen.now),
            clean(job.runner.as_deref().unwrap_or_default()).into_owned(),
        ]
    };
    let rows: Vec<_> = jobs.items.iter().map(row).collect();
    screen.table(&columns, &rows)?;
    Ok(DONE)
}

fn shown(job: &JobView, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.json {
        return screen.value(&serde_json::to_value(job)?);
    }
    let id = screen.paint(Colour::Bold, &job.id.to_string());
    screen.line(format!("job            {id}"))?;
    screen.line(format!("what           {}", clean(&job.order.words())))?;
    screen.line(format!("state          {}", job.state.as_str()))?;
    screen.line(format!("matched        {}", job.matched))?;
    screen.line(format!("done           {}", job.counts.done))?;
    for (word, n) in left_out(job) {
        screen.line(format!("{word:<15}{n}"))?;
    }
    screen.line(format!("asked          {}", when(job.asked_at, screen.now)))?;
    if let Some(at) = job.ended_at {
        screen.line(format!("ended          {}", second(at)))?;
    }
    let texts =
        [("first", job.first.map(|id| id.to_string())), ("error", job.error.clone()), ("waits", job.waits.clone())];
    for (word, text) in texts.into_iter().filter_map(|(word, text)| Some((word, text?))) {
        screen.line(format!("{word:<15}{}", clean(&text)))?;
    }
    Ok(())
}

fn left_out(job: &JobView) -> Vec<(&'static str, u64)> {
    let counts = [("already", job.counts.already), ("refused", job.counts.refused), ("gone", job.counts.unknown)];
    counts.into_iter().filter(|(_, n)| *n > 0).collect()
}

/// Bulk work by a filter, from the counting to the report.
pub(super) async fn by_filter(
    order: Order,
    yes: bool,
    detach: bool,
    client: &Client,
    screen: &mut Screen,
) -> anyhow::Result<u8> {
    let dry_run = order.dry_run;
    let Some(job) = begin(order, yes, client, screen).await? else { return Ok(FAILED) };
    if job.has_ended() && (dry_run || job.matched == 0) {
        return counted(&job, screen);
    }
    if detach {
        return detached(&job, screen);
    }
    watched(watch(job, client, screen).await?, screen)
}

/// Asks for the job; says how many it is about and asks whether it is to begin. `None`: it is not.
pub(super) async fn begin(
    mut order: Order,
    yes: bool,
    client: &Client,
    screen: &mut Screen,
) -> anyhow::Result<Option<JobView>> {
    order.ask = !yes;
    let job: JobView = client.post("/jobs", &order).await?;
    if yes && !order.dry_run {
        return Ok(Some(job));
    }
    confirmed(job, yes, client, screen).await
}

/// Waits until it is counted, says how many it is about, and asks whether it is to begin. `None`: it is not.
pub(super) async fn confirmed(
    job: JobView,
    yes: bool,
    client: &Client,
    screen: &mut Screen,
) -> anyhow::Result<Option<JobView>> {
    let bar = Bar::new(screen);
    let job = until(job, client, &bar, |job| job.has_ended() || job.state == JobState::Counted).await?;
    drop(bar);
    if job.has_ended() {
        return Ok(Some(job));
    }
    let act = job.order.act.to_string();
    let act = format!("{}{}", act[..1].to_uppercase(), &act[1..]);
    let to = job.order.to.as_ref().map(|to| format!(" to {}", clean(to))).unwrap_or_default();
    let question = format!("{act} {} {}{to}?", job.matched, job.order.noun(job.matched));
    let answer = screen.confirm(&question, yes);
    let want = if matches!(answer, Ok(true)) { "resume" } else { "cancel" };
    let job: JobView = client.post(&format!("/jobs/{}/{want}", job.id), &json!({})).await?;
    if answer? {
        return Ok(Some(job));
    }
    screen.remark("Nothing was done.");
    Ok(None)
}

fn counted(job: &JobView, screen: &mut Screen) -> anyhow::Result<u8> {
    if screen.json {
        screen.value(&serde_json::to_value(job)?)?;
    } else if job.state != JobState::Done {
        bail!("{}", clean(job.error.as_deref().unwrap_or("the job did not end well")));
    } else if job.matched == 0 {
        let one = job.order.noun(1);
        screen.remark(format!("No {one} matches; nothing was done."));
    } else {
        screen.line(format!("{} {} would be touched.", job.matched, job.order.noun(job.matched)))?;
    }
    Ok(DONE)
}

/// The job goes on without anybody watching.
pub(super) fn detached(job: &JobView, screen: &mut Screen) -> anyhow::Result<u8> {
    if screen.json {
        screen.value(&serde_json::to_value(job)?)?;
    } else {
        screen.line(job.id.to_string())?;
        screen.remark(by_itself(job.id));
    }
    Ok(DONE)
}

pub(super) fn by_itself(id: JobId) -> String {
    format!(
        "The job goes on by itself, wherever a gateway runs. To watch it: hookhaven jobs watch {id}\n\
         To end it: hookhaven jobs cancel {id}"
    )
}

/// How watching ended.
pub(super) enum Watched {
    Ended(JobView),
    /// Somebody pressed Ctrl-C.
    Left(JobView),
}

/// Watches a job until it ends, or until the person has seen enough.
pub(super) async fn watch(job: JobView, client: &Client, screen: &mut Screen) -> anyhow::Result<Watched> {
    let (bar, last) = (Bar::new(screen), job.clone());
    tokio::select! {
        job = until(job, client, &bar, JobView::has_ended) => job.map(Watched::Ended),
        _ = tokio::signal::ctrl_c() => Ok(Watched::Left(last)),
    }
}

fn watched(watched: Watched, screen: &mut Screen) -> anyhow::Result<u8> {
    let job = match watched {
        Watched::Left(job) => {
            screen.remark(by_itself(job.id));
            return Ok(FAILED);
        }
        Watched::Ended(job) => job,
    };
    report(&job, screen)?;
    Ok(if job.state == JobState::Done { DONE } else { FAILED })
}

/// What a job came to.
pub(super) fn report(job: &JobView, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.json {
        return screen.value(&serde_json::to_value(job)?);
    }
    if job.matched == 0 {
        let one = job.order.noun(1);
        screen.remark(format!("No {one} matches; nothing was done."));
        return told_error(job, screen);
    }
    let done = match job.order.act {
        Act::Replay => "replayed",
        Act::Dismiss => "dismissed",
        Act::Cancel => "cancelled",
        Act::Delete => "cancelled or dismissed",
    };
    let n = job.counts.done;
    screen.line(format!("{n} {} {done}.", job.order.noun(n)))?;
    let reasons = [
        (job.counts.already, "somebody else had done it before"),
        (job.counts.refused, "not in a state for it any more"),
        (job.counts.unknown, "gone with its retention"),
    ];
    reasons.into_iter().filter(|(n, _)| *n > 0).for_each(|(n, why)| screen.remark(format!("{n}: {why}.")));
    told_error(job, screen)
}

fn told_error(job: &JobView, screen: &mut Screen) -> anyhow::Result<()> {
    if job.state != JobState::Done {
        let why = job.error.as_deref().map(|error| format!(": {}", clean(error))).unwrap_or_default();
        let state = screen.paint(Colour::Red, job.state.as_str());
        screen.remark(format!("The job is {state}{why}"));
    }
    Ok(())
}

async fn until(
    mut job: JobView,
    client: &Client,
    bar: &Bar,
    holds: impl Fn(&JobView) -> bool,
) -> anyhow::Result<JobView> {
    let mut wait = LOOK_EVERY[0];
    loop {
        bar.show(&job);
        if holds(&job) {
            return Ok(job);
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LOOK_EVERY[1]);
        job = look(job.id, client).await?;
    }
}

/// A bar for a person; nothing for a script.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub fn new(screen: &Screen) -> Self {
        let shown = screen.terminal && !screen.json;
        let bar = if shown { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len}  {elapsed}, {eta} to go  {msg}");
        Bar(style.map(|style| bar.clone().with_style(style)).unwrap_or(bar))
    }

    fn show(&self, job: &JobView) {
        let waits = job.waits.as_ref().map(|why| format!(", waits: {}", clean(why))).unwrap_or_default();
        self.tell(job.seen(), job.matched, format!("{}{waits}", job.state.as_str()));
    }

    pub fn tell(&self, done: u64, of: u64, what: String) {
        self.0.set_length(of);
        self.0.set_position(done);
        self.0.set_message(what);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// `1 delivery`, `2 deliveries`.
pub(super) fn deliveries(n: u64) -> String {
    count(n, "delivery").replace("deliverys", "deliveries")
}
