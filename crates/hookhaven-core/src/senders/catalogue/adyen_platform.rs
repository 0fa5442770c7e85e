//! Adyen's newer webhooks (platform, banking, management): header `hmacSignature`, base64 of HMAC-SHA256 of the
//! body; the key is hex. Payments carry their signature in the body and are `adyen-payments`.
//!
//! Facts: Adyen's SDK.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "adyen-platform",
    title: "Adyen (platform, banking, management)",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        key: KeyForm::Hex,
        header: "hmacsignature",
        ..SignedSpec::DEFAULT
    }),
    time: &["json:/timestamp", "json:/data/creationDate"],
    order_key: &["json:/data/id"],
    answer: Told { status: 200, content_type: Some("text/plain"), body: "[accepted]" },
    sample_types: &["balancePlatform.transfer.created"],
    about: About {
        secret: "Developers → Webhooks → the webhook → HMAC key (hex)",
        rotation: Rotation::Unknown,
        paste: "Developers → Webhooks → Create",
        quirks: &[
            "No time is signed: only the idempotency key stops replays.",
            "There is no event id that all types share: the key is a hash of the body.",
        ],
        docs: "https://docs.adyen.com/development-resources/webhooks/",
        timeout_s: Some(10),
        retries: Retries::hours(168, "for days, with growing pauses"),
    },
    conduct: Conduct {
        order: OrderPromise::None,
        reconcile: "`GET /transfers` lists transfers by time",
        critical: &["balancePlatform.transfer.created", "balancePlatform.transfer.updated"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
