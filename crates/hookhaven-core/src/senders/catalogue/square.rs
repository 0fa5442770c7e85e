//! Square: `x-square-hmacsha256-signature`, base64 of HMAC-SHA256 over the notification URL, byte for byte as
//! registered, and then the body.
//!
//! Facts: Square's SDK and documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "square",
    title: "Square",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        header: "x-square-hmacsha256-signature",
        signed: "{url}{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/event_id"],
    time: &["json:/created_at"],
    order_key: &["json:/data/id"],
    version: &["json:/data/object/version"],
    sample_types: &["payment.created", "refund.updated"],
    about: About {
        secret: "Developer Console → the app → Webhooks → Subscriptions → Signature key",
        rotation: Rotation::Unknown,
        paste: "the same page → Notification URL",
        quirks: &[
            "The URL is signed: `server.public_url` must be what was registered, byte for byte.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://developer.squareup.com/docs/webhooks/overview",
        timeout_s: Some(10),
        retries: Retries::hours(24, "with growing pauses"),
    },
    conduct: Conduct {
        order: OrderPromise::None,
        reconcile: "`POST /v2/events/search` lists events of the last 28 days",
        critical: &["payment.updated", "refund.updated", "dispute.created"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
