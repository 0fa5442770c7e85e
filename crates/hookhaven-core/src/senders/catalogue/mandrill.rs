//! Mandrill: `X-Mandrill-Signature`, base64 of HMAC-SHA1 under the webhook's key, over the URL and the sorted fields of
//! the form, as Twilio does it. The one field, `mandrill_events`, is a JSON array of events.
//!
//! The URL comes from configuration, exactly as it was entered at Mandrill. A hook is tried by HEAD when it is made.
//! Facts: Mandrill's documentation as its users' code has it.

use http::HeaderName;

use super::super::{
    declared::Declared,
    form::{self, FORM},
    mac::{self, Digest},
    place::only,
    prelude::*,
    sample::Body,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Cover, Facts, Keys, Proof, Rejection, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "mandrill",
    aliases: &["mailchimp-transactional"],
    title: "Mandrill (Mailchimp Transactional)",
    scheme: Scheme::Own {
        how: "`X-Mandrill-Signature`: base64 of HMAC-SHA1 over the URL and the sorted fields of the form",
        covers: Cover::Whole,
        signs_id: true,
        signs_type: true,
        signs_time: false,
        signs_url: true,
    },
    // Places in the field's array.
    id: &["json:/0/event + json:/0/ts + json:/0/_id"],
    event_type: &["json:/0/event"],
    time: &["json:/0/ts s"],
    batch: Some(""),
    content_types: &[FORM],
    handshakes: &[Handshake::Head],
    not_secrets: &[("md-", "this is an API key; the webhook's key stands beside it under Settings → Webhooks")],
    sample_types: &["send", "hard_bounce"],
    about: About {
        secret: "Settings → Webhooks → the webhook → Key",
        paste: "Settings → Webhooks → Add a Webhook → Post To URL",
        quirks: &[
            "The URL is signed: `server.public_url` must be what was entered there.",
            "The events are the JSON array in the form's field `mandrill_events`, and handlers get the form as it came.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/",
        ..About::DEFAULT
    },
    code: Code { verify: Some(verify), facts: Some(facts), sample: Some(sample_of), sign: Some(sign), ..Code::NONE },
    ..Declaration::DEFAULT
};

const HMAC_SHA1: Mechanism = Mechanism::Hmac(Sha1);
const SIGNATURE: HeaderName = HeaderName::from_static("x-mandrill-signature");
const EVENTS: &str = "mandrill_events";

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    let given = only(request.headers, &SIGNATURE).map_err(|_| Rejection::SignatureRepeated)?;
    let given = given.ok_or(Rejection::SignatureMissing)?;
    let url = request.url.ok_or(Rejection::UrlUnknown)?;
    if request.body.is_empty() {
        return Err(Rejection::BodyEmpty);
    }
    let digest = Digest::read(given, Encoding::Base64, HMAC_SHA1).ok_or(Rejection::SignatureMalformed)?;
    let fields = form::sorted(request.body).ok_or(Rejection::SignatureMalformed)?;
    let parts = form::after_url(url, &fields);
    let secret = mac::matching_secret(HMAC_SHA1, KeyForm::Text, keys.secrets, &[digest], &parts);
    Ok(Proof { secret: Some(secret.ok_or(Rejection::SignatureMismatch)?) })
}

fn facts(declared: &Declared, request: &Request<'_>) -> Facts {
    let events = form::field(request.body, EVENTS).unwrap_or_default();
    declared.places().read(request.headers, &events)
}

fn sample_of(declared: &Declared, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
    let mut events = Body::read(r#"[{"msg":{"subject":"a sample"}}]"#);
    // It has a place for every type.
    let _ = declared.places().put(&mut events, id, event_type, now);
    let events = events.into_bytes();
    let body = form::write([(EVENTS, &*String::from_utf8_lossy(&events))]);
    Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body })
}

fn sign(_: &Declared, sample: &Sample, url: Option<&str>, secret: &Secret, _: Time) -> Result<Signed, CannotSign> {
    let url = url.ok_or_else(|| CannotSign("Mandrill signs the URL: set server.public_url".into()))?;
    let fields = form::sorted(&sample.body).ok_or_else(|| CannotSign("the form has too many fields".into()))?;
    let signature = mac::write(HMAC_SHA1, Encoding::Base64, KeyForm::Text, secret, &form::after_url(url, &fields))
        .ok_or_else(|| CannotSign("the secret is empty".into()))?;
    let headers = vec![("content-type".to_owned(), FORM.to_owned()), (SIGNATURE.to_string(), signature)];
    Ok(Signed { headers, query: String::new(), body: sample.body.clone() })
}
