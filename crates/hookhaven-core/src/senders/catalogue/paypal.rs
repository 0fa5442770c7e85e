//! PayPal: RSA-SHA256 over `<transmission id>|<time>|<webhook id>|<CRC-32 of the body>`, in headers, under a
//! certificate that the request names and that must be one of PayPal's own.
//!
//! Only a CRC binds the body: whoever holds one delivery can craft another body with the same CRC. So where money
//! moves, the handler should fetch the event from the API. The source's secret is the webhook's id, which is signed
//! along. Facts: PayPal's documentation, from memory.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderName;

use super::super::{
    declared::Declared,
    mac::SECRETS_MAX,
    place::only,
    prelude::*,
    published::{RsaHash, own_url, verify_rsa},
    signed::within,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Cover, Fetch, Keys, Proof, Rejection, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "paypal",
    title: "PayPal",
    scheme: Scheme::Own {
        how: "`PAYPAL-TRANSMISSION-SIG`: RSA-SHA256 over id, time, webhook id and CRC-32 of the body, under a \
              certificate fetched from PayPal",
        covers: Cover::Checksum,
        signs_id: true,
        signs_type: true,
        signs_time: true,
        signs_url: false,
    },
    id: &["json:/id"],
    event_type: &["json:/event_type"],
    time: &["json:/create_time"],
    order_key: &["json:/resource/id"],
    version: &["json:/resource/update_time"],
    // Whether a repetition gets a new time is not documented: none of three days may be refused.
    tolerance: Duration::from_secs(4 * 86_400),
    sample_types: &["PAYMENT.CAPTURE.COMPLETED", "CHECKOUT.ORDER.APPROVED"],
    about: About {
        secret: "the webhook's id: Apps & Credentials → the app → Webhooks → Webhook ID",
        rotation: Rotation::Public,
        paste: "Apps & Credentials → the app → Webhooks → Add Webhook",
        quirks: &[
            "Only a CRC-32 binds the body: fetch the event from the API before money moves.",
            "The certificate is fetched from PayPal (HTTPS, egress to api.paypal.com) and kept for a day.",
            "The simulator's events cannot be verified: PayPal signs them for no webhook.",
        ],
        docs: "https://developer.paypal.com/api/rest/webhooks/rest/",
        timeout_s: None,
        retries: Retries::hours(72, "up to 25 times"),
    },
    conduct: Conduct {
        whole: &["*"],
        resend: "Developer Dashboard → Event Logs → Webhook Events → Resend, or `POST /v1/notifications/webhooks-events/{id}/resend`",
        reconcile: "`GET /v1/notifications/webhooks-events?start_time=…` lists events; the transaction search what was paid",
        gives_up: "after 25 attempts in 3 days the event has failed, until it is sent again",
        critical: &[
            "PAYMENT.CAPTURE.COMPLETED",
            "PAYMENT.CAPTURE.DENIED",
            "CUSTOMER.DISPUTE.CREATED",
            "BILLING.SUBSCRIPTION.CANCELLED",
        ],
        siblings: &[Siblings {
            cause: "one payment",
            types: &["CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED"],
            instead: "Approved is not paid: act on `PAYMENT.CAPTURE.COMPLETED`, and make it unique by the order's id.",
        }],
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

const ID: HeaderName = HeaderName::from_static("paypal-transmission-id");
const TIME: HeaderName = HeaderName::from_static("paypal-transmission-time");
const SIGNATURE: HeaderName = HeaderName::from_static("paypal-transmission-sig");
const CERTIFICATE: HeaderName = HeaderName::from_static("paypal-cert-url");
const ALGORITHM: HeaderName = HeaderName::from_static("paypal-auth-algo");
const HOSTS: [&str; 2] = ["api.paypal.com", "api.sandbox.paypal.com"];
const PATH: &str = "/v1/notifications/certs/";

fn one<'a>(request: &Request<'a>, name: &HeaderName, missing: Rejection) -> Result<&'a [u8], Rejection> {
    only(request.headers, name).map_err(|_| Rejection::SignatureRepeated)?.ok_or(missing)
}

/// The certificate, by an address on PayPal's own API.
fn needs(request: &Request<'_>, _: &Keys<'_>) -> Result<Option<Fetch>, Rejection> {
    one(request, &SIGNATURE, Rejection::SignatureMissing)?;
    let text = std::str::from_utf8(one(request, &CERTIFICATE, Rejection::KeyUnusable)?);
    let text = text.map_err(|_| Rejection::KeyUnusable)?;
    let url = own_url(text, |host, path| HOSTS.contains(&host) && is_certificate(path))?;
    Ok(Some(Fetch::get(url)))
}

/// One name below the directory of certificates.
fn is_certificate(path: &str) -> bool {
    let name = path.strip_prefix(PATH).unwrap_or_default();
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    let signature = one(request, &SIGNATURE, Rejection::SignatureMissing)?;
    let time = one(request, &TIME, Rejection::TimestampMissing)?;
    let id = one(request, &ID, Rejection::IdMissing)?;
    let algorithm = one(request, &ALGORITHM, Rejection::KeyUnusable)?;
    needs(request, keys)?;
    if request.body.is_empty() {
        return Err(Rejection::BodyEmpty);
    }
    if algorithm != b"SHA256withRSA" {
        return Err(Rejection::SignatureMalformed);
    }
    let at = Unit::Rfc3339.read_strict(time).ok_or(Rejection::TimestampMalformed)?;
    let signature = STANDARD.decode(signature).map_err(|_| Rejection::SignatureMalformed)?;
    let certificate = keys.fetched.ok_or(Rejection::KeyUnusable)?;
    let crc = crc32(request.body).to_string();
    for (secret, position) in keys.secrets.iter().take(SECRETS_MAX).zip(0u8..) {
        let text = [id, time, secret.expose(), crc.as_bytes()].join(&b'|');
        match verify_rsa(certificate, RsaHash::Sha256, &text, &signature) {
            Ok(()) => {
                within(at, keys.now, keys.tolerance)?;
                return Ok(Proof { secret: Some(position) });
            }
            Err(Rejection::SignatureMismatch) => {}
            Err(other) => return Err(other),
        }
    }
    Err(Rejection::SignatureMismatch)
}

/// CRC-32 as in zip and PNG (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |crc: u32, byte: &u8| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = n as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
}

fn check_secret(secret: &Secret) -> Result<(), String> {
    let like_an_id = secret.expose().iter().all(u8::is_ascii_alphanumeric);
    let mend =
        "the secret of a PayPal source is the webhook's id, letters and digits, such as \"8PT597110X687430LKGECATA\"";
    if like_an_id { Ok(()) } else { Err(mend.to_owned()) }
}

fn cannot_sign(_: &Declared, _: &Sample, _: Option<&str>, _: &Secret, _: Time) -> Result<Signed, CannotSign> {
    Err(CannotSign("only PayPal can sign: it keeps the private key; resend an event in its dashboard".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
