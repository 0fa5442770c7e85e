//! Coinbase Commerce: `X-CC-Webhook-Signature`, hex of HMAC-SHA256 of the body.
//!
//! Facts: Coinbase's SDK.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "coinbase-commerce",
    title: "Coinbase Commerce",
    scheme: Scheme::Signed(SignedSpec { header: "x-cc-webhook-signature", ..SignedSpec::DEFAULT }),
    id: &["json:/event/id"],
    event_type: &["json:/event/type"],
    time: &["json:/event/created_at"],
    order_key: &["json:/event/data/id"],
    sample_types: &["charge:confirmed", "charge:created"],
    about: About {
        secret: "Settings → Notifications → Show shared secret",
        paste: "Settings → Notifications → Add an endpoint",
        quirks: &["No time is signed: only the idempotency key stops replays."],
        docs: "https://docs.cdp.coinbase.com/commerce/introduction/webhooks",
        retries: Retries::hours(72, "with growing pauses"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /events` lists events, `GET /charges` what was charged",
        critical: &["charge:confirmed", "charge:failed"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
