//! The keys that published messages are signed with: a current one and the next one, so that receivers who
//! check with both lose nothing while they are rotated.
//!
//! The configuration may give them; else they are made once and kept in the store's catalog, where every node
//! finds them. Two nodes that make some at the same moment both write, and both read again what stands there
//! afterwards; whoever read too early hears of the other's through [`Keys::follow`]. The last writing stands,
//! so all agree in the end, and what is signed in between fails its check and is tried again.
//!
//! Not here: the signature itself, who may see the keys.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hookhaven_core::Secret;
use hookhaven_store::{
    CatalogEntry, Store, StoreError,
    clock::{Clock, Entropy},
};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Publish, SigningKeys};

/// Kind of the one catalog entry that keeps the keys.
pub const KEYS_KIND: &str = "publish-keys";
const NAME: &str = "signing";

/// As QStash's own: they make 32 characters with the letters before.
const KEY_PREFIX: &str = "sig_";
const KEY_LETTERS: usize = 28;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Between tries to read keys that another node changed.
const AGAIN: Duration = Duration::from_secs(1);

/// Why there are no keys, or no other ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    #[error("the configuration gives the signing keys: change them there, on every node")]
    Configured,
    #[error("the signing keys in the store cannot be read; remove the catalog entry {KEYS_KIND}/{NAME}")]
    Unreadable,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keys, and whether they were made just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub keys: SigningKeys,
    pub made: bool,
}

/// The value of the catalog entry, as JSON.
#[derive(Serialize, Deserialize)]
struct Kept {
    current: String,
    next: String,
}

/// The configured keys, else those in the store, if there are any.
pub async fn find(store: &dyn Store, publish: &Publish) -> Result<Option<SigningKeys>, KeysError> {
    match publish.signing_keys() {
        Some(keys) => Ok(Some(keys)),
        None => kept(store).await,
    }
}

/// The configured keys, else those in the store, else new ones, which are in the store when this answers.
pub async fn find_or_make(store: &dyn Store, publish: &Publish, entropy: &dyn Entropy) -> Result<Found, KeysError> {
    match find(store, publish).await? {
        Some(keys) => Ok(Found { keys, made: false }),
        None => {
            let fresh = Kept { current: fresh(entropy), next: fresh(entropy) };
            let stands = store.add_catalog(entry(&fresh)?).await?;
            let made = stands == entry(&fresh)?;
            Ok(Found { keys: read(&stands)?, made })
        }
    }
}

/// Makes the next key the current one, and a new one the next.
///
/// # Errors
/// [`KeysError::Configured`] if they are not ours to change.
pub async fn rotate(store: &dyn Store, publish: &Publish, entropy: &dyn Entropy) -> Result<SigningKeys, KeysError> {
    if publish.signing_keys().is_some() {
        return Err(KeysError::Configured);
    }
    let next = match kept(store).await? {
        Some(keys) => text(&keys.next),
        None => fresh(entropy),
    };
    keep(store, Kept { current: next, next: fresh(entropy) }).await
}

async fn kept(store: &dyn Store) -> Result<Option<SigningKeys>, KeysError> {
    let entries = store.catalog(KEYS_KIND).await?;
    let Some(entry) = entries.iter().find(|entry| entry.name == NAME) else { return Ok(None) };
    read(entry).map(Some)
}

fn read(entry: &CatalogEntry) -> Result<SigningKeys, KeysError> {
    let kept: Kept = serde_json::from_slice(&entry.value).map_err(|_| KeysError::Unreadable)?;
    let keys = Secret::new(kept.current).zip(Secret::new(kept.next));
    keys.map(|(current, next)| SigningKeys { current, next }).ok_or(KeysError::Unreadable)
}

fn entry(keys: &Kept) -> Result<CatalogEntry, KeysError> {
    let value = serde_json::to_vec(keys).map_err(|_| KeysError::Unreadable)?;
    Ok(CatalogEntry { kind: KEYS_KIND.to_owned(), name: NAME.to_owned(), value })
}

/// Writes, and answers what stands there then.
async fn keep(store: &dyn Store, keys: Kept) -> Result<SigningKeys, KeysError> {
    store.put_catalog(entry(&keys)?).await?;
    kept(store).await?.ok_or(KeysError::Unreadable)
}

fn text(key: &Secret) -> String {
    String::from_utf8_lossy(key.expose()).into_owned()
}

/// Each letter with the same chance: bytes that would make some more likely are drawn again.
fn fresh(entropy: &dyn Entropy) -> String {
    let mut key = KEY_PREFIX.to_owned();
    let fair = u8::try_from(256 / ALPHABET.len() * ALPHABET.len()).unwrap_or(u8::MAX);
    while key.len() < KEY_PREFIX.len() + KEY_LETTERS {
        let mut drawn = [0; 2 * KEY_LETTERS];
        entropy.fill(&mut drawn);
        let missing = KEY_PREFIX.len() + KEY_LETTERS - key.len();
        let letters = drawn.into_iter().filter(|byte| *byte < fair).take(missing);
        key.extend(letters.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])));
    }
    key
}

/// The keys as they are now, for whoever signs. One value is shared by all.
pub struct Keys {
    config: Arc<ArcSwap<Config>>,
    kept: ArcSwap<SigningKeys>,
}

impl Keys {
    /// `found` holds until the store or the configuration says otherwise.
    pub fn new(config: Arc<ArcSwap<Config>>, found: SigningKeys) -> Self {
        Keys { config, kept: ArcSwap::from_pointee(found) }
    }

    /// The keys in use. Cheap.
    pub fn now(&self) -> Arc<SigningKeys> {
        match self.config.load().publish.signing_keys() {
            Some(configured) => Arc::new(configured),
            None => self.kept.load_full(),
        }
    }

    /// Takes over what was written here.
    pub fn take(&self, keys: SigningKeys) {
        self.kept.store(Arc::new(keys));
    }

    /// Takes over what other nodes write, until the store has nothing more to tell or the future is dropped.
    pub async fn follow(&self, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
        let mut changes = store.changes();
        loop {
            // What is written from here on is told of.
            changes.mark_unchanged();
            match kept(&*store).await {
                Ok(Some(keys)) if keys != **self.kept.load() && self.config.load().publish.signing_keys().is_none() => {
                    self.take(keys);
                    tracing::info!("the signing keys of published messages were changed, and are in use");
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the signing keys could not be read; trying again");
                    clock.sleep_until(clock.now().plus(AGAIN)).await;
                    continue;
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Time;
    use hookhaven_store::{
        clock::{ManualClock, SeededEntropy},
        memory::MemoryStore,
    };

    use super::*;

    fn store() -> Arc<MemoryStore> {
        let clock = ManualClock::at(Time::from_s(1_790_000_000));
        Arc::new(MemoryStore::new(Arc::new(clock), Arc::new(SeededEntropy::new(1))))
    }

    fn configured() -> Publish {
        let key = |letter: &str| Secret::new(letter.repeat(32));
        Publish { current_signing_key: key("a"), next_signing_key: key("b"), ..Publish::default() }
    }

    #[tokio::test]
    async fn keys_are_made_once_and_found_from_then_on() {
        let (store, publish) = (store(), Publish::default());
        assert_eq!(find(&*store, &publish).await, Ok(None));
        let first = find_or_make(&*store, &publish, &SeededEntropy::new(1)).await.unwrap();
        let again = find_or_make(&*store, &publish, &SeededEntropy::new(2)).await.unwrap();
        assert!(first.made && !again.made);
        assert_eq!(first.keys, again.keys);
        for key in [&first.keys.current, &first.keys.next] {
            let key = text(key);
            assert_eq!(key.len(), 32);
            assert!(key.starts_with("sig_") && key[4..].bytes().all(|c| c.is_ascii_alphanumeric()), "{key}");
        }
        assert_ne!(first.keys.current, first.keys.next);
    }

    #[tokio::test]
    async fn rotating_makes_the_next_key_the_current_one() {
        let (store, publish, entropy) = (store(), Publish::default(), SeededEntropy::new(1));
        let before = find_or_make(&*store, &publish, &entropy).await.unwrap().keys;
        let after = rotate(&*store, &publish, &entropy).await.unwrap();
        assert_eq!(after.current, before.next);
        assert!(after.next != before.next && after.next != before.current);
        assert_eq!(find(&*store, &publish).await, Ok(Some(after)));
    }

    #[tokio::test]
    async fn configured_keys_come_first_and_are_not_rotated() {
        let (store, entropy) = (store(), SeededEntropy::new(1));
        let found = find_or_make(&*store, &configured(), &entropy).await.unwrap();
        assert_eq!(found, Found { keys: configured().signing_keys().unwrap(), made: false });
        assert_eq!(store.catalog(KEYS_KIND).await.unwrap(), [], "nothing is made that is not needed");
        assert_eq!(rotate(&*store, &configured(), &entropy).await, Err(KeysError::Configured));
    }

    #[tokio::test]
    async fn what_is_not_ours_is_an_error_and_not_written_over() {
        let store = store();
        let entry = CatalogEntry { kind: KEYS_KIND.to_owned(), name: NAME.to_owned(), value: b"{}".to_vec() };
        store.put_catalog(entry.clone()).await.unwrap();
        let made = find_or_make(&*store, &Publish::default(), &SeededEntropy::new(1)).await;
        assert_eq!(made, Err(KeysError::Unreadable));
        assert_eq!(store.catalog(KEYS_KIND).await.unwrap(), [entry]);
    }

    #[tokio::test]
    async fn a_node_follows_what_another_one_rotated_or_made() {
        let (store, publish, entropy) = (store(), Publish::default(), SeededEntropy::new(1));
        // As if this node had read its own keys before another one's were written.
        let early = SigningKeys { current: Secret::new("mine").unwrap(), next: Secret::new("own").unwrap() };
        let others = find_or_make(&*store, &publish, &entropy).await.unwrap().keys;
        let config = Arc::new(ArcSwap::from_pointee(Config::default()));
        let keys = Arc::new(Keys::new(config.clone(), early));
        let clock = ManualClock::at(Time::from_s(1_790_000_000));
        let (following, told) = (keys.clone(), store.clone());
        let task = tokio::spawn(async move { following.follow(told, Arc::new(clock)).await });
        let until = async |wanted: SigningKeys| {
            while *keys.now() != wanted {
                tokio::task::yield_now().await;
            }
        };
        until(others).await;
        until(rotate(&*store, &publish, &entropy).await.unwrap()).await;
        // What the configuration says holds at once.
        config.store(Arc::new(Config { publish: configured(), ..Config::default() }));
        until(configured().signing_keys().unwrap()).await;
        task.abort();
    }
}
