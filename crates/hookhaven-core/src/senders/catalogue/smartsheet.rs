//! Smartsheet: `Smartsheet-Hmac-SHA256`, hex of HMAC-SHA256 of the body. A POST with `Smartsheet-Hook-Challenge`
//! wants it back as `Smartsheet-Hook-Response`.
//!
//! Facts: Smartsheet's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "smartsheet",
    title: "Smartsheet",
    scheme: Scheme::Signed(SignedSpec { header: "smartsheet-hmac-sha256", ..SignedSpec::DEFAULT }),
    event_type: &["json:/events/0/objectType + json:/events/0/eventType"],
    time: &["json:/timestamp"],
    order_key: &["json:/scopeObjectId"],
    batch: Some("/events"),
    handshakes: &[Handshake::HeaderToHeader {
        header: "smartsheet-hook-challenge",
        answer: "smartsheet-hook-response",
    }],
    sample_types: &["row.updated", "cell.updated"],
    about: About {
        secret: "`sharedSecret` of the answer that made the webhook",
        rotation: Rotation::PerHook,
        paste: "`callbackUrl` of POST /2.0/webhooks",
        quirks: &["Events are thin and come in batches.", "No time is signed: only the idempotency key stops replays."],
        docs: "https://developers.smartsheet.com/api/smartsheet/guides/webhooks",
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "the sheet by `rowsModifiedSince`; events name what changed",
        thin: &["*"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
