//! `hookhaven destinations list|test|pause|resume|disable|enable`.

use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};

use super::{
    Context, DONE, FAILED,
    args::{DestinationsCommand, DestinationsListArgs, DestinationsTestArgs},
    client::{Client, Query, with_gateway},
    print::{Colour, Screen, clean, clean_bytes, column, count, optional, relative, short, span, whole},
};
use crate::api::{Breaker, DestinationTrial, DestinationView, segment, view::Listing};

/// Shown of what a handler answered.
const ANSWER_CHARS_MAX: usize = 500;

pub async fn run(command: DestinationsCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: DestinationsCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    match command {
        DestinationsCommand::List(args) => list(args, client, screen).await,
        DestinationsCommand::Test(args) => test(args, client, screen).await,
        DestinationsCommand::Pause(args) => change(&args.name, "pause", "waiting", client, screen).await,
        DestinationsCommand::Resume(args) => change(&args.name, "resume", "to be delivered", client, screen).await,
        DestinationsCommand::Disable(args) => {
            change(&args.name, "disable", "waiting; new events make no delivery there", client, screen).await
        }
        DestinationsCommand::Enable(args) => change(&args.name, "enable", "to be delivered", client, screen).await,
    }
}

async fn change(name: &str, how: &str, what: &str, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let now: DestinationView = client.post(&format!("/destinations/{}/{how}", segment(name)), &json!({})).await?;
    let waiting = count(now.depth, "event");
    screen.line(format!("{} is {}; {waiting} {what}.", clean(&now.name), clean(&now.state)))?;
    Ok(DONE)
}

async fn test(args: DestinationsTestArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.post(&format!("/destinations/{}/test", segment(&args.name)), &json!({})).await?;
    let trial: DestinationTrial = serde_json::from_value(answer.clone())?;
    let code = if trial.ok { DONE } else { FAILED };
    if screen.json {
        screen.value(&answer)?;
        return Ok(code);
    }
    let colour = if trial.ok { Colour::Green } else { Colour::Red };
    let verdict = trial.status.map_or_else(|| trial.class.clone(), |status| status.to_string());
    let took = span(Duration::from_micros(trial.duration_us));
    screen.line(format!("{}  {} in {took}", screen.paint(colour, &clean(&verdict)), clean(&trial.url)))?;
    let phases = [
        ("DNS", trial.phases.dns_us),
        ("connect", trial.phases.connect_us),
        ("TLS", trial.phases.tls_us),
        ("first byte", trial.phases.first_byte_us),
    ];
    let known = phases.into_iter().filter_map(|(name, us)| Some((name, us?)));
    let phases: Vec<_> = known.map(|(name, us)| format!("{name} {}", span(Duration::from_micros(us)))).collect();
    let excerpt = clean_bytes(&trial.response_excerpt.to_bytes());
    let lines = [phases.join(", "), trial.error, trial.mend.unwrap_or_default(), excerpt.trim().replace('\n', " ")];
    for line in lines.iter().filter(|line| !line.is_empty()) {
        screen.line(format!("     {}", short(&clean(line), ANSWER_CHARS_MAX)))?;
    }
    Ok(code)
}

async fn list(_: DestinationsListArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.get("/destinations", &Query::default()).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let page: Listing<DestinationView> = serde_json::from_value(answer)?;
    if page.items.is_empty() {
        screen.remark("The config file names no destinations.");
        return Ok(DONE);
    }
    let columns = [
        whole("DESTINATION"),
        column("STATE"),
        column("BREAKER"),
        column("WAITING"),
        column("IN FLIGHT"),
        column("DEAD"),
        optional("OLDEST DUE"),
        optional("URL"),
    ];
    let rows: Vec<_> = page.items.iter().map(|d| row(d, screen)).collect();
    screen.table(&columns, &rows)?;
    Ok(DONE)
}

fn row(d: &DestinationView, screen: &Screen) -> Vec<String> {
    let breaker = match (d.breaker, d.hold_until) {
        (Breaker::Closed, None) => "closed".to_owned(),
        (Breaker::Closed, Some(until)) => format!("holds, ends {}", relative(until, screen.now)),
        (Breaker::Open, Some(until)) => format!("open, probe {}", relative(until, screen.now)),
        (Breaker::Open, None) => "open".to_owned(),
        (Breaker::Probing, _) => "probing".to_owned(),
    };
    let state = match &d.paused {
        Some(pause) if !pause.by.is_empty() => format!("{} by {}", clean(&d.state), clean(&pause.by)),
        _ => clean(&d.state).into_owned(),
    };
    vec![
        clean(&d.name).into_owned(),
        state,
        breaker,
        d.depth.to_string(),
        d.in_flight.to_string(),
        d.dead_letters.to_string(),
        d.oldest_due_at.map(|at| relative(at, screen.now)).unwrap_or_default(),
        d.url.as_deref().map(|u| clean(u).into_owned()).unwrap_or_default(),
    ]
}
