//! Chance that can be repeated: everything random in a case comes from one seed, which a failure shows.

use hookhaven_load::now::unix_us;
use hookhaven_store::clock::{Entropy as _, SeededEntropy};

/// Set to a seed that a failure showed, this repeats its choices.
const SEED: &str = "HOOKHAVEN_E2E_SEED";

#[derive(Debug)]
pub struct Chance(SeededEntropy);

impl Chance {
    /// A new seed at every run. Printed, and so shown by a case that fails.
    pub fn new() -> (u64, Self) {
        let given = std::env::var_os(SEED).and_then(|seed| seed.to_str()?.parse().ok());
        let seed = given.unwrap_or_else(unix_us);
        println!("{SEED}={seed}");
        (seed, Self::of(seed))
    }

    pub fn of(seed: u64) -> Self {
        Chance(SeededEntropy::new(seed))
    }

    /// From 0, and less than `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }

    pub fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes);
        bytes
    }

    pub fn one<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).expect("as many as there are")]
    }
}
