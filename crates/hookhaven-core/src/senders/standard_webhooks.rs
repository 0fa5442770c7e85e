//! Standard Webhooks and everyone who uses it, Svix above all: `webhook-signature: v1,<base64> …`,
//! HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>`; the key is the base64 after `whsec_`.
//!
//! The same with headers `svix-id`, `svix-timestamp` and `svix-signature`. A request is judged by one set and
//! read by that same set: an id from the other would be an id that nobody signed. `v1a` (Ed25519) is another
//! version and is skipped. Facts: the specification 1.0.0 and its libraries.

use std::sync::Arc;

use http::HeaderMap;

use super::{
    SenderDef, SenderOptionError, SenderOptions,
    declared::{Declaration, Declared},
    hmac::HmacSpec,
    mac::{Encoding, KeyForm},
    signature::Form,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Facts, Keys, Proof, Rejection, Request, Sample, Sender, Signed},
    time::Time,
};

pub const DEF: SenderDef =
    SenderDef { name: NAME, aliases: &["svix"], title: "Standard Webhooks (Svix and others)", verifies: true, build };

const NAME: &str = "standard-webhooks";
const TYPES: &[&str] = &["json:/type", "json:/event_type", "json:/eventType"];
const TIMES: &[&str] = &["json:/timestamp", "json:/created_at"];

static STANDARD: Declaration = Declaration {
    name: NAME,
    scheme: HmacSpec {
        header: "webhook-signature",
        timestamp: Some(("header:webhook-timestamp", super::place::Unit::S)),
        id: Some("webhook-id"),
        ..SCHEME
    },
    id: &["header:webhook-id"],
    ..COMMON
};

static SVIX: Declaration = Declaration {
    scheme: HmacSpec {
        header: "svix-signature",
        timestamp: Some(("header:svix-timestamp", super::place::Unit::S)),
        id: Some("svix-id"),
        ..SCHEME
    },
    id: &["header:svix-id"],
    ..COMMON
};

const SCHEME: HmacSpec = HmacSpec {
    encoding: Encoding::Base64,
    key: KeyForm::Base64 { prefix: "whsec_" },
    form: Form::List { separator: b' ', assign: b',', signature: "v1", timestamp: None },
    signed: "{id}.{timestamp}.{body}",
    ..HmacSpec::DEFAULT
};

const COMMON: Declaration = Declaration {
    name: NAME,
    event_type: TYPES,
    time: TIMES,
    content_types: &[],
    not_secrets: &[
        ("whpk_", "this is a public key of the asymmetric variant; a secret begins with \"whsec_\""),
        ("whsk_", "this is a private key of the asymmetric variant; a secret begins with \"whsec_\""),
    ],
    sample_types: &["user.created", "invoice.paid"],
    ..Declaration::DEFAULT
};

fn build(options: &SenderOptions) -> Result<Arc<dyn Sender>, SenderOptionError> {
    options.refuse_hmac(NAME)?;
    Ok(Arc::new(StandardWebhooks { standard: STANDARD.declared()?, svix: SVIX.declared()? }))
}

#[derive(Debug)]
struct StandardWebhooks {
    standard: Declared,
    svix: Declared,
}

impl StandardWebhooks {
    /// Svix's names only where the standard's signature is absent.
    fn set(&self, headers: &HeaderMap) -> &Declared {
        let has = |set: &Declared| headers.contains_key(set.scheme.header());
        if has(&self.svix) && !has(&self.standard) { &self.svix } else { &self.standard }
    }
}

impl Sender for StandardWebhooks {
    fn name(&self) -> &'static str {
        NAME
    }
    fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
        self.set(request.headers).verify(request, keys)
    }
    fn facts(&self, request: &Request<'_>) -> Facts {
        self.set(request.headers).facts(request)
    }
    fn content_types(&self) -> &'static [&'static str] {
        self.standard.content_types()
    }
    fn signs_time(&self) -> bool {
        true
    }
    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        self.standard.check_secret(secret)
    }
    fn sample_types(&self) -> &'static [&'static str] {
        self.standard.sample_types()
    }
    fn sample(&self, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
        self.standard.sample(event_type, id, now)
    }
    fn sign(&self, sample: &Sample, url: Option<&str>, secret: &Secret, now: Time) -> Result<Signed, CannotSign> {
        self.standard.sign(sample, url, secret, now)
    }
}
