//! DocuSign Connect: `X-DocuSign-Signature-1` and so on, base64 of HMAC-SHA256 of the body, one header for each
//! active key; any may match. Bodies are JSON or XML.
//!
//! Facts: DocuSign's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "docusign",
    title: "DocuSign Connect",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        header: "x-docusign-signature-",
        form: Form::Numbered,
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/event + json:/generatedDateTime + json:/data/envelopeId"],
    event_type: &["json:/event"],
    time: &["json:/generatedDateTime"],
    order_key: &["json:/data/envelopeId"],
    content_types: &[],
    body_bytes_max: 25 << 20,
    sample_types: &["envelope-completed", "envelope-sent"],
    about: About {
        secret: "Settings → Connect → Connect Keys",
        rotation: Rotation::Both("Settings → Connect → Connect Keys: another key", None),
        paste: "Settings → Connect → Add Configuration → URL to publish",
        quirks: &[
            "HMAC must be switched on in the configuration (\"Include HMAC Signature\").",
            "No time is signed: only the idempotency key stops replays.",
            "Offers mutual TLS, a check box of the configuration: `client_certificate` then insists on its name.",
        ],
        docs: "https://developers.docusign.com/platform/webhooks/connect/",
        retries: Retries::hours(360, "for up to 15 days"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        resend: "Settings → Connect → Publish, or the failures' log → Retry",
        reconcile: "`GET /envelopes?from_date=…` lists envelopes whose status changed",
        critical: &["envelope-completed", "envelope-voided"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
