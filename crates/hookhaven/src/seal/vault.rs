//! The vault of a running process: seals with the newest data key, opens with whichever is named. One that it does not
//! know it looks for once, where another node may have put it since.

use std::{
    collections::BTreeSet,
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use hookhaven_core::Time;
use hookhaven_store::{Store, clock::Entropy};

use super::{
    SealError,
    envelope::{DataKey, KeyId, SealedIn},
    keys::{self, KeyPlace},
    ring::{OpenError, Ring},
    wrap::WrapKeys,
};

/// Keys that are remembered as gone. More than that are looked for again each time.
const GONE_MAX: usize = 1_000;

pub struct Vault {
    ring: ArcSwap<Ring>,
    entropy: Arc<dyn Entropy>,
    /// Where other nodes put keys, and what those are wrapped under.
    shared: Option<(Arc<dyn Store>, WrapKeys)>,
    /// A key is stored before anything that it seals: one that was not there then will not come.
    gone: Mutex<BTreeSet<KeyId>>,
    /// Whether it was said that keys cannot be read.
    complained: AtomicBool,
}

impl Vault {
    fn new(ring: Ring, entropy: Arc<dyn Entropy>, shared: Option<(Arc<dyn Store>, WrapKeys)>) -> Self {
        Vault {
            ring: ArcSwap::from_pointee(ring),
            entropy,
            shared,
            gone: Mutex::default(),
            complained: AtomicBool::new(false),
        }
    }

    /// For a store that ends with the process.
    pub fn in_memory(entropy: Arc<dyn Entropy>) -> Result<Self, SealError> {
        let ring = Ring::new(vec![(Time::EPOCH, DataKey::made(&*entropy)?)]).ok_or(SealError::Failed)?;
        Ok(Self::new(ring, entropy, None))
    }

    /// Of a data directory whose store, not sealed itself, is open.
    pub async fn of_directory(
        dir: &Path,
        store: &dyn Store,
        with: &WrapKeys,
        entropy: Arc<dyn Entropy>,
        now: Time,
    ) -> Result<Self, SealError> {
        let ring = keys::find_or_make(&KeyPlace::Directory(dir), store, with, &*entropy, now).await?;
        Ok(Self::new(ring, entropy, None))
    }

    /// Of a database that other nodes work on, too.
    pub async fn of_database(
        store: Arc<dyn Store>,
        with: WrapKeys,
        entropy: Arc<dyn Entropy>,
        now: Time,
    ) -> Result<Self, SealError> {
        let place = KeyPlace::Database(store.clone());
        let ring = keys::find_or_make(&place, &*store, &with, &*entropy, now).await?;
        Ok(Self::new(ring, entropy, Some((store, with))))
    }

    /// What it knows by now.
    pub fn ring(&self) -> Arc<Ring> {
        self.ring.load_full()
    }

    pub fn seal(&self, place: SealedIn<'_>, value: &[u8]) -> Result<Vec<u8>, SealError> {
        self.ring.load().seal(place, value, &*self.entropy)
    }

    /// The value sealed without a change of its length, and its stub.
    pub fn seal_apart(&self, place: SealedIn<'_>, value: &[u8]) -> Result<(Vec<u8>, Vec<u8>), SealError> {
        self.ring.load().seal_apart(place, value, &*self.entropy)
    }

    pub async fn open(&self, place: SealedIn<'_>, envelope: &[u8]) -> Result<Vec<u8>, OpenError> {
        match self.ring.load().open(place, envelope) {
            Err(OpenError::NoKey(key)) => self.learn(key).await?,
            done => return done,
        }
        self.ring.load().open(place, envelope)
    }

    pub async fn open_apart(&self, place: SealedIn<'_>, sealed: &[u8], stub: &[u8]) -> Result<Vec<u8>, OpenError> {
        match self.ring.load().open_apart(place, sealed, stub) {
            Err(OpenError::NoKey(key)) => self.learn(key).await?,
            done => return done,
        }
        self.ring.load().open_apart(place, sealed, stub)
    }

    /// Looks for a key that another node may have made.
    async fn learn(&self, key: KeyId) -> Result<(), OpenError> {
        let Some((store, with)) = &self.shared else { return Err(OpenError::NoKey(key)) };
        if self.gone().contains(&key) {
            return Err(OpenError::NoKey(key));
        }
        let place = KeyPlace::Database(store.clone());
        let found = match place.read().await {
            Ok(kept) => keys::unwrap(&kept, with, &place.name()),
            Err(error) => Err(error),
        };
        let ring = found.map_err(|error| {
            if !self.complained.swap(true, Relaxed) {
                tracing::error!(%error, "data keys of other nodes cannot be read; what they encrypted waits");
            }
            OpenError::NotNow(key)
        })?;
        self.complained.store(false, Relaxed);
        let known = ring.knows(key);
        self.ring.store(Arc::new(ring));
        let mut gone = self.gone();
        if !known && gone.len() < GONE_MAX {
            gone.insert(key);
        }
        Ok(())
    }

    fn gone(&self) -> std::sync::MutexGuard<'_, BTreeSet<KeyId>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}
