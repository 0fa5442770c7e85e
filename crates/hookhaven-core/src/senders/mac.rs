//! Signatures as senders make them: the algorithm, how a digest is written, what the key is, and the one
//! comparison.
//!
//! Not here: where in a request a digest stands and what it is over (`signed`, `catalogue/twilio`).
//!
//! Two rules hold for every caller. Digests are compared as bytes, in constant time, over equal lengths:
//! a shorter one never matches a beginning. And digests are read in exactly one way: lower-case hex, or
//! base64 of the standard alphabet with its padding and no stray bits, so that no second text passes for a
//! signature.

use std::str::FromStr;

use aws_lc_rs::{
    constant_time, digest, hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey,
        VerificationAlgorithm,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Most secrets of a source that are tried; configuration refuses more.
pub const SECRETS_MAX: usize = 8;
/// Most signatures of one request that are tried.
pub const CANDIDATES_MAX: usize = 16;

/// Longest signature that is read: ECDSA's, in DER, with room.
const SIGNATURE_BYTES_MAX: usize = 80;

/// What a signature is made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Sender and receiver share the key.
    Hmac(Algorithm),
    /// The secret is the sender's public key: 32 bytes.
    Ed25519,
    /// The secret is the sender's public key: SubjectPublicKeyInfo, P-256. Signatures are DER.
    EcdsaP256,
}

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
    /// Base64 of the key after one of these prefixes, or none: Standard Webhooks' `whsec_…`.
    Base64 { prefixes: &'static [&'static str] },
    /// Hex of the key, in either case.
    Hex,
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

/// A digest or signature that a request claims, decoded.
#[derive(Clone, Copy, Debug)]
pub struct Digest {
    bytes: [u8; SIGNATURE_BYTES_MAX],
    len: usize,
}

impl Digest {
    /// `None` unless the text is one of that mechanism, written in the one accepted way.
    pub fn read(text: &[u8], encoding: Encoding, mechanism: Mechanism) -> Option<Self> {
        let len = mechanism.signature_bytes();
        let mut bytes = [0; SIGNATURE_BYTES_MAX];
        let len = match (encoding, len) {
            (Encoding::Hex, Some(len)) => {
                read_lower_hex(text, bytes.get_mut(..len)?)?;
                len
            }
            (Encoding::Hex, None) => {
                read_lower_hex(text, bytes.get_mut(..text.len() / 2)?)?;
                text.len() / 2
            }
            (Encoding::Base64, len) => {
                // Sizes are checked first: the decoder wants room for whole groups of three.
                let fits = len.is_none_or(|len| text.len() == len.div_ceil(3) * 4);
                let mut room = [0; SIGNATURE_BYTES_MAX + 2];
                let decoded = fits.then(|| STANDARD.decode_slice(text, &mut room))?.ok()?;
                let right = decoded <= SIGNATURE_BYTES_MAX && len.is_none_or(|len| decoded == len);
                right.then(|| bytes[..decoded].copy_from_slice(&room[..decoded]))?;
                decoded
            }
        };
        Some(Digest { bytes, len })
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn equals(&self, tag: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(self.bytes(), tag).is_ok()
    }
}

impl Mechanism {
    /// `None` where they differ in length.
    fn signature_bytes(self) -> Option<usize> {
        match self {
            Self::Hmac(algorithm) => Some(algorithm.digest_bytes()),
            Self::Ed25519 => Some(64),
            Self::EcdsaP256 => None,
        }
    }

    fn verification(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::Hmac(_) => None,
            Self::Ed25519 => Some(&ED25519),
            Self::EcdsaP256 => Some(&ECDSA_P256_SHA256_ASN1),
        }
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
    /// The key. `None` if the secret does not have the form; `check` has told so before.
    fn bytes(self, secret: &Secret) -> Option<Zeroizing<Vec<u8>>> {
        let text = secret.expose();
        let bytes = match self {
            Self::Text => text.to_vec(),
            Self::Base64 { prefixes } => {
                let after = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix.as_bytes()));
                STANDARD.decode(after.unwrap_or(text)).ok()?
            }
            Self::Hex => hex::decode(text).ok()?,
        };
        (!bytes.is_empty()).then(|| Zeroizing::new(bytes))
    }

    /// Says what is wrong with a secret, without the secret.
    pub fn check(self, mechanism: Mechanism, secret: &Secret) -> Result<(), String> {
        let Some(bytes) = self.bytes(secret) else {
            return Err(match self {
                Self::Text => "the secret is empty".into(),
                Self::Base64 { prefixes } => format!(
                    "the secret is not base64{}: copy the whole of it, with its final \"=\" signs and without blanks",
                    prefixes.first().map(|prefix| format!(" (after its prefix \"{prefix}\")")).unwrap_or_default()
                ),
                Self::Hex => "the secret is not hex: copy the whole of it, digits and the letters a to f".into(),
            });
        };
        let key = match mechanism {
            Mechanism::Hmac(_) => return Ok(()),
            Mechanism::Ed25519 => ParsedPublicKey::new(&ED25519, &bytes[..]),
            Mechanism::EcdsaP256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &bytes[..]),
        };
        key.map(drop).map_err(|_| "this is not the sender's public key: copy the whole of it".into())
    }
}

/// Position of the first secret under which one of the candidates is the signature over `parts`, taken as one
/// text.
pub fn matching_secret(
    mechanism: Mechanism,
    form: KeyForm,
    secrets: &[Secret],
    candidates: &[Digest],
    parts: &[&[u8]],
) -> Option<u8> {
    let candidates = || candidates.iter().take(CANDIDATES_MAX);
    let signed = mechanism.verification().map(|algorithm| (algorithm, parts.concat()));
    secrets.iter().take(SECRETS_MAX).zip(0u8..).find_map(|(secret, position)| {
        let key = form.bytes(secret)?;
        let hit = match (mechanism, &signed) {
            (Mechanism::Hmac(algorithm), _) => {
                let tag = tag(algorithm, &key, parts);
                candidates().any(|c| c.equals(tag.as_ref()))
            }
            (_, Some((algorithm, signed))) => {
                let holds = |c: &Digest| algorithm.verify_sig(&key, signed, c.bytes()).is_ok();
                candidates().any(holds)
            }
            (_, None) => false,
        };
        hit.then_some(position)
    })
}

/// The signature as the sender would write it. `None` if the secret has not the form of the key; for
/// public-key mechanisms it must be the private key, PKCS#8 in base64.
pub fn write(
    mechanism: Mechanism,
    encoding: Encoding,
    form: KeyForm,
    secret: &Secret,
    parts: &[&[u8]],
) -> Option<String> {
    let private = || STANDARD.decode(secret.expose()).map(Zeroizing::new).ok();
    let signature = match mechanism {
        Mechanism::Hmac(algorithm) => tag(algorithm, &form.bytes(secret)?, parts).as_ref().to_vec(),
        Mechanism::Ed25519 => {
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&private()?).ok()?.sign(&parts.concat()).as_ref().to_vec()
        }
        Mechanism::EcdsaP256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &private()?).ok()?;
            // The library draws the nonce itself: one that came in from outside would be a trap.
            pair.sign(&SystemRandom::new(), &parts.concat()).ok()?.as_ref().to_vec()
        }
    };
    Some(match encoding {
        Encoding::Hex => hex::encode(signature),
        Encoding::Base64 => STANDARD.encode(signature),
    })
}

fn tag(algorithm: Algorithm, key: &[u8], parts: &[&[u8]]) -> hmac::Tag {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(algorithm.hmac(), key));
    for part in parts {
        mac.update(part);
    }
    mac.sign()
}

/// Whether two texts are equal, in a time that tells nothing of where they differ, nor of the length.
pub fn same_text(a: &[u8], b: &[u8]) -> bool {
    let hash = |text| digest::digest(&digest::SHA256, text);
    constant_time::verify_slices_are_equal(hash(a).as_ref(), hash(b).as_ref()).is_ok()
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HMAC: Mechanism = Mechanism::Hmac(Algorithm::Sha256);

    fn reads(text: &str, encoding: Encoding) -> bool {
        Digest::read(text.as_bytes(), encoding, Mechanism::Hmac(Algorithm::Sha256)).is_some()
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
        for form in [KeyForm::Text, KeyForm::Base64 { prefixes: &["whsec_"] }] {
            for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
                let algorithm = Mechanism::Hmac(algorithm);
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
            let text = write(HMAC, Encoding::Hex, KeyForm::Text, &secrets[n], &[b"x"]).unwrap();
            let digest = Digest::read(text.as_bytes(), Encoding::Hex, HMAC).unwrap();
            matching_secret(HMAC, KeyForm::Text, &secrets, &[digest], &[b"x"])
        };
        assert_eq!(tried(7), Some(7));
        assert_eq!(tried(8), None);
    }
}
