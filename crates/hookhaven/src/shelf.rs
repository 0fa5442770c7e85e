//! A kind of catalog entry, all of it at hand: read once, changed through here, read again when another node may
//! have changed it. Who looks things up here never waits for the store.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use hookhaven_store::{CatalogEntry, Store, StoreError, clock::Clock};
use serde::{Serialize, de::DeserializeOwned};

/// Between tries to read what another node changed, while the store cannot.
const AGAIN: Duration = Duration::from_secs(1);
/// A reading that our own writing overtakes is repeated so often.
const READINGS_MAX: u32 = 5;

/// What a shelf holds. Kept as JSON.
pub trait Entry: Serialize + DeserializeOwned + PartialEq + Send + Sync {
    /// The catalog's kind.
    const KIND: &'static str;
}

#[derive(Debug)]
pub struct Shelf<T> {
    state: RwLock<State<T>>,
    /// Writings of this node go one after the other, so that what is at hand is what was written last.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State<T> {
    entries: BTreeMap<String, Arc<T>>,
    writings: u64,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf { state: RwLock::new(State { entries: BTreeMap::new(), writings: 0 }), writing: Default::default() }
    }
}

/// A shelf of whatever kind, for who reads several in one look.
pub trait Filled: Send + Sync {
    fn kind(&self) -> &'static str;

    /// How often this node wrote to it.
    fn writings(&self) -> u64;

    /// Takes over what was read of its kind after so many writings, and answers whether anything is other than it
    /// was. What a writing has overtaken is passed over: of that one is told again. An entry that cannot be read is
    /// left out, and said so in the log.
    fn fill(&self, entries: &[CatalogEntry], writings: u64) -> bool;
}

/// Reads all of several shelves from the store, and answers whether anything is other than it was.
pub async fn load(shelves: &[&dyn Filled], store: &dyn Store) -> Result<bool, StoreError> {
    let writings: Vec<_> = shelves.iter().map(|shelf| shelf.writings()).collect();
    let kinds: Vec<_> = shelves.iter().map(|shelf| shelf.kind()).collect();
    let entries = store.catalog_of(&kinds).await?;
    let filled = shelves.iter().zip(writings).map(|(shelf, writings)| shelf.fill(&entries, writings));
    Ok(filled.fold(false, |changed, now| changed | now))
}

/// Has `load` read again what other nodes change, until the store has nothing more to tell or the future is dropped.
/// While it cannot be read, what is known stays in force.
pub async fn follow<F: Future<Output = Result<(), StoreError>>>(
    what: &str,
    store: &dyn Store,
    clock: &dyn Clock,
    load: impl Fn() -> F,
) {
    let mut changes = store.changes();
    while changes.changed().await.is_ok() {
        while let Err(error) = load().await {
            tracing::warn!(%error, "{what} could not be read again; what is known stays in force meanwhile");
            clock.sleep_until(clock.now().plus(AGAIN)).await;
        }
    }
}

impl<T: Entry> Filled for Shelf<T> {
    fn kind(&self) -> &'static str {
        T::KIND
    }

    fn writings(&self) -> u64 {
        self.read(|state| state.writings)
    }

    fn fill(&self, entries: &[CatalogEntry], writings: u64) -> bool {
        let mine = entries.iter().filter(|entry| entry.kind == T::KIND);
        let entries: BTreeMap<_, _> = mine.filter_map(parse).collect();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let changed = state.writings == writings && state.entries != entries;
        if changed {
            state.entries = entries;
        }
        changed
    }
}

impl<T: Entry> Shelf<T> {
    pub fn get(&self, name: &str) -> Option<Arc<T>> {
        self.read(|state| state.entries.get(name).cloned())
    }

    pub fn all(&self) -> Vec<(String, Arc<T>)> {
        self.read(|state| state.entries.iter().map(|(name, entry)| (name.clone(), entry.clone())).collect())
    }

    /// Whether it is so of one of them.
    pub fn any(&self, is_so: impl Fn(&str, &T) -> bool) -> bool {
        self.read(|state| state.entries.iter().any(|(name, entry)| is_so(name, entry)))
    }

    pub fn len(&self) -> usize {
        self.read(|state| state.entries.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads all from the store.
    pub async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        for _ in 0..READINGS_MAX {
            let writings = self.writings();
            let entries = store.catalog(T::KIND).await?;
            if self.writings() == writings {
                self.fill(&entries, writings);
                break;
            }
        }
        Ok(())
    }

    /// As [`Self::get`], but what is not here is looked for in the store: another node may just have made it.
    pub async fn find(&self, store: &dyn Store, name: &str) -> Result<Option<Arc<T>>, StoreError> {
        if let Some(entry) = self.get(name) {
            return Ok(Some(entry));
        }
        self.load(store).await?;
        Ok(self.get(name))
    }

    /// Changes an entry, or makes it: `change` sees what is there, and answers what shall be; `None` leaves it as
    /// it is. Between nodes the last writing stands.
    pub async fn change<E: From<StoreError>>(
        &self,
        store: &dyn Store,
        name: &str,
        change: impl FnOnce(Option<&T>) -> Result<Option<T>, E>,
    ) -> Result<(), E> {
        let _writing = self.writing.lock().await;
        let Some(entry) = change(self.get(name).as_deref())? else { return Ok(()) };
        let value = serde_json::to_vec(&entry).map_err(|why| StoreError::Failed(format!("{}: {why}", T::KIND)))?;
        store.put_catalog(CatalogEntry { kind: T::KIND.to_owned(), name: name.to_owned(), value }).await?;
        self.write(|entries| drop(entries.insert(name.to_owned(), Arc::new(entry))));
        Ok(())
    }

    /// Whether it was there.
    pub async fn delete(&self, store: &dyn Store, name: &str) -> Result<bool, StoreError> {
        let _writing = self.writing.lock().await;
        let there = self.get(name).is_some();
        store.delete_catalog(T::KIND, name).await?;
        self.write(|entries| drop(entries.remove(name)));
        Ok(there)
    }

    fn read<R>(&self, look: impl FnOnce(&State<T>) -> R) -> R {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<T>>)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.writings += 1;
        change(&mut state.entries);
    }
}

fn parse<T: Entry>(entry: &CatalogEntry) -> Option<(String, Arc<T>)> {
    match serde_json::from_slice(&entry.value) {
        Ok(value) => Some((entry.name.clone(), Arc::new(value))),
        Err(error) => {
            tracing::warn!(kind = T::KIND, name = &*entry.name, %error, "a catalog entry cannot be read and is passed over");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Time;
    use hookhaven_store::{
        clock::{ManualClock, SeededEntropy},
        memory::MemoryStore,
    };
    use serde::Deserialize;

    use super::*;

    fn store() -> MemoryStore {
        let clock = ManualClock::at(Time::from_s(1_700_000_000));
        MemoryStore::new(Arc::new(clock), Arc::new(SeededEntropy::new(7)))
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Number(u32);

    impl Entry for Number {
        const KIND: &'static str = "number";
    }

    async fn set(shelf: &Shelf<Number>, store: &MemoryStore, name: &str, n: u32) {
        shelf.change(store, name, |_| Ok::<_, StoreError>(Some(Number(n)))).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_written_is_at_hand_and_in_the_store() {
        let store = store();
        let (here, there) = (Shelf::<Number>::default(), Shelf::<Number>::default());
        set(&here, &store, "a", 1).await;
        assert_eq!(here.get("a").as_deref(), Some(&Number(1)));
        assert_eq!(there.get("a"), None);
        assert_eq!(there.find(&store, "a").await.unwrap().as_deref(), Some(&Number(1)));
        set(&here, &store, "a", 2).await;
        there.load(&store).await.unwrap();
        assert_eq!(there.get("a").as_deref(), Some(&Number(2)));
        let seen = here.change(&store, "a", |was| Ok::<_, StoreError>(was.map(|n| Number(n.0 + 1)))).await;
        assert_eq!((seen, here.get("a").as_deref()), (Ok(()), Some(&Number(3))));
        assert!(here.delete(&store, "a").await.unwrap() && !here.delete(&store, "a").await.unwrap());
        assert_eq!(there.find(&store, "b").await.unwrap(), None);
        there.load(&store).await.unwrap();
        assert!(there.is_empty());
    }

    #[tokio::test]
    async fn an_unreadable_entry_hides_no_other() {
        let (store, shelf) = (store(), Shelf::<Number>::default());
        let bad = CatalogEntry { kind: Number::KIND.into(), name: "bad".into(), value: b"?".to_vec() };
        store.put_catalog(bad).await.unwrap();
        set(&shelf, &store, "a", 1).await;
        shelf.load(&store).await.unwrap();
        assert_eq!(shelf.len(), 1);
    }
}
