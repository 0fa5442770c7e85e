//! Resend, through Svix: `svix-*` headers, `type` like `email.delivered`.
//!
//! The scheme is that of Standard Webhooks. Facts: Resend's SDK.

use super::{
    super::prelude::*,
    standard_webhooks::{ABOUT, STANDARD},
};

pub static SENDER: Declaration = Declaration {
    name: "resend",
    title: "Resend",
    prefixes: &["svix-"],
    time: &["json:/created_at"],
    order_key: &["json:/data/email_id"],
    addresses: &[AddressList::SVIX],
    sample_types: &["email.delivered", "email.bounced"],
    about: About {
        secret: "Webhooks → the endpoint → Signing Secret (\"whsec_…\")",
        paste: "Webhooks → Add Webhook",
        docs: "https://resend.com/docs/dashboard/webhooks/introduction",
        ..ABOUT
    },
    ..STANDARD
};
