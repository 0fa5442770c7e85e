//! A million deliveries waiting: what they weigh, how soon a killed gateway serves again with them, and
//! whether claims are as fast as with a thousand.
//!
//! The small side fills and drains a thousand again and again; the large side drains a part of its
//! million. Both in one run, the same gateway binary, the same sink.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hookhaven_load::gateway::{Admin, Home, Running, poll};
use serde_json::json;

use super::{Bench, Figure, Figures, config, load, median, sides::pending};
use crate::process::{Server, usage};

const FEW: u64 = 1_000;
const FEW_ROUNDS: usize = 15;
const MANY: u64 = 1_000_000;
const BODY_BYTES: &str = "512";
/// How long the drain of the many is watched, after it has begun.
const WATCH: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(bench: &Bench) -> Result<Figures> {
    let sink = Server::start(&["sink"]).await?;
    let directory = bench.directory()?;
    let home = Home::new(bench.gateway.clone(), directory.path().to_owned());
    home.write_config(&config(&home.data(), &[("sink", format!("http://{}/", sink.address))]))?;
    let gateway = home.serve().await?;

    println!("backlog: {FEW_ROUNDS} rounds of {FEW}");
    let mut few = Vec::new();
    for round in 0..FEW_ROUNDS {
        few.push(drain_few(&gateway, round).await?);
    }
    println!("backlog: queueing {MANY}");
    fill(&gateway, "many", MANY).await?;
    let full_bytes = resident(&gateway)?;
    println!("backlog: kill, start again, drain for {} s", WATCH.as_secs());
    gateway.kill().await?;
    let killed = Instant::now();
    let gateway = home.serve().await?;
    let ready = poll(PATIENCE, async || {
        let answer = gateway.admin.send("GET", "/readyz", b"").await.ok()?;
        (answer.status == 200).then(|| killed.elapsed())
    });
    let ready = ready.await.context("not ready a minute after the start")?;
    let waiting = pending(&gateway.admin).await?;
    ensure!(waiting == MANY, "{waiting} of {MANY} deliveries wait after the kill");
    let again_bytes = resident(&gateway)?;
    let many = drain_many(&gateway.admin).await?;
    gateway.kill().await?;
    sink.end().await?;

    let few = median(few);
    let mut figures = Figures::default();
    figures.add(Figure::new("memory with 1M queued", full_bytes as f64 / 1e6, "MB").at_most(400.0));
    figures.add(Figure::new("memory after the restart", again_bytes as f64 / 1e6, "MB").at_most(400.0));
    figures.add(Figure::new("ready after a kill", ready.as_secs_f64(), "s").at_most(3.0));
    figures.add(Figure::new("drained with 1k queued", few, "deliveries/s"));
    figures.add(Figure::new("drained with 1M queued", many, "deliveries/s"));
    figures.add(Figure::new("ratio", many / few, "").at_least(0.8));
    Ok(figures)
}

async fn set_paused(admin: &Admin, paused: bool) -> Result<()> {
    let act = if paused { "pause" } else { "resume" };
    admin.post(&format!("/api/v1/destinations/sink/{act}"), &json!({})).await.map(drop)
}

/// Queues `count` events behind a pause.
async fn fill(gateway: &Running, run: &str, count: u64) -> Result<()> {
    set_paused(&gateway.admin, true).await?;
    let count_text = count.to_string();
    let more = ["--count", &count_text, "--seconds", "600", "--body-bytes", BODY_BYTES];
    let report = load(gateway.ingest, run, &more).await?;
    ensure!(report.answered(200) == count, "{} of {count} events were accepted", report.answered(200));
    Ok(())
}

/// Deliveries a second from the end of the pause to an empty queue.
async fn drain_few(gateway: &Running, round: usize) -> Result<f64> {
    fill(gateway, &format!("few{round}x"), FEW).await?;
    let begun = Instant::now();
    set_paused(&gateway.admin, false).await?;
    let empty = poll(PATIENCE, async || (pending(&gateway.admin).await.ok()? == 0).then(|| begun.elapsed()));
    let took = empty.await.context("a thousand deliveries did not drain in a minute")?;
    Ok(FEW as f64 / took.as_secs_f64())
}

async fn drain_many(admin: &Admin) -> Result<f64> {
    set_paused(admin, false).await?;
    let mut ticks = tokio::time::interval(WATCH);
    ticks.tick().await;
    let (begun, before) = (Instant::now(), pending(admin).await?);
    ticks.tick().await;
    let (took, after) = (begun.elapsed(), pending(admin).await?);
    Ok(before.saturating_sub(after) as f64 / took.as_secs_f64())
}

fn resident(gateway: &Running) -> Result<u64> {
    let pid = gateway.pid().context("the gateway has ended")?;
    Ok(usage(pid).context("the system tells nothing of the gateway")?.resident_bytes)
}
