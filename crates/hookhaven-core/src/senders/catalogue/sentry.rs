//! Sentry's integrations: `Sentry-Hook-Signature`, hex of HMAC-SHA256 of the body, under the client secret.
//! `Sentry-Hook-Timestamp` is not signed and not relied on.
//!
//! Facts: Sentry's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "sentry",
    title: "Sentry",
    scheme: Scheme::Signed(SignedSpec { header: "sentry-hook-signature", ..SignedSpec::DEFAULT }),
    id: &["header:request-id"],
    event_type: &["header:sentry-hook-resource + json:/action?"],
    time: &["json:/data/issue/lastSeen", "json:/data/event/datetime"],
    order_key: &["json:/data/issue/id"],
    sample_types: &["issue.created", "error.created"],
    about: About {
        secret: "Settings → Custom Integrations → the integration → Client Secret",
        paste: "the same page → Webhook URL",
        quirks: &[
            "Sentry waits one second; a thousand timeouts in a day unsubscribe.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/",
        timeout_s: Some(1),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /api/0/organizations/{org}/issues/` by `lastSeen`",
        gives_up: "1,000 timeouts in 24 hours unsubscribe it",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
