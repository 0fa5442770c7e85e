//! Intercom: `X-Hub-Signature: sha1=<hex>` of the body, under the client secret. The page about webhooks probes
//! with HEAD.
//!
//! Facts: Intercom's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "intercom",
    title: "Intercom",
    scheme: Scheme::Signed(SignedSpec {
        by: Mechanism::Hmac(Sha1),
        header: "x-hub-signature",
        form: Form::prefix("sha1="),
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/id"],
    event_type: &["json:/topic"],
    time: &["json:/created_at s"],
    order_key: &["json:/data/item/id"],
    handshakes: &[Handshake::Head],
    sample_types: &["conversation.user.created", "ping"],
    about: About {
        secret: "Developer Hub → the app → Basic information → Client secret",
        rotation: Rotation::Unknown,
        paste: "Developer Hub → the app → Webhooks → Endpoint URL",
        quirks: &[
            "More than 1,000 errors in a row pause the webhook for 15 minutes.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://developers.intercom.com/docs/webhooks",
        timeout_s: Some(5),
        retries: Retries::minutes(2, "once, after a minute"),
    },
    conduct: Conduct {
        reconcile: "`POST /conversations/search` and `/contacts/search` by `updated_at`",
        gives_up: "more than 1,000 errors in a row within 15 minutes pause it for 15 minutes; 7 days of that suspend it",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
