//! `hookhaven tail`: what happens, as it happens, a line each.

use std::{process::ExitCode, sync::Arc};

use hookhaven_core::Time;
use hookhaven_store::clock::{Clock, SystemClock};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Context, DONE,
    args::TailArgs,
    client::{Client, Query},
    follow::{Followed, Follower, Message},
    print::{Colour, Screen, clean, clean_json, millisecond, short, span},
    settings::Settings,
};
use crate::api::{
    AttemptTold,
    view::{DeliveryView, EventView},
};

/// Of an error's text.
const ERROR_CHARS_MAX: usize = 120;

pub async fn run(args: TailArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let settings = Settings::read(context)?;
    let mut screen = Screen::of(context, clock.now());
    let client = Client::pinned(&settings.url, settings.token.clone(), settings.certificate.clone())?;
    act(args, &client, &mut screen).await.map(ExitCode::from)
}

async fn act(args: TailArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let outcome = args.failed.then_some("retry,dead,cancelled");
    let query = Query::default()
        .with("source", args.source.as_ref())
        .with("type", args.event_type.as_ref())
        .with("destination", args.destination.as_ref())
        .with("outcome", outcome);
    let since = args.since.map(|since| since.resolve(screen.now).to_string());
    let mut follower = Follower::new(client, query, since, None, []);
    let ended = tokio::signal::ctrl_c();
    tokio::pin!(ended);
    while !screen.unread {
        let followed = tokio::select! {
            biased;
            _ = &mut ended => break,
            followed = follower.next() => followed?,
        };
        match followed {
            Followed::Message(message) => show(message, screen)?,
            Followed::Beat(_) => {}
            Followed::Lost(why) => screen.remark(format!("The connection is lost ({}); trying again …", clean(&why))),
            Followed::Back => screen.remark("Connected again."),
        }
    }
    Ok(DONE)
}

fn show(message: Message, screen: &mut Screen) -> anyhow::Result<()> {
    let Message { kind, data, .. } = message;
    if screen.json {
        return screen.line(line_of_json(&kind, data)?);
    }
    let text = match &*kind {
        "event" => of_event(&EventView::deserialize(data)?, screen),
        "attempt" => of_attempt(&AttemptTold::deserialize(data)?, screen),
        "dead_letter" => of_dead_letter(&DeliveryView::deserialize(data)?, screen),
        // A newer gateway may tell more.
        _ => return Ok(()),
    };
    screen.line(text)
}

/// The kind, beside what the message says.
pub(super) fn line_of_json(kind: &str, mut data: Value) -> anyhow::Result<String> {
    if let Value::Object(fields) = &mut data {
        fields.insert("kind".to_owned(), kind.into());
    }
    Ok(clean_json(&serde_json::to_string(&data)?))
}

fn line(at: Time, what: &str, event: &dyn std::fmt::Display, source: &str, event_type: &str, rest: &str) -> String {
    let at = millisecond(at);
    format!("{at}  {what}  {event}  {}  {}  {rest}", clean(source), clean(&short(event_type, 60)))
}

fn of_event(e: &EventView, screen: &Screen) -> String {
    let what = screen.paint(Colour::Bold, "event    ");
    let goes = match e.delivery_count {
        0 => screen.paint(Colour::Yellow, "no route takes it"),
        1 => "1 delivery".to_owned(),
        n => format!("{n} deliveries"),
    };
    line(e.received_at, &what, &e.id, &e.source, &e.event_type, &format!("{} bytes  {goes}", e.body_bytes))
}

fn of_attempt(a: &AttemptTold, screen: &Screen) -> String {
    let colour = match &*a.outcome {
        "delivered" => Colour::Green,
        "retry" => Colour::Yellow,
        _ => Colour::Red,
    };
    let what = screen.paint(colour, &format!("{:9}", clean(&a.outcome)));
    let took = span(std::time::Duration::from_micros(a.duration_us));
    let status = a.status.map_or_else(|| clean(&a.class).into_owned(), |status| status.to_string());
    let mut rest = format!("{}  {status} in {took}", clean(&a.destination));
    if !a.error.is_empty() {
        rest += &format!("  {}", clean(&short(&a.error, ERROR_CHARS_MAX)));
    }
    if let Some(due_at) = a.due_at {
        rest += &format!("  again in {}", span(due_at.since(a.ended_at)));
    }
    line(a.ended_at, &what, &a.event, &a.source, &a.event_type, &rest)
}

fn of_dead_letter(d: &DeliveryView, screen: &Screen) -> String {
    let what = screen.paint(Colour::Red, "dead     ");
    let reason = d.end_reason.as_deref().unwrap_or("unknown");
    let rest = format!("{}  {}: hookhaven dlq show {}", clean(&d.destination), clean(reason), d.id);
    line(d.ended_at.unwrap_or(d.accepted_at), &what, &d.event, &d.source, &d.event_type, &rest)
}
