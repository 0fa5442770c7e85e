//! Upstash QStash: `Upstash-Signature`, a JWT (HS256) whose claims name our URL (`sub`), the time and a hash of the
//! body. Two keys, current and next, are the rotation. A message may have an empty body, since the hash covers that.
//!
//! Hookhaven's own publishing signs in the same way. Facts: QStash's SDK and documentation.

use base64::{
    Engine,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use http::HeaderName;
use serde_json::json;

use super::super::{
    declared::Declared,
    jwt::{Token, write_hs256},
    mac::{same_text, sha256},
    place::only,
    prelude::*,
    signed::within,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Cover, Keys, Proof, Rejection, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "qstash",
    title: "Upstash QStash",
    scheme: Scheme::Own {
        how: "`Upstash-Signature`: a JWT (HS256) over the URL, the time and a hash of the body",
        covers: Cover::Whole,
        signs_id: false,
        signs_type: false,
        signs_time: true,
        signs_url: true,
    },
    id: &["header:upstash-message-id"],
    event_type: &["header:upstash-label", "json:/type"],
    order_key: &["header:upstash-schedule-id"],
    content_types: &[],
    sample_types: &["message"],
    about: About {
        secret: "Console → QStash → Signing Keys: both, current and next",
        rotation: Rotation::Ahead(
            "Console → QStash → Signing Keys → Roll: the next key signs, and another one is next",
        ),
        paste: "the destination of the message or schedule",
        quirks: &[
            "The URL is signed: `server.public_url` must be what the message was published to.",
            "The message's id is a header and not signed.",
        ],
        docs: "https://upstash.com/docs/qstash/howto/signature",
        timeout_s: None,
        retries: Retries::hours(24, "by the message; three times by default"),
    },
    conduct: Conduct {
        resend: "Console → DLQ → Retry, or `POST /v2/dlq/retry/{dlqId}`",
        reconcile: "`GET /v2/logs` lists what became of messages, `GET /v2/dlq` those that failed",
        gives_up: "after the message's retries it moves to the dead letter queue",
        ..Conduct::UNKNOWN
    },
    code: Code { verify: Some(verify), sign: Some(sign), ..Code::NONE },
    ..Declaration::DEFAULT
};

const SIGNATURE: HeaderName = HeaderName::from_static("upstash-signature");

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    let given = only(request.headers, &SIGNATURE).map_err(|_| Rejection::SignatureRepeated)?;
    let given = given.ok_or(Rejection::SignatureMissing)?;
    let url = request.url.ok_or(Rejection::UrlUnknown)?;
    let token = Token::read(given).ok_or(Rejection::SignatureMalformed)?;
    let secret = token.matching_secret(keys.secrets)?;
    let is = |claim: &str, text: &str| token.claim(claim).as_deref() == Some(text);
    if !is("iss", "Upstash") || !is("sub", url) {
        return Err(Rejection::SignatureMismatch);
    }
    let hash = URL_SAFE_NO_PAD.encode(sha256(request.body));
    let claimed = token.claim("body").unwrap_or_default();
    if !same_text(claimed.trim_end_matches('=').as_bytes(), hash.as_bytes()) {
        return Err(Rejection::BodyHashMismatch);
    }
    within(token.time("iat")?, keys.now, keys.tolerance)?;
    Ok(Proof { secret: Some(secret) })
}

fn sign(
    declared: &Declared,
    sample: &Sample,
    url: Option<&str>,
    secret: &Secret,
    now: Time,
) -> Result<Signed, CannotSign> {
    let sub = url.ok_or_else(|| CannotSign("QStash signs the URL: set server.public_url".into()))?;
    let iat = now.as_s();
    let claims = json!({
        "iss": "Upstash", "sub": sub, "iat": iat, "nbf": iat, "exp": iat + 300, "jti": format!("jwt_{}", sample.id),
        "body": URL_SAFE.encode(sha256(&sample.body)),
    });
    let mut headers = declared.places().headers(&sample.id, &sample.event_type);
    headers.push((SIGNATURE.to_string(), write_hs256(&claims, secret.expose())));
    declared.sign_with(headers, sample, url, secret, now)
}
