//! Notion: `X-Notion-Signature: sha256=<hex>` of the body. The key is the `verification_token` of an unsigned first
//! post, which a person then enters in Notion: it is taken while the source awaits it (`handover`).
//!
//! Facts: Notion's SDK.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "notion",
    title: "Notion",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-notion-signature",
        form: Form::prefix("sha256="),
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/id"],
    time: &["json:/timestamp"],
    order_key: &["json:/entity/id"],
    handshakes: &[Handshake::SecretInBody("json:/verification_token")],
    sample_types: &["page.created", "comment.created"],
    about: About {
        secret: "handed over by Notion's first post: name a file as the source's `handover`, then enter its content in Notion",
        rotation: Rotation::PerHook,
        paste: "the integration → Webhooks → Create a subscription",
        quirks: &["No time is signed: only the idempotency key stops replays."],
        docs: "https://developers.notion.com/reference/webhooks",
        retries: Retries::hours(24, "about eight times"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        whole: &["*"],
        order: OrderPromise::None,
        reconcile: "`POST /v1/search` and data source queries by `last_edited_time`",
        gives_up: "after about eight attempts in a day it drops the event",
        thin: &["*"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
