//! What data keys are kept under: a master key of the configuration, or the admin token where nodes share a database
//! and there is no master key. And data keys as they are kept, wrapped or not. Pure.
//!
//! From either a wrapping key is derived by HKDF-SHA-256 (RFC 5869), so that nothing else that is ever made with the
//! admin token has anything to do with it.

use std::fmt;

use aws_lc_rs::hkdf;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hookhaven_core::{Secret, Time};
use hookhaven_store::clock::Entropy;
use serde::{Deserialize, Serialize};

use super::{
    SealError,
    envelope::{DataKey, KEY_BYTES, KeyId, SealedIn},
};
use crate::config::{Config, Encryption};

const SALT: &[u8] = b"hookhaven: what data keys are wrapped under";
/// Shown of a wrapping key, to tell it from others.
const ID_BYTES: usize = 4;

/// 32 bytes that nobody else knows.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Secret);

impl MasterKey {
    pub fn made(entropy: &dyn Entropy) -> Option<Self> {
        let mut bytes = [0; KEY_BYTES];
        entropy.fill(&mut bytes);
        Secret::new(bytes).map(MasterKey)
    }

    /// Of 64 hex digits, or of base64 in either alphabet; `None` if it is not 32 bytes.
    pub fn parse(text: &Secret) -> Option<Self> {
        let text = std::str::from_utf8(text.expose()).ok()?.trim();
        let plain = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
        let bytes = hex::decode(text).ok().or_else(|| URL_SAFE_NO_PAD.decode(plain).ok())?;
        let bytes = Secret::new(bytes)?;
        (bytes.expose().len() == KEY_BYTES).then_some(MasterKey(bytes))
    }

    /// For whoever asked for a new one.
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.0.expose())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Wraps data keys.
pub struct WrapKey {
    name: String,
    key: DataKey,
}

/// Length of what HKDF gives.
struct Bytes(usize);

impl hkdf::KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

impl WrapKey {
    pub fn of_master(key: &MasterKey) -> Option<Self> {
        Self::derived("master", &key.0)
    }

    pub fn of_admin_token(token: &Secret) -> Option<Self> {
        Self::derived("token", token)
    }

    /// `master:1a2b3c4d`: what it is derived from, and digits that tell it from others.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn derived(origin: &'static str, from: &Secret) -> Option<Self> {
        let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(from.expose());
        let expand = |purpose: &str, out: &mut [u8]| {
            let info = [origin.as_bytes(), purpose.as_bytes()];
            pseudorandom.expand(&info, Bytes(out.len())).ok()?.fill(out).ok()
        };
        let (mut name, mut bytes) = ([0; ID_BYTES], [0; KEY_BYTES]);
        expand(" name", &mut name)?;
        expand(" key", &mut bytes)?;
        let name = hex::encode(name);
        let key = DataKey::new(name.parse().ok()?, Secret::new(bytes)?)?;
        Some(WrapKey { name: format!("{origin}:{name}"), key })
    }
}

impl fmt::Debug for WrapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrapKey({})", self.name)
    }
}

/// All that a configuration has to wrap and unwrap with.
#[derive(Debug, Default)]
pub struct WrapKeys {
    /// What data keys are to be wrapped under; `None`: under nothing.
    pub own: Option<WrapKey>,
    /// What they may have been wrapped under before.
    pub others: Vec<WrapKey>,
}

impl WrapKeys {
    pub fn of(config: &Config) -> Self {
        let token = config.server.admin_token.as_ref().filter(|_| config.shares_store());
        Self::new(&config.encryption, token)
    }

    /// `token` where nodes share a store.
    pub fn new(encryption: &Encryption, token: Option<&Secret>) -> Self {
        let master = encryption.master.as_ref().and_then(WrapKey::of_master);
        let token = token.and_then(WrapKey::of_admin_token);
        let mut others = Vec::new();
        let own = match (master, token) {
            (Some(master), token) => {
                others.extend(token);
                Some(master)
            }
            (None, token) => token,
        };
        // One that was in use before may have been either.
        for previous in &encryption.previous {
            others.extend(MasterKey::parse(previous).as_ref().and_then(WrapKey::of_master));
            others.extend(WrapKey::of_admin_token(previous));
        }
        WrapKeys { own, others }
    }

    fn named(&self, name: &str) -> Option<&WrapKey> {
        self.own.iter().chain(&self.others).find(|key| key.name == name)
    }
}

/// A data key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptKey {
    pub id: KeyId,
    pub made_at: Time,
    /// Name of the key that it is wrapped under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped_by: Option<String>,
    key: KeptBytes,
}

/// The data key itself, or its envelope.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct KeptBytes(String);

impl fmt::Debug for KeptBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl KeptKey {
    pub fn wrap(
        key: &DataKey,
        made_at: Time,
        under: Option<&WrapKey>,
        entropy: &dyn Entropy,
    ) -> Result<Self, SealError> {
        let bytes = match under {
            Some(under) => under.key.seal(SealedIn::DataKey(key.id()), key.expose(), entropy)?,
            None => key.expose().to_vec(),
        };
        let wrapped_by = under.map(|under| under.name.clone());
        Ok(KeptKey { id: key.id(), made_at, wrapped_by, key: KeptBytes(STANDARD.encode(bytes)) })
    }

    /// # Errors
    /// [`SealError::WrongKey`] if it is wrapped under a key that is not among these, [`SealError::Unreadable`] if it was
    /// changed.
    pub fn unwrap(&self, with: &WrapKeys, place: &str) -> Result<DataKey, SealError> {
        let unreadable =
            || SealError::Unreadable { place: place.to_owned(), why: format!("the data key {} is damaged", self.id) };
        let bytes = STANDARD.decode(&self.key.0).map_err(|_| unreadable())?;
        let bytes = match &self.wrapped_by {
            None => bytes,
            Some(name) => {
                let under = with.named(name).ok_or_else(|| self.wrong_key(name, place))?;
                under.key.open(SealedIn::DataKey(self.id), &bytes).map_err(|_| unreadable())?
            }
        };
        Secret::new(bytes).and_then(|bytes| DataKey::new(self.id, bytes)).ok_or_else(unreadable)
    }

    fn wrong_key(&self, name: &str, place: &str) -> SealError {
        let mend = match name.starts_with("token:") {
            true => {
                "derived from an admin token that the configuration does not name: put the one it was into \
                 encryption.previous, then run `hookhaven master-key rotate`"
            }
            false => {
                "a master key that the configuration does not name: set encryption.master_key to it, or put it into \
                 encryption.previous and run `hookhaven master-key rotate`"
            }
        };
        SealError::WrongKey { place: place.to_owned(), key: self.id, by: name.to_owned(), mend }
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_store::clock::SeededEntropy;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    fn with(master: Option<&str>, token: Option<&str>, previous: &[&str]) -> WrapKeys {
        let encryption = Encryption {
            master: master.map(|text| MasterKey::parse(&secret(text)).unwrap()),
            previous: previous.iter().map(|text| secret(text)).collect(),
        };
        WrapKeys::new(&encryption, token.map(secret).as_ref())
    }

    #[test]
    fn a_master_key_is_32_bytes_in_either_spelling() {
        let bytes = [251_u8; 32];
        let hex = MasterKey::parse(&secret(&hex::encode(bytes))).unwrap();
        for text in [STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes), format!(" {}\n", hex.to_text())] {
            assert_eq!(MasterKey::parse(&secret(&text)).as_ref(), Some(&hex));
        }
        for text in
            ["short", &"ab".repeat(31), &"ab".repeat(33), &STANDARD.encode([1; 31]), "correct horse battery staple"]
        {
            assert_eq!(MasterKey::parse(&secret(text)), None, "{text}");
        }
        assert_eq!(format!("{hex:?}"), "MasterKey(…)");
    }

    #[test]
    fn only_the_key_that_wrapped_it_unwraps_it() {
        let entropy = SeededEntropy::new(1);
        let key = DataKey::made(&entropy).unwrap();
        let [a, b] = ["aa", "bb"].map(|two| two.repeat(32));
        let wrap = |keys: &WrapKeys| KeptKey::wrap(&key, Time::EPOCH, keys.own.as_ref(), &entropy).unwrap();
        let opens = |kept: &KeptKey, keys: &WrapKeys| kept.unwrap(keys, "here").map(|key| key.id());
        let under_a = wrap(&with(Some(&a), None, &[]));
        let text = serde_json::to_string(&under_a).unwrap();
        assert_eq!(serde_json::from_str::<KeptKey>(&text).unwrap(), under_a);
        assert!(!format!("{under_a:?}").contains(&under_a.key.0));
        assert_eq!(opens(&under_a, &with(Some(&a), Some("token"), &[])), Ok(key.id()));
        assert_eq!(opens(&under_a, &with(Some(&b), None, &[&a])), Ok(key.id()));
        for wrong in [with(Some(&b), None, &[]), with(None, None, &[]), with(None, Some(&a), &[])] {
            let Err(SealError::WrongKey { by, .. }) = opens(&under_a, &wrong) else { panic!() };
            assert!(by.starts_with("master:"), "{by}");
        }
        let under_token = wrap(&with(None, Some("token"), &[]));
        assert_eq!(opens(&under_token, &with(Some(&a), Some("token"), &[])), Ok(key.id()));
        assert_eq!(opens(&under_token, &with(None, Some("other"), &["token"])), Ok(key.id()));
        assert!(matches!(opens(&under_token, &with(None, Some("other"), &[])), Err(SealError::WrongKey { .. })));
        let plain = wrap(&with(None, None, &[]));
        assert_eq!(opens(&plain, &with(Some(&a), None, &[])), Ok(key.id()));
    }

    #[test]
    fn a_wrapped_key_under_another_id_is_damaged() {
        let entropy = SeededEntropy::new(1);
        let keys = with(Some(&"aa".repeat(32)), None, &[]);
        let [one, other] = [(); 2].map(|()| DataKey::made(&entropy).unwrap());
        let kept = KeptKey::wrap(&one, Time::EPOCH, keys.own.as_ref(), &entropy).unwrap();
        let swapped = KeptKey { id: other.id(), ..kept };
        assert!(matches!(swapped.unwrap(&keys, "here"), Err(SealError::Unreadable { .. })));
    }
}
