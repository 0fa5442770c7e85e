//! How we sign attempts for the team's handlers: Standard Webhooks 1.0.0, symmetric (`v1`).
//!
//! Not here: verifying senders (`sender`), and the JWT that published messages carry.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::{secret::Secret, time::Time};

/// What marks a secret as base64 in Standard Webhooks.
const PREFIX: &[u8] = b"whsec_";

/// The values of the three headers that authenticate an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `webhook-id`: the same at every attempt, so that a handler can tell a repetition (I11).
    pub id: String,
    /// `webhook-timestamp`: seconds since the Unix epoch, at this attempt.
    pub timestamp: String,
    /// `webhook-signature`: `v1,<base64>` for each secret, in their order, with a blank between.
    pub signature: String,
}

/// Signs a body with every secret, so that a handler may hold the old or the new one during a
/// rotation. `None` if there are no secrets.
///
/// The key is what the Standard Webhooks libraries make of the same text: what follows `whsec_`,
/// or the whole text without that prefix, decoded as padded base64. Text that does not decode, which
/// those libraries refuse, is used byte for byte; [`check_secret`] finds where that is a mistake.
pub fn sign(id: &str, now: Time, body: &[u8], secrets: &[Secret]) -> Option<Signature> {
    if secrets.is_empty() {
        return None;
    }
    let timestamp = now.as_s().max(0).to_string();
    let signatures: Vec<_> = secrets.iter().map(|secret| one(id, &timestamp, body, secret)).collect();
    Some(Signature { id: id.to_owned(), timestamp, signature: signatures.join(" ") })
}

/// Whether a destination's secret is what it looks like. The text says what is wrong and how to mend
/// it, without the secret.
pub fn check_secret(secret: &Secret) -> Result<(), String> {
    let Some(encoded) = secret.expose().strip_prefix(PREFIX) else {
        return Ok(());
    };
    match STANDARD.decode(encoded).map(Zeroizing::new) {
        Ok(key) if key.is_empty() => Err("nothing follows `whsec_`; make a secret of 24 to 64 random bytes".to_owned()),
        Ok(_) => Ok(()),
        Err(_) => Err("what follows `whsec_` must be base64 with its padding; copy the secret again, whole".to_owned()),
    }
}

fn one(id: &str, timestamp: &str, body: &[u8], secret: &Secret) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key_of(secret));
    let mut mac = hmac::Context::with_key(&key);
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.sign()))
}

fn key_of(secret: &Secret) -> Zeroizing<Vec<u8>> {
    let text = secret.expose();
    let encoded = text.strip_prefix(PREFIX).unwrap_or(text);
    match STANDARD.decode(encoded) {
        // An empty key would protect nothing.
        Ok(key) if !key.is_empty() => Zeroizing::new(key),
        _ => Zeroizing::new(text.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(texts: &[&str]) -> Vec<Secret> {
        texts.iter().filter_map(|t| Secret::new(*t)).collect()
    }

    fn signature(id: &str, s: i64, body: &str, texts: &[&str]) -> Option<String> {
        sign(id, Time::from_s(s), body.as_bytes(), &secrets(texts)).map(|s| s.signature)
    }

    #[test]
    fn the_published_vectors_hold() {
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        let made = signature(
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            body,
            &["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"],
        );
        assert_eq!(made.as_deref(), Some("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="));

        let body = r#"{"event_type":"ping","data":{"success":true}}"#;
        let made = signature("msg_loFOjxBNrRLzqYUf", 1_731_705_121, body, &["whsec_plJ3nmyCDGBKInavdOK15jsl"]);
        assert_eq!(made.as_deref(), Some("v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="));
    }

    #[test]
    fn the_prefix_is_optional_as_in_the_libraries() {
        let with = signature("evt_1", 1, "x", &["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"]);
        let without = signature("evt_1", 1, "x", &["C2FVsBQIhrscChlQIMV+b5sSYspob7oD"]);
        assert!(with.is_some());
        assert_eq!(with, without);
    }

    #[test]
    fn text_that_is_no_base64_is_the_key_itself() {
        let made = signature("evt_1", 1, "x", &["correct horse"]);
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"correct horse");
        let expected = format!("v1,{}", STANDARD.encode(hmac::sign(&key, b"evt_1.1.x")));
        assert_eq!(made, Some(expected));
    }

    #[test]
    fn every_secret_signs_in_order() {
        let (old, new) = ("correct horse", "battery staple");
        let both = signature("evt_1", 1, "x", &[new, old]);
        let each: Vec<_> = [new, old].iter().filter_map(|s| signature("evt_1", 1, "x", &[s])).collect();
        assert_eq!(both, Some(each.join(" ")));
        assert_eq!(signature("evt_1", 1, "x", &[]), None);
    }

    #[test]
    fn secrets_that_only_look_right_are_found() {
        let verdicts: Vec<_> =
            secrets(&["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "plain text", "whsec_!!!", "whsec_"])
                .iter()
                .map(|s| check_secret(s).is_ok())
                .collect();
        assert_eq!(verdicts, [true, true, false, false]);
    }
}
