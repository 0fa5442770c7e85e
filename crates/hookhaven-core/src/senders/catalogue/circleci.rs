//! CircleCI: `circleci-signature: v1=<hex>[,v2=…]`, of the body; only versions that are known count.
//!
//! Facts: CircleCI's documentation, which has test vectors.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "circleci",
    title: "CircleCI",
    scheme: Scheme::Signed(SignedSpec {
        header: "circleci-signature",
        form: Form::pairs(b',', None, "v1"),
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/id"],
    event_type: &["header:circleci-event-type", "json:/type"],
    time: &["json:/happened_at"],
    order_key: &["json:/workflow/id", "json:/project/id"],
    sample_types: &["workflow-completed", "job-completed"],
    about: About {
        secret: "a text that you make up and enter as Secret token",
        rotation: Rotation::MadeUp,
        paste: "Project Settings → Webhooks → Add Webhook",
        quirks: &["No time is signed: only the idempotency key stops replays."],
        docs: "https://circleci.com/docs/webhooks/",
        timeout_s: Some(10),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /api/v2/project/{slug}/pipeline` and each one's workflows",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
