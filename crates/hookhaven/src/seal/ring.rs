//! The data keys that a process knows: one that seals, all that open. Pure.

use std::{collections::BTreeMap, sync::Arc};

use hookhaven_core::Time;
use hookhaven_store::clock::Entropy;

use super::{
    SealError,
    envelope::{Damaged, DataKey, KeyId, SealedIn, key_of},
};

/// Why an envelope does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("it is encrypted with the data key {0}, which is gone")]
    NoKey(KeyId),
    /// Other nodes may have put it where it cannot be looked for just now, or not with this configuration.
    #[error("it is encrypted with the data key {0}, which cannot be had now")]
    NotNow(KeyId),
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

#[derive(Clone, Debug)]
pub struct Ring {
    keys: BTreeMap<KeyId, Arc<DataKey>>,
    current: Arc<DataKey>,
}

impl Ring {
    /// The one made last seals: so all who know the same keys agree. `None` without any.
    pub fn new(keys: Vec<(Time, DataKey)>) -> Option<Self> {
        let keys: Vec<_> = keys.into_iter().map(|(made_at, key)| (made_at, Arc::new(key))).collect();
        let (_, current) = keys.iter().max_by_key(|(made_at, key)| (*made_at, key.id()))?;
        let current = current.clone();
        Some(Ring { keys: keys.into_iter().map(|(_, key)| (key.id(), key)).collect(), current })
    }

    pub fn knows(&self, key: KeyId) -> bool {
        self.keys.contains_key(&key)
    }

    pub fn seal(&self, place: SealedIn<'_>, value: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, SealError> {
        self.current.seal(place, value, entropy)
    }

    /// See [`DataKey::seal_apart`].
    pub fn seal_apart(
        &self,
        place: SealedIn<'_>,
        value: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<(Vec<u8>, Vec<u8>), SealError> {
        self.current.seal_apart(place, value, entropy)
    }

    pub fn open(&self, place: SealedIn<'_>, envelope: &[u8]) -> Result<Vec<u8>, OpenError> {
        Ok(self.key(envelope)?.open(place, envelope)?)
    }

    pub fn open_apart(&self, place: SealedIn<'_>, sealed: &[u8], stub: &[u8]) -> Result<Vec<u8>, OpenError> {
        Ok(self.key(stub)?.open_apart(place, sealed, stub)?)
    }

    fn key(&self, envelope: &[u8]) -> Result<&DataKey, OpenError> {
        let id = key_of(envelope)?;
        self.keys.get(&id).map(|key| &**key).ok_or(OpenError::NoKey(id))
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_store::clock::SeededEntropy;

    use super::*;

    #[test]
    fn the_last_one_made_seals_and_all_open() {
        let entropy = SeededEntropy::new(1);
        let key = |bytes: [u8; 32], id: &str| {
            DataKey::new(id.parse().unwrap(), hookhaven_core::Secret::new(bytes).unwrap()).unwrap()
        };
        let keys = |n: usize| {
            let all = [(2, [1; 32], "00000001"), (1, [2; 32], "00000002"), (2, [3; 32], "00000003")];
            all.into_iter().take(n).map(|(at, bytes, id)| (Time::from_s(at), key(bytes, id))).collect::<Vec<_>>()
        };
        let place = SealedIn::File("x");
        let (two, three) = (Ring::new(keys(2)).unwrap(), Ring::new(keys(3)).unwrap());
        let by_two = two.seal(place, b"v", &entropy).unwrap();
        let by_three = three.seal(place, b"v", &entropy).unwrap();
        assert_eq!((key_of(&by_two), key_of(&by_three)), (Ok(keys(1)[0].1.id()), Ok("00000003".parse().unwrap())));
        assert_eq!(three.open(place, &by_two), Ok(b"v".to_vec()));
        assert_eq!(two.open(place, &by_three), Err(OpenError::NoKey("00000003".parse().unwrap())));
        assert!(Ring::new(vec![]).is_none());
    }
}
