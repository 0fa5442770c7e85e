//! OpenAI: `webhook-*` headers; thin events (`/data/id`) to be fetched.
//!
//! The scheme is that of Standard Webhooks. Facts: OpenAI's SDK and documentation.

use super::{
    super::prelude::*,
    standard_webhooks::{ABOUT, CONDUCT, STANDARD},
};

pub static SENDER: Declaration = Declaration {
    name: "openai",
    title: "OpenAI",
    prefixes: &["webhook-"],
    time: &["json:/created_at s"],
    order_key: &["json:/data/id"],
    sample_types: &["response.completed", "batch.completed"],
    sample: r#"{"object":"event"}"#,
    about: About {
        secret: "the project's Settings → Webhooks, shown once (\"whsec_…\")",
        paste: "Settings → Webhooks → Create",
        quirks: &["Events are thin: fetch the object by `/data/id`.", "A redirect counts as a failure."],
        docs: "https://platform.openai.com/docs/guides/webhooks",
        retries: Retries::hours(72, "with growing pauses"),
        ..ABOUT
    },
    conduct: Conduct {
        reconcile: "fetch the object (`/data/id`) by the API",
        gives_up: "after 72 hours it drops the event",
        stops: false,
        thin: &["*"],
        ..CONDUCT
    },
    ..STANDARD
};
