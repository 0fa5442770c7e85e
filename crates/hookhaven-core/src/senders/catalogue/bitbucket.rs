//! Bitbucket Cloud and Data Center: `X-Hub-Signature: sha256=<hex>` of the body; the name is that of GitHub's SHA-1
//! header, the hash is not.
//!
//! Facts: Atlassian's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "bitbucket",
    title: "Bitbucket",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-hub-signature",
        form: Form::prefix("sha256="),
        ..SignedSpec::DEFAULT
    }),
    id: &["header:x-request-uuid", "header:x-request-id"],
    event_type: &["header:x-event-key"],
    time: &["json:/date", "json:/pullrequest/updated_on"],
    order_key: &["json:/pullrequest/id", "json:/repository/uuid"],
    addresses: &[AddressList::atlassian(&[("product", "bitbucket"), ("direction", "egress")])],
    sample_types: &["repo:push", "pullrequest:created"],
    about: About {
        secret: "a text that you make up and enter as Secret",
        rotation: Rotation::MadeUp,
        paste: "Repository settings → Webhooks → Add webhook",
        quirks: &[
            "No time is signed: only the idempotency key stops replays.",
            "Data Center sends its id as `X-Request-Id`, and `diagnostics:ping` for the test button.",
        ],
        docs: "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
        timeout_s: Some(10),
        retries: Retries::minutes(10, "twice"),
    },
    conduct: Conduct {
        resend: "Repository settings → Webhooks → View requests → the request → Resend request",
        reconcile: "`GET /2.0/repositories/{workspace}/{repo}/commits` and `/pullrequests` show what there is",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
