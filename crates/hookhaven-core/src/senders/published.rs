//! What senders publish and their signatures rest on: X.509 certificates with RSA keys, and the check that a
//! request names one that is the sender's own.
//!
//! Trust rests on where a certificate was fetched: over HTTPS, from a host that only the sender has. Senders publish
//! the end certificate alone, without what would chain it to a root, so there is no chain to check; and how long it
//! counts is for whoever keeps it. Not here: fetching and keeping (`ingest::keys` of the gateway).

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use url::{Host, Url};
use webpki::EndEntityCert;

use crate::sender::Rejection;

/// The hash under an RSA signature (PKCS #1 1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaHash {
    /// Only where a sender may still use it (SNS version 1, Paddle Classic).
    Sha1,
    Sha256,
}

impl RsaHash {
    fn parameters(self) -> &'static RsaParameters {
        match self {
            Self::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        }
    }
}

/// Whether a signature over `text` is of the key in the first certificate of `pem`.
pub fn verify_rsa(pem: &[u8], hash: RsaHash, text: &[u8], signature: &[u8]) -> Result<(), Rejection> {
    let der = CertificateDer::from_pem_slice(pem).map_err(|_| Rejection::KeyUnusable)?;
    let certificate = EndEntityCert::try_from(&der).map_err(|_| Rejection::KeyUnusable)?;
    verify_rsa_key(certificate.subject_public_key_info().as_ref(), hash, text, signature)
}

/// The same with the key itself, a SubjectPublicKeyInfo.
pub fn verify_rsa_key(key: &[u8], hash: RsaHash, text: &[u8], signature: &[u8]) -> Result<(), Rejection> {
    UnparsedPublicKey::new(hash.parameters(), key).verify(text, signature).map_err(|_| Rejection::SignatureMismatch)
}

/// A URL of the sender's own: HTTPS, its port, no user, no query, a host that passes. The text to fetch is what was
/// parsed and not what was written, so that nobody else reads another host in it.
pub fn own_url(text: &str, is_own: impl Fn(&str, &str) -> bool) -> Result<String, Rejection> {
    let url = Url::parse(text).map_err(|_| Rejection::KeyUnusable)?;
    let plain =
        url.scheme() == "https" && url.port().is_none() && url.username().is_empty() && url.password().is_none();
    let host = match url.host() {
        Some(Host::Domain(host)) => host,
        _ => return Err(Rejection::KeyUnusable),
    };
    if plain && url.fragment().is_none() && is_own(host, url.path()) {
        Ok(url.into())
    } else {
        Err(Rejection::KeyUnusable)
    }
}
