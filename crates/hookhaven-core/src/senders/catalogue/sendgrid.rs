//! SendGrid's event webhook: `X-Twilio-Email-Event-Webhook-Signature`, base64 of ECDSA (P-256, SHA-256, DER) over
//! timestamp and body; the secret is the public key, base64 of its SubjectPublicKeyInfo. The body is an array and
//! ends in CR LF, which is signed.
//!
//! Facts: SendGrid's library.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "sendgrid",
    title: "SendGrid event webhook",
    scheme: Scheme::Signed(SignedSpec {
        by: Mechanism::EcdsaP256,
        encoding: Encoding::Base64,
        key: KeyForm::Base64 { prefixes: &[] },
        header: "x-twilio-email-event-webhook-signature",
        timestamp: Some(("header:x-twilio-email-event-webhook-timestamp", Unit::S)),
        signed: "{timestamp}{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/0/sg_event_id"],
    event_type: &["json:/0/event"],
    time: &["json:/0/timestamp s"],
    order_key: &["json:/0/sg_message_id"],
    batch: Some(""),
    sample_types: &["delivered", "bounce"],
    about: About {
        secret: "Settings → Mail Settings → Event Webhook → Signature Verification → Verification Key",
        rotation: Rotation::Public,
        paste: "Settings → Mail Settings → Event Webhook → Post URL",
        quirks: &["Events come in batches. Inbound Parse is another product and not signed so."],
        docs: "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event",
        retries: Retries::hours(24, "with growing pauses"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /v3/messages` lists mails with their state, where the plan has the activity history; suppressions by `start_time`",
        gives_up: "after 24 hours it drops the events",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
