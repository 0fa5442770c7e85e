//! GitLab with a signing token: `webhook-*` headers, `whsec_` and base64 of 32 bytes. With the older secret token
//! the sender is `gitlab`.
//!
//! The scheme is that of Standard Webhooks. Facts: GitLab's documentation.

use super::{
    super::prelude::*,
    standard_webhooks::{ABOUT, CONDUCT, STANDARD},
};

pub static SENDER: Declaration = Declaration {
    name: "gitlab-signed",
    title: "GitLab (signing token)",
    prefixes: &["webhook-"],
    event_type: &["json:/object_kind + json:/object_attributes/action?", "header:x-gitlab-event"],
    time: &["json:/object_attributes/updated_at", "json:/timestamp"],
    order_key: &["json:/object_attributes/id", "json:/project/id"],
    sample_types: &["push", "merge_request.open"],
    about: About {
        secret: "Settings → Webhooks → Signing token (\"whsec_…\")",
        paste: "Settings → Webhooks → URL",
        quirks: &[
            "After 4 failures in a row the hook rests, at first for a minute; after 40 it is off for good.",
            "A custom template can make the body any JSON.",
        ],
        docs: "https://docs.gitlab.com/user/project/integrations/webhooks/",
        timeout_s: Some(10),
        ..ABOUT
    },
    conduct: Conduct {
        order: OrderPromise::Silent,
        resend: "the hook's Recent events → View details → Resend request",
        reconcile: "the API's projects, merge requests and pipelines by `updated_after`",
        gives_up: "after 4 failures in a row it rests, for a minute and then ever longer up to a day; after 40 it is off until somebody tests it",
        ..CONDUCT
    },
    ..STANDARD
};
