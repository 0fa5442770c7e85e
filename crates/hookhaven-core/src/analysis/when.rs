//! Since when, until when: the stretch of time in which a failure was so much more frequent that it must have begun
//! and, where it is over, ended.
//!
//! Of all stretches the one is taken that tells failures apart best. Whether it goes on, or had begun before the first
//! attempt, is judged by how many attempts without failure there are beyond its end.

use super::{
    Observed,
    tally::{Tally, gain, tells},
};

/// Ends that are tried for a stretch, before they are found to the attempt: pairs of them grow as its square.
const ENDS_MAX: usize = 240;
/// A stretch goes on while the successes after it would follow with at least this chance if it did.
const CHANCE_MIN: f64 = 0.05;

/// Some attempts in a row. They are the whole only on neither side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stretch {
    /// The first, and the one after the last.
    pub from: usize,
    pub to: usize,
    pub gain: f64,
}

/// The stretch that stands out among attempts in the order of time; `None` if there is none, or it is all of them.
pub(super) fn find(attempts: &[&Observed], failed: impl Fn(&Observed) -> bool) -> Option<Stretch> {
    let sums = Sums::of(attempts, failed);
    let (mut from, mut to) = sums.best_pair()?;
    let step = attempts.len().div_ceil(ENDS_MAX);
    (from, to) = sums.refine(from, to, step);
    if !tells(sums.between(from, to), sums.whole()) {
        return None;
    }
    let (from, to) = sums.widen(from, to);
    let inside = sums.between(from, to);
    (inside != sums.whole()).then(|| Stretch { from, to, gain: gain(inside, sums.whole()) })
}

/// How many of the first `i` attempts failed, for each `i`.
struct Sums(Vec<usize>);

impl Sums {
    fn of(attempts: &[&Observed], failed: impl Fn(&Observed) -> bool) -> Self {
        let mut sums = vec![0];
        let mut sum = 0;
        for o in attempts {
            sum += usize::from(failed(o));
            sums.push(sum);
        }
        Sums(sums)
    }

    fn len(&self) -> usize {
        self.0.len() - 1
    }

    fn between(&self, from: usize, to: usize) -> Tally {
        Tally { attempts: to - from, failures: self.0[to] - self.0[from] }
    }

    fn whole(&self) -> Tally {
        self.between(0, self.len())
    }

    fn gain(&self, from: usize, to: usize) -> f64 {
        if from >= to || (from, to) == (0, self.len()) {
            return 0.0;
        }
        gain(self.between(from, to), self.whole())
    }

    fn best_pair(&self) -> Option<(usize, usize)> {
        let ends = self.len().min(ENDS_MAX);
        if ends < 2 {
            return None;
        }
        let end = |i: usize| i * self.len() / ends;
        let pairs = (0..ends).flat_map(|i| (i + 1..=ends).map(move |j| (end(i), end(j))));
        self.best(pairs)
    }

    /// The ends to the attempt: each within `step` of where it was.
    fn refine(&self, from: usize, to: usize, step: usize) -> (usize, usize) {
        let near = |at: usize| at.saturating_sub(step)..=(at + step).min(self.len());
        let (from, _) = self.best(near(from).map(|from| (from, to))).unwrap_or((from, to));
        self.best(near(to).map(|to| (from, to))).unwrap_or((from, to))
    }

    /// The first of the best.
    fn best(&self, pairs: impl Iterator<Item = (usize, usize)>) -> Option<(usize, usize)> {
        let mut best = None;
        for (from, to) in pairs {
            let gain = self.gain(from, to);
            if gain > best.map_or(0.0, |(_, most)| most) {
                best = Some(((from, to), gain));
            }
        }
        best.map(|(pair, _)| pair)
    }

    /// Takes in what is beyond an end where chance alone could have kept it free of failures.
    fn widen(&self, from: usize, to: usize) -> (usize, usize) {
        let fine = 1.0 - self.between(from, to).share();
        let by_chance = |part: Tally| part.failures == 0 && fine.powi(part.attempts as i32) >= CHANCE_MIN;
        let from = if by_chance(self.between(0, from)) { 0 } else { from };
        let to = if by_chance(self.between(to, self.len())) { self.len() } else { to };
        (from, to)
    }
}
