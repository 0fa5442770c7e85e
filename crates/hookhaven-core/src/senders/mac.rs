//! Message authentication codes as senders use them: the hash, how a digest is written, what the key is,
//! and the one comparison.
//!
//! Not here: where in a request a digest stands and what it is over (`hmac`, `twilio`).
//!
//! Two rules hold for every caller. Digests are compared as bytes, in constant time, over equal lengths:
//! a shorter one never matches a beginning. And digests are read in exactly one way: lower-case hex, or
//! base64 of the standard alphabet with its padding and no stray bits, so that no second text passes for a
//! signature.

use std::str::FromStr;

use aws_lc_rs::{constant_time, digest, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Most secrets of a source that are tried; configuration refuses more.
pub const SECRETS_MAX: usize = 8;
/// Most signatures of one request that are tried.
pub const CANDIDATES_MAX: usize = 16;
/// Of the longest hash, SHA-512.
const DIGEST_BYTES_MAX: usize = 64;

/// The hash under the HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Only where a sender offers nothing better (Twilio): HMAC-SHA-1 is not broken, SHA-1 is.
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    /// Length of its digest.
    pub fn digest_bytes(self) -> usize {
        self.hmac().tag_len()
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

/// How a digest is written in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Lower case only.
    Hex,
    /// Standard alphabet, padded, canonical.
    Base64,
}

/// What of the secret's text is the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// The text itself, whatever it looks like: Stripe's `whsec_…` as a whole, Slack's hex digits.
    Text,
    /// Base64 of the key after an optional prefix: Standard Webhooks' `whsec_…`.
    Base64 { prefix: &'static str },
}

/// Text that is no algorithm or encoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct BadWord {
    text: String,
    expected: &'static str,
}

impl BadWord {
    pub(super) fn new(text: &str, expected: &'static str) -> Self {
        BadWord { text: text.chars().take(64).collect(), expected }
    }
}

impl FromStr for Algorithm {
    type Err = BadWord;
    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text {
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(BadWord::new(text, "an algorithm: sha256, sha512 or sha1")),
        }
    }
}

impl FromStr for Encoding {
    type Err = BadWord;
    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text {
            "hex" => Ok(Self::Hex),
            "base64" => Ok(Self::Base64),
            _ => Err(BadWord::new(text, "an encoding: hex or base64")),
        }
    }
}

/// A digest that a request claims, decoded.
#[derive(Clone, Copy, Debug)]
pub struct Digest {
    bytes: [u8; DIGEST_BYTES_MAX],
    len: usize,
}

impl Digest {
    /// `None` unless the text is a digest of that algorithm, written in the one accepted way.
    pub fn read(text: &[u8], encoding: Encoding, algorithm: Algorithm) -> Option<Self> {
        let len = algorithm.digest_bytes();
        let mut bytes = [0; DIGEST_BYTES_MAX];
        match encoding {
            Encoding::Hex => read_lower_hex(text, &mut bytes[..len])?,
            Encoding::Base64 => {
                // Sizes are checked first: the decoder wants room for whole groups of three.
                let padded = len.div_ceil(3) * 4;
                let mut room = [0; DIGEST_BYTES_MAX + 2];
                let decoded = (text.len() == padded).then(|| STANDARD.decode_slice(text, &mut room))?.ok()?;
                (decoded == len).then(|| bytes[..len].copy_from_slice(&room[..len]))?;
            }
        }
        Some(Digest { bytes, len })
    }

    fn equals(&self, tag: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.bytes[..self.len], tag).is_ok()
    }
}

fn read_lower_hex(text: &[u8], out: &mut [u8]) -> Option<()> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    if text.len() != out.len() * 2 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

impl KeyForm {
    /// `None` if the secret does not have the form; `check_secret` has told so before.
    fn key(self, algorithm: Algorithm, secret: &Secret) -> Option<hmac::Key> {
        match self {
            Self::Text => Some(hmac::Key::new(algorithm.hmac(), secret.expose())),
            Self::Base64 { prefix } => {
                let text = secret.expose();
                let text = text.strip_prefix(prefix.as_bytes()).unwrap_or(text);
                let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
                (!bytes.is_empty()).then(|| hmac::Key::new(algorithm.hmac(), &bytes))
            }
        }
    }

    /// Says what is wrong with a secret, without the secret.
    pub fn check(self, secret: &Secret) -> Result<(), String> {
        match (self, self.key(Algorithm::Sha256, secret)) {
            (_, Some(_)) => Ok(()),
            (Self::Text, None) => Err("the secret is empty".into()),
            (Self::Base64 { prefix }, None) => Err(format!(
                "the secret is not base64 (after its prefix \"{prefix}\"): copy the whole of it, \
                 with its final \"=\" signs and without blanks"
            )),
        }
    }
}

/// Position of the first secret under which one of the candidates is the MAC over `parts`, taken as one text.
pub fn matching_secret(
    algorithm: Algorithm,
    form: KeyForm,
    secrets: &[Secret],
    candidates: &[Digest],
    parts: &[&[u8]],
) -> Option<u8> {
    secrets.iter().take(SECRETS_MAX).zip(0u8..).find_map(|(secret, position)| {
        let tag = tag(&form.key(algorithm, secret)?, parts);
        let hit = candidates.iter().take(CANDIDATES_MAX).any(|c| c.equals(tag.as_ref()));
        hit.then_some(position)
    })
}

/// The MAC as the sender would write it. `None` if the secret has not the form of the key.
pub fn write(
    algorithm: Algorithm,
    encoding: Encoding,
    form: KeyForm,
    secret: &Secret,
    parts: &[&[u8]],
) -> Option<String> {
    let tag = tag(&form.key(algorithm, secret)?, parts);
    Some(match encoding {
        Encoding::Hex => hex::encode(tag),
        Encoding::Base64 => STANDARD.encode(tag),
    })
}

fn tag(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut mac = hmac::Context::with_key(key);
    for part in parts {
        mac.update(part);
    }
    mac.sign()
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str, encoding: Encoding) -> bool {
        Digest::read(text.as_bytes(), encoding, Algorithm::Sha256).is_some()
    }

    #[test]
    fn hex_is_read_in_one_way_only() {
        let good = "0a".repeat(32);
        assert!(reads(&good, Encoding::Hex));
        for bad in
            [good.to_uppercase(), good[1..].into(), format!("{good}0a"), format!(" {}", &good[1..]), String::new()]
        {
            assert!(!reads(&bad, Encoding::Hex), "{bad}");
        }
    }

    #[test]
    fn base64_is_read_in_one_way_only() {
        let good = STANDARD.encode([0xfb; 32]);
        assert!(good.contains('+') && good.ends_with('='));
        assert!(reads(&good, Encoding::Base64));
        let unpadded = good.trim_end_matches('=');
        let stray_bits = format!("{}/=", &good[..42]);
        for bad in [unpadded.into(), good.replace('+', "-"), stray_bits, format!("{unpadded} "), String::new()] {
            assert!(!reads(&bad, Encoding::Base64), "{bad}");
        }
    }

    #[test]
    fn every_algorithm_reads_what_it_writes() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        for form in [KeyForm::Text, KeyForm::Base64 { prefix: "whsec_" }] {
            for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
                for encoding in [Encoding::Hex, Encoding::Base64] {
                    let text = write(algorithm, encoding, form, &secret, &[b"a", b"", b"b"]).unwrap();
                    let digest = Digest::read(text.as_bytes(), encoding, algorithm).unwrap();
                    let secrets = [Secret::new("other").unwrap(), secret.clone()];
                    assert_eq!(matching_secret(algorithm, form, &secrets, &[digest], &[b"ab"]), Some(1));
                    assert_eq!(matching_secret(algorithm, form, &secrets, &[digest], &[b"ba"]), None);
                }
            }
        }
    }

    #[test]
    fn no_more_than_the_first_eight_secrets_are_tried() {
        let secrets: Vec<_> = (0..9).map(|n| Secret::new(format!("s{n}")).unwrap()).collect();
        let tried = |n: usize| {
            let text = write(Algorithm::Sha256, Encoding::Hex, KeyForm::Text, &secrets[n], &[b"x"]).unwrap();
            let digest = Digest::read(text.as_bytes(), Encoding::Hex, Algorithm::Sha256).unwrap();
            matching_secret(Algorithm::Sha256, KeyForm::Text, &secrets, &[digest], &[b"x"])
        };
        assert_eq!(tried(7), Some(7));
        assert_eq!(tried(8), None);
    }
}
