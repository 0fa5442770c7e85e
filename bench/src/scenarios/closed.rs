//! How many durable answers a second: 64 connections that send again as soon as they are answered, 2 KB
//! bodies; in turns on a bare server, a bare server that syncs (the ceiling), the gateway while its
//! destination is paused (answers alone), and the gateway while it delivers to a fast handler.

use anyhow::Result;
use hookhaven_load::load::Report;
use serde_json::json;

use super::{Bench, Figure, Figures, SECRET, load, median};
use crate::process::Server;

const ROUNDS: usize = 3;
const LOAD: [&str; 6] = ["--connections", "64", "--seconds", "6", "--count", "100000000"];

pub async fn run(bench: &Bench) -> Result<Figures> {
    let (mut bare, mut ceiling, mut paused, mut delivering) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        println!("closed: round {} of {ROUNDS}", round + 1);
        bare.push(on_bare(bench, false).await?);
        ceiling.push(on_bare(bench, true).await?);
        paused.push(on_gateway(bench, true).await?);
        delivering.push(on_gateway(bench, false).await?);
    }
    let rate = |reports: &[Report]| median(reports.iter().map(Report::rate).collect());
    let p99_ms = |reports: &[Report]| median(reports.iter().map(|r| f64::from(r.latency.p99_us) / 1_000.0).collect());
    let ratio = |reports: &[Report]| median(reports.iter().zip(&ceiling).map(|(r, c)| r.rate() / c.rate()).collect());
    let refused: u64 = [&paused, &delivering].into_iter().flatten().map(not_ok).sum();

    let mut figures = Figures::default();
    figures.add(Figure::new("bare server", rate(&bare), "answers/s"));
    figures.add(Figure::new("ceiling: bare server that syncs", rate(&ceiling), "answers/s"));
    figures.add(Figure::new("gateway, destination paused", rate(&paused), "answers/s").at_least(12_000.0));
    figures.add(Figure::new("gateway, delivering", rate(&delivering), "answers/s"));
    figures.add(Figure::new("gateway, paused / ceiling", ratio(&paused), "").at_least(0.6));
    figures.add(Figure::new("gateway, delivering / ceiling", ratio(&delivering), ""));
    figures.add(Figure::new("ceiling: answer p99", p99_ms(&ceiling), "ms"));
    figures.add(Figure::new("gateway, paused: answer p99", p99_ms(&paused), "ms"));
    figures.add(Figure::new("gateway, delivering: answer p99", p99_ms(&delivering), "ms"));
    figures.add(Figure::new("gateway: answers other than 200", refused as f64, "").at_most(0.0));
    Ok(figures)
}

fn not_ok(report: &Report) -> u64 {
    report.answers.values().sum::<u64>() - report.answered(200) + report.unanswered
}

async fn on_bare(bench: &Bench, sync: bool) -> Result<Report> {
    let directory = bench.directory()?;
    let path = directory.path().to_string_lossy();
    let mut arguments = vec!["bare", "--secret", SECRET];
    if sync {
        arguments.extend(["--sync", &path]);
    }
    let server = Server::start(&arguments).await?;
    let report = load(server.address, "bare", &LOAD).await?;
    server.end().await?;
    Ok(report)
}

async fn on_gateway(bench: &Bench, paused: bool) -> Result<Report> {
    let sink = Server::start(&["sink"]).await?;
    let stage = bench.gateway(&[("sink", format!("http://{}/", sink.address))]).await?;
    if paused {
        stage.gateway.admin.post("/api/v1/destinations/sink/pause", &json!({})).await?;
    }
    let report = load(stage.gateway.ingest, "gw", &LOAD).await?;
    stage.gateway.kill().await?;
    sink.end().await?;
    Ok(report)
}
