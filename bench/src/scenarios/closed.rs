//! How many durable answers a second: 64 connections that send again as soon as they are answered, 2 KB
//! bodies, on each side in turns.

use anyhow::Result;

use super::{
    Bench, Figure, Figures, median,
    sides::{Measured, Side, add_costs, in_turns, middle},
};

const ROUNDS: usize = 3;
const LOAD: [&str; 6] = ["--connections", "64", "--seconds", "6", "--count", "100000000"];

pub async fn run(bench: &Bench) -> Result<Figures> {
    let rounds = in_turns(bench, "closed", ROUNDS, &LOAD).await?;
    let [_, ceiling, paused, delivering] = &rounds;
    let ratio =
        |measured: &[Measured]| median(measured.iter().zip(ceiling).map(|(m, c)| m.rate() / c.rate()).collect());
    let refused: u64 = paused.iter().chain(delivering).map(Measured::refused).sum();

    let mut figures = Figures::default();
    for (side, measured) in Side::ALL.into_iter().zip(&rounds) {
        figures.add(Figure::new(side.name(), middle(measured, Measured::rate), "answers/s"));
        figures.add(Figure::new(format!("{}: answer p99", side.name()), middle(measured, Measured::p99_ms), "ms"));
        add_costs(&mut figures, side, measured, None);
    }
    figures.add(Figure::new("gateway, paused / ceiling", ratio(paused), "").at_least(0.6));
    figures.add(Figure::new("gateway, delivering / ceiling", ratio(delivering), ""));
    figures.add(Figure::new("gateway: answers other than 200", refused as f64, "").at_most(0.0));
    Ok(figures)
}
