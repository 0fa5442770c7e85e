//! Everything that happens by chance, drawn from one root seed. Each actor draws from a stream of its own,
//! so that one more draw here does not change what happens there.

use std::{ops::RangeInclusive, time::Duration};

/// A stream of draws (SplitMix64). The same seed draws the same.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Chance(seed)
    }

    /// Another stream, fixed by this one's state and the label.
    pub fn fork(&self, label: &str) -> Self {
        let hash = label
            .bytes()
            .fold(self.0 ^ 0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let mut fork = Chance(hash);
        fork.draw();
        fork
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in the range, which is not empty.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let span = (range.end() - range.start()).saturating_add(1);
        range.start() + self.draw() % span
    }

    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.draw() % (len.max(1) as u64)).unwrap_or(0)
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())].clone()
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.draw() % 100 < chance
    }

    pub fn ms(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    pub fn s(&mut self, range: RangeInclusive<u64>) -> Duration {
        // Not on the second, or everything meets there.
        Duration::from_secs(self.within(range)) + self.ms(0..=999)
    }
}
