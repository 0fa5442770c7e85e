//! Convoy's simple signatures: `X-Convoy-Signature`, hex of HMAC-SHA256 of the body.
//!
//! Facts: Convoy's library.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "convoy-simple",
    title: "Convoy (simple signatures)",
    scheme: Scheme::Signed(SignedSpec { header: "x-convoy-signature", ..SignedSpec::DEFAULT }),
    event_type: &["json:/event_type", "json:/event"],
    sample_types: &["charge.success"],
    about: About {
        secret: "the endpoint's secret",
        paste: "the endpoint's URL",
        quirks: &[
            "No time is signed: only the idempotency key stops replays.",
            "Base64 or SHA-512 instead: describe it with sender `hmac`.",
        ],
        docs: "https://docs.getconvoy.io",
        ..About::DEFAULT
    },
    conduct: Conduct {
        resend: "the project's Events or Deliveries → Retry, one or by filter",
        reconcile: "the project's list of events",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
