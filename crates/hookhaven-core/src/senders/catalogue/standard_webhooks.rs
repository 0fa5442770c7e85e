//! Standard Webhooks and everyone who uses it, Svix above all: `webhook-signature: v1,<base64> …`,
//! HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>`; the key is the base64 after `whsec_`.
//!
//! The same with headers `svix-id`, `svix-timestamp` and `svix-signature`. A request is judged by one set and
//! read by that same set: an id from the other would be an id that nobody signed. `v1a` (Ed25519) is another
//! version and is skipped. Facts: the specification 1.0.0 and its libraries.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "standard-webhooks",
    aliases: &["svix"],
    title: "Standard Webhooks (Svix and others)",
    event_type: &["json:/type", "json:/event_type", "json:/eventType"],
    time: &["json:/timestamp", "json:/created_at"],
    content_types: &[],
    sample_types: &["user.created", "invoice.paid"],
    about: About {
        secret: "the endpoint's signing secret (\"whsec_…\")",
        paste: "where the service's page about webhooks asks for an endpoint",
        docs: "https://www.standardwebhooks.com",
        ..ABOUT
    },
    ..STANDARD
};

/// What all users of the standard share. The id stands in a header that is signed; the header's time is when it was
/// sent, the body's when it happened.
pub const STANDARD: Declaration = Declaration {
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        key: KeyForm::Base64 { prefixes: &["v1,whsec_", "whsec_"] },
        header: "*signature",
        form: Form::List { separator: b' ', assign: b',', signature: "v1", timestamp: None },
        timestamp: Some(("header:*timestamp", Unit::S)),
        id: Some("*id"),
        signed: "{id}.{timestamp}.{body}",
        ..SignedSpec::DEFAULT
    }),
    prefixes: &["webhook-", "svix-"],
    id: &["header:*id"],
    time: &["json:/timestamp"],
    not_secrets: &[
        ("whpk_", "this is a public key of the asymmetric variant; a secret begins with \"whsec_\""),
        ("whsk_", "this is a private key of the asymmetric variant; a secret begins with \"whsec_\""),
    ],
    about: ABOUT,
    conduct: CONDUCT,
    ..Declaration::DEFAULT
};

pub const ABOUT: About = About {
    rotation: Rotation::Both("where the endpoint's secret is shown", None),
    quirks: &["An answer of 410 switches the endpoint off; Hookhaven never gives one."],
    timeout_s: Some(15),
    retries: Retries::hours(75, "after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h …"),
    ..About::DEFAULT
};

pub const CONDUCT: Conduct = Conduct {
    order: OrderPromise::None,
    resend: "the service's list of messages, where it has one: by message, or all that failed since a time",
    gives_up: "most switch an endpoint off after some 5 days of failures, and at once on a 410",
    stops: true,
    ..Conduct::UNKNOWN
};
