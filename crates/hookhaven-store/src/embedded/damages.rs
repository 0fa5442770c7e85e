//! Damage met while running, each place once: at opening, while the index catches up, when an event or an
//! attempt is read. Over all runs of a store, so that opening again neither forgets nor counts twice.
//!
//! Not here: looking for damage (`doctor`); what is never read is never met.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use super::segment::Damage;
use crate::position::Position;

/// Places told apart; more are only counted.
const PLACES_MAX: usize = 4_096;
/// Places told in words.
const WORDS_MAX: usize = 16;

#[derive(Debug, Default)]
pub struct Damages(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Segment and offset, and how far it reaches.
    places: BTreeMap<(u32, u64), u64>,
    count: u64,
    words: Vec<String>,
}

impl Damages {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Notes a damaged place, and logs it the first time.
    pub fn met(&self, damage: &Damage) {
        let mut state = self.state();
        let Damage { segment, offset, bytes, .. } = *damage;
        let end = offset.saturating_add(bytes);
        let before = state.places.range(..=(segment, offset)).next_back();
        if before.is_some_and(|((s, _), known_end)| *s == segment && end <= *known_end) {
            return;
        }
        tracing::error!("the journal is damaged: {damage}; `hookhaven doctor` tells what that costs");
        state.count += 1;
        if state.words.len() < WORDS_MAX {
            state.words.push(damage.to_string());
        }
        if state.places.len() < PLACES_MAX {
            state.places.insert((segment, offset), end);
        }
    }

    /// Notes a frame that was to be read and cannot be.
    pub fn unreadable(&self, at: Position) {
        let Position { segment, offset, len } = at;
        self.met(&Damage { segment, offset, bytes: u64::from(len), held: Vec::new() });
    }

    /// How many places, and the first of them in words.
    pub fn told(&self) -> (u64, Vec<String>) {
        let state = self.state();
        (state.count, state.words.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_counts_once() {
        let damages = Damages::default();
        let damage = |offset, bytes| Damage { segment: 3, offset, bytes, held: vec![] };
        damages.met(&damage(100, 50));
        damages.met(&damage(100, 50));
        // A frame within what is known already.
        damages.unreadable(Position { segment: 3, offset: 120, len: 30 });
        assert_eq!(damages.told().0, 1);
        damages.unreadable(Position { segment: 3, offset: 150, len: 30 });
        damages.unreadable(Position { segment: 4, offset: 120, len: 30 });
        let (count, words) = damages.told();
        assert_eq!((count, words.len()), (3, 3));
        assert_eq!(words[0], "segment 3 is damaged at byte 100, 50 bytes cannot be read");
    }
}
