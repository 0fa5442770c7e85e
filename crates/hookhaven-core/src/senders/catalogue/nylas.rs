//! Nylas v3: `X-Nylas-Signature`, hex of HMAC-SHA256 of the body. A GET with `challenge` wants it back.
//!
//! Facts: Nylas's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "nylas",
    title: "Nylas",
    scheme: Scheme::Signed(SignedSpec { header: "x-nylas-signature", ..SignedSpec::DEFAULT }),
    id: &["json:/id"],
    time: &["json:/time s"],
    order_key: &["json:/data/object/id"],
    handshakes: &[Handshake::EchoQuery { method: Method::GET, name: "challenge" }],
    sample_types: &["message.created", "grant.expired"],
    about: About {
        secret: "`webhook_secret` of the answer that made the webhook",
        rotation: Rotation::Unknown,
        paste: "Notifications → Create webhook",
        quirks: &["No time is signed: only the idempotency key stops replays."],
        docs: "https://developer.nylas.com/docs/v3/notifications/",
        timeout_s: Some(10),
        retries: Retries::hours(1, "twice"),
    },
    conduct: Conduct {
        gives_up: "after days of failures it switches the webhook off",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
