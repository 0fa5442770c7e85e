//! Convoy's advanced signatures: `X-Convoy-Signature: t=<s>,v1=<hex>,v1=…`, over `<t>,<body>` (a comma). Repeated
//! `v1` are rotated secrets. Simple signatures are `convoy-simple`.
//!
//! Facts: Convoy's library, and its published vectors.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "convoy",
    title: "Convoy",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-convoy-signature",
        form: Form::pairs(b',', Some("t"), "v1"),
        signed: "{timestamp},{body}",
        ..SignedSpec::DEFAULT
    }),
    event_type: &["json:/event_type", "json:/event"],
    sample_types: &["charge.success"],
    about: About {
        secret: "the endpoint's secret",
        rotation: Rotation::Both("the endpoint → Rotate secret", None),
        paste: "the endpoint's URL",
        quirks: &["A project may name the header otherwise: then describe it with sender `hmac`."],
        docs: "https://docs.getconvoy.io",
        ..About::DEFAULT
    },
    conduct: Conduct {
        resend: "the project's Events or Deliveries → Retry, one or by filter",
        reconcile: "the project's list of events",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
