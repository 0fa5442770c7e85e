//! Clerk, through Svix: `svix-*` headers; the body has no id, and `timestamp` in milliseconds.
//!
//! The scheme is that of Standard Webhooks. Facts: Clerk's SDK.

use super::{
    super::prelude::*,
    standard_webhooks::{ABOUT, STANDARD},
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
    ..STANDARD
};
