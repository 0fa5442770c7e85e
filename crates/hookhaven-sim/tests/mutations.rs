//! Planted bugs: each is found by some seed, or the laws have no teeth.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use hookhaven_sim::{Mutation, run};

/// Seeds that may be tried until one finds it.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=60;

/// The first seed that finds it, and what it says.
fn found(mutation: Mutation, seeds: impl Iterator<Item = u64>) -> Option<(u64, String)> {
    seeds
        .map(|seed| run(seed, Some(mutation), false).unwrap())
        .find_map(|report| report.breaches.first().map(|breach| (report.seed, breach.clone())))
}

#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        match found(mutation, SEEDS) {
            Some((seed, breach)) => println!("{mutation:?}: seed {seed}: {}", &breach[..breach.len().min(120)]),
            None => missed.push(mutation),
        }
    }
    assert_eq!(missed, []);
}
