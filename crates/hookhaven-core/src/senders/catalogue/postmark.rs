//! Postmark signs nothing: user name and password stand in the URL and come as `Authorization: Basic`.
//!
//! Facts: Postmark's documentation, second-hand.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "postmark",
    title: "Postmark",
    scheme: Scheme::Shared(SharedSpec::Basic),
    id: &[
        "json:/RecordType + json:/BouncedAt? + json:/DeliveredAt? + json:/ReceivedAt? + json:/Recipient? + json:/MessageID",
    ],
    event_type: &["json:/RecordType"],
    time: &["json:/BouncedAt", "json:/DeliveredAt", "json:/ReceivedAt"],
    order_key: &["json:/MessageID"],
    sample_types: &["Delivery", "Bounce"],
    about: About {
        secret: "made up by you, as \"user:password\"",
        rotation: Rotation::MadeUp,
        paste: "the message stream → Webhooks, as https://user:password@…",
        quirks: &[
            "Nothing is signed; Postmark publishes its addresses for `allow`.",
            "403 stops its retries; Hookhaven answers 401.",
        ],
        docs: "https://postmarkapp.com/developer/webhooks/webhooks-overview",
        retries: Retries::hours(12, "ten times; inbound mail; less for others"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /messages/outbound` and `/bounces` list messages and what became of them",
        gives_up: "it tries ten times, over hours; 403 stops it at once",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
