//! Resend, through Svix: `svix-*` headers, `type` like `email.delivered`.
//!
//! The scheme is that of Standard Webhooks. Facts: Resend's SDK.

use super::{
    super::prelude::*,
    standard_webhooks::{ABOUT, CONDUCT, STANDARD},
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
    conduct: Conduct {
        resend: "Webhooks → the endpoint → the message → Resend, or Recover failed messages since a time",
        reconcile: "`GET /emails/{id}` shows the last event of a mail",
        gives_up: "after 5 days of failures it disables the endpoint",
        critical: &["email.bounced", "email.complained"],
        ..CONDUCT
    },
    ..STANDARD
};
