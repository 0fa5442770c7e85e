//! Adyen's payment webhooks: the signature stands in the body, base64 of HMAC-SHA256 over eight fields with colons
//! between, under a key in hex. Everything else in the body is unsigned.
//!
//! There is one item in a request; a second one would stand beside the signed fields unseen, so it is refused. The
//! newer webhooks sign in a header (`adyen-platform`). Facts: Adyen's documentation and SDK.

use super::super::{
    declared::Declared,
    mac::{self, Digest},
    prelude::*,
    sample::with,
};
use crate::{
    json::{Found, Pointer, scan},
    secret::Secret,
    sender::{CannotSign, Cover, Keys, Proof, Rejection, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "adyen-payments",
    title: "Adyen (payments)",
    scheme: Scheme::Own {
        how: "in the body's `additionalData.hmacSignature`: base64 of HMAC-SHA256 over eight fields of the item",
        covers: Cover::Part,
        signs_id: true,
        signs_type: true,
        signs_time: false,
        signs_url: false,
    },
    id: &["json:/notificationItems/0/NotificationRequestItem/eventCode + \
         json:/notificationItems/0/NotificationRequestItem/success + \
         json:/notificationItems/0/NotificationRequestItem/pspReference"],
    event_type: &["json:/notificationItems/0/NotificationRequestItem/eventCode"],
    time: &["json:/notificationItems/0/NotificationRequestItem/eventDate"],
    order_key: &[
        "json:/notificationItems/0/NotificationRequestItem/originalReference",
        "json:/notificationItems/0/NotificationRequestItem/pspReference",
    ],
    answer: Told { status: 200, content_type: Some("text/plain"), body: "[accepted]" },
    sample_types: &["AUTHORISATION", "REFUND"],
    about: About {
        secret: "Developers → Webhooks → the Standard webhook → HMAC key (hex)",
        rotation: Rotation::Unknown,
        paste: "Developers → Webhooks → Standard webhook → URL",
        quirks: &[
            "Only eight fields are signed: reference, merchant, amount, currency, event and success.",
            "The answer must be `[accepted]`; Hookhaven gives it.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures/",
        timeout_s: Some(10),
        retries: Retries::hours(168, "for days, with growing pauses"),
    },
    conduct: Conduct {
        order: OrderPromise::None,
        resend: "Customer Area → Developers → Webhooks → the webhook's failed events → Resend",
        reconcile: "the payment accounting and settlement reports, compared by `pspReference`",
        gives_up: "after repeated failures it queues what it has to send, and tries for days",
        critical: &["AUTHORISATION", "CAPTURE_FAILED", "CHARGEBACK", "NOTIFICATION_OF_CHARGEBACK"],
        ..Conduct::UNKNOWN
    },
    code: Code { verify: Some(verify), sign: Some(sign), check_secret: Some(check_secret), ..Code::NONE },
    ..Declaration::DEFAULT
};

const MAC: Mechanism = Mechanism::Hmac(Sha256);
const ITEM: &str = "/notificationItems/0/NotificationRequestItem";
const SECOND: &str = "/notificationItems/1";
const SIGNATURE: &str = "additionalData/hmacSignature";
/// In the order in which they are signed; those that are absent count as empty.
const SIGNED: [&str; 8] = [
    "pspReference",
    "originalReference",
    "merchantAccountCode",
    "merchantReference",
    "amount/value",
    "amount/currency",
    "eventCode",
    "success",
];

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    if request.body.is_empty() {
        return Err(Rejection::BodyEmpty);
    }
    let pointers: Vec<Pointer> = [format!("{ITEM}/{SIGNATURE}"), SECOND.to_owned()]
        .iter()
        .filter_map(|path| Pointer::parse(path).ok())
        .collect();
    let found = scan(request.body, &pointers);
    let signature = found[0].and_then(Found::scalar).ok_or(Rejection::SignatureMissing)?;
    if found[1].is_some() {
        return Err(Rejection::SignatureMalformed);
    }
    let digest = Digest::read(signature.as_bytes(), Encoding::Base64, MAC).ok_or(Rejection::SignatureMalformed)?;
    let text = signed_text(request.body);
    let secret = mac::matching_secret(MAC, KeyForm::Hex, keys.secrets, &[digest], &[text.as_bytes()]);
    Ok(Proof { secret: Some(secret.ok_or(Rejection::SignatureMismatch)?) })
}

fn signed_text(body: &[u8]) -> String {
    let pointers: Vec<Pointer> =
        SIGNED.iter().filter_map(|field| Pointer::parse(&format!("{ITEM}/{field}")).ok()).collect();
    let texts: Vec<_> = scan(body, &pointers)
        .into_iter()
        .map(|found| found.and_then(Found::scalar).map(String::from).unwrap_or_default())
        .collect();
    texts.join(":")
}

fn check_secret(secret: &Secret) -> Result<(), String> {
    KeyForm::Hex.check(MAC, secret)
}

/// Puts the signature into the body, which is therefore not quite the sample's.
fn sign(
    declared: &Declared,
    sample: &Sample,
    url: Option<&str>,
    secret: &Secret,
    now: Time,
) -> Result<Signed, CannotSign> {
    let text = signed_text(&sample.body);
    let signature = mac::write(MAC, Encoding::Base64, KeyForm::Hex, secret, &[text.as_bytes()]);
    let signature = signature.ok_or_else(|| CannotSign("the secret is not hex".into()))?;
    let signed = with(sample, &format!("{ITEM}/{SIGNATURE}"), signature.into())?;
    declared.sign_with(Vec::new(), &signed, url, secret, now)
}
