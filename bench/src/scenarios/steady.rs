//! Service as it should be on any day: 1,000 events a second, in turns on each side. How long answer and
//! delivery take, what is lost, how deep the queue gets, how soon it is empty, what the gateway uses.

use anyhow::Result;

use super::{
    Bench, Figure, Figures,
    sides::{Allowed, Measured, Settled, Side, add_costs, in_turns, middle, middle_settled},
};

const ROUNDS: usize = 3;
const COUNT: u64 = 10_000;
const LOAD: [&str; 4] = ["--per-second", "1000", "--count", "10000"];
/// The answer's p99 may be so much, or twice the ceiling's in the same run, whichever is more.
const P99_MS: f64 = 10.0;
/// To the gateway, end to end.
const ALLOWED: Allowed = Allowed { cores: 0.5, megabytes: 150.0 };

pub async fn run(bench: &Bench) -> Result<Figures> {
    let rounds = in_turns(bench, "steady", ROUNDS, &LOAD).await?;
    let [_, ceiling, _, delivering] = &rounds;
    let acknowledged: u64 = delivering.iter().map(|m| m.report.answered(200)).sum();
    let settled = || delivering.iter().filter_map(|m| m.gateway.as_ref());
    let distinct: u64 = settled().map(|s| s.stats.distinct).sum();
    let received: u64 = settled().map(|s| s.stats.received).sum();
    let deepest = settled().flat_map(|s| s.pending.iter().copied()).max().unwrap_or_default();
    let p99_max = P99_MS.max(2.0 * middle(ceiling, Measured::p99_ms));

    let mut figures = Figures::default();
    for (side, measured) in Side::ALL.into_iter().zip(&rounds) {
        let p50_ms = middle(measured, |m| f64::from(m.report.latency.p50_us) / 1_000.0);
        figures.add(Figure::new(format!("{}: answer p50", side.name()), p50_ms, "ms"));
        let p99 = Figure::new(format!("{}: answer p99", side.name()), middle(measured, Measured::p99_ms), "ms");
        figures.add(if matches!(side, Side::Paused | Side::Delivering) { p99.at_most(p99_max) } else { p99 });
        add_costs(&mut figures, side, measured, (side == Side::Delivering).then_some(ALLOWED));
    }
    let end_to_end = |of: fn(&Settled) -> u32| middle_settled(delivering, |s| f64::from(of(s)) / 1_000.0);
    figures.add(Figure::new("end to end p50", end_to_end(|s| s.stats.end_to_end.p50_us), "ms").at_most(5.0));
    figures.add(Figure::new("end to end p99", end_to_end(|s| s.stats.end_to_end.p99_us), "ms"));
    figures.add(Figure::new("acknowledged", acknowledged as f64, "events").at_least((COUNT * ROUNDS as u64) as f64));
    let lost = acknowledged.saturating_sub(distinct) as f64;
    figures.add(Figure::new("acknowledged and not delivered", lost, "events").at_most(0.0));
    figures.add(Figure::new("delivered more than once", received.saturating_sub(distinct) as f64, "events"));
    figures.add(Figure::new("deepest queue sampled", deepest as f64, "deliveries").at_most(1_000.0));
    figures.add(Figure::new("drained after the end", middle_settled(delivering, |s| s.drained_s), "s").at_most(2.0));
    Ok(figures)
}
