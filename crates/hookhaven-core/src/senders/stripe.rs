//! Stripe: `Stripe-Signature: t=<s>,v1=<hex>`, HMAC-SHA256 of `<t>.<body>` under the whole text of the
//! endpoint's secret, `whsec_` included.
//!
//! `v0` stands on test-mode deliveries and is no signature; only `v1` counts. Several `v1` appear while a
//! secret is rolled. Snapshot events (`object: event`, `created` in seconds) and thin ones
//! (`v2.core.event`, `created` as RFC 3339) share header, id and type. Facts: Stripe's SDK and documentation.

use std::sync::Arc;

use super::{
    SenderDef, SenderOptionError, SenderOptions,
    declared::{Declaration, Declared},
    hmac::HmacSpec,
    sample::{Named, fill, find, sample},
    signature::Form,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Facts, Keys, Proof, Rejection, Request, Sample, Sender, Signed},
    time::Time,
};

pub const DEF: SenderDef = SenderDef { name: "stripe", aliases: &[], title: "Stripe", verifies: true, build };

static DECLARATION: Declaration = Declaration {
    name: "stripe",
    scheme: HmacSpec {
        header: "stripe-signature",
        form: Form::List { separator: b',', assign: b'=', signature: "v1", timestamp: Some("t") },
        signed: "{timestamp}.{body}",
        ..HmacSpec::DEFAULT
    },
    id: &["json:/id"],
    event_type: &["json:/type"],
    time: &["json:/created"],
    content_types: &["application/json"],
    not_secrets: &[
        ("sk_", "this is an API key; the endpoint's signing secret begins with \"whsec_\""),
        ("rk_", "this is a restricted API key; the endpoint's signing secret begins with \"whsec_\""),
        ("pk_", "this is a publishable key; the endpoint's signing secret begins with \"whsec_\""),
    ],
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
    samples: OBJECTS,
};

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

fn build(options: &SenderOptions) -> Result<Arc<dyn Sender>, SenderOptionError> {
    options.refuse_hmac(DECLARATION.name)?;
    Ok(Arc::new(Stripe(DECLARATION.declared()?)))
}

/// The declaration, with samples in Stripe's two shapes.
#[derive(Debug)]
struct Stripe(Declared);

impl Sender for Stripe {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
        self.0.verify(request, keys)
    }
    fn facts(&self, request: &Request<'_>) -> Facts {
        self.0.facts(request)
    }
    fn content_types(&self) -> &'static [&'static str] {
        self.0.content_types()
    }
    fn signs_time(&self) -> bool {
        self.0.signs_time()
    }
    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        self.0.check_secret(secret)
    }
    fn sample_types(&self) -> &'static [&'static str] {
        self.0.sample_types()
    }
    fn sample(&self, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
        let text = if event_type.starts_with("v1.") || event_type.starts_with("v2.") {
            THIN.to_owned()
        } else {
            let object = find(OBJECTS, event_type).unwrap_or(ANY_OBJECT).trim_end();
            SNAPSHOT.replace("<object>", &object.replace('\n', "\n    "))
        };
        let body = fill(&text, id, event_type, now).into_bytes();
        Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body })
    }
    fn sign(&self, sample: &Sample, url: Option<&str>, secret: &Secret, now: Time) -> Result<Signed, CannotSign> {
        self.0.sign(sample, url, secret, now)
    }
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
