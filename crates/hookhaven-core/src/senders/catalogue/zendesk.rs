//! Zendesk: `X-Zendesk-Webhook-Signature`, base64 of HMAC-SHA256 over `X-Zendesk-Webhook-Signature-Timestamp` (RFC
//! 3339) and body, with nothing between. Method and body are the owner's choice.
//!
//! Facts: Zendesk's documentation, second-hand.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "zendesk",
    title: "Zendesk",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        header: "x-zendesk-webhook-signature",
        timestamp: Some(("header:x-zendesk-webhook-signature-timestamp", Unit::Rfc3339)),
        signed: "{timestamp}{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["header:x-zendesk-webhook-invocation-id"],
    time: &["json:/time"],
    order_key: &["json:/detail/id"],
    content_types: &[],
    not_secrets: &[(
        "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ",
        "this is the public secret that Zendesk tests with before a webhook exists; anybody could sign with it",
    )],
    sample_types: &["zen:event-type:ticket.created"],
    about: About {
        secret: "Admin Center → Apps and integrations → Webhooks → the webhook → Reveal secret",
        paste: "the same page → Endpoint URL; method POST",
        quirks: &["The invocation id is a header and not signed."],
        docs: "https://developer.zendesk.com/documentation/webhooks/",
        timeout_s: Some(12),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /api/v2/incremental/tickets/cursor?start_time=…` lists what changed",
        gives_up: "a circuit breaker stops it for a while when most attempts fail",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
