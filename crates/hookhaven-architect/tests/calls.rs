//! What each intake comes to, as it was read line by line: the calls, and every finding as a team gets to see it.
//! `HOOKHAVEN_WRITE_SNAPSHOTS=1` writes `calls/` anew.
//!
//! Not here: the reasons of the calls (`design`), the report's pages.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may read files and the environment")]

mod common;

use std::{fmt::Write as _, path::Path};

use hookhaven_architect::{
    Design, Plan,
    design::{DestinationDesign, Loss, OrderingDesign, RouteDesign, SourceDesign},
    words::{bytes, count, duration, rate, span},
};

#[test]
fn every_intake_gets_the_calls_that_were_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls");
    let write = std::env::var_os("HOOKHAVEN_WRITE_SNAPSHOTS").is_some();
    let mut changed = Vec::new();
    for (name, plan) in common::intakes() {
        let path = folder.join(format!("{name}.txt"));
        let text = calls(&plan);
        if write {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        if let Some(line) = first_difference(&known, &text) {
            changed.push(format!("{}: {line}", path.display()));
        }
    }
    let how = "read what changed, then write them anew with HOOKHAVEN_WRITE_SNAPSHOTS=1";
    assert!(changed.is_empty(), "{}\n{how}", changed.join("\n"));
}

fn first_difference(known: &str, text: &str) -> Option<String> {
    if known == text {
        return None;
    }
    let differs = known.lines().zip(text.lines()).enumerate().find(|(_, (known, new))| known != new);
    Some(match differs {
        Some((at, (known, new))) => format!("line {}\n  was {known}\n  is  {new}", at + 1),
        None => format!("{} lines, were {}", text.lines().count(), known.lines().count()),
    })
}

fn calls(plan: &Plan) -> String {
    let design = &plan.design;
    let mut text = String::new();
    head(&mut text, design);
    design.sources.iter().for_each(|source| write_source(&mut text, source));
    design.destinations.iter().for_each(|destination| write_destination(&mut text, destination));
    design.routes.iter().for_each(|route| write_route(&mut text, route));
    for assumed in &plan.intake.assumed {
        writeln!(text, "assumed {} = {}", assumed.path, assumed.value).unwrap();
    }
    for finding in &plan.findings {
        let source = finding.source.as_deref().unwrap_or("all");
        writeln!(text, "\n{:?}: {} ({:?}, {source})", finding.rule.severity, finding.rule.id, finding.rule.subject)
            .unwrap();
        writeln!(text, "  {}\n  > {}\n  < {}", finding.text, finding.mend, finding.answers.join(", ")).unwrap();
    }
    text
}

fn head(text: &mut String, design: &Design) {
    let verdict = if design.needed.value { "needed" } else { "not needed" };
    let load = &design.load;
    writeln!(text, "{verdict}: {}", design.needed.why).unwrap();
    writeln!(text, "mode {:?}, store {:?}, nodes {}", design.mode, design.store.value, design.nodes.value).unwrap();
    writeln!(text, "runs on {}, {} a month", design.hosting.value.size, design.hosting.value.cost).unwrap();
    let [mean, peak, burst] = [load.mean_per_second, load.peak_per_second, load.burst_per_second].map(rate);
    writeln!(
        text,
        "load {} a day, {} at most; mean {mean}, peak {peak}, burst {burst}",
        count(load.per_day),
        count(load.peak_day)
    )
    .unwrap();
    writeln!(
        text,
        "keeps {}, disk {}, memory {}, pending at most {}",
        span(design.retention.value),
        bytes(design.disk_bytes.value),
        bytes(design.memory_bytes.value),
        count(design.pending_max.value)
    )
    .unwrap();
}

fn write_source(text: &mut String, source: &SourceDesign) {
    let loss = match source.loss.value {
        Loss::NothingWithin(length) => format!("loses nothing within {}", span(length)),
        Loss::Events(events) => format!("a downtime loses {}", count(events)),
        Loss::Unknown => "what a downtime loses is unknown".to_owned(),
    };
    let url = if source.needs_public_url { ", signs the URL" } else { "" };
    writeln!(
        text,
        "source {}: {}, ids {}, tolerance {}, body {}, {loss}{url}",
        source.name,
        source.sender.map_or("to be described", |sender| sender.name),
        span(source.dedupe_window.value),
        span(source.tolerance.value),
        bytes(source.body_max_bytes.value)
    )
    .unwrap();
}

fn write_destination(text: &mut String, destination: &DestinationDesign) {
    let limit = destination.rate_per_second.value.map_or("no rate".to_owned(), |most| format!("{most}/s"));
    writeln!(
        text,
        "destination {}: timeout {}, {} at once, {limit}",
        destination.name,
        span(destination.timeout.value),
        destination.concurrency.value
    )
    .unwrap();
}

fn write_route(text: &mut String, route: &RouteDesign) {
    let ordering = match &route.ordering.value {
        OrderingDesign::None => String::new(),
        OrderingDesign::Latest { key, .. } => format!(", latest by {}", key.as_deref().unwrap_or("its own key")),
        OrderingDesign::Fifo { key } => format!(", fifo by {}", key.as_deref().unwrap_or("its own key")),
    };
    let retry = &route.retry.value;
    writeln!(
        text,
        "route {} {}: {:?}, deadline {}{}{ordering}, {} attempts from {} to {}{}",
        route.source,
        route.events.join(" "),
        route.once,
        span(route.deadline.value),
        if route.critical.value { ", critical" } else { "" },
        retry.attempts,
        duration(retry.initial),
        duration(retry.max),
        if route.answers.value { ", the handler answers" } else { "" }
    )
    .unwrap();
}
