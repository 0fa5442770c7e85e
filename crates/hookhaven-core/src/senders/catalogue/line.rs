//! LINE: `x-line-signature`, base64 of HMAC-SHA256 of the body, under the channel secret. The console's check sends
//! no events and wants a 200.
//!
//! Facts: LINE's SDK and documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "line",
    title: "LINE",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        header: "x-line-signature",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/events/0/webhookEventId"],
    event_type: &["json:/events/0/type"],
    time: &["json:/events/0/timestamp ms"],
    order_key: &["json:/events/0/source/groupId", "json:/events/0/source/roomId", "json:/events/0/source/userId"],
    batch: Some("/events"),
    handshakes: &[Handshake::Heartbeat("/events")],
    sample_types: &["message", "follow"],
    about: About {
        secret: "LINE Developers Console → the channel → Basic settings → Channel secret",
        paste: "Messaging API → Webhook URL",
        quirks: &[
            "Events come in batches.",
            "LINE comes again only where \"Webhook redelivery\" is switched on.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://developers.line.biz/en/docs/messaging-api/receiving-messages/",
        ..About::DEFAULT
    },
    conduct: Conduct {
        order: OrderPromise::None,
        gives_up: "after long failure it suspends the webhook; LINE Developers Console shows the errors",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
