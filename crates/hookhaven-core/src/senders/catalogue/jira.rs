//! Jira and Confluence with a secret: `X-Hub-Signature: sha256=<hex>` of the body. The JWT of Connect apps does not
//! cover the body and is not accepted.
//!
//! Facts: Atlassian's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "jira",
    aliases: &["confluence"],
    title: "Jira and Confluence",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-hub-signature",
        form: Form::prefix("sha256="),
        ..SignedSpec::DEFAULT
    }),
    id: &["header:x-atlassian-webhook-identifier"],
    event_type: &["json:/webhookEvent"],
    time: &["json:/timestamp ms"],
    order_key: &["json:/issue/id"],
    addresses: &[AddressList::atlassian(&[("product", "jira"), ("direction", "egress")])],
    sample_types: &["jira:issue_created", "jira:issue_updated"],
    about: About {
        secret: "a text that you make up and enter as Secret",
        rotation: Rotation::MadeUp,
        paste: "System → WebHooks → Create",
        quirks: &["No time is signed: only the idempotency key stops replays."],
        docs: "https://developer.atlassian.com/cloud/jira/platform/webhooks/",
        timeout_s: Some(10),
        retries: Retries::hours(1, "up to five times"),
    },
    conduct: Conduct {
        reconcile: "`GET /rest/api/3/search` with JQL such as `updated >= -1h`",
        gives_up: "it tries five times at most, then drops the event",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
