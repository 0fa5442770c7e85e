//! Everything random in a run, drawn from its seed. The seed repeats the choices; which request meets which
//! kill is the machine's to say.

use std::time::Duration;

use hookhaven_store::clock::{Entropy as _, SeededEntropy};

#[derive(Debug)]
pub struct Chance(SeededEntropy);

impl Chance {
    /// A stream of its own for each subject, so that one does not shift another's choices.
    pub fn of(seed: u64, stream: u64) -> Self {
        let root = Chance(SeededEntropy::new(seed)).next();
        Chance(SeededEntropy::new(root ^ stream.wrapping_mul(0xd134_2543_de82_ef95)))
    }

    pub fn next(&self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// From 0, and less than `bound`, which is not 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn up_to(&self, most: Duration) -> Duration {
        let most_us = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(most_us.saturating_add(1).max(1)))
    }

    pub fn entropy(&self) -> &SeededEntropy {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_choices_and_streams_differ() {
        let draw = |seed, stream| (0..8).map(|_| Chance::of(seed, stream).next()).collect::<Vec<_>>();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }
}
