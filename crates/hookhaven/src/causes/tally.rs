//! Counting dead letters by group. Pure.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, GroupId, Time};

use super::Letter;

/// Steps of a trend.
pub const STEPS: usize = 24;

/// A span of time in [`STEPS`] equal steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub since: Time,
    /// At least a millisecond.
    pub step: Duration,
}

impl Steps {
    /// Whole milliseconds; what they leave at the end belongs to the last.
    pub fn over(since: Time, now: Time) -> Self {
        let step_ms = now.since(since).as_millis() / STEPS as u128;
        Steps { since, step: Duration::from_millis(u64::try_from(step_ms).unwrap_or(u64::MAX).max(1)) }
    }

    /// `None`: before the first.
    fn of(&self, at: Time) -> Option<usize> {
        let step = at.since(self.since).as_micros() / self.step.as_micros();
        (at >= self.since).then(|| usize::try_from(step).unwrap_or(usize::MAX).min(STEPS - 1))
    }
}

/// Dead letters of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    pub count: u64,
    /// Whether one of them is of a critical route.
    pub critical: bool,
    /// When the first and the last of them died.
    pub first_at: Time,
    pub last_at: Time,
    /// The one that died last.
    pub newest: DeliveryId,
    /// How many died in each step.
    pub trend: [u64; STEPS],
    pub types: BTreeMap<Arc<str>, u64>,
    pub sources: BTreeMap<Arc<str>, u64>,
}

/// The groups of these letters, the largest first.
pub fn groups<'a>(letters: impl IntoIterator<Item = &'a Letter>, steps: Steps) -> Vec<Group> {
    let mut groups: BTreeMap<GroupId, Group> = BTreeMap::new();
    for letter in letters {
        let new = || Group::begin(letter);
        groups.entry(letter.fact.group).or_insert_with(new).add(letter, steps);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| Reverse((group.count, group.last_at, group.id)));
    groups
}

impl Group {
    fn begin(letter: &Letter) -> Self {
        Group {
            id: letter.fact.group,
            count: 0,
            critical: false,
            first_at: letter.died_at,
            last_at: letter.died_at,
            newest: letter.id,
            trend: [0; STEPS],
            types: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }

    fn add(&mut self, letter: &Letter, steps: Steps) {
        let Letter { id, died_at, fact } = letter;
        self.count += 1;
        self.critical |= fact.critical;
        self.first_at = self.first_at.min(*died_at);
        if (*died_at, *id) > (self.last_at, self.newest) {
            (self.last_at, self.newest) = (*died_at, *id);
        }
        if let Some(step) = steps.of(*died_at) {
            self.trend[step] += 1;
        }
        *self.types.entry(fact.event_type.clone()).or_default() += 1;
        *self.sources.entry(fact.source.clone()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Fact, *};

    const BEGUN: Time = Time::from_s(1_000);

    fn letter(n: u8, group: u8, at_s: i64, event_type: &str) -> Letter {
        let fact = Fact {
            group: GroupId::from_bytes([group; 16]),
            destination: "billing".into(),
            source: "stripe".into(),
            event_type: event_type.into(),
            critical: n == 3,
        };
        Letter { id: DeliveryId::from_bytes([n; 16]), died_at: Time::from_s(at_s), fact: Arc::new(fact) }
    }

    #[test]
    fn letters_are_counted_by_group_and_step() {
        let steps = Steps::over(BEGUN, BEGUN.plus(Duration::from_secs(48)));
        assert_eq!(steps.step, Duration::from_secs(2));
        let letters = [
            letter(1, 7, 900, "a"),
            letter(2, 7, 1_000, "b"),
            letter(3, 7, 1_001, "a"),
            letter(4, 8, 1_010, "a"),
            letter(5, 7, 1_048, "a"),
        ];
        let groups = groups(&letters, steps);
        let [large, small] = &groups[..] else { panic!("{groups:?}") };
        assert_eq!((large.count, large.critical, small.count, small.critical), (4, true, 1, false));
        assert_eq!(
            (large.first_at, large.last_at, large.newest),
            (Time::from_s(900), Time::from_s(1_048), letters[4].id)
        );
        // The one that died before the first step is counted in none, the one at the very end in the last.
        assert_eq!((large.trend[0], large.trend[STEPS - 1], large.trend.iter().sum::<u64>()), (2, 1, 3));
        assert_eq!(small.trend[5], 1);
        assert_eq!(large.types.iter().map(|(name, n)| (&**name, *n)).collect::<Vec<_>>(), [("a", 3), ("b", 1)]);
    }

    #[test]
    fn a_span_of_nothing_has_steps_too() {
        let steps = Steps::over(BEGUN, BEGUN);
        let groups = groups(&[letter(1, 7, 1_000, "a")], steps);
        assert_eq!(groups[0].trend[0], 1);
    }
}
