//! `hookhaven events search`: hits as they are found, how far it looked, and an end whenever one is wanted.

use std::{io::IsTerminal, ops::ControlFlow};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::{
    api::{EndView, HitView, LookedView, Problem, SearchLine},
    cli::{
        DONE, FAILED,
        args::EventsSearchArgs,
        client::{Client, Query, Refusal},
        print::{Colour, Screen, clean, clean_json, count, second},
    },
};

pub(super) async fn run(args: EventsSearchArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let query = Query::default()
        .with("text", Some(&args.text))
        .with("source", args.source.as_ref())
        .with("type", args.event_type.as_ref())
        .with("since", args.since.map(|m| m.resolve(screen.now)))
        .with("until", args.until.map(|m| m.resolve(screen.now)))
        .with("after", args.after)
        .with("limit", Some(args.limit));
    let mut told = Told { bar: bar(screen), screen, looked: LookedView::default(), ended: None };
    let interrupted = tokio::select! {
        read = client.lines("/search", &query, |line: Value| told.line(line)) => {
            read?;
            false
        }
        _ = tokio::signal::ctrl_c() => true,
    };
    told.bar.finish_and_clear();
    told.conclude(interrupted, &args)
}

/// Only for a person who sees it; hits go to standard output, it to standard error.
fn bar(screen: &Screen) -> ProgressBar {
    if !screen.terminal || screen.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
    let bar = ProgressBar::new_spinner();
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}

/// What has been said of a search.
struct Told<'a> {
    screen: &'a mut Screen,
    bar: ProgressBar,
    looked: LookedView,
    ended: Option<EndView>,
}

impl Told<'_> {
    fn line(&mut self, line: Value) -> anyhow::Result<ControlFlow<()>> {
        let raw = if self.screen.json { Some(line.to_string()) } else { None };
        match serde_json::from_value(line)? {
            SearchLine::Hit(hit) => match raw {
                Some(raw) => self.screen.line(clean_json(&raw))?,
                None => self.hit(&hit)?,
            },
            SearchLine::Progress(looked) => {
                self.bar.set_message(far(&looked));
                self.bar.tick();
                self.looked = looked;
            }
            SearchLine::End(end) => {
                if let Some(raw) = raw {
                    self.screen.line(clean_json(&raw))?;
                }
                self.looked = end.looked.clone();
                self.ended = Some(end);
                return Ok(ControlFlow::Break(()));
            }
            SearchLine::Problem(problem) => return Err(failed(problem, &self.looked)),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn hit(&mut self, HitView { event, excerpt, .. }: &HitView) -> anyhow::Result<()> {
        let id = self.screen.paint(Colour::Bold, &event.id.to_string());
        let of = format!("{}  {}", clean(&event.source), clean(&event.event_type));
        let line = format!("{id}  {}  {of}\n  {}", second(event.received_at), clean(excerpt));
        let screen = &mut *self.screen;
        self.bar.suspend(|| screen.line(line))
    }

    fn conclude(self, interrupted: bool, args: &EventsSearchArgs) -> anyhow::Result<u8> {
        let Told { screen, looked, ended, .. } = self;
        let hits = count(looked.hits, "hit");
        if looked.unread_events > 0 {
            let events = count(looked.unread_events, "event");
            screen.remark(format!("The bodies of {events} could not be read; `hookhaven doctor` says why."));
        }
        let text = match ended {
            Some(EndView { whole: true, .. }) => {
                format!("{hits} in {}, and that is all.", count(looked.scanned_events, "event"))
            }
            Some(_) => format!("{hits} so far: {}.", far(&looked)),
            None if interrupted => format!("Stopped: {}.", far(&looked)),
            None => anyhow::bail!("the answer broke off: {}", far(&looked)),
        };
        screen.remark(text);
        if let Some(next) = looked.next.or(args.after.filter(|_| interrupted)) {
            screen.remark(format!("It goes on with --after {next}"));
        }
        Ok(if interrupted { FAILED } else { DONE })
    }
}

fn far(looked: &LookedView) -> String {
    let events = count(looked.scanned_events, "event");
    let hits = count(looked.hits, "hit");
    match looked.looked_back_to {
        Some(at) => format!("{events} looked at, back to {}, {hits}", second(at)),
        None => format!("{events} looked at, {hits}"),
    }
}

fn failed(problem: Problem, looked: &LookedView) -> anyhow::Error {
    anyhow::Error::from(Refusal(problem)).context(format!("the search ended early: {}", far(looked)))
}
