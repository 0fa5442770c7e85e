//! Meta: `X-Hub-Signature-256: sha256=<hex>` of the body as sent, with its escapes, under the app secret. A
//! subscription begins with a GET that holds `hub.verify_token` and wants `hub.challenge` back.
//!
//! Facts: Meta's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "meta",
    aliases: &["facebook", "instagram", "whatsapp"],
    title: "Meta (Facebook, Instagram, WhatsApp)",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-hub-signature-256",
        form: Form::prefix("sha256="),
        ..SignedSpec::DEFAULT
    }),
    event_type: &["json:/object + json:/entry/0/changes/0/field?"],
    time: &["json:/entry/0/time"],
    order_key: &["json:/entry/0/id"],
    batch: Some("/entry"),
    handshakes: &[Handshake::Hub { answer: Echoed::Text }],
    body_bytes_max: 3 << 20,
    sample_types: &["whatsapp_business_account.messages", "page.feed"],
    about: About {
        secret: "App settings → Basic → App secret; and a text of your own as Verify token: the source's `verify_token`",
        paste: "Webhooks (or WhatsApp → Configuration) → Callback URL",
        quirks: &[
            "Up to 1,000 changes come in one batch; there is no id they share.",
            "Set `verify_token`, or the subscription is refused.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://developers.facebook.com/docs/graph-api/webhooks/",
        retries: Retries::hours(36, "with falling frequency; WhatsApp for 7 days"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "the Graph API shows the present state; messages of WhatsApp cannot be fetched again",
        gives_up: "after 36 hours (WhatsApp: 7 days) it drops the event",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
