//! Plaid: `Plaid-Verification`, a JWT (ES256) whose `kid` names a key that is fetched from Plaid with the client's
//! credentials; it holds the time and a hash of the body. Other algorithms are refused.
//!
//! The source's secret is `ENVIRONMENT:CLIENT_ID:SECRET`; it signs nothing and only fetches keys, and the first one
//! is used. Facts: Plaid's documentation, from memory.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::super::{
    declared::Declared,
    jwt::Token,
    mac::{same_text, sha256_hex},
    place::only,
    prelude::*,
    signed::within,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Cover, Fetch, Keys, Proof, Rejection, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "plaid",
    title: "Plaid",
    scheme: Scheme::Own {
        how: "`Plaid-Verification`: a JWT (ES256) with a hash of the body, under a key fetched from Plaid",
        covers: Cover::Whole,
        signs_id: true,
        signs_type: true,
        signs_time: true,
        signs_url: false,
    },
    event_type: &["json:/webhook_type + json:/webhook_code"],
    order_key: &["json:/item_id"],
    sample_types: &["TRANSACTIONS.SYNC_UPDATES_AVAILABLE", "ITEM.ERROR"],
    about: About {
        secret: "Developers → Keys, as \"production:CLIENT_ID:SECRET\" or \"sandbox:CLIENT_ID:SECRET\"",
        rotation: Rotation::Public,
        paste: "`webhook` of /link/token/create, or /item/webhook/update",
        quirks: &[
            "Keys are fetched from Plaid (HTTPS, egress to *.plaid.com) and kept for a day.",
            "There is no event id: the key is a hash of the body, and two equal bodies are one event.",
        ],
        docs: "https://plaid.com/docs/api/webhooks/webhook-verification/",
        timeout_s: Some(10),
        retries: Retries::hours(24, "with growing pauses"),
    },
    conduct: Conduct {
        order: OrderPromise::None,
        reconcile: "`/transactions/sync` with the last cursor tells what changed; `/item/get` shows an item's last webhook",
        gives_up: "after 24 hours it drops the webhook",
        thin: &["*"],
        ..Conduct::UNKNOWN
    },
    code: Code {
        needs: Some(needs),
        verify: Some(verify),
        check_secret: Some(check_secret),
        sign: Some(cannot_sign),
        ..Code::NONE
    },
    ..Declaration::DEFAULT
};

const VERIFICATION: HeaderName = HeaderName::from_static("plaid-verification");
/// Plaid's are UUIDs.
const KEY_ID_BYTES_MAX: usize = 64;

fn token<'a>(request: &Request<'a>) -> Result<Token<'a>, Rejection> {
    let given = only(request.headers, &VERIFICATION).map_err(|_| Rejection::SignatureRepeated)?;
    let token = Token::read(given.ok_or(Rejection::SignatureMissing)?).ok_or(Rejection::SignatureMalformed)?;
    if token.is_plain("ES256") { Ok(token) } else { Err(Rejection::SignatureMalformed) }
}

/// The key by its id, which goes into the request's JSON and never into its address.
fn needs(request: &Request<'_>, keys: &Keys<'_>) -> Result<Option<Fetch>, Rejection> {
    let key_id = token(request)?.header("kid").ok_or(Rejection::SignatureMalformed)?;
    if key_id.len() > KEY_ID_BYTES_MAX || !key_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(Rejection::SignatureMalformed);
    }
    let secret = keys.secrets.first().ok_or(Rejection::SignatureMismatch)?;
    let (environment, client_id, secret) = credentials(secret).ok_or(Rejection::KeyUnusable)?;
    let body = json!({ "client_id": client_id, "secret": secret, "key_id": key_id });
    Ok(Some(Fetch {
        method: Method::POST,
        url: format!("https://{environment}.plaid.com/webhook_verification_key/get"),
        headers: vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        body: Bytes::from(body.to_string()),
        cache_key: format!("plaid:{environment}:{client_id}:{key_id}"),
    }))
}

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    let token = token(request)?;
    if request.body.is_empty() {
        return Err(Rejection::BodyEmpty);
    }
    if keys.secrets.is_empty() {
        return Err(Rejection::SignatureMismatch);
    }
    let point = point(keys.fetched.ok_or(Rejection::KeyUnusable)?).ok_or(Rejection::KeyUnusable)?;
    if !token.holds_es256(&point) {
        return Err(Rejection::SignatureMismatch);
    }
    let claimed = token.claim("request_body_sha256").unwrap_or_default();
    if !same_text(claimed.as_bytes(), sha256_hex(request.body).as_bytes()) {
        return Err(Rejection::BodyHashMismatch);
    }
    within(token.time("iat")?, keys.now, keys.tolerance)?;
    Ok(Proof { secret: None })
}

/// The public key of Plaid's answer as an uncompressed point; `None` for one that has expired, or another kind.
fn point(answer: &[u8]) -> Option<Vec<u8>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let key = &answer["key"];
    let usable = key["kty"] == "EC" && key["crv"] == "P-256" && key["expired_at"].is_null();
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok();
    let (x, y) = (coordinate("x")?, coordinate("y")?);
    (usable && x.len() == 32 && y.len() == 32).then(|| [&[4], &x[..], &y[..]].concat())
}

fn credentials(secret: &Secret) -> Option<(&str, &str, &str)> {
    let text = std::str::from_utf8(secret.expose()).ok()?;
    let (environment, rest) = text.split_once(':')?;
    let (client_id, secret) = rest.split_once(':')?;
    let known = matches!(environment, "production" | "sandbox");
    (known && !client_id.is_empty() && !secret.is_empty()).then_some((environment, client_id, secret))
}

fn check_secret(secret: &Secret) -> Result<(), String> {
    let mend = "write it as \"production:CLIENT_ID:SECRET\" or \"sandbox:CLIENT_ID:SECRET\"";
    credentials(secret).map(drop).ok_or_else(|| mend.to_owned())
}

fn cannot_sign(_: &Declared, _: &Sample, _: Option<&str>, _: &Secret, _: Time) -> Result<Signed, CannotSign> {
    Err(CannotSign("only Plaid can sign: it keeps the private key; /sandbox/item/fire_webhook sends a real one".into()))
}
