//! GitLab with a secret token: `X-Gitlab-Token` is the token itself, and nothing is signed. With a signing token
//! the sender is `gitlab-signed`.
//!
//! Facts: GitLab's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "gitlab",
    title: "GitLab (secret token)",
    scheme: Scheme::Shared(SharedSpec::Header { name: "x-gitlab-token", prefix: "" }),
    id: &["header:idempotency-key", "header:x-gitlab-event-uuid"],
    event_type: &["json:/object_kind + json:/object_attributes/action?", "header:x-gitlab-event"],
    time: &["json:/object_attributes/updated_at", "json:/commits/0/timestamp"],
    order_key: &["json:/object_attributes/id", "json:/project/id"],
    signs_instead: Some("gitlab-signed"),
    sample_types: &["push", "merge_request.open"],
    about: About {
        secret: "a text that you make up and enter as Secret token",
        rotation: Rotation::MadeUp,
        paste: "Settings → Webhooks → URL",
        quirks: &[
            "Nothing is signed: prefer the signing token (`gitlab-signed`).",
            "After 4 failures in a row the hook rests, at first for a minute; after 40 it is off for good.",
            "A custom template can make the body any JSON.",
        ],
        docs: "https://docs.gitlab.com/user/project/integrations/webhooks/",
        timeout_s: Some(10),
        ..About::DEFAULT
    },
    conduct: Conduct {
        resend: "the hook's Recent events → View details → Resend request",
        reconcile: "the API's projects, merge requests and pipelines by `updated_after`",
        gives_up: "after 4 failures in a row it rests, for a minute and then ever longer up to a day; after 40 it is off until somebody tests it",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
