//! PagerDuty's webhooks v3: `X-PagerDuty-Signature: v1=<hex>[,v1=<hex>]`, of the body, one for each active secret.
//!
//! Facts: PagerDuty's documentation, second-hand.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "pagerduty",
    title: "PagerDuty",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-pagerduty-signature",
        form: Form::pairs(b',', None, "v1"),
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/event/id"],
    event_type: &["json:/event/event_type"],
    time: &["json:/event/occurred_at"],
    order_key: &["json:/event/data/id"],
    addresses: &[
        AddressList::text("https://developer.pagerduty.com/ip-safelists/webhooks-us-service-region"),
        AddressList::text("https://developer.pagerduty.com/ip-safelists/webhooks-eu-service-region"),
    ],
    sample_types: &["incident.triggered", "pagey.ping"],
    about: About {
        secret: "shown once when the subscription is made",
        rotation: Rotation::Both("Integrations → Generic Webhooks (v3) → the subscription", None),
        paste: "Integrations → Generic Webhooks (v3)",
        quirks: &[
            "No time is signed: only the idempotency key stops replays.",
            "`pagey.ping` is the test button.",
            "After long failure the subscription is disabled for a while.",
            "Offers mutual TLS, under a root of DigiCert's: `client_certificate` insists on its name.",
        ],
        docs: "https://developer.pagerduty.com/docs/webhooks-overview",
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /log_entries?since=…` lists what happened to incidents",
        gives_up: "after long failure it disables the subscription for a while",
        critical: &["incident.triggered"],
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
