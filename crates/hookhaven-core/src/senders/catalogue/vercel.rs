//! Vercel: `x-vercel-signature`, hex of HMAC-SHA1 of the body.
//!
//! Facts: Vercel's documentation, second-hand.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "vercel",
    title: "Vercel",
    scheme: Scheme::Signed(SignedSpec {
        by: Mechanism::Hmac(Sha1),
        header: "x-vercel-signature",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/id"],
    time: &["json:/createdAt ms"],
    order_key: &["json:/payload/deployment/id"],
    sample_types: &["deployment.created", "deployment.succeeded"],
    about: About {
        secret: "shown once when the webhook is made; for integrations, the integration's client secret",
        rotation: Rotation::PerHook,
        paste: "Team Settings → Webhooks",
        quirks: &["No time is signed: only the idempotency key stops replays."],
        docs: "https://vercel.com/docs/webhooks",
        timeout_s: Some(30),
        retries: Retries::hours(24, "with growing pauses"),
    },
    conduct: Conduct { reconcile: "`GET /v6/deployments?since=…` lists deployments", ..Conduct::UNKNOWN },
    ..Declaration::DEFAULT
};
