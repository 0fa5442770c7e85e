//! Sends what a plan says, each request when it is due, signed at that moment; several at once where the plan allows.
//!
//! A request that is late is sent at once and never left out; how late the latest was is reported. Ctrl-C ends it: what
//! is under way is answered, and what was not begun is not sent. A second one does not wait for the answers either.

use std::time::Duration;

use anyhow::anyhow;
use futures_util::{StreamExt, stream::FuturesUnordered};
use hookhaven_core::{Time, sender::CannotSign};
use hookhaven_store::clock::Clock;
use http::StatusCode;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::{
    Says,
    plan::{Plan, Row, Shot},
    report::Report,
};
use crate::{
    cli::{
        jobs::Bar,
        print::{Colour, Screen, clean, clean_bytes, short, span},
    },
    sample::{self, Answer, Door, NoAnswer, OpenDoor},
    stage::Stop,
};

/// For a whole exchange.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A request that was made, and what came of it.
pub(super) struct Sent {
    pub shot: Shot,
    /// By which the gateway knows its events; none if it becomes none, or nobody asked.
    pub keys: Vec<String>,
    pub result: Result<Answer, NoAnswer>,
    /// Until the answer was there.
    pub took: Duration,
    /// After it was due.
    pub late: Duration,
}

/// Sends it all.
///
/// # Errors
/// No sample can be made or signed; nobody is there to take the first one.
pub(super) async fn all(
    plan: Plan<'_>,
    door: &Door,
    clock: &dyn Clock,
    keys: bool,
    says: &Says,
    stop: &mut Stop,
    screen: &mut Screen,
) -> anyhow::Result<Report> {
    let (total, in_flight) = (plan.total, plan.in_flight);
    let (tell, mut told) = unbounded_channel();
    let stopped = CancellationToken::new();
    let sending = Sending { door: door.open()?, clock, began: clock.now(), keys, tell, stopped: stopped.clone() };
    let bar = (!says.lines).then(|| Bar::new(screen));
    let mut report = Report::default();
    let mut rows = plan.rows;
    let mut next = rows.next();
    let mut under_way = FuturesUnordered::new();
    loop {
        let due = next.as_ref().and_then(|row| row.first()).map(|shot| sending.began.plus(shot.due));
        let room = under_way.len() < in_flight;
        tokio::select! {
            biased;
            () = stop.asked() => {
                if report.stopped {
                    break;
                }
                (report.stopped, next) = (true, None);
                stopped.cancel();
                if !under_way.is_empty() {
                    screen.remark("Waiting for answers that are still to come; Ctrl-C again leaves them.");
                }
            }
            Some(sent) = told.recv() => {
                let sent: Sent = sent;
                refuse_nobody(&sent, &report)?;
                if says.lines {
                    line(&sent, screen)?;
                }
                report.add(sent);
                if let Some(bar) = &bar {
                    bar.tell(report.sent, total, String::new());
                }
            }
            Some(done) = under_way.next(), if !under_way.is_empty() => {
                let done: Result<(), CannotSign> = done;
                done?;
            }
            () = clock.sleep_until(due.unwrap_or(sending.began)), if room && due.is_some() => {
                under_way.extend(next.take().map(|row| sending.row(row)));
                next = rows.next().filter(|_| !report.stopped);
            }
            else => break,
        }
        if next.is_none() && under_way.is_empty() && told.is_empty() {
            break;
        }
    }
    report.took = clock.now().since(sending.began);
    Ok(report)
}

struct Sending<'a> {
    door: OpenDoor,
    clock: &'a dyn Clock,
    began: Time,
    /// Whether the events are to be found again.
    keys: bool,
    tell: UnboundedSender<Sent>,
    /// Nothing more is to be sent.
    stopped: CancellationToken,
}

impl Sending<'_> {
    async fn row(&self, row: Row) -> Result<(), CannotSign> {
        for mut shot in row {
            let due = self.clock.sleep_until(self.began.plus(shot.due));
            if self.stopped.is_cancelled() || self.stopped.run_until_cancelled(due).await.is_none() {
                break;
            }
            let now = self.clock.now();
            // What has no time of its own is never late.
            let late = if shot.due.is_zero() { Duration::ZERO } else { now.since(self.began.plus(shot.due)) };
            let signed = sample::sign(&shot.source, &shot.sample(now)?, now)?;
            if shot.has_own_body()
                && let Some(key) = sample::keys_of(&shot.source, &signed).into_iter().next()
            {
                shot.id = key.into();
            }
            let becomes = self.keys && sample::becomes_event(&shot.source, &signed);
            let keys = if becomes { sample::keys_of(&shot.source, &signed) } else { Vec::new() };
            let result = self.door.post(&shot.source.name, signed, TIMEOUT).await;
            let took = self.clock.now().since(now);
            // Who listens lives as long as this does.
            let _ = self.tell.send(Sent { shot, keys, result, took, late });
        }
        Ok(())
    }
}

/// Where nobody takes the very first, nobody will take the rest.
fn refuse_nobody(sent: &Sent, report: &Report) -> anyhow::Result<()> {
    match &sent.result {
        Err(NoAnswer::Nobody(url)) if report.sent == 0 => {
            Err(anyhow!("no gateway takes webhooks at {url}; start one with `hookhaven serve`"))
        }
        Err(error) if report.sent == 0 => Err(error.clone().into()),
        _ => Ok(()),
    }
}

fn line(sent: &Sent, screen: &mut Screen) -> anyhow::Result<()> {
    let Sent { shot, result, took, .. } = sent;
    let of = if shot.again { ", again" } else { "" };
    let (status, said) = match result {
        Err(error) => (screen.paint(Colour::Red, "---"), clean(&error.to_string()).into_owned()),
        Ok(answer) => {
            let colour = if answer.status.is_success() { Colour::Green } else { Colour::Red };
            let text = clean_bytes(&answer.body);
            let hint = match answer.status {
                StatusCode::UNAUTHORIZED => "refused: does the running gateway have the same secret and clock?",
                StatusCode::NOT_FOUND => "the running gateway has no such source",
                _ => "",
            };
            let said = format!("{}{hint}", short(text.trim(), 200).replace('\n', " "));
            (screen.paint(colour, answer.status.as_str()), said)
        }
    };
    let line = format!("{status}  {}  in {}  {}{of}  {said}", clean(&shot.id), span(*took), clean(shot.event_type()));
    screen.line(line.trim_end())
}
