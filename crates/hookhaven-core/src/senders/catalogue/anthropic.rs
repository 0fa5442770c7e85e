//! Anthropic's managed agents: `webhook-*` headers. `/type` is always `event`; what happened is `/data/type`.
//!
//! The scheme is that of Standard Webhooks. Facts: Anthropic's SDK.

use super::{
    super::prelude::*,
    standard_webhooks::{ABOUT, CONDUCT, STANDARD},
};

pub static SENDER: Declaration = Declaration {
    name: "anthropic",
    title: "Anthropic",
    prefixes: &["webhook-"],
    event_type: &["json:/data/type", "json:/type"],
    time: &["json:/created_at"],
    order_key: &["json:/data/id"],
    sample_types: &["session.completed"],
    sample: r#"{"type":"event"}"#,
    about: About {
        secret: "shown when the endpoint is made (\"whsec_…\")",
        paste: "the console's page about webhooks",
        quirks: &["Events are thin: fetch the object by `/data/id`."],
        docs: "https://docs.claude.com",
        ..ABOUT
    },
    conduct: Conduct { reconcile: "fetch the object (`/data/id`) by the API", thin: &["*"], ..CONDUCT },
    ..STANDARD
};
