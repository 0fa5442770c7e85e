//! Whether a bad destination delays a good one: 500 events a second to a fast handler, alone and beside
//! one that never answers and one that refuses connections; in turns, five pairs, the median of the
//! pairs' ratios.

use std::time::Duration;

use anyhow::Result;
use hookhaven_load::{gateway::poll, sink::Stats};
use tokio::net::TcpSocket;

use super::{Bench, Figure, Figures, load, median};
use crate::process::Server;

const PAIRS: usize = 5;
const COUNT: u64 = 4_000;

pub async fn run(bench: &Bench) -> Result<Figures> {
    let hanging = Server::start(&["sink", "--hang"]).await?;
    // Bound, so that nobody else takes the port; and nobody listens.
    let refusing = TcpSocket::new_v4()?;
    refusing.bind(([127, 0, 0, 1], 0).into())?;
    let bad = [
        ("hanging", format!("http://{}/", hanging.address)),
        ("refusing", format!("http://{}/", refusing.local_addr()?)),
    ];

    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        println!("isolation: pair {} of {PAIRS}", pair + 1);
        alone.push(fast_one(bench, &[]).await?);
        beside.push(fast_one(bench, &bad).await?);
    }
    hanging.end().await?;

    let p99_ms = |stats: &Stats| f64::from(stats.end_to_end.p99_us) / 1_000.0;
    let ratios = alone.iter().zip(&beside).map(|(alone, beside)| p99_ms(beside) / p99_ms(alone)).collect();
    let missing: u64 = alone.iter().chain(&beside).map(|stats| COUNT.saturating_sub(stats.distinct)).sum();
    let mut figures = Figures::default();
    figures.add(Figure::new("alone: end to end p99", median(alone.iter().map(p99_ms).collect()), "ms"));
    figures.add(Figure::new("beside bad ones: end to end p99", median(beside.iter().map(p99_ms).collect()), "ms"));
    figures.add(Figure::new("ratio, median of the pairs", median(ratios), "").at_most(1.5));
    figures.add(Figure::new("not delivered to the fast one", missing as f64, "events").at_most(0.0));
    Ok(figures)
}

/// What the fast handler saw when the load had ended.
async fn fast_one(bench: &Bench, others: &[(&str, String)]) -> Result<Stats> {
    let sink = Server::start(&["sink"]).await?;
    let mut destinations = vec![("fast", format!("http://{}/", sink.address))];
    destinations.extend_from_slice(others);
    let stage = bench.gateway(&destinations).await?;
    load(stage.gateway.ingest, "iso", &["--per-second", "500", "--count", &COUNT.to_string()]).await?;
    let stats = settled(&sink).await?;
    stage.gateway.kill().await?;
    sink.end().await?;
    Ok(stats)
}

/// The last deliveries may still be under way; what has not come after a while does not come.
async fn settled(sink: &Server) -> Result<Stats> {
    let all = async || sink.stats().await.ok().filter(|stats| stats.distinct >= COUNT);
    match poll(Duration::from_secs(10), all).await {
        Some(stats) => Ok(stats),
        None => sink.stats().await,
    }
}
