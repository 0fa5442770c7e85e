//! Airtable: `X-Airtable-Content-MAC: hmac-sha256=<hex>` of the body; the key is base64. The body says that
//! something changed; what, is fetched by cursor.
//!
//! Facts: Airtable's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "airtable",
    title: "Airtable",
    scheme: Scheme::Signed(SignedSpec {
        key: KeyForm::Base64 { prefixes: &[] },
        header: "x-airtable-content-mac",
        form: Form::prefix("hmac-sha256="),
        ..SignedSpec::DEFAULT
    }),
    event_type: &["text:base.changed"],
    time: &["json:/timestamp"],
    order_key: &["json:/base/id"],
    sample_types: &["base.changed"],
    about: About {
        secret: "`macSecretBase64` of the answer that made the webhook",
        rotation: Rotation::PerHook,
        paste: "`notificationUrl` of POST /v0/bases/{base}/webhooks",
        quirks: &[
            "Webhooks expire after 7 days unless they are refreshed.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://airtable.com/developers/web/api/webhooks-overview",
        ..About::DEFAULT
    },
    conduct: Conduct {
        whole: &["*"],
        reconcile: "`GET /v0/bases/{base}/webhooks/{id}/payloads?cursor=…` holds what changed for 7 days: the notification is only a nudge",
        lapses: "7 days",
        thin: &["*"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
