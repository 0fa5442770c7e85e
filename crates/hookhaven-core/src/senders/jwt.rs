//! JSON Web Tokens as senders use them (RFC 7519, compact form): one known algorithm, and claims that are read once
//! the signature holds.
//!
//! Not a JWT library: no algorithm is taken from the token but compared with the one expected, so that neither
//! `none` nor a public key taken for an HMAC key can pass; nothing is encrypted; no nested tokens.

use aws_lc_rs::{
    hmac,
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{mac::SECRETS_MAX, place::Unit};
use crate::{
    json::{Found, Pointer, scan},
    secret::Secret,
    sender::Rejection,
    time::Time,
};

/// Longest token that is read.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// A token taken apart; nothing of it has been verified.
pub struct Token<'a> {
    /// Header and claims as they are signed.
    signed: &'a [u8],
    header: Vec<u8>,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// `None` if this is no token.
    pub fn read(text: &'a [u8]) -> Option<Self> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let mut dots = text.iter().enumerate().filter(|(_, b)| **b == b'.').map(|(at, _)| at);
        let (first, second) = (dots.next()?, dots.next()?);
        if dots.next().is_some() {
            return None;
        }
        let decode = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).ok();
        Some(Token {
            signed: &text[..second],
            header: decode(&text[..first])?,
            claims: decode(&text[first + 1..second])?,
            signature: decode(&text[second + 1..])?,
        })
    }

    /// A field of the header. What is acted upon before the signature holds must be harmless.
    pub fn header(&self, name: &str) -> Option<String> {
        field(&self.header, name)
    }

    /// Whether it is signed by HMAC-SHA256 under this key.
    pub fn holds_hs256(&self, key: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        self.is_plain("HS256") && hmac::verify(&key, self.signed, &self.signature).is_ok()
    }

    /// Which of the secrets signed it by HMAC-SHA256.
    pub fn matching_secret(&self, secrets: &[Secret]) -> Result<u8, Rejection> {
        let position = secrets.iter().take(SECRETS_MAX).position(|secret| self.holds_hs256(secret.expose()));
        position.and_then(|n| u8::try_from(n).ok()).ok_or(Rejection::SignatureMismatch)
    }

    /// Whether it is signed by ECDSA on P-256 with SHA-256; the key is an uncompressed point.
    pub fn holds_es256(&self, point: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        self.is_plain("ES256") && key.verify(self.signed, &self.signature).is_ok()
    }

    /// Of that algorithm, and without extensions that we would have to understand (RFC 7515, 4.1.11).
    pub fn is_plain(&self, algorithm: &str) -> bool {
        let critical = Pointer::parse("/crit").is_ok_and(|crit| scan(&self.header, &[crit])[0].is_some());
        self.header("alg").as_deref() == Some(algorithm) && !critical
    }

    /// A text or a number among the claims.
    pub fn claim(&self, name: &str) -> Option<String> {
        field(&self.claims, name)
    }

    /// A time among the claims, in whole seconds.
    pub fn time(&self, name: &str) -> Result<Time, Rejection> {
        let text = self.claim(name).ok_or(Rejection::TimestampMissing)?;
        Unit::S.read_strict(text.as_bytes()).ok_or(Rejection::TimestampMalformed)
    }
}

fn field(json: &[u8], name: &str) -> Option<String> {
    let pointer = Pointer::parse(&format!("/{name}")).ok()?;
    scan(json, &[pointer])[0].and_then(Found::scalar).map(Into::into)
}

/// A token signed by HMAC-SHA256: of samples, and of what we send.
pub fn write_hs256(claims: &serde_json::Value, key: &[u8]) -> String {
    write("HS256", None, claims, |signed| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed).as_ref().to_vec())
}

/// A token signed by whatever `sign` does.
pub fn write(
    algorithm: &str,
    key_id: Option<&str>,
    claims: &serde_json::Value,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let mut header = serde_json::json!({ "alg": algorithm, "typ": "JWT" });
    if let Some(key_id) = key_id {
        header["kid"] = key_id.into();
    }
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expected_algorithm_counts() {
        let claims = serde_json::json!({ "iat": 1_700_000_000, "sub": "x" });
        let text = write_hs256(&claims, b"key");
        let token = Token::read(text.as_bytes()).unwrap();
        assert!(token.holds_hs256(b"key") && !token.holds_hs256(b"other"));
        assert_eq!(token.claim("sub").as_deref(), Some("x"));
        assert_eq!(token.time("iat"), Ok(Time::from_s(1_700_000_000)));
        assert_eq!(token.time("exp"), Err(Rejection::TimestampMissing));
        for algorithm in ["none", "HS512", "hs256", "ES256"] {
            let hmac = |signed: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"key"), signed).as_ref().to_vec();
            let text = write(algorithm, None, &claims, hmac);
            assert!(!Token::read(text.as_bytes()).unwrap().holds_hs256(b"key"), "{algorithm}");
        }
    }

    #[test]
    fn what_is_no_token_is_none() {
        for text in ["", ".", "..", "a.b", "a.b.c.d", "!.!.!", "e30=.e30=.AA=="] {
            let token = Token::read(text.as_bytes());
            assert!(token.is_none_or(|token| !token.holds_hs256(b"key")), "{text}");
        }
        assert!(Token::read(&vec![b'.'; TOKEN_BYTES_MAX + 1]).is_none());
    }
}
