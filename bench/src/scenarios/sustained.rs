//! End to end for a minute: 64 connections that send again as soon as they are answered, 2 KB bodies,
//! to a fast handler. What counts is what came to the handler within that minute; and the backlog must
//! not grow meanwhile.

use anyhow::{Context as _, Result};

use super::{
    Bench, Figure, Figures, median,
    sides::{Side, add_costs},
};

const SECONDS: f64 = 60.0;
const LOAD: [&str; 6] = ["--connections", "64", "--seconds", "60", "--count", "100000000"];
/// What may wait at the end beyond what waited in the first third: a part of a second's work.
const GROWTH_MAX: f64 = 1_000.0;

pub async fn run(bench: &Bench) -> Result<Figures> {
    println!("sustained: a minute end to end");
    let measured = Side::Delivering.measure(bench, "sustained", &LOAD).await?;
    let settled = measured.gateway.as_ref().context("the gateway tells nothing")?;
    let third = settled.pending.len() / 3;
    let waiting = |samples: &[u64]| median(samples.iter().map(|&pending| pending as f64).collect());
    let (first, last) = (waiting(&settled.pending[..third]), waiting(&settled.pending[third * 2..]));
    let lost = measured.report.answered(200).saturating_sub(settled.stats.distinct);

    let mut figures = Figures::default();
    let delivered = settled.at_end.distinct as f64 / SECONDS;
    figures.add(Figure::new("delivered within the minute", delivered, "events/s").at_least(10_000.0));
    figures.add(Figure::new("acknowledged", measured.rate(), "events/s"));
    figures.add(Figure::new("answer p99", measured.p99_ms(), "ms"));
    figures.add(Figure::new("waiting, first third", first, "deliveries"));
    figures.add(Figure::new("waiting, last third", last, "deliveries").at_most(first + GROWTH_MAX));
    figures.add(Figure::new("drained after the end", settled.drained_s, "s"));
    figures.add(Figure::new("acknowledged and not delivered", lost as f64, "events").at_most(0.0));
    let again = settled.stats.received.saturating_sub(settled.stats.distinct);
    figures.add(Figure::new("delivered more than once", again as f64, "events"));
    figures.add(Figure::new("answers other than 200", measured.refused() as f64, "").at_most(0.0));
    add_costs(&mut figures, Side::Delivering, &[measured], None);
    Ok(figures)
}
