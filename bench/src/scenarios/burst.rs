//! Everything at once: 5,000 events over 500 connections, each answered, all delivered.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hookhaven_load::gateway::poll;

use super::{Bench, Figure, Figures, load, sides::pending};
use crate::process::Server;

const COUNT: u64 = 5_000;
const DRAIN_PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(bench: &Bench) -> Result<Figures> {
    println!("burst: {COUNT} events at once");
    let sink = Server::start(&["sink"]).await?;
    let stage = bench.gateway(&[("sink", format!("http://{}/", sink.address))]).await?;
    let admin = &stage.gateway.admin;
    let report = load(stage.gateway.ingest, "burst", &["--connections", "500", "--count", &COUNT.to_string()]).await?;
    let ended = Instant::now();
    let drained = poll(DRAIN_PATIENCE, async || (pending(admin).await.ok()? == 0).then(|| ended.elapsed())).await;
    let drained = drained.context("the queue is not empty a minute after the burst")?;
    let stats = sink.stats().await?;
    stage.gateway.terminate().await?;
    sink.end().await?;

    let mut figures = Figures::default();
    figures.add(Figure::new("answered with 200", report.answered(200) as f64, "events").at_least(COUNT as f64));
    figures.add(Figure::new("all answered after", report.elapsed_ms as f64, "ms"));
    figures.add(Figure::new("answer p99", f64::from(report.latency.p99_us) / 1_000.0, "ms"));
    figures.add(Figure::new("delivered", stats.distinct as f64, "events").at_least(COUNT as f64));
    figures.add(Figure::new("drained after the last answer", drained.as_secs_f64(), "s"));
    Ok(figures)
}
