//! Signatures made by hand, for bodies that are no text (the SDKs sign text) and for many at once.
//! Written from the senders' documentation, not from our own code.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hookhaven_load::{event::Events, now::unix_s};

pub type Headers = Vec<(String, String)>;

/// Signed now.
pub fn stripe(secret: &str, body: &[u8]) -> Headers {
    stripe_at(secret, body, unix_s())
}

pub fn stripe_at(secret: &str, body: &[u8], at_s: u64) -> Headers {
    let events = Events { run: String::new(), secret: secret.to_owned(), body_bytes: 0 };
    headers(&[("content-type", "application/json"), ("stripe-signature", &events.signature(body, at_s))])
}

/// With the event's name and the delivery's id, which are headers and not signed; without one if `None`.
pub fn github(secret: &str, event: Option<&str>, id: Option<&str>, body: &[u8]) -> Headers {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = format!("sha256={}", hex::encode(hmac::sign(&key, body)));
    let mut all = headers(&[("content-type", "application/json"), ("x-hub-signature-256", &signature)]);
    all.extend(event.map(|event| ("x-github-event".to_owned(), event.to_owned())));
    all.extend(id.map(|id| ("x-github-delivery".to_owned(), id.to_owned())));
    all
}

/// A command, signed now.
pub fn slack(secret: &str, body: &[u8]) -> Headers {
    let at_s = unix_s().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = [b"v0:", at_s.as_bytes(), b":", body].concat();
    let signature = format!("v0={}", hex::encode(hmac::sign(&key, &signed)));
    let form = ("content-type", "application/x-www-form-urlencoded");
    headers(&[form, ("x-slack-signature", &signature), ("x-slack-request-timestamp", &at_s)])
}

/// A form, signed with the URL that the sender knows.
pub fn twilio(secret: &str, url: &str, fields: &[(&str, &str)]) -> (Headers, Vec<u8>) {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let text: String = std::iter::once(url.to_owned()).chain(sorted.iter().map(|(n, v)| format!("{n}{v}"))).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
    let body: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let form = "application/x-www-form-urlencoded";
    (headers(&[("content-type", form), ("x-twilio-signature", &signature)]), body.join("&").into_bytes())
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
