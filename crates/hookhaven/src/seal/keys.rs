//! Data keys where they are kept, whatever the place: found or made at a start, wrapped anew when the master key
//! changes, given up when they are lost.
//!
//! Not here: what they seal (`vault`), how a place is written (`file`, `catalog`).

use std::{path::Path, sync::Arc};

use hookhaven_core::Time;
use hookhaven_store::{Store, clock::Entropy};

use super::{
    SealError, catalog,
    envelope::DataKey,
    file,
    ring::Ring,
    store::holds_sealed,
    wrap::{KeptKey, WrapKey, WrapKeys},
};

/// Where data keys are kept.
#[derive(Clone, Debug)]
pub enum KeyPlace<'a> {
    Directory(&'a Path),
    Database(Arc<dyn Store>),
}

impl KeyPlace<'_> {
    pub async fn read(&self) -> Result<Vec<KeptKey>, SealError> {
        match self {
            KeyPlace::Directory(dir) => Ok(file::read(dir)?.unwrap_or_default()),
            KeyPlace::Database(store) => catalog::read(&**store).await,
        }
    }

    /// What is kept from now on. A database loses none of those that it had.
    pub async fn write(&self, keys: Vec<KeptKey>, entropy: &dyn Entropy) -> Result<(), SealError> {
        match self {
            KeyPlace::Directory(dir) => file::write(dir, keys, entropy),
            KeyPlace::Database(store) => catalog::write(&**store, &keys).await,
        }
    }

    /// What keys are to be wrapped under here. In a file they may lie bare.
    ///
    /// # Errors
    /// [`SealError::NoWrapKey`] with a database and nothing configured.
    fn wrap_key<'w>(&self, with: &'w WrapKeys) -> Result<Option<&'w WrapKey>, SealError> {
        match (self, &with.own) {
            (KeyPlace::Database(_), None) => Err(SealError::NoWrapKey),
            (_, own) => Ok(own.as_ref()),
        }
    }

    /// For messages.
    pub fn name(&self) -> String {
        match self {
            KeyPlace::Directory(dir) => dir.join(file::KEYS_FILE).display().to_string(),
            KeyPlace::Database(_) => catalog::PLACE.to_owned(),
        }
    }
}

/// The data keys, made if there were none and nothing needs others. Those in a file are wrapped as the configuration now
/// has it; in a database that is left to a command, since other nodes may still go by the configuration before.
///
/// # Errors
/// Nothing was written if there are keys that cannot be unwrapped, or if they are gone.
pub async fn find_or_make(
    place: &KeyPlace<'_>,
    store: &dyn Store,
    with: &WrapKeys,
    entropy: &dyn Entropy,
    now: Time,
) -> Result<Ring, SealError> {
    let mut kept = place.read().await?;
    if kept.is_empty() {
        if holds_sealed(store).await? {
            return Err(SealError::Lost { place: place.name() });
        }
        add(place, with, entropy, now).await?;
        // Another first node may have made one, too.
        kept = place.read().await?;
    }
    let ring = unwrap(&kept, with, &place.name())?;
    let wanted = place.wrap_key(with)?.map(WrapKey::name);
    if matches!(place, KeyPlace::Directory(_)) && kept.iter().any(|key| key.wrapped_by.as_deref() != wanted) {
        rewrap(place, with, entropy).await?;
    }
    Ok(ring)
}

/// One more key, which seals from now on.
pub async fn add(
    place: &KeyPlace<'_>,
    with: &WrapKeys,
    entropy: &dyn Entropy,
    now: Time,
) -> Result<KeptKey, SealError> {
    let mut kept = place.read().await?;
    // Others may have clocks that are ahead.
    let made_at = kept.iter().map(|key| key.made_at).max().map_or(now, |last| now.max(last));
    let fresh = KeptKey::wrap(&DataKey::made(entropy)?, made_at, place.wrap_key(with)?, entropy)?;
    kept.push(fresh.clone());
    place.write(kept, entropy).await?;
    Ok(fresh)
}

/// Wraps all keys under what the configuration now says. Answers how many were wrapped otherwise before. Safe to repeat
/// and to break off: each key is wrapped under the one or the other, and both are known.
pub async fn rewrap(place: &KeyPlace<'_>, with: &WrapKeys, entropy: &dyn Entropy) -> Result<usize, SealError> {
    let (kept, under) = (place.read().await?, place.wrap_key(with)?);
    let wanted = under.map(WrapKey::name);
    let (mut anew, mut changed) = (Vec::with_capacity(kept.len()), 0);
    for key in kept {
        if key.wrapped_by.as_deref() == wanted {
            anew.push(key);
            continue;
        }
        let bare = key.unwrap(with, &place.name())?;
        anew.push(KeptKey::wrap(&bare, key.made_at, under, entropy)?);
        changed += 1;
    }
    if changed > 0 {
        place.write(anew, entropy).await?;
    }
    Ok(changed)
}

/// Puts the keys of one place beside those of another, wrapped as that one wants them: for what is copied there.
pub async fn share(
    from: (&KeyPlace<'_>, &WrapKeys),
    to: (&KeyPlace<'_>, &WrapKeys),
    entropy: &dyn Entropy,
) -> Result<usize, SealError> {
    let (place, with) = from;
    let under = to.0.wrap_key(to.1)?;
    let mut keys = to.0.read().await?;
    let known: Vec<_> = keys.iter().map(|key| key.id).collect();
    let mut shared = 0;
    for key in place.read().await?.into_iter().filter(|key| !known.contains(&key.id)) {
        keys.push(KeptKey::wrap(&key.unwrap(with, &place.name())?, key.made_at, under, entropy)?);
        shared += 1;
    }
    if shared > 0 {
        to.0.write(keys, entropy).await?;
    }
    Ok(shared)
}

/// Lets go of the keys that nobody can unwrap, and makes one if none is left. A file is first put aside, whatever it
/// holds. Answers how many were let go of.
pub async fn give_up(
    place: &KeyPlace<'_>,
    with: &WrapKeys,
    entropy: &dyn Entropy,
    now: Time,
) -> Result<usize, SealError> {
    let kept = match place {
        KeyPlace::Directory(dir) => file::read(dir).unwrap_or_default().unwrap_or_default(),
        KeyPlace::Database(store) => catalog::read_valid(&**store).await?,
    };
    let all = match place {
        KeyPlace::Directory(dir) => kept.len().max(usize::from(file::exists(dir))),
        KeyPlace::Database(store) => store.catalog(catalog::DATA_KEY_KIND).await?.len(),
    };
    let (good, _): (Vec<_>, Vec<_>) = kept.into_iter().partition(|key| key.unwrap(with, &place.name()).is_ok());
    let lost = all - good.len();
    match place {
        KeyPlace::Directory(dir) if lost > 0 => file::put_aside(dir, entropy)?,
        KeyPlace::Directory(_) => {}
        KeyPlace::Database(store) => catalog::keep_only(&**store, &good).await?,
    }
    match good.is_empty() {
        true => drop(add(place, with, entropy, now).await?),
        false => place.write(good, entropy).await?,
    }
    Ok(lost)
}

/// Those of a data directory, for who only looks.
pub fn in_directory(dir: &Path, with: &WrapKeys) -> Result<Ring, SealError> {
    let place = KeyPlace::Directory(dir).name();
    unwrap(&file::read(dir)?.unwrap_or_default(), with, &place)
}

/// All of them, ready for use.
pub fn unwrap(kept: &[KeptKey], with: &WrapKeys, place: &str) -> Result<Ring, SealError> {
    let keys = kept.iter().map(|key| Ok((key.made_at, key.unwrap(with, place)?))).collect::<Result<_, SealError>>()?;
    Ring::new(keys).ok_or_else(|| SealError::Lost { place: place.to_owned() })
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Secret;
    use hookhaven_store::{
        CatalogEntry,
        clock::{ManualClock, SeededEntropy},
        memory::MemoryStore,
    };

    use super::*;
    use crate::{
        config::Encryption,
        seal::{SealedIn, Vault, wrap::MasterKey},
    };

    const NOW: Time = Time::from_s(1_790_000_000);

    fn store() -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(Arc::new(ManualClock::at(NOW)), Arc::new(SeededEntropy::new(9))))
    }

    /// One letter, one master key.
    fn with(master: &str, previous: &[&str]) -> WrapKeys {
        let secret = |letter: &str| Secret::new(letter.repeat(64)).unwrap();
        let master = (!master.is_empty()).then(|| MasterKey::parse(&secret(master)).unwrap());
        let previous = previous.iter().map(|letter| secret(letter)).collect();
        WrapKeys::new(&Encryption { master, previous }, None)
    }

    async fn found(place: &KeyPlace<'_>, with: &WrapKeys, seed: u64) -> Result<Ring, SealError> {
        find_or_make(place, &*store(), with, &SeededEntropy::new(seed), NOW).await
    }

    /// Whether what one seals the other opens.
    fn agree(one: &Ring, other: &Ring) -> bool {
        let place = SealedIn::File("x");
        other.open(place, &one.seal(place, b"v", &SeededEntropy::new(5)).unwrap()) == Ok(b"v".to_vec())
    }

    #[tokio::test]
    async fn a_directory_s_keys_are_made_once_and_wrapped_as_soon_as_there_is_a_master_key() {
        let dir = tempfile::tempdir().unwrap();
        let place = KeyPlace::Directory(dir.path());
        let first = found(&place, &with("", &[]), 1).await.unwrap();
        assert!(place.read().await.unwrap().iter().all(|key| key.wrapped_by.is_none()));
        let second = found(&place, &with("a", &[]), 2).await.unwrap();
        assert!(agree(&first, &second));
        let wrapped = place.read().await.unwrap();
        assert_eq!(wrapped.len(), 1);
        assert!(wrapped[0].wrapped_by.as_deref().is_some_and(|by| by.starts_with("master:")));

        for wrong in [with("", &[]), with("b", &[])] {
            assert!(matches!(found(&place, &wrong, 3).await, Err(SealError::WrongKey { .. })));
            assert_eq!(place.read().await.unwrap(), wrapped, "nothing is overwritten");
        }
        let third = found(&place, &with("b", &["a"]), 4).await.unwrap();
        assert!(agree(&first, &third) && found(&place, &with("b", &[]), 5).await.is_ok());
    }

    #[tokio::test]
    async fn two_first_nodes_that_both_make_a_key_seal_with_the_same_one() {
        let store = store();
        let (place, with) = (KeyPlace::Database(store.clone()), with("a", &[]));
        // Both looked before either wrote.
        let one = Arc::new(
            Vault::of_database(store.clone(), with_again(), Arc::new(SeededEntropy::new(1)), NOW).await.unwrap(),
        );
        add(&place, &with, &SeededEntropy::new(2), NOW).await.unwrap();
        let two = Vault::of_database(store.clone(), with_again(), Arc::new(SeededEntropy::new(3)), NOW).await.unwrap();
        assert_eq!(place.read().await.unwrap().len(), 2);
        for (from, to) in [(&*one, &two), (&two, &*one)] {
            let sealed = from.seal(SealedIn::File("x"), b"v").unwrap();
            assert_eq!(to.open(SealedIn::File("x"), &sealed).await, Ok(b"v".to_vec()));
        }
    }

    fn with_again() -> WrapKeys {
        with("a", &[])
    }

    #[tokio::test]
    async fn a_database_wants_a_key_to_wrap_with_and_is_wrapped_anew_by_command_only() {
        let store = store();
        let place = KeyPlace::Database(store.clone());
        assert!(matches!(found(&place, &with("", &[]), 1).await, Err(SealError::NoWrapKey)));
        assert_eq!(place.read().await.unwrap(), []);
        let first = found(&place, &with("a", &[]), 1).await.unwrap();
        let before = place.read().await.unwrap();
        let changed = with("b", &["a"]);
        assert!(agree(&first, &found(&place, &changed, 2).await.unwrap()));
        assert_eq!(place.read().await.unwrap(), before);
        let entropy = SeededEntropy::new(3);
        assert_eq!(rewrap(&place, &changed, &entropy).await, Ok(1));
        assert_eq!(rewrap(&place, &changed, &entropy).await, Ok(0));
        assert!(found(&place, &with("a", &[]), 4).await.is_err());
        assert!(agree(&first, &found(&place, &with("b", &[]), 4).await.unwrap()));
    }

    #[tokio::test]
    async fn keys_that_are_gone_are_not_replaced_while_something_needs_them() {
        let (dir, store) = (tempfile::tempdir().unwrap(), store());
        let (place, entropy) = (KeyPlace::Directory(dir.path()), SeededEntropy::new(1));
        let value = br#"{"sealed":"AAAA"}"#.to_vec();
        let entry = CatalogEntry { kind: "publish-keys".into(), name: "signing".into(), value };
        store.put_catalog(entry).await.unwrap();
        let found = find_or_make(&place, &*store, &with("", &[]), &entropy, NOW).await;
        assert!(matches!(found, Err(SealError::Lost { .. })), "{found:?}");
        assert_eq!(file::read(dir.path()), Ok(None));
    }

    #[tokio::test]
    async fn keys_go_along_with_what_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (KeyPlace::Directory(dir.path()), KeyPlace::Database(store()));
        let first = found(&from, &with("", &[]), 1).await.unwrap();
        let (bare, wrapped, entropy) = (with("", &[]), with("a", &[]), SeededEntropy::new(2));
        assert_eq!(share((&from, &bare), (&to, &wrapped), &entropy).await, Ok(1));
        assert_eq!(share((&from, &bare), (&to, &wrapped), &entropy).await, Ok(0));
        assert!(agree(&first, &found(&to, &wrapped, 3).await.unwrap()));
    }
}
