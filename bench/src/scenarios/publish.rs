//! Publishing: how many durable answers a second with 64 connections, beside the ceiling, accepting alone and
//! delivering too; and at 1,000 a second, how long a message is on its way.

use anyhow::Result;

use super::{
    Bench, Figure, Figures, median,
    sides::{Door, Measured, Side, middle, middle_settled, on_gateway},
};

const ROUNDS: usize = 3;
const CLOSED: [&str; 6] = ["--connections", "64", "--seconds", "6", "--count", "100000000"];
const STEADY: [&str; 4] = ["--per-second", "1000", "--count", "10000"];

pub async fn run(bench: &Bench) -> Result<Figures> {
    let [mut ceiling, mut accepting, mut delivering, mut steady] = [(); 4].map(|()| Vec::<Measured>::new());
    for round in 0..ROUNDS {
        println!("publish: round {} of {ROUNDS}", round + 1);
        ceiling.push(Side::Ceiling.measure(bench, "publish", &CLOSED).await?);
        accepting.push(on_gateway(bench, Door::PublishLater, "publish", &CLOSED).await?);
        delivering.push(on_gateway(bench, Door::Publish, "publish", &CLOSED).await?);
        steady.push(on_gateway(bench, Door::Publish, "publish", &STEADY).await?);
    }
    let rate = |measured: &[Measured]| middle(measured, Measured::rate);
    let ratio = median(accepting.iter().zip(&ceiling).map(|(a, c)| a.rate() / c.rate()).collect());
    let all = || accepting.iter().chain(&delivering).chain(&steady);
    let refused: u64 = all().map(Measured::refused).sum();
    let acknowledged: u64 = delivering.iter().chain(&steady).map(|m| m.report.answered(200)).sum();
    let settled = || delivering.iter().chain(&steady).filter_map(|m| m.gateway.as_ref());
    let distinct: u64 = settled().map(|s| s.stats.distinct).sum();

    let mut figures = Figures::default();
    figures.add(Figure::new("ceiling", rate(&ceiling), "answers/s"));
    figures.add(Figure::new("accepting alone", rate(&accepting), "answers/s").at_least(10_000.0));
    figures.add(Figure::new("accepting alone / ceiling", ratio, ""));
    figures.add(Figure::new("accepting alone: answer p99", middle(&accepting, Measured::p99_ms), "ms"));
    figures.add(Figure::new("delivering too", rate(&delivering), "answers/s"));
    let end_to_end = |of: fn(&super::sides::Settled) -> u32| middle_settled(&steady, |s| f64::from(of(s)) / 1_000.0);
    figures
        .add(Figure::new("at 1,000/s: on its way p50", end_to_end(|s| s.stats.end_to_end.p50_us), "ms").at_most(10.0));
    figures.add(Figure::new("at 1,000/s: on its way p99", end_to_end(|s| s.stats.end_to_end.p99_us), "ms"));
    figures.add(Figure::new("at 1,000/s: processor", middle(&steady, |m| m.cores), "cores"));
    figures.add(Figure::new("answers other than 200", refused as f64, "").at_most(0.0));
    let lost = acknowledged.saturating_sub(distinct) as f64;
    figures.add(Figure::new("acknowledged and not delivered", lost, "messages").at_most(0.0));
    Ok(figures)
}
