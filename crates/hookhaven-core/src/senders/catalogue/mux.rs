//! Mux: `Mux-Signature: t=<s>,v1=<hex>`, HMAC-SHA256 of `<t>.<body>` under the endpoint's signing secret.
//!
//! Facts: Mux's documentation; how long it comes again from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "mux",
    title: "Mux",
    scheme: Scheme::Signed(SignedSpec {
        header: "mux-signature",
        form: Form::pairs(b',', Some("t"), "v1"),
        signed: "{timestamp}.{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/id"],
    event_type: &["json:/type"],
    time: &["json:/created_at"],
    order_key: &["json:/object/id"],
    sample_types: &["video.asset.ready", "video.asset.errored"],
    about: About {
        secret: "Settings → Webhooks → the endpoint → Signing Secret",
        paste: "Settings → Webhooks → Create new webhook",
        docs: "https://www.mux.com/docs/core/listen-for-webhooks",
        retries: Retries::hours(24, "with growing pauses"),
        ..About::DEFAULT
    },
    ..Declaration::DEFAULT
};
