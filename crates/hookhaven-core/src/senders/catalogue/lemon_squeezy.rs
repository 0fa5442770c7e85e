//! Lemon Squeezy: `X-Signature`, hex of HMAC-SHA256 of the body. There is no event id: event, object and the time
//! of its change stand in for it.
//!
//! Facts: Lemon Squeezy's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "lemon-squeezy",
    title: "Lemon Squeezy",
    scheme: Scheme::Signed(SignedSpec { header: "x-signature", ..SignedSpec::DEFAULT }),
    id: &["json:/meta/event_name + json:/data/attributes/updated_at? + json:/data/id"],
    event_type: &["header:x-event-name", "json:/meta/event_name"],
    time: &["json:/data/attributes/updated_at"],
    order_key: &["json:/data/id"],
    sample_types: &["order_created", "subscription_updated"],
    about: About {
        secret: "a text that you make up and enter as Signing secret",
        rotation: Rotation::MadeUp,
        paste: "Settings → Webhooks",
        quirks: &["No time is signed: only the idempotency key stops replays.", "Only 200 counts as success."],
        docs: "https://docs.lemonsqueezy.com/help/webhooks",
        retries: Retries::minutes(3, "after 5 s, 25 s and 125 s"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        resend: "Settings → Webhooks → the webhook → the delivery → Resend",
        reconcile: "`GET /v1/orders` and `/v1/subscriptions` show the present state",
        gives_up: "it tries three times, the last after two minutes, and then never again by itself",
        critical: &["order_created", "subscription_expired", "subscription_payment_failed"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
