//! `hookhaven why EVENT_ID`: one event's whole story as a timeline: how it came, which routes took it
//! or why none did, every attempt, what happens next and who can put it right.
//!
//! What to say of where a delivery stands is decided in `verdict`.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Context, DONE,
    args::WhyArgs,
    client::{Client, Query, with_gateway},
    deliveries::{attempt_details, attempt_in_short},
    events,
    print::{Colour, Screen, clean, count, millisecond, relative, span},
    routes, verdict,
};
use crate::api::{
    DestinationView,
    view::{DeliveryDetail, EventDetail, Listing},
};

pub async fn run(args: WhyArgs, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(args, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(args: WhyArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let id = events::find(&args.id, client).await?;
    let answer: Value = client.get(&format!("/events/{id}"), &Query::default()).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let detail: EventDetail = serde_json::from_value(answer)?;
    let destinations: Listing<DestinationView> = client.get("/destinations", &Query::default()).await?;
    arrival(&detail, screen)?;
    routing(&detail, screen)?;
    for delivery in &detail.deliveries {
        let destination = destinations.items.iter().find(|d| d.name == delivery.delivery.destination);
        story(delivery, destination, screen)?;
    }
    Ok(DONE)
}

/// One moment of the timeline.
fn moment(at: hookhaven_core::Time, text: &str, screen: &mut Screen) -> anyhow::Result<()> {
    let time = screen.paint(Colour::Dim, &millisecond(at));
    screen.line(format!("{time}  {text}"))
}

/// A line that belongs to the moment above.
fn more(text: &str, screen: &mut Screen) -> anyhow::Result<()> {
    screen.line(format!("{:26}{text}", ""))
}

fn arrival(detail: &EventDetail, screen: &mut Screen) -> anyhow::Result<()> {
    let event = &detail.event;
    let title = format!("{}  {}  {}", event.id, clean(&event.source), clean(&event.event_type));
    let title = screen.paint(Colour::Bold, &title);
    screen.line(title)?;
    screen.line("")?;
    let from = if event.remote.is_empty() { "an unknown address" } else { &event.remote };
    let bytes = count(event.body_bytes, "byte");
    let ago = relative(event.received_at, screen.now);
    moment(event.received_at, &format!("received from {}, {bytes}, {ago}", clean(from)), screen)?;
    let sender = detail.routing.sender.as_deref().unwrap_or("unknown: the source is gone from the config file");
    more(&format!("sender {}, idempotency key {}", clean(sender), clean(&event.idempotency_key)), screen)?;
    match event.matched_secret {
        Some(n) => {
            let n = usize::from(n) + 1;
            let of = detail.routing.secret_count.max(n);
            more(&format!("signature verified with secret {n} of {of}"), screen)?;
            if n > 1 {
                more("(a previous one: the sender still signs with the secret from before the rotation)", screen)?;
            }
        }
        None => more("not verified: the source takes requests without a signature", screen)?,
    }
    if let Some(part) = event.part {
        more(&format!("part {} of {} of one request", part.number, part.of), screen)?;
    }
    if detail.routing.old {
        more("old: it came longer after it happened than its sender comes again", screen)?;
    }
    match event.occurred_at {
        Some(at) if event.received_at >= at => {
            more(&format!("happened {} earlier, by the sender's account", span(event.received_at.since(at))), screen)
        }
        Some(at) => more(&format!("happened at {}, by the sender's clock, which runs ahead", millisecond(at)), screen),
        None => Ok(()),
    }
}

/// Which routes took it, and which did not.
fn routing(detail: &EventDetail, screen: &mut Screen) -> anyhow::Result<()> {
    if detail.deliveries.is_empty() {
        screen.line("")?;
        for line in verdict::unrouted(&detail.event, &detail.routing) {
            screen.line(line.to_string())?;
        }
        return Ok(());
    }
    for route in &detail.routing.routes {
        more(&routes::judgement(route), screen)?;
        for line in routes::unmet(route) {
            more(&line, screen)?;
        }
    }
    for goes_to in detail.routing.goes_to.iter().filter(|g| g.disabled) {
        more(&format!("{} is disabled: new events make no delivery there", clean(&goes_to.destination)), screen)?;
    }
    Ok(())
}

fn story(detail: &DeliveryDetail, destination: Option<&DestinationView>, screen: &mut Screen) -> anyhow::Result<()> {
    let d = &detail.delivery;
    screen.line("")?;
    let title = screen.paint(Colour::Bold, &format!("to {}", clean(&d.destination)));
    let critical = if d.critical { ", critical" } else { "" };
    screen.line(format!("{title}  {}  by route {}{critical}", d.id, clean(&d.route)))?;
    match d.replaces {
        None if d.job.is_some() => {
            let job = d.job.map(|job| job.to_string()).unwrap_or_default();
            moment(d.accepted_at, &format!("made to replay the event, by {job}"), screen)?;
        }
        Some(old) => moment(d.accepted_at, &format!("made to replay {old}"), screen)?,
        None => moment(d.accepted_at, "accepted", screen)?,
    }
    for attempt in &detail.attempts {
        moment(attempt.started_at, &attempt_in_short(attempt), screen)?;
        for line in attempt_details(attempt) {
            more(&line, screen)?;
        }
    }
    if let Some(at) = d.ended_at {
        let reason = d.end_reason.as_deref().map(|r| format!(" ({})", clean(r))).unwrap_or_default();
        moment(at, &format!("{}{reason}", clean(&d.state)), screen)?;
    }
    if let Some(at) = d.dismissed_at {
        moment(at, "dismissed", screen)?;
    }
    let verdict = verdict::of(detail, destination, screen.now);
    let colour = match verdict.needs {
        verdict::Needs::Nobody => Colour::Green,
        verdict::Needs::Patience => Colour::Yellow,
        verdict::Needs::Person => Colour::Red,
    };
    let arrow = screen.paint(colour, "=>");
    screen.line(format!("{arrow} {}", verdict.what))?;
    verdict.mend.iter().try_for_each(|mend| screen.line(format!("   {mend}")))
}
