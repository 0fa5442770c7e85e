//! Mailgun: the body's `/signature` holds `timestamp`, `token` and `signature`, hex of HMAC-SHA256 over the first two.
//! Nothing else of the body is covered: whoever holds one request can send any content with it, as long as the time
//! is inside the tolerance. Whether a repetition gets a new time is not documented, so the tolerance spans them all.
//!
//! Routes (forms with the same three fields) are another product and not read here. Facts: Mailgun's documentation,
//! from memory.

use serde_json::json;

use super::super::{
    declared::Declared,
    mac::{self, Digest},
    prelude::*,
    sample::with,
    signed::within,
};
use crate::{
    json::{Found, Pointer, scan},
    secret::Secret,
    sender::{CannotSign, Cover, Keys, Proof, Rejection, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "mailgun",
    title: "Mailgun",
    scheme: Scheme::Own {
        how: "in the body's `/signature`: hex of HMAC-SHA256 over its timestamp and token",
        covers: Cover::Part,
        signs_id: false,
        signs_type: false,
        signs_time: true,
        signs_url: false,
    },
    id: &["json:/event-data/id"],
    event_type: &["json:/event-data/event"],
    time: &["json:/event-data/timestamp s"],
    order_key: &["json:/event-data/message/headers/message-id"],
    tolerance: Duration::from_secs(12 * 3_600),
    sample_types: &["delivered", "failed"],
    about: About {
        secret: "Sending → Webhooks → HTTP webhook signing key (not an API key)",
        rotation: Rotation::Unknown,
        paste: "Sending → Webhooks → Add webhook",
        quirks: &["The event itself is not signed: take it as a hint, and ask the API where it matters."],
        docs: "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks",
        timeout_s: None,
        retries: Retries::hours(8, "with growing pauses; 406 stops them"),
    },
    conduct: Conduct {
        reconcile: "`GET /v3/{domain}/events?begin=…` lists events, for as many days as the plan keeps them",
        gives_up: "after about 8 hours it drops the event; 406 drops it at once",
        ..Conduct::UNKNOWN
    },
    code: Code { verify: Some(verify), sign: Some(sign), ..Code::NONE },
    ..Declaration::DEFAULT
};

const MAC: Mechanism = Mechanism::Hmac(Sha256);
const PLACES: [&str; 3] = ["/signature/timestamp", "/signature/token", "/signature/signature"];

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    if request.body.is_empty() {
        return Err(Rejection::BodyEmpty);
    }
    let pointers: Vec<Pointer> = PLACES.iter().filter_map(|place| Pointer::parse(place).ok()).collect();
    let found = scan(request.body, &pointers);
    let [time, token, signature] = found[..] else { return Err(Rejection::SignatureMissing) };
    let text = |found: Option<Found<'_>>, missing| found.and_then(Found::scalar).map(String::from).ok_or(missing);
    let signature = text(signature, Rejection::SignatureMissing)?;
    let (time, token) = (text(time, Rejection::TimestampMissing)?, text(token, Rejection::IdMissing)?);
    let at = Unit::S.read_strict(time.as_bytes()).ok_or(Rejection::TimestampMalformed)?;
    let digest = Digest::read(signature.as_bytes(), Encoding::Hex, MAC).ok_or(Rejection::SignatureMalformed)?;
    let parts = [time.as_bytes(), token.as_bytes()];
    let secret = mac::matching_secret(MAC, KeyForm::Text, keys.secrets, &[digest], &parts);
    let secret = secret.ok_or(Rejection::SignatureMismatch)?;
    within(at, keys.now, keys.tolerance)?;
    Ok(Proof { secret: Some(secret) })
}

/// Puts the signature into the body, which is therefore not quite the sample's.
fn sign(
    declared: &Declared,
    sample: &Sample,
    url: Option<&str>,
    secret: &Secret,
    now: Time,
) -> Result<Signed, CannotSign> {
    let (time, token) = (Unit::S.write(now), mac::sha256_hex(sample.id.as_bytes()));
    let parts = [time.as_bytes(), token.as_bytes()];
    let signature = mac::write(MAC, Encoding::Hex, KeyForm::Text, secret, &parts);
    let signature = signature.ok_or_else(|| CannotSign("the secret is empty".into()))?;
    let signed = with(sample, "/signature", json!({ "timestamp": time, "token": token, "signature": signature }))?;
    declared.sign_with(Vec::new(), &signed, url, secret, now)
}
