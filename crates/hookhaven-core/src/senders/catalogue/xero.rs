//! Xero: `x-xero-signature`, base64 of HMAC-SHA256 of the body; the key is the text, though it looks like base64.
//! The intent to receive is a series of posts with good and bad signatures: 200 and 401, both empty.
//!
//! Facts: Xero's documentation, second-hand.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "xero",
    title: "Xero",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        header: "x-xero-signature",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/events/0/eventType + json:/events/0/eventDateUtc + json:/events/0/resourceId"],
    event_type: &["json:/events/0/eventCategory + json:/events/0/eventType"],
    order_key: &["json:/events/0/tenantId"],
    batch: Some("/events"),
    handshakes: &[Handshake::Heartbeat("/events")],
    sample_types: &["INVOICE.UPDATE", "CONTACT.CREATE"],
    about: About {
        secret: "developer.xero.com → My Apps → the app → Webhooks → Webhooks key",
        rotation: Rotation::Unknown,
        paste: "the same page → Send notifications to",
        quirks: &[
            "Events are thin and come in batches; `firstEventSequence` and `lastEventSequence` show gaps.",
            "Times are written without a zone.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://developer.xero.com/documentation/guides/webhooks/overview/",
        timeout_s: Some(5),
        retries: Retries::hours(24, "with growing pauses"),
    },
    conduct: Conduct {
        order: OrderPromise::Within(
            "the events of one request, in the order of the array; the sequence numbers of requests show gaps",
        ),
        reconcile: "the accounting API with `If-Modified-Since`, per tenant",
        gives_up: "long failure switches the webhook off",
        stops: true,
        thin: &["*"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
