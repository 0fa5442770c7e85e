//! Calendly: `Calendly-Webhook-Signature: t=<s>,v1=<hex>`, over `<t>.<body>`. There is no event id.
//!
//! Facts: Calendly's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "calendly",
    title: "Calendly",
    scheme: Scheme::Signed(SignedSpec {
        header: "calendly-webhook-signature",
        form: Form::pairs(b',', Some("t"), "v1"),
        signed: "{timestamp}.{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/event + json:/created_at? + json:/payload/uri"],
    event_type: &["json:/event"],
    time: &["json:/created_at"],
    order_key: &["json:/payload/uri"],
    tolerance: Duration::from_secs(180),
    sample_types: &["invitee.created", "invitee.canceled"],
    about: About {
        secret: "`signing_key` given when the subscription is made",
        rotation: Rotation::PerHook,
        paste: "`url` of POST /webhook_subscriptions",
        quirks: &["After about a day of failure the subscription is disabled."],
        docs: "https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures",
        retries: Retries::hours(24, "with growing pauses"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /scheduled_events?min_start_time=…` and each one's `/invitees`",
        gives_up: "after about a day of failures it disables the subscription",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
