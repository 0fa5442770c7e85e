//! Clerk, through Svix: `svix-*` headers; the body has no id, and `timestamp` in milliseconds.
//!
//! The scheme is that of Standard Webhooks. Facts: Clerk's SDK.

use super::{
    super::prelude::*,
    standard_webhooks::{ABOUT, CONDUCT, STANDARD},
};

pub static SENDER: Declaration = Declaration {
    name: "clerk",
    title: "Clerk",
    prefixes: &["svix-"],
    time: &["json:/timestamp ms"],
    order_key: &["json:/data/id"],
    addresses: &[AddressList::SVIX],
    sample_types: &["user.created", "session.ended"],
    sample: r#"{"object":"event"}"#,
    about: About {
        secret: "Configure → Webhooks → the endpoint → Signing Secret (\"whsec_…\")",
        paste: "Configure → Webhooks → Add Endpoint",
        docs: "https://clerk.com/docs/webhooks/overview",
        ..ABOUT
    },
    conduct: Conduct {
        whole: &["*"],
        resend: "Configure → Webhooks → the endpoint → the message → Resend, or Recover failed messages since a time",
        reconcile: "`GET /v1/users?order_by=-updated_at` shows the present state",
        gives_up: "after 5 days of failures it disables the endpoint",
        ..CONDUCT
    },
    ..STANDARD
};
