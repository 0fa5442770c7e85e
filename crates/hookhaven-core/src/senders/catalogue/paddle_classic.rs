//! Paddle Classic: forms whose field `p_signature` is base64 of RSA-SHA1 over all other fields, sorted by name and written
//! as PHP serialises an array of texts. The secret is the vendor's public key. Paddle Billing signs otherwise (`paddle`).
//!
//! No time is signed. A field that is there twice is refused, since PHP would take the last and others the first.
//! Facts: Paddle's documentation of verification; names of fields and repetitions from memory.

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};

use super::super::{
    declared::Declared,
    form::{self, FORM, Text},
    mac::SECRETS_MAX,
    prelude::*,
    published::{RsaHash, verify_rsa_key},
    sample::Body,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Cover, Facts, Keys, Proof, Rejection, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "paddle-classic",
    title: "Paddle Classic",
    scheme: Scheme::Own {
        how: "the form's `p_signature`: base64 of RSA-SHA1 over the other fields, sorted and PHP-serialised, under the \
              vendor's public key",
        covers: Cover::Whole,
        signs_id: true,
        signs_type: true,
        signs_time: false,
        signs_url: false,
    },
    // Fields of the form.
    id: &["json:/alert_id"],
    event_type: &["json:/alert_name"],
    time: &["json:/event_time"],
    content_types: &[FORM],
    sample_types: &["payment_succeeded", "subscription_created"],
    about: About {
        secret: "Developer Tools → Public Key, as PEM or as the base64 in it",
        rotation: Rotation::Public,
        paste: "Developer Tools → Alerts / Webhooks",
        quirks: &[
            "Bodies are forms: `json:/alert_id` means the field `alert_id`.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://developer.paddle.com/webhook-reference/verifying-webhooks",
        retries: Retries::hours(72, "every hour"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        gives_up: "after 3 days of trying every hour it drops the alert",
        critical: &["payment_succeeded", "subscription_cancelled"],
        ..Conduct::UNKNOWN
    },
    code: Code {
        verify: Some(verify),
        facts: Some(facts),
        check_secret: Some(check_secret),
        sample: Some(sample_of),
        sign: Some(cannot_sign),
        ..Code::NONE
    },
    ..Declaration::DEFAULT
};

const SIGNATURE: &[u8] = b"p_signature";

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    if request.body.is_empty() {
        return Err(Rejection::BodyEmpty);
    }
    if form::too_many(request.body) {
        return Err(Rejection::SignatureMalformed);
    }
    let (given, mut rest): (Vec<_>, Vec<_>) = form::fields(request.body).partition(|(name, _)| **name == *SIGNATURE);
    let given = match &given[..] {
        [] => return Err(Rejection::SignatureMissing),
        [(_, value)] => value,
        _ => return Err(Rejection::SignatureRepeated),
    };
    rest.sort_unstable();
    if rest.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Rejection::SignatureRepeated);
    }
    let signature = STANDARD.decode(given).map_err(|_| Rejection::SignatureMalformed)?;
    let text = serialised(&rest);
    let holds = |secret: &Secret| {
        let key = public_key(secret).ok_or(Rejection::KeyUnusable)?;
        verify_rsa_key(&key, RsaHash::Sha1, &text, &signature)
    };
    let position = keys.secrets.iter().take(SECRETS_MAX).position(|secret| holds(secret).is_ok());
    let position = position.and_then(|at| u8::try_from(at).ok()).ok_or(Rejection::SignatureMismatch)?;
    Ok(Proof { secret: Some(position) })
}

/// `a:<count>:{s:<bytes>:"<name>";s:<bytes>:"<value>";…}`. PHP knows numbers as names, Paddle uses none.
fn serialised(fields: &[(Text<'_>, Text<'_>)]) -> Vec<u8> {
    let mut text = format!("a:{}:{{", fields.len()).into_bytes();
    for part in fields.iter().flat_map(|(name, value)| [name, value]) {
        text.extend(format!("s:{}:\"", part.len()).into_bytes());
        text.extend(&**part);
        text.extend(b"\";");
    }
    text.push(b'}');
    text
}

/// As a SubjectPublicKeyInfo.
fn public_key(secret: &Secret) -> Option<Vec<u8>> {
    if let Ok(key) = SubjectPublicKeyInfoDer::from_pem_slice(secret.expose()) {
        return Some(key.to_vec());
    }
    let text: Vec<u8> = secret.expose().iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok().filter(|der| der.first() == Some(&0x30))
}

fn check_secret(secret: &Secret) -> Result<(), String> {
    match public_key(secret) {
        Some(_) => Ok(()),
        None => Err("not a public key: give the whole text under Developer Tools → Public Key".into()),
    }
}

fn facts(declared: &Declared, request: &Request<'_>) -> Facts {
    let facts = declared.places().read(request.headers, &form::as_json(request.body));
    // `2026-11-21 09:30:00`, in UTC.
    let written = || form::field_text(request.body, "event_time").map(|text| text.replace(' ', "T") + "Z");
    let occurred_at = facts.occurred_at.or_else(|| Time::parse_rfc3339(&written()?));
    Facts { occurred_at, ..facts }
}

fn sample_of(declared: &Declared, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
    let mut fields = Body::read(r#"{"currency":"EUR","passthrough":"Zwölf & mehr"}"#);
    // It has a place for every type.
    let _ = declared.places().put(&mut fields, id, event_type, now);
    let body = form::of_json(&fields.into_bytes());
    Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body })
}

fn cannot_sign(_: &Declared, _: &Sample, _: Option<&str>, _: &Secret, _: Time) -> Result<Signed, CannotSign> {
    Err(CannotSign("only Paddle can sign: it keeps the private key; its alerts page can send a test".into()))
}
