//! Supabase's auth hooks over HTTP: `webhook-*` headers, secret `v1,whsec_…`.
//!
//! The scheme is that of Standard Webhooks. Facts: Supabase's documentation, from memory.

use super::{
    super::prelude::*,
    standard_webhooks::{ABOUT, STANDARD},
};

pub static SENDER: Declaration = Declaration {
    name: "supabase",
    title: "Supabase auth hooks",
    prefixes: &["webhook-"],
    event_type: &["json:/type", "json:/email_data/email_action_type"],
    order_key: &["json:/user/id"],
    sample_types: &["signup"],
    about: About {
        secret: "Authentication → Hooks → the hook → Secret (\"v1,whsec_…\")",
        paste: "Authentication → Hooks → HTTPS",
        quirks: &[
            "A hook is answered by the handler: one that must decide (send SMS, custom claims) cannot wait for a delivery.",
        ],
        docs: "https://supabase.com/docs/guides/auth/auth-hooks",
        timeout_s: Some(5),
        ..ABOUT
    },
    // A hook is asked once, and decides: nothing of it is sent later.
    conduct: Conduct::UNKNOWN,
    ..STANDARD
};
