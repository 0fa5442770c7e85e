//! Linear: `Linear-Signature`, hex of HMAC-SHA256 of the body. The time is `/webhookTimestamp` in the body; the
//! header `Linear-Timestamp` is not signed.
//!
//! Facts: Linear's SDK and documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "linear",
    title: "Linear",
    scheme: Scheme::Signed(SignedSpec {
        header: "linear-signature",
        timestamp: Some(("json:/webhookTimestamp", Unit::Ms)),
        ..SignedSpec::DEFAULT
    }),
    id: &["header:linear-delivery"],
    event_type: &["json:/type + json:/action?"],
    time: &["json:/createdAt"],
    order_key: &["json:/data/id"],
    version: &["json:/data/updatedAt"],
    tolerance: Duration::from_secs(60),
    body_bytes_max: 5 << 20,
    sample_types: &["Issue.create", "Comment.update"],
    about: About {
        secret: "Settings → API → the webhook → Signing secret",
        paste: "Settings → API → Webhooks",
        docs: "https://linear.app/developers/webhooks",
        timeout_s: Some(5),
        retries: Retries::hours(7, "after 1 min, 1 h and 6 h"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        whole: &["*"],
        reconcile: "the GraphQL API, by `updatedAt`",
        gives_up: "it may disable a webhook that keeps failing",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
