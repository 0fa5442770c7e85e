//! The four sides that the speed scenarios compare, each fresh for every measurement: a bare server, a
//! bare server that syncs (the ceiling), the gateway accepting alone (its destination paused), and the
//! gateway end to end to a fast handler.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hookhaven_load::{
    gateway::{Admin, poll},
    load::Report,
    sink::Stats,
};
use serde_json::{Value, json};
use tokio::time::interval;

use super::{Bench, Figure, Figures, SECRET, TOKEN, load, median};
use crate::process::{self, Server, Usage, usage};

const SAMPLE_EVERY: Duration = Duration::from_millis(200);
const DRAIN_PATIENCE: Duration = Duration::from_secs(120);
/// A run counts only if the index has caught up so soon after its end.
const CATCH_UP_SECONDS_MAX: f64 = 2.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Bare,
    Ceiling,
    Paused,
    Delivering,
}

impl Side {
    pub const ALL: [Side; 4] = [Side::Bare, Side::Ceiling, Side::Paused, Side::Delivering];

    pub fn name(self) -> &'static str {
        match self {
            Side::Bare => "bare server",
            Side::Ceiling => "ceiling",
            Side::Paused => "gateway, paused",
            Side::Delivering => "gateway, delivering",
        }
    }

    /// Starts it, runs the load to its end, sees it settle, ends it.
    pub async fn measure(self, bench: &Bench, run: &str, arguments: &[&str]) -> Result<Measured> {
        match self {
            Side::Bare => on_bare(bench, false, run, arguments).await,
            Side::Ceiling => on_bare(bench, true, run, arguments).await,
            Side::Paused => on_gateway(bench, Door::Paused, run, arguments).await,
            Side::Delivering => on_gateway(bench, Door::Webhooks, run, arguments).await,
        }
    }
}

/// How a load comes to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Webhooks,
    /// The same, with the destination paused.
    Paused,
    Publish,
    /// The same, for an hour later.
    PublishLater,
}

impl Door {
    /// Whether nothing is delivered.
    fn holds(self) -> bool {
        matches!(self, Door::Paused | Door::PublishLater)
    }

    async fn load(self, to: SocketAddr, sink: SocketAddr, run: &str, arguments: &[&str]) -> Result<Report> {
        if matches!(self, Door::Webhooks | Door::Paused) {
            return load(to, run, arguments).await;
        }
        let (to, path) = (to.to_string(), format!("/v2/publish/http://{sink}/"));
        let delay = if self == Door::PublishLater { "1h" } else { "0s" };
        let mut all = vec!["--to", &to, "--path", &path, "--secret", SECRET, "--run", run, "--token", TOKEN];
        all.extend(["--delay", delay]);
        process::load(&[&all, arguments].concat()).await
    }
}

/// The same load on each side in turns, so many times.
pub async fn in_turns(bench: &Bench, run: &str, rounds: usize, arguments: &[&str]) -> Result<[Vec<Measured>; 4]> {
    let mut all: [Vec<Measured>; 4] = Default::default();
    for round in 0..rounds {
        println!("{run}: round {} of {rounds}", round + 1);
        for (side, measured) in Side::ALL.into_iter().zip(&mut all) {
            measured.push(side.measure(bench, run, arguments).await?);
        }
    }
    Ok(all)
}

/// One load on one side.
#[derive(Debug)]
pub struct Measured {
    pub report: Report,
    /// Of the server, over the load.
    pub cores: f64,
    pub peak_bytes: u64,
    /// The gateway's alone.
    pub gateway: Option<Settled>,
}

/// What the gateway did beside answering.
#[derive(Debug)]
pub struct Settled {
    /// Deliveries waiting or in hand, sampled through the load.
    pub pending: Vec<u64>,
    /// From the load's end until no record was missing in the index, and how many were at the end.
    pub caught_up_s: f64,
    pub index_lag: u64,
    /// From the load's end until nothing was pending; 0 while paused.
    pub drained_s: f64,
    /// What had come to the handler at the load's end.
    pub at_end: Stats,
    /// And in all.
    pub stats: Stats,
}

impl Measured {
    pub fn rate(&self) -> f64 {
        self.report.rate()
    }

    pub fn p99_ms(&self) -> f64 {
        f64::from(self.report.latency.p99_us) / 1_000.0
    }

    /// Answers other than 200, and none.
    pub fn refused(&self) -> u64 {
        self.report.answers.values().sum::<u64>() - self.report.answered(200) + self.report.unanswered
    }
}

/// The figure of the middle round.
pub fn middle(measured: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    median(measured.iter().map(of).collect())
}

/// The same, of what only the gateway tells.
pub fn middle_settled(measured: &[Measured], of: impl Fn(&Settled) -> f64) -> f64 {
    median(measured.iter().filter_map(|measured| measured.gateway.as_ref()).map(of).collect())
}

/// What a side may use.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    pub cores: f64,
    pub megabytes: f64,
}

/// Processor, memory and the index's lag of a side: what every speed scenario tells.
pub fn add_costs(figures: &mut Figures, side: Side, measured: &[Measured], allowed: Option<Allowed>) {
    let peak = measured.iter().map(|m| m.peak_bytes).max().unwrap_or_default();
    let cores = Figure::new(format!("{}: processor", side.name()), middle(measured, |m| m.cores), "cores");
    let memory = Figure::new(format!("{}: memory, peak", side.name()), peak as f64 / 1e6, "MB");
    let (cores, memory) = match allowed {
        Some(most) => (cores.at_most(most.cores), memory.at_most(most.megabytes)),
        None => (cores, memory),
    };
    figures.add(cores);
    figures.add(memory);
    if measured.iter().any(|m| m.gateway.is_some()) {
        let lag = middle_settled(measured, |settled| settled.index_lag as f64);
        let slowest = measured.iter().filter_map(|m| m.gateway.as_ref()).map(|s| s.caught_up_s).fold(0.0, f64::max);
        figures.add(Figure::new(format!("{}: index behind at the end", side.name()), lag, "records"));
        let what = format!("{}: index caught up after", side.name());
        figures.add(Figure::new(what, slowest, "s").at_most(CATCH_UP_SECONDS_MAX));
    }
}

async fn on_bare(bench: &Bench, sync: bool, run: &str, arguments: &[&str]) -> Result<Measured> {
    let directory = bench.directory()?;
    let path = directory.path().to_string_lossy();
    let mut bare = vec!["bare", "--secret", SECRET];
    if sync {
        bare.extend(["--sync", &path]);
    }
    let server = Server::start(&bare).await?;
    let pid = server.pid().context("the bare server has ended")?;
    let report = load(server.address, run, arguments).await?;
    let used = usage(pid).unwrap_or_default();
    server.end().await?;
    Ok(Measured { cores: cores(Usage::default(), used, &report), peak_bytes: used.peak_bytes, report, gateway: None })
}

pub async fn on_gateway(bench: &Bench, door: Door, run: &str, arguments: &[&str]) -> Result<Measured> {
    let sink = Server::start(&["sink"]).await?;
    let stage = bench.gateway(&[("sink", format!("http://{}/", sink.address))]).await?;
    let gateway = &stage.gateway;
    let pid = gateway.pid().context("the gateway has ended")?;
    if door == Door::Paused {
        gateway.admin.post("/api/v1/destinations/sink/pause", &json!({})).await?;
    }
    let before = usage(pid).unwrap_or_default();
    let mut pending = Vec::new();
    let report = tokio::select! {
        report = door.load(gateway.ingest, sink.address, run, arguments) => report?,
        failed = sample(&gateway.admin, &mut pending) => return Err(failed),
    };
    let ended = Instant::now();
    let used = usage(pid).unwrap_or_default();
    let at_end = sink.stats().await?;
    let index_lag = store_figure(&gateway.admin, "index_lag").await?;
    let after = async |name: &str| {
        let none = async || (store_figure(&gateway.admin, name).await.ok()? == 0).then(|| ended.elapsed());
        poll(DRAIN_PATIENCE, none).await.map(|after| after.as_secs_f64())
    };
    let caught_up_s = after("index_lag").await.context("the index is still behind, long after the load")?;
    let drained_s = match door.holds() {
        true => 0.0,
        false => after("pending").await.context("the queue is not empty, long after the load")?,
    };
    let stats = sink.stats().await?;
    let gateway = Settled { pending, caught_up_s, index_lag, drained_s, at_end, stats };
    stage.gateway.kill().await?;
    sink.end().await?;
    Ok(Measured { cores: cores(before, used, &report), peak_bytes: used.peak_bytes, report, gateway: Some(gateway) })
}

fn cores(before: Usage, after: Usage, report: &Report) -> f64 {
    after.cpu_ms.saturating_sub(before.cpu_ms) as f64 / report.elapsed_ms.max(1) as f64
}

/// Looks again and again how many are pending; comes back only with an error.
async fn sample(admin: &Admin, seen: &mut Vec<u64>) -> anyhow::Error {
    let mut ticks = interval(SAMPLE_EVERY);
    loop {
        ticks.tick().await;
        match pending(admin).await {
            Ok(now) => seen.push(now),
            Err(error) => return error,
        }
    }
}

/// A number that the status tells of the store.
async fn store_figure(admin: &Admin, name: &str) -> Result<u64> {
    let status = admin.get("/api/v1/status").await?;
    let figure = status.pointer("/store").and_then(|store| store.get(name)).and_then(Value::as_u64);
    figure.with_context(|| format!("the status tells no /store/{name}"))
}

/// Deliveries that have not ended.
pub async fn pending(admin: &Admin) -> Result<u64> {
    store_figure(admin, "pending").await
}
