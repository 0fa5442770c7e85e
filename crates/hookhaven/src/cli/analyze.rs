//! `hookhaven analyze`: what stands out among the attempts of a span of time, and what to do about it.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Context, DONE,
    args::AnalyzeArgs,
    client::{Client, Query, with_gateway},
    print::{Colour, Screen, clean, count, relative},
};
use crate::api::{AnalysisView, FoundView};

pub async fn run(args: AnalyzeArgs, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(args, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(args: AnalyzeArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let query = Query::default()
        .with("since", Some(args.since.resolve(screen.now)))
        .with("destination", args.destination.as_ref());
    if screen.terminal && !screen.json {
        screen.remark("Reading attempts …");
    }
    let answer: Value = client.get("/analysis", &query).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let view: AnalysisView = serde_json::from_value(answer)?;
    screen.line(screen.paint(Colour::Bold, &clean(&view.headline)))?;
    let attempts = count(view.attempt_count as u64, "attempt");
    screen.line(format!("{attempts} since {}; times are UTC.", relative(view.since, view.until)))?;
    for (i, found) in view.findings.iter().enumerate() {
        finding(i + 1, found, screen)?;
    }
    for few in &view.too_few {
        screen.line(format!(
            "\n`{}`: {} of {} attempts failed, too few to say why: {}.",
            clean(&few.destination),
            few.failure_count,
            few.attempt_count,
            clean(&few.mostly)
        ))?;
    }
    if let Some(sampled) = &view.sampled {
        screen.remark(format!("Not everything was looked at: {}.", clean(sampled)));
    }
    Ok(DONE)
}

fn finding(number: usize, found: &FoundView, screen: &mut Screen) -> anyhow::Result<()> {
    let colour = if found.until.is_none() { Colour::Red } else { Colour::Yellow };
    let sentence = screen.paint(colour, &clean(&found.sentence));
    screen.line(format!("\n{number}. {sentence}"))?;
    for line in &found.evidence {
        screen.line(format!("   - {}", clean(line)))?;
    }
    screen.line(format!("   To mend it: {}.", clean(&found.mend)))?;
    for suggestion in &found.suggestions {
        screen.line(format!("     {} = {}", clean(&suggestion.key), clean(&suggestion.value)))?;
    }
    if let Some(example) = found.examples.first() {
        screen.line(format!("   Look at one: hookhaven deliveries show {example}"))?;
    }
    Ok(())
}
