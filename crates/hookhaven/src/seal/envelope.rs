//! A data key, and the envelopes that it seals. Pure.
//!
//! The cipher is AES-256-GCM-SIV (RFC 8452). It derives a key of its own from each nonce, so that one data key lasts
//! for more values than a gateway will ever store; and should a nonce come twice, it tells no more than whether two
//! values are the same. So nonces are random and nobody has to count, on any number of nodes.
//!
//! An envelope: version (1 byte), the data key's id (4), nonce (12), ciphertext, tag (16). What is sealed in place keeps
//! its length; the rest stands apart, as its *stub*.

use std::{fmt, str::FromStr};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use hookhaven_core::{EventId, RejectedId, Secret};
use hookhaven_store::clock::Entropy;
use serde::{Deserialize, Serialize};

use super::SealError;

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + KeyId::BYTES + NONCE_LEN;
pub(super) const KEY_BYTES: usize = 32;
/// What an envelope has beside the value.
pub(super) const STUB_BYTES: usize = HEAD_BYTES + TAG_BYTES;

/// Tells data keys apart; says nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; KeyId::BYTES]);

impl KeyId {
    const BYTES: usize = 4;
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for KeyId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; KeyId::BYTES];
        hex::decode_to_slice(text, &mut id)?;
        Ok(KeyId(id))
    }
}

impl Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a value belongs to. It is part of what the tag covers: an envelope opens in its own place only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedIn<'a> {
    /// The headers of an event.
    Event(EventId),
    EventBody(EventId),
    Rejected(RejectedId),
    RejectedBody(RejectedId),
    /// A catalog entry, by kind and name.
    Catalog(&'a str, &'a str),
    /// A file of the data directory.
    File(&'a str),
    /// A data key, under another key.
    DataKey(KeyId),
}

impl SealedIn<'_> {
    /// No two places have the same bytes: the length of all but the last part is known.
    fn bytes(self) -> Vec<u8> {
        match self {
            SealedIn::Event(id) => [&b"e"[..], id.as_bytes()].concat(),
            SealedIn::EventBody(id) => [&b"b"[..], id.as_bytes()].concat(),
            SealedIn::Rejected(id) => [&b"r"[..], id.as_bytes()].concat(),
            SealedIn::RejectedBody(id) => [&b"q"[..], id.as_bytes()].concat(),
            SealedIn::Catalog(kind, name) => {
                [&b"c"[..], &(kind.len() as u64).to_le_bytes(), kind.as_bytes(), name.as_bytes()].concat()
            }
            SealedIn::File(name) => [&b"f"[..], name.as_bytes()].concat(),
            SealedIn::DataKey(id) => [&b"k"[..], &id.0].concat(),
        }
    }
}

/// The bytes are no envelope, were changed, or were sealed in another place or with another key of the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was encrypted is damaged, or stands where it does not belong")]
pub struct Damaged;

/// Seals and opens. Cheap to share, never shown.
pub struct DataKey {
    id: KeyId,
    bytes: Secret,
    key: LessSafeKey,
}

impl DataKey {
    /// A new one.
    pub fn made(entropy: &dyn Entropy) -> Result<Self, SealError> {
        let (mut id, mut bytes) = ([0; KeyId::BYTES], [0; KEY_BYTES]);
        entropy.fill(&mut id);
        entropy.fill(&mut bytes);
        let bytes = Secret::new(bytes).ok_or(SealError::Failed)?;
        Self::new(KeyId(id), bytes).ok_or(SealError::Failed)
    }

    /// `None` if it has not the right length.
    pub(super) fn new(id: KeyId, bytes: Secret) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, bytes.expose()).ok()?;
        Some(DataKey { id, bytes, key: LessSafeKey::new(key) })
    }

    pub fn id(&self) -> KeyId {
        self.id
    }

    /// For wrapping it, and nothing else.
    pub(super) fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }

    pub fn seal(&self, place: SealedIn<'_>, value: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, SealError> {
        let (mut envelope, nonce) = self.head(entropy);
        envelope.reserve_exact(value.len() + TAG_BYTES);
        envelope.extend_from_slice(value);
        let sealed = envelope.get_mut(HEAD_BYTES..).ok_or(SealError::Failed)?;
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(place.bytes()), sealed);
        envelope.extend_from_slice(tag.map_err(|_| SealError::Failed)?.as_ref());
        Ok(envelope)
    }

    /// The value sealed without a change of its length, and its stub.
    pub fn seal_apart(
        &self,
        place: SealedIn<'_>,
        value: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<(Vec<u8>, Vec<u8>), SealError> {
        let (mut stub, nonce) = self.head(entropy);
        let mut sealed = value.to_vec();
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(place.bytes()), &mut sealed);
        stub.extend_from_slice(tag.map_err(|_| SealError::Failed)?.as_ref());
        Ok((sealed, stub))
    }

    pub fn open(&self, place: SealedIn<'_>, envelope: &[u8]) -> Result<Vec<u8>, Damaged> {
        let (head, sealed) = envelope.split_at_checked(HEAD_BYTES).ok_or(Damaged)?;
        self.opened(place, head, sealed.to_vec())
    }

    pub fn open_apart(&self, place: SealedIn<'_>, sealed: &[u8], stub: &[u8]) -> Result<Vec<u8>, Damaged> {
        let (head, tag) = stub.split_at_checked(HEAD_BYTES).ok_or(Damaged)?;
        self.opened(place, head, [sealed, tag].concat())
    }

    fn opened(&self, place: SealedIn<'_>, head: &[u8], mut sealed: Vec<u8>) -> Result<Vec<u8>, Damaged> {
        let nonce = head.last_chunk::<NONCE_LEN>().ok_or(Damaged)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(place.bytes()), &mut sealed);
        let length = opened.map_err(|_| Damaged)?.len();
        sealed.truncate(length);
        Ok(sealed)
    }

    fn head(&self, entropy: &dyn Entropy) -> (Vec<u8>, Nonce) {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        ([&[VERSION][..], &self.id.0, &nonce].concat(), Nonce::assume_unique_for_key(nonce))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({}, …)", self.id)
    }
}

/// Which data key an envelope or a stub was sealed with.
pub fn key_of(envelope: &[u8]) -> Result<KeyId, Damaged> {
    match envelope {
        [VERSION, rest @ ..] if envelope.len() >= STUB_BYTES => rest.first_chunk().map(|id| KeyId(*id)).ok_or(Damaged),
        _ => Err(Damaged),
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_store::clock::SeededEntropy;
    use proptest::prelude::*;

    use super::*;

    const ID: EventId = EventId::from_bytes([7; 16]);

    fn key(seed: u64) -> DataKey {
        DataKey::made(&SeededEntropy::new(seed)).unwrap()
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_nothing_else_does(value: Vec<u8>, at: usize, bit in 0..8_u8) {
            let (key, entropy) = (key(1), SeededEntropy::new(2));
            let envelope = key.seal(SealedIn::Event(ID), &value, &entropy).unwrap();
            prop_assert_eq!(envelope.len(), value.len() + STUB_BYTES);
            prop_assert_eq!(key_of(&envelope), Ok(key.id()));
            prop_assert_eq!(key.open(SealedIn::Event(ID), &envelope), Ok(value.clone()));
            prop_assert_eq!(key.open(SealedIn::EventBody(ID), &envelope), Err(Damaged));
            prop_assert_eq!(super::tests::key(9).open(SealedIn::Event(ID), &envelope), Err(Damaged));
            // The first bytes say which key to take; whoever changes them gets another key.
            let mut changed = envelope.clone();
            let place = 5 + at % (changed.len() - 5);
            changed[place] ^= 1 << bit;
            prop_assert_eq!(key.open(SealedIn::Event(ID), &changed), Err(Damaged));

            let (sealed, stub) = key.seal_apart(SealedIn::Event(ID), &value, &entropy).unwrap();
            prop_assert_eq!((sealed.len(), stub.len()), (value.len(), STUB_BYTES));
            prop_assert_eq!(key.open_apart(SealedIn::Event(ID), &sealed, &stub), Ok(value));
            prop_assert_eq!(key.open_apart(SealedIn::EventBody(ID), &sealed, &stub), Err(Damaged));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, stub: Vec<u8>) {
            let _ = key_of(&bytes);
            prop_assert_eq!(key(1).open(SealedIn::Event(ID), &bytes), Err(Damaged));
            prop_assert_eq!(key(1).open_apart(SealedIn::Event(ID), &bytes, &stub), Err(Damaged));
        }
    }

    #[test]
    fn no_two_places_are_the_same() {
        let rejected = RejectedId::from_bytes([7; 16]);
        let places = [
            SealedIn::Event(ID),
            SealedIn::EventBody(ID),
            SealedIn::Event(EventId::from_bytes([8; 16])),
            SealedIn::Rejected(rejected),
            SealedIn::RejectedBody(rejected),
            SealedIn::Catalog("ab", "c"),
            SealedIn::Catalog("a", "bc"),
            SealedIn::File("keys"),
            SealedIn::DataKey(KeyId([7; 4])),
        ];
        let bytes: std::collections::BTreeSet<_> = places.iter().map(|place| place.bytes()).collect();
        assert_eq!(bytes.len(), places.len());
    }

    #[test]
    fn the_same_value_is_never_sealed_alike_and_a_key_is_not_shown() {
        let (key, entropy) = (key(1), SeededEntropy::new(2));
        let seal = || key.seal(SealedIn::File("x"), b"value", &entropy).unwrap();
        assert_ne!(seal(), seal());
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("DataKey({}, …)", key.id()));
    }
}
