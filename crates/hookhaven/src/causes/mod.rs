//! Dead letters by root cause: what the newest of them died of, learnt once and kept.
//!
//! Which group a letter is of follows from its last attempt ([`hookhaven_core::group`]), and an attempt never changes.
//! So each letter is read once, and what is kept of it is small. What does change, which of them are dead letters still,
//! is asked anew at every look (`Store::newest_dead_letters`), whoever replayed or dismissed them, here or on another
//! node. A look learns a bounded number of letters itself, the newest first; the rest is learnt behind it, one such task
//! at a time, and until that is over a look says how far it came. At most [`LETTERS_MAX`] are looked at.
//!
//! Not here: what a group is (core), how groups are shown (`api/dead_letter_groups`). Acting on a group needs none of
//! this ([`member`]): a job asks each letter anew, so that it finds those too that nobody has looked at.

pub mod member;
pub mod tally;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hookhaven_core::{DeliveryId, GroupId, Time, event::ALERTS};
use hookhaven_store::{DeadLetter, Store, StoreError, Tried};

use self::member::TOGETHER;

/// Letters that are looked at: the newest.
pub const LETTERS_MAX: usize = 20_000;
/// Letters that a look reads before it answers: some tens of milliseconds.
const LEARNT_AT_ONCE: usize = 128;

/// What is known of dead letters.
#[derive(Debug)]
pub struct Causes {
    store: Arc<dyn Store>,
    known: Mutex<Known>,
    /// Held by the task that learns.
    learning: Arc<tokio::sync::Mutex<()>>,
}

/// What of a dead letter does not change.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Fact {
    pub group: GroupId,
    pub destination: Arc<str>,
    pub source: Arc<str>,
    pub event_type: Arc<str>,
    pub critical: bool,
}

#[derive(Clone, Debug)]
pub struct Letter {
    pub id: DeliveryId,
    pub died_at: Time,
    pub fact: Arc<Fact>,
}

/// The dead letters there are, the latest death first.
#[derive(Clone, Debug)]
pub struct Look {
    pub letters: Vec<Letter>,
    /// How far it looked, if there are older ones.
    pub upto: Option<Time>,
    /// More is being read.
    pub learning: bool,
}

#[derive(Debug, Default)]
struct Known {
    /// `None`: gone, or none of people's business.
    letters: HashMap<DeliveryId, Option<Arc<Fact>>>,
    /// Each once: many letters have the same.
    facts: HashSet<Arc<Fact>>,
}

impl Causes {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Causes { store, known: Mutex::default(), learning: Arc::default() }
    }

    /// Looks at the newest dead letters, without those that told people of alerts.
    pub async fn look(self: &Arc<Self>) -> Result<Look, StoreError> {
        let mut newest = self.store.newest_dead_letters(LETTERS_MAX + 1).await?;
        let more = newest.len() > LETTERS_MAX;
        newest.truncate(LETTERS_MAX);
        let unknown = self.known().keep(&newest);
        let (now, later) = unknown.split_at(unknown.len().min(LEARNT_AT_ONCE));
        self.learn(now).await?;
        if !later.is_empty() {
            self.learn_behind(later.to_vec());
        }
        Ok(self.known().look(&newest, more))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn learn(&self, ids: &[DeliveryId]) -> Result<(), StoreError> {
        for ids in ids.chunks(TOGETHER) {
            let tried = self.store.tried(ids).await?;
            let mut known = self.known();
            ids.iter().zip(tried).for_each(|(id, tried)| known.put(*id, tried.and_then(fact)));
        }
        Ok(())
    }

    /// Unless that is going on.
    fn learn_behind(self: &Arc<Self>, ids: Vec<DeliveryId>) {
        let Ok(held) = self.learning.clone().try_lock_owned() else { return };
        let causes = self.clone();
        tokio::spawn(async move {
            let _held = held;
            if let Err(error) = causes.learn(&ids).await {
                tracing::debug!(%error, "causes of dead letters could not be read; the next look goes on");
            }
        });
    }
}

/// `None`: nobody's business.
fn fact(tried: Tried) -> Option<Fact> {
    let group = member::group_of(&tried);
    let d = tried.row.delivery;
    let critical = d.policy.critical;
    let fact = Fact { group, destination: d.destination, source: d.source, event_type: d.event_type, critical };
    (&*fact.source != ALERTS).then_some(fact)
}

impl Known {
    /// Forgets all but these, and answers those that are not known.
    fn keep(&mut self, newest: &[DeadLetter]) -> Vec<DeliveryId> {
        let wanted: HashSet<DeliveryId> = newest.iter().map(|letter| letter.id).collect();
        self.letters.retain(|id, _| wanted.contains(id));
        self.facts.retain(|fact| Arc::strong_count(fact) > 1);
        newest.iter().map(|letter| letter.id).filter(|id| !self.letters.contains_key(id)).collect()
    }

    fn put(&mut self, id: DeliveryId, fact: Option<Fact>) {
        let fact = fact.map(|fact| match self.facts.get(&fact) {
            Some(same) => same.clone(),
            None => {
                let new = Arc::new(fact);
                self.facts.insert(new.clone());
                new
            }
        });
        self.letters.insert(id, fact);
    }

    /// All of them up to the first that is not known.
    fn look(&self, newest: &[DeadLetter], more: bool) -> Look {
        let known = newest.iter().take_while(|letter| self.letters.contains_key(&letter.id)).count();
        let learning = known < newest.len();
        let seen = &newest[..known];
        let upto = seen.last().or(newest.first()).filter(|_| more || learning).map(|letter| letter.died_at);
        let letter = |letter: &DeadLetter| {
            let fact = self.letters.get(&letter.id)?.clone()?;
            Some(Letter { id: letter.id, died_at: letter.died_at, fact })
        };
        Look { letters: seen.iter().filter_map(letter).collect(), upto, learning }
    }
}
