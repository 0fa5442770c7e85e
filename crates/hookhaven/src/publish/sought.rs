//! Names that this node was asked about and does not know. Another node may just have made them, and have accepted
//! messages that wait for them: until somebody has looked, nobody may act as if they were not there.
//!
//! Not here: looking (`book`).

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Names looked for in vain that are remembered; past it, all are looked for again.
const ABSENT_MAX: usize = 4_096;

/// Kind and name.
pub type Name = (&'static str, String);

#[derive(Debug, Default)]
pub struct Sought {
    state: Mutex<State>,
    asked: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody looks. A node that is alone with its store knows everything, so there nobody does.
    looks: bool,
    open: BTreeSet<Name>,
    absent: BTreeSet<Name>,
}

/// Somebody looks, until this is dropped.
#[derive(Debug)]
pub struct Looking<'s>(&'s Sought);

impl Sought {
    /// Whether an unknown name is still to be looked for; asks for that.
    pub fn is_open(&self, kind: &'static str, name: &str) -> bool {
        let mut state = self.state();
        let name = (kind, name.to_owned());
        if !state.looks || state.absent.contains(&name) {
            return false;
        }
        if state.open.insert(name) {
            self.asked.notify_one();
        }
        true
    }

    pub fn look(&self) -> Looking<'_> {
        self.state().looks = true;
        Looking(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Looking<'_> {
    /// Comes when there is something to look for.
    pub async fn asked(&self) {
        self.0.asked.notified().await;
    }

    /// What a look that begins now will answer.
    pub fn begin(&self) -> BTreeSet<Name> {
        std::mem::take(&mut self.0.state().open)
    }

    /// It has ended; of these names, those still unknown do not exist.
    pub fn end(&self, names: BTreeSet<Name>) {
        let mut state = self.0.state();
        if state.absent.len() + names.len() > ABSENT_MAX {
            state.absent.clear();
        }
        state.absent.extend(names);
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        *self.0.state() = State::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_open_until_a_look_that_began_after_it_was_asked_for() {
        let sought = Sought::default();
        assert!(!sought.is_open("k", "a"), "nobody looks");
        let looking = sought.look();
        assert!(sought.is_open("k", "a"));
        looking.asked().await;
        let names = looking.begin();
        assert!(sought.is_open("k", "b"));
        looking.end(names);
        assert_eq!((sought.is_open("k", "a"), sought.is_open("k", "b"), sought.is_open("l", "a")), (false, true, true));
        drop(looking);
        assert!(!sought.is_open("k", "b"));
    }
}
