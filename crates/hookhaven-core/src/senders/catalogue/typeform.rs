//! Typeform: `Typeform-Signature: sha256=<base64>` of the body.
//!
//! Facts: Typeform's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "typeform",
    title: "Typeform",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        header: "typeform-signature",
        form: Form::prefix("sha256="),
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/event_id"],
    event_type: &["json:/event_type"],
    time: &["json:/form_response/submitted_at"],
    order_key: &["json:/form_response/form_id"],
    sample_types: &["form_response"],
    about: About {
        secret: "a text that you make up and enter as Secret",
        rotation: Rotation::MadeUp,
        paste: "the form → Connect → Webhooks",
        quirks: &[
            "404 and 410 switch the webhook off at once.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://www.typeform.com/developers/webhooks/",
        timeout_s: Some(30),
        retries: Retries::hours(10, "with growing pauses"),
    },
    conduct: Conduct {
        reconcile: "`GET /forms/{id}/responses?since=…` lists the answers",
        gives_up: "404 and 410 switch it off at once",
        critical: &["form_response"],
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
