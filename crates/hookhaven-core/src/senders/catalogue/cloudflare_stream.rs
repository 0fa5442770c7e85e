//! Cloudflare Stream: `Webhook-Signature: time=<s>,sig1=<hex>`, over `<time>.<body>`. Notifications are another
//! product (`cloudflare-notifications`).
//!
//! Facts: Cloudflare's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "cloudflare-stream",
    title: "Cloudflare Stream",
    scheme: Scheme::Signed(SignedSpec {
        header: "webhook-signature",
        form: Form::pairs(b',', Some("time"), "sig1"),
        signed: "{timestamp}.{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/status/state + json:/modified? + json:/uid"],
    event_type: &["text:stream + json:/status/state"],
    time: &["json:/modified"],
    order_key: &["json:/uid"],
    sample_types: &["stream.ready", "stream.error"],
    about: About {
        secret: "`secret` of the answer that set the webhook",
        paste: "PUT /accounts/{id}/stream/webhook",
        quirks: &["There is no event id: state, time of change and the video's uid stand in for it."],
        docs: "https://developers.cloudflare.com/stream/manage-video-library/using-webhooks/",
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /accounts/{id}/stream?after=…` lists videos with their state",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
