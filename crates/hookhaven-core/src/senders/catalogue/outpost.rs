//! Outpost: `x-outpost-signature: v0=<hex>[,<hex>]`, of the body, one for each secret that is current.
//!
//! Facts: Outpost's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "outpost",
    title: "Outpost",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-outpost-signature",
        form: Form::Several { prefix: "v0=" },
        ..SignedSpec::DEFAULT
    }),
    id: &["header:x-outpost-event-id"],
    event_type: &["header:x-outpost-topic"],
    time: &["header:x-outpost-timestamp"],
    sample_types: &["user.created"],
    about: About {
        secret: "the destination's secret (\"whsec_…\", used whole)",
        rotation: Rotation::Both("the destination → Rotate secret", None),
        paste: "the destination's URL",
        quirks: &[
            "An operator may name the headers otherwise: then describe them with sender `hmac`.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://hookdeck.com/docs/outpost",
        ..About::DEFAULT
    },
    conduct: Conduct { resend: "the event → Retry", reconcile: "the tenant's list of events", ..Conduct::UNKNOWN },
    ..Declaration::DEFAULT
};
