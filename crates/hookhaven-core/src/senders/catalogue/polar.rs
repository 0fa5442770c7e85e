//! Polar: `webhook-*` headers.
//!
//! The scheme is that of Standard Webhooks. Facts: Polar's documentation, from memory.

use super::{
    super::prelude::*,
    standard_webhooks::{ABOUT, CONDUCT, STANDARD},
};

pub static SENDER: Declaration = Declaration {
    name: "polar",
    title: "Polar",
    prefixes: &["webhook-"],
    order_key: &["json:/data/id"],
    sample_types: &["order.created", "subscription.active"],
    about: About {
        secret: "Settings → Webhooks → the endpoint → Secret; Polar's own secrets must be given in base64",
        paste: "Settings → Webhooks → Add Endpoint",
        docs: "https://polar.sh/docs/integrate/webhooks",
        ..ABOUT
    },
    conduct: Conduct {
        resend: "Settings → Webhooks → the endpoint → the delivery → Redeliver",
        reconcile: "`GET /v1/orders` and `/v1/subscriptions` show the present state",
        critical: &["order.paid", "subscription.revoked"],
        ..CONDUCT
    },
    ..STANDARD
};
