//! Stripe: `Stripe-Signature: t=<s>,v1=<hex>`, HMAC-SHA256 of `<t>.<body>` under the whole text of the
//! endpoint's secret, `whsec_` included.
//!
//! `v0` stands on test-mode deliveries and is no signature; only `v1` counts. Several `v1` appear while a
//! secret is rolled. Snapshot events (`object: event`, `created` in seconds) and thin ones
//! (`v2.core.event`, `created` as RFC 3339) share header, id and type. Facts: Stripe's SDK and documentation.

use super::super::{
    Overlay,
    declared::Declared,
    prelude::*,
    sample::{Named, fill, find, sample},
};
use crate::{
    sender::{CannotSign, Sample},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "stripe",
    title: "Stripe",
    scheme: Scheme::Signed(SignedSpec {
        header: "stripe-signature",
        form: Form::pairs(b',', Some("t"), "v1"),
        signed: "{timestamp}.{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/id"],
    event_type: &["json:/type"],
    time: &["json:/created"],
    order_key: &["json:/data/object/id", "json:/data/object/customer", "json:/account"],
    not_secrets: &[
        ("sk_", "this is an API key; the endpoint's signing secret begins with \"whsec_\""),
        ("rk_", "this is a restricted API key; the endpoint's signing secret begins with \"whsec_\""),
        ("pk_", "this is a publishable key; the endpoint's signing secret begins with \"whsec_\""),
    ],
    addresses: &[AddressList::text("https://stripe.com/files/ips/ips_webhooks.txt")],
    sample_types: &[
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "charge.succeeded",
        "charge.refunded",
        "charge.dispute.created",
        "checkout.session.completed",
        "customer.created",
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "invoice.paid",
        "invoice.payment_failed",
        "v1.billing.meter.error_report_triggered",
    ],
    chains: CHAINS,
    about: About {
        secret: "Developers → Webhooks → the endpoint → Signing secret (\"whsec_…\"); each endpoint has its own, and \
                 the CLI's listen mode another",
        rotation: Rotation::Both("Developers → Webhooks → the endpoint → Roll secret", Some(Duration::from_secs(86_400))),
        paste: "Developers → Webhooks → Add destination → Endpoint URL",
        quirks: &[
            "Order is not promised: `subscription.updated` may come before `created`.",
            "A Connect endpoint gets live and test events alike: look at `/livemode`.",
            "Thin events (`v2.core.event`) hold no object: fetch it from `/related_object/url`.",
            "Resending by hand keeps the id, for up to 30 days.",
        ],
        docs: "https://docs.stripe.com/webhooks",
        timeout_s: None,
        retries: Retries::hours(72, "with growing pauses; three times in a few hours in sandboxes"),
    },
    conduct: Conduct {
        whole: &[
            "customer.*",
            "invoice.*",
            "payment_intent.*",
            "charge.*",
            "checkout.session.*",
            "product.*",
            "price.*",
        ],
        order: OrderPromise::None,
        resend: "Developers → Events → the event → Resend, or `stripe events resend ID`",
        resend_within: Some(Duration::from_secs(30 * 86_400)),
        reconcile: "`GET /v1/events?created[gte]=…&delivery_success=false` lists what was not delivered, for 30 days back",
        gives_up: "after days of failures it disables the endpoint and mails the account's owner",
        critical: &["payment_intent.succeeded", "customer.subscription.deleted", "charge.dispute.created"],
        stops: true,
        thin: &["v1.*", "v2.*"],
        siblings: &[Siblings {
            cause: "one payment",
            types: &["checkout.session.completed", "payment_intent.succeeded", "charge.succeeded", "invoice.paid"],
            instead: "Act on one of them for each way to pay (`invoice.paid` for subscriptions, `checkout.session.completed` or \
                      `payment_intent.succeeded` for the rest) and only record the others; or make the work unique by \
                      what was paid for (your order, the invoice) rather than by the event.",
        }],
        ..Conduct::UNKNOWN
    },
    code: Code { sample: Some(sample_of), ..Code::NONE },
    ..Declaration::DEFAULT
};

/// A month of it in less than a minute: the times rise, and that is what a handler may go by.
const CHAINS: &[Chain] = &[
    Chain {
        name: "subscription",
        title: "A subscription's life: trial, paid, not paid, ended",
        steps: &[
            Step {
                event_type: "customer.subscription.created",
                after_s: 0,
                set: &[SUBSCRIPTION, &[("/data/object/status", "\"trialing\"")]],
            },
            Step {
                event_type: "customer.subscription.updated",
                after_s: 10,
                set: &[
                    SUBSCRIPTION,
                    &[("/data/object/status", "\"active\""), ("/data/object/cancel_at_period_end", "false")],
                ],
            },
            Step { event_type: "invoice.paid", after_s: 12, set: &[INVOICE, &[("/data/object/id", "\"in_{{of}}a\"")]] },
            Step {
                event_type: "invoice.payment_failed",
                after_s: 30,
                set: &[INVOICE, &[("/data/object/id", "\"in_{{of}}b\"")]],
            },
            Step { event_type: "customer.subscription.deleted", after_s: 40, set: &[SUBSCRIPTION] },
        ],
    },
    Chain {
        name: "payment",
        title: "A payment that goes through, is refunded and disputed all the same",
        steps: &[
            Step { event_type: "charge.succeeded", after_s: 0, set: &[CHARGE] },
            Step {
                event_type: "payment_intent.succeeded",
                after_s: 1,
                set: &[&[
                    ("/data/object/id", "\"pi_{{of}}\""),
                    ("/data/object/created", "{{began_s}}"),
                    ("/data/object/latest_charge", "\"ch_{{of}}\""),
                    CUSTOMER,
                ]],
            },
            Step { event_type: "charge.refunded", after_s: 20, set: &[CHARGE] },
            Step {
                event_type: "charge.dispute.created",
                after_s: 40,
                set: &[&[
                    ("/data/object/id", "\"du_{{of}}\""),
                    ("/data/object/charge", "\"ch_{{of}}\""),
                    ("/data/object/payment_intent", "\"pi_{{of}}\""),
                    ("/data/object/is_charge_refundable", "false"),
                ]],
            },
        ],
    },
];

const CUSTOMER: Overlay = ("/data/object/customer", "\"cus_{{of}}\"");
const SUBSCRIPTION: &[Overlay] = &[
    CUSTOMER,
    ("/data/object/id", "\"sub_{{of}}\""),
    ("/data/object/created", "{{began_s}}"),
    ("/data/object/start_date", "{{began_s}}"),
    ("/data/object/items/data/0/id", "\"si_{{of}}\""),
];
const INVOICE: &[Overlay] = &[CUSTOMER, ("/data/object/parent/subscription_details/subscription", "\"sub_{{of}}\"")];
const CHARGE: &[Overlay] = &[
    CUSTOMER,
    ("/data/object/id", "\"ch_{{of}}\""),
    ("/data/object/created", "{{began_s}}"),
    ("/data/object/payment_intent", "\"pi_{{of}}\""),
];

/// The `data.object` of each type; the envelope is common.
const OBJECTS: &[Named] = &[
    sample!("stripe", "payment_intent.succeeded"),
    sample!("stripe", "payment_intent.payment_failed"),
    sample!("stripe", "charge.succeeded"),
    sample!("stripe", "charge.refunded"),
    sample!("stripe", "charge.dispute.created"),
    sample!("stripe", "checkout.session.completed"),
    sample!("stripe", "customer.created"),
    sample!("stripe", "customer.subscription.created"),
    sample!("stripe", "customer.subscription.updated"),
    sample!("stripe", "customer.subscription.deleted"),
    sample!("stripe", "invoice.paid"),
    sample!("stripe", "invoice.payment_failed"),
];

fn sample_of(_: &Declared, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
    let text = if event_type.starts_with("v1.") || event_type.starts_with("v2.") {
        THIN.to_owned()
    } else {
        let object = find(OBJECTS, event_type).unwrap_or(ANY_OBJECT).trim_end();
        SNAPSHOT.replace("<object>", &object.replace('\n', "\n    "))
    };
    let body = fill(&text, id, event_type, now).into_bytes();
    Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body })
}

/// Indented by two blanks, as Stripe sends it: re-serialising it breaks the signature.
const SNAPSHOT: &str = r#"{
  "id": "{{id}}",
  "object": "event",
  "api_version": "2026-10-28.sample",
  "created": {{now_s}},
  "data": {
    "object": <object>
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {
    "id": "req_{{tail}}",
    "idempotency_key": null
  },
  "type": "{{type}}"
}"#;

const ANY_OBJECT: &str = r#"{
  "id": "obj_{{tail}}",
  "object": "sample",
  "created": {{now_s}},
  "metadata": {}
}"#;

const THIN: &str = r#"{
  "id": "{{id}}",
  "object": "v2.core.event",
  "type": "{{type}}",
  "livemode": false,
  "created": "{{now}}",
  "context": null,
  "related_object": {
    "id": "mtr_{{tail}}",
    "type": "billing.meter",
    "url": "/v1/billing/meters/mtr_{{tail}}"
  }
}"#;
