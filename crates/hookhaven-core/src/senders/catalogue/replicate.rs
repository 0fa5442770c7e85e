//! Replicate: `webhook-*` headers; the body is the prediction itself, whose `id` is not the event's: one prediction
//! has many deliveries.
//!
//! The scheme is that of Standard Webhooks. Facts: Replicate's documentation, from memory.

use super::{
    super::prelude::*,
    standard_webhooks::{ABOUT, CONDUCT, STANDARD},
};

pub static SENDER: Declaration = Declaration {
    name: "replicate",
    title: "Replicate",
    prefixes: &["webhook-"],
    event_type: &["text:prediction + json:/status"],
    time: &["json:/completed_at", "json:/started_at", "json:/created_at"],
    order_key: &["json:/id"],
    sample_types: &["prediction.succeeded"],
    about: About {
        secret: "GET /v1/webhooks/default/secret of its API (\"whsec_…\")",
        paste: "the `webhook` of the request that starts a prediction",
        quirks: &["Only deliveries of a prediction's end are sent again."],
        docs: "https://replicate.com/docs/topics/webhooks",
        ..ABOUT
    },
    conduct: Conduct { reconcile: "`GET /v1/predictions` lists predictions with their status", ..CONDUCT },
    ..STANDARD
};
