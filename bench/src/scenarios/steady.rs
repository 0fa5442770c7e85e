//! Service as it should be on any day: 1,000 events a second for 30 s, end to end to a fast handler.
//! What is lost, how deep the queue gets, how soon it is empty, how long answer and delivery take, and
//! what the gateway uses meanwhile. The bare server that syncs takes the same load just before.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hookhaven_load::gateway::{Admin, poll};
use tokio::time::interval;

use super::{Bench, Figure, Figures, SECRET, load};
use crate::process::{Server, Usage, usage};

const PER_SECOND: &str = "1000";
const COUNT: &str = "30000";
const COUNT_CEILING: &str = "10000";
const SAMPLE_EVERY: Duration = Duration::from_millis(200);
const DRAIN_PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(bench: &Bench) -> Result<Figures> {
    println!("steady: 10 s on the bare server, then 30 s on the gateway");
    let directory = bench.directory()?;
    let bare = Server::start(&["bare", "--secret", SECRET, "--sync", &directory.path().to_string_lossy()]).await?;
    let ceiling = load(bare.address, "bare", &["--per-second", PER_SECOND, "--count", COUNT_CEILING]).await?;
    bare.end().await?;

    let sink = Server::start(&["sink"]).await?;
    let stage = bench.gateway(&[("sink", format!("http://{}/", sink.address))]).await?;
    let gateway = &stage.gateway;
    let pid = gateway.pid().context("the gateway has ended")?;
    let before = usage(pid).unwrap_or_default();

    let loading = load(gateway.ingest, "steady", &["--per-second", PER_SECOND, "--count", COUNT]);
    let mut watch = Watch::default();
    let report = tokio::select! {
        report = loading => report?,
        failed = watch.sample(&gateway.admin, pid) => return Err(failed),
    };
    let ended = Instant::now();
    let used = usage(pid).unwrap_or_default();
    let drained =
        poll(DRAIN_PATIENCE, async || (pending(&gateway.admin).await.ok()? == 0).then(|| ended.elapsed())).await;
    let drained = drained.context("the queue is not empty a minute after the load")?;
    let stats = sink.stats().await?;
    stage.gateway.terminate().await?;
    sink.end().await?;

    let ms = |us: u32| f64::from(us) / 1_000.0;
    let acknowledged = report.answered(200);
    let cores = used.cpu_ms.saturating_sub(before.cpu_ms) as f64 / report.elapsed_ms.max(1) as f64;
    let mut figures = Figures::default();
    figures.add(Figure::new("acknowledged", acknowledged as f64, "events").at_least(30_000.0));
    figures.add(
        Figure::new("acknowledged and not delivered", acknowledged.saturating_sub(stats.distinct) as f64, "events")
            .at_most(0.0),
    );
    figures.add(Figure::new(
        "delivered more than once",
        stats.received.saturating_sub(stats.distinct) as f64,
        "events",
    ));
    figures.add(Figure::new("deepest queue sampled", watch.pending_max as f64, "deliveries").at_most(1_000.0));
    figures.add(Figure::new("drained after the end", drained.as_secs_f64(), "s").at_most(2.0));
    figures.add(Figure::new("answer p50", ms(report.latency.p50_us), "ms"));
    figures.add(Figure::new("answer p99", ms(report.latency.p99_us), "ms").at_most(20.0));
    figures.add(Figure::new("ceiling: answer p99", ms(ceiling.latency.p99_us), "ms"));
    figures.add(Figure::new("end to end p50", ms(stats.end_to_end.p50_us), "ms").at_most(10.0));
    figures.add(Figure::new("end to end p99", ms(stats.end_to_end.p99_us), "ms"));
    figures.add(Figure::new("gateway: processor", cores, "cores").at_most(0.5));
    figures.add(Figure::new("gateway: memory, most sampled", watch.resident_max as f64 / 1e6, "MB").at_most(150.0));
    Ok(figures)
}

#[derive(Default)]
struct Watch {
    pending_max: u64,
    resident_max: u64,
}

impl Watch {
    /// Looks again and again; comes back only with an error.
    async fn sample(&mut self, admin: &Admin, pid: u32) -> anyhow::Error {
        let mut ticks = interval(SAMPLE_EVERY);
        loop {
            ticks.tick().await;
            match pending(admin).await {
                Ok(pending) => self.pending_max = self.pending_max.max(pending),
                Err(error) => return error,
            }
            let Usage { resident_bytes, .. } = usage(pid).unwrap_or_default();
            self.resident_max = self.resident_max.max(resident_bytes);
        }
    }
}

/// Deliveries that have not ended.
pub async fn pending(admin: &Admin) -> Result<u64> {
    let status = admin.get("/api/v1/status").await?;
    status.pointer("/store/pending").and_then(serde_json::Value::as_u64).context("the status tells no /store/pending")
}
