//! One source as seen by its sender: what signs, with which secret, for which address.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use hookhaven_core::{
    Secret, Time,
    sender::{Request, Sample, Sender, Signed},
    senders::facts_or_fallback,
};
use hookhaven_store::clock::Entropy;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::PUBLIC_URL;

#[derive(Clone, Debug)]
pub struct Signer {
    /// The source's name, and its sender's.
    pub name: &'static str,
    pub sender: Arc<dyn Sender>,
    pub secret: Secret,
    /// The source's address as the sender knows it.
    pub url: String,
}

impl Signer {
    /// A source named after its sender, with a fresh secret.
    pub fn of(name: &'static str, entropy: &dyn Entropy) -> Result<Self> {
        let url = format!("{PUBLIC_URL}/webhooks/{name}");
        Ok(Signer { name, sender: super::sender(name)?, secret: super::secret("", entropy)?, url })
    }

    pub fn sign(&self, sample: &Sample, secret: &Secret, at: Time) -> Result<Signed> {
        self.sender.sign(sample, Some(&self.url), secret, at).with_context(|| format!("{} could not sign", self.name))
    }

    /// The idempotency key that the gateway will find.
    pub fn key(&self, signed: &Signed) -> Result<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &signed.headers {
            headers.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        let request =
            Request { method: &Method::POST, url: Some(&self.url), query: None, headers: &headers, body: &signed.body };
        Ok(facts_or_fallback(&*self.sender, &request).0)
    }
}

/// Puts a note into a body, keeping it what its sender would send. The note is plain: letters, digits and
/// hyphens.
pub fn annotate(sample: &mut Sample, note: &str) {
    match sample.body.first() {
        Some(b'{') => {
            let rest = sample.body.split_off(1);
            sample.body.extend_from_slice(format!("\"note\":\"{note}\",").as_bytes());
            sample.body.extend_from_slice(&rest);
        }
        _ => sample.body.extend_from_slice(format!("&Note={note}").as_bytes()),
    }
}

/// Changes one byte of the body after it was signed.
pub fn forge(mut signed: Signed) -> Signed {
    if let Some(byte) = signed.body.iter_mut().rev().find(|b| b.is_ascii_digit()) {
        *byte = if *byte == b'9' { b'8' } else { *byte + 1 };
    }
    signed
}
