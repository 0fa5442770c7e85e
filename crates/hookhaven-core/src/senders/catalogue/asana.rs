//! Asana: `X-Hook-Signature`, hex of HMAC-SHA256 of the body. The key is the `X-Hook-Secret` of the handshake, one
//! for each hook, taken while the source awaits it (`handover`). Heartbeats have no events.
//!
//! Facts: Asana's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "asana",
    title: "Asana",
    scheme: Scheme::Signed(SignedSpec { header: "x-hook-signature", ..SignedSpec::DEFAULT }),
    id: &["json:/events/0/action + json:/events/0/created_at + json:/events/0/resource/gid"],
    event_type: &["json:/events/0/resource/resource_type + json:/events/0/action"],
    time: &["json:/events/0/created_at"],
    order_key: &["json:/events/0/resource/gid"],
    batch: Some("/events"),
    handshakes: &[Handshake::SecretInHeader("x-hook-secret"), Handshake::Heartbeat("/events")],
    sample_types: &["task.changed", "task.added"],
    about: About {
        secret: "handed over when the hook is made: name a file as the source's `handover`",
        rotation: Rotation::PerHook,
        paste: "`target` of POST /webhooks; one source for each hook",
        quirks: &[
            "Asana promises at most once, and deletes a hook after 24 hours of failure: poll as well.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://developers.asana.com/docs/webhooks-guide",
        timeout_s: Some(10),
        retries: Retries::hours(24, "with growing pauses"),
    },
    conduct: Conduct {
        reconcile: "`GET /events?resource=…&sync=…` tells what changed since a sync token; Asana itself asks for it, since it promises at most once",
        gives_up: "after 24 hours of failures it deletes the hook, and a new one needs a new handshake",
        stops: true,
        thin: &["*"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
