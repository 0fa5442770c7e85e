//! Hookdeck: `x-hookdeck-signature`, base64 of HMAC-SHA256 of the body. It passes the first sender's headers on,
//! whose times are stale on retries.
//!
//! Facts: Hookdeck's documentation, second-hand.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "hookdeck",
    title: "Hookdeck",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        header: "x-hookdeck-signature",
        ..SignedSpec::DEFAULT
    }),
    id: &["header:x-hookdeck-eventid"],
    event_type: &["json:/type", "json:/event_type", "json:/event"],
    sample_types: &["sample"],
    about: About {
        secret: "Project Settings → Secrets → Signing Secret",
        rotation: Rotation::Both("Project Settings → Secrets", None),
        paste: "the destination's URL",
        quirks: &[
            "The event id is a header and not signed.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://hookdeck.com/docs/authentication",
        ..About::DEFAULT
    },
    conduct: Conduct {
        resend: "Events → the event → Retry, or in bulk by filter",
        reconcile: "the project's list of events",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
