//! `Upstash-Signature`: the compact JWT (RFC 7519, HS256) by which a receiver knows that an attempt is ours.
//! We only ever sign, with one algorithm and fixed claims, which is why this is not a library.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE};
use hookhaven_core::{Secret, Time, senders::write_hs256};
use serde_json::json;

/// How long a token holds, in seconds.
const LIFETIME_S: i64 = 300;

/// Signs one attempt. The key is the signing key's whole text, `sig_` included. `subject` is the address as
/// it was published; `random` makes the token's own id.
///
/// `nbf` is 0 and there is no `aud`: the Python receiver refuses anything else. `iat` is rounded down, since
/// it refuses a time ahead of its own by a second.
pub fn sign(key: &Secret, subject: &str, body: &[u8], now: Time, random: [u8; 10]) -> String {
    let issued_at = now.as_s().max(0);
    let claims = json!({
        "iss": "Upstash",
        "sub": subject,
        "iat": issued_at,
        "nbf": 0,
        "exp": issued_at + LIFETIME_S,
        "jti": format!("jwt_{}", hex::encode(random)),
        // With its padding, as upstream writes it.
        "body": URL_SAFE.encode(digest::digest(&digest::SHA256, body)),
    });
    write_hs256(&claims, key.expose())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const KEY: &str = "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r";

    fn claims(token: &str) -> serde_json::Value {
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn claims_are_those_that_both_receivers_check() {
        let key = Secret::new(KEY).unwrap();
        let token = sign(&key, "https://example.com/a//b?x=1", b"", Time::from_us(1_700_000_000_999_999), [1; 10]);
        let expected = json!({
            "iss": "Upstash",
            "sub": "https://example.com/a//b?x=1",
            "iat": 1_700_000_000,
            "nbf": 0,
            "exp": 1_700_000_300,
            "jti": "jwt_01010101010101010101",
            "body": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
        });
        assert_eq!(claims(&token), expected);
    }

    #[test]
    fn the_signature_covers_header_and_claims() {
        let key = Secret::new(KEY).unwrap();
        let token = sign(&key, "s", b"x", Time::EPOCH, [0; 10]);
        let (signed, mac) = token.rsplit_once('.').unwrap();
        assert!(signed.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
        let mac = URL_SAFE_NO_PAD.decode(mac).unwrap();
        let with =
            |key: &str| hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), signed.as_bytes(), &mac);
        assert!(with(KEY).is_ok() && with(&KEY[4..]).is_err());
    }
}
