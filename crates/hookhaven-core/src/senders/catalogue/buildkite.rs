//! Buildkite with a signature: `X-Buildkite-Signature: timestamp=<s>,signature=<hex>`, over `<timestamp>.<body>`,
//! under the hook's token. There is no event id. With the bare token the sender is `buildkite-token`.
//!
//! Facts: Buildkite's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "buildkite",
    title: "Buildkite",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-buildkite-signature",
        form: Form::pairs(b',', Some("timestamp"), "signature"),
        signed: "{timestamp}.{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &[
        "header:x-buildkite-event + json:/job/state? + json:/job/id",
        "header:x-buildkite-event + json:/build/state? + json:/build/id",
    ],
    event_type: &["header:x-buildkite-event"],
    time: &["json:/job/finished_at", "json:/build/finished_at", "json:/build/created_at"],
    order_key: &["json:/job/id", "json:/build/id"],
    addresses: &[AddressList::json("https://api.buildkite.com/v2/meta", "/webhook_ips")],
    sample_types: &["build.finished", "job.started"],
    about: About {
        secret: "the webhook's Token, with \"Send an HMAC signature\" chosen",
        paste: "Organization Settings → Notification Services → Webhook",
        quirks: &["There is no event id: event, state and the build's or job's id stand in for it."],
        docs: "https://buildkite.com/docs/apis/webhooks",
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /v2/organizations/{org}/builds?finished_from=…` lists builds by time",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
