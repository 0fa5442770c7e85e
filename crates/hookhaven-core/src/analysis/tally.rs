//! Counting: shares, percentiles, and how well a division into inside and outside explains failures.

use super::Observed;

/// How much likelier a division must make what was seen than none at all, as a natural logarithm. By chance a given
/// division reaches it once in e¹² (160,000), so that even the best of some thousand does once in a hundred times.
pub(super) const GAIN_MIN: f64 = 12.0;
/// Inside, at least this share fails: less is noise, even where it is clearly more than outside.
pub(super) const SHARE_INSIDE_MIN: f64 = 0.2;
/// Inside, failures are so many times as frequent as outside.
pub(super) const RATIO_MIN: f64 = 3.0;

/// Attempts, and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub attempts: usize,
    pub failures: usize,
}

impl Tally {
    pub fn of(attempts: &[&Observed], failed: impl Fn(&Observed) -> bool) -> Self {
        Tally { attempts: attempts.len(), failures: attempts.iter().filter(|o| failed(o)).count() }
    }

    pub fn add(&mut self, failed: bool) {
        self.attempts += 1;
        self.failures += usize::from(failed);
    }

    pub fn less(self, part: Tally) -> Self {
        Tally { attempts: self.attempts - part.attempts, failures: self.failures - part.failures }
    }

    /// 0 where there is none.
    pub fn share(self) -> f64 {
        if self.attempts == 0 { 0.0 } else { self.failures as f64 / self.attempts as f64 }
    }

    /// Logarithm of the likelihood at its own share.
    fn likelihood(self) -> f64 {
        let part = |n: usize| if n == 0 { 0.0 } else { n as f64 * (n as f64 / self.attempts as f64).ln() };
        part(self.failures) + part(self.attempts - self.failures)
    }
}

/// How much better two shares, one inside and one outside, explain the failures than one for all: the logarithm of
/// the likelihood ratio. 0 where fewer fail inside.
pub(super) fn gain(inside: Tally, whole: Tally) -> f64 {
    let outside = whole.less(inside);
    if inside.share() <= outside.share() {
        return 0.0;
    }
    inside.likelihood() + outside.likelihood() - whole.likelihood()
}

/// Whether a division is worth saying.
pub(super) fn tells(inside: Tally, whole: Tally) -> bool {
    inside.failures >= super::FAILURES_MIN
        && inside.share() >= SHARE_INSIDE_MIN
        && inside.share() >= RATIO_MIN * whole.less(inside).share()
        && gain(inside, whole) >= GAIN_MIN
}

/// A percentile of sorted values, by nearest rank; `None` of nothing.
pub(super) fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// How long they took, sorted.
pub(super) fn durations<'a>(attempts: impl IntoIterator<Item = &'a Observed>) -> Vec<u64> {
    let mut all: Vec<_> = attempts.into_iter().map(|o| o.duration_us).collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_division_gains_by_what_it_tells_apart() {
        let whole = Tally { attempts: 100, failures: 20 };
        let exact = gain(Tally { attempts: 20, failures: 20 }, whole);
        let rough = gain(Tally { attempts: 40, failures: 20 }, whole);
        let none = gain(Tally { attempts: 50, failures: 10 }, whole);
        assert!(exact > rough && rough > GAIN_MIN && none == 0.0, "{exact} {rough} {none}");
        assert_eq!(gain(Tally { attempts: 50, failures: 1 }, whole), 0.0);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 95)), (Some(50), Some(95)));
        assert_eq!((percentile(&[7], 95), percentile(&[], 50)), (Some(7), None));
    }
}
