//! Buildkite with a token: `X-Buildkite-Token` is the token itself, and nothing is signed. Prefer `buildkite`.
//!
//! Facts: Buildkite's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "buildkite-token",
    title: "Buildkite (token)",
    scheme: Scheme::Shared(SharedSpec::Header { name: "x-buildkite-token", prefix: "" }),
    id: &[
        "header:x-buildkite-event + json:/job/state? + json:/job/id",
        "header:x-buildkite-event + json:/build/state? + json:/build/id",
    ],
    event_type: &["header:x-buildkite-event"],
    time: &["json:/job/finished_at", "json:/build/finished_at", "json:/build/created_at"],
    order_key: &["json:/job/id", "json:/build/id"],
    addresses: &[AddressList::json("https://api.buildkite.com/v2/meta", "/webhook_ips")],
    signs_instead: Some("buildkite"),
    sample_types: &["build.finished"],
    about: About {
        secret: "the webhook's Token",
        paste: "Organization Settings → Notification Services → Webhook",
        quirks: &["Nothing is signed: prefer `buildkite` with \"Send an HMAC signature\"."],
        docs: "https://buildkite.com/docs/apis/webhooks",
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /v2/organizations/{org}/builds?finished_from=…` lists builds by time",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
