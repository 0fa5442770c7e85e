//! Runs seeds from a terminal: `cargo run --release -p hookhaven-sim -- --seeds 1000`, or one of them with
//! its whole trace: `cargo run -p hookhaven-sim -- --seed 7 --trace`.

use std::{process::ExitCode, time::Instant};

use clap::{Parser, ValueEnum};
use hookhaven_sim::{Mutation, Report, run};

/// Seeds between two lines that say how far it has come.
const PROGRESS_EVERY: u64 = 100;

/// Simulates the gateway and judges it by its laws. Exit 1 if a seed breaks one.
#[derive(Debug, Parser)]
#[command(after_help = "Example: hookhaven-sim --seeds 1000 --from 1")]
struct Args {
    /// This seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// So many seeds, one after the other.
    #[arg(long, default_value_t = 100, conflicts_with = "seed")]
    seeds: u64,
    /// The first of them. Without it they are fresh.
    #[arg(long, conflicts_with = "seed")]
    from: Option<u64>,
    /// Print everything that happened (with --seed).
    #[arg(long)]
    trace: bool,
    /// Plant a bug, to see it found.
    #[arg(long)]
    mutation: Option<Mutation>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let (first, count) = match (args.seed, args.from) {
        (Some(seed), _) => (seed, 1),
        (None, Some(from)) => (from, args.seeds),
        (None, None) => (hookhaven_sim::fresh_seed(), args.seeds),
    };
    println!("{count} seeds from {first}");
    let started = Instant::now();
    let (mut failed, mut attempts, mut acknowledged, mut traces) = (0, 0, 0, 0);
    for seed in first..first.saturating_add(count) {
        let report = run(seed, args.mutation, args.trace)?;
        for line in &report.trace {
            println!("{line}");
        }
        failed += u64::from(!report.breaches.is_empty());
        attempts += report.counts.get("attempts").copied().unwrap_or(0);
        acknowledged += report.counts.get("acknowledged").copied().unwrap_or(0);
        traces ^= report.hash.rotate_left(u32::try_from(seed % 64).unwrap_or(0));
        tell(&report, args.mutation, count == 1);
        let done = seed - first + 1;
        if done % PROGRESS_EVERY == 0 && done < count {
            println!("{done} of {count} done, {failed} failed, after {:.0} s", started.elapsed().as_secs_f64());
        }
    }
    let took = started.elapsed().as_secs_f64();
    println!("{count} seeds from {first}: {failed} failed; {acknowledged} acknowledged, {attempts} attempts");
    println!("all traces {traces:016x}, in {took:.1} s");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(report: &Report, mutation: Option<Mutation>, always: bool) {
    if always {
        println!("seed {}: trace {:016x}, {} lines, {:?}", report.seed, report.hash, report.lines, report.counts);
    }
    if !report.breaches.is_empty() {
        let planted = mutation.and_then(|m| m.to_possible_value()).map(|m| format!(" --mutation {}", m.get_name()));
        println!(
            "seed {} fails, with {} breaches; again with: cargo run --release -p hookhaven-sim -- --seed {0}{}",
            report.seed,
            report.breaches.len(),
            planted.unwrap_or_default()
        );
        report.breaches.iter().take(5).for_each(|breach| println!("  {breach}"));
    }
}
