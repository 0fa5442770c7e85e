//! HubSpot's signature v3: `X-HubSpot-Signature-v3`, base64 of HMAC-SHA256 over method, URL, body and `X-HubSpot-
//! Request-Timestamp` (milliseconds). Versions 1 and 2 are plain hashes and not accepted.
//!
//! Facts: HubSpot's SDK.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "hubspot",
    title: "HubSpot (v3)",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        header: "x-hubspot-signature-v3",
        timestamp: Some(("header:x-hubspot-request-timestamp", Unit::Ms)),
        signed: "{method}{url}{body}{timestamp}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/0/subscriptionId + json:/0/occurredAt + json:/0/eventId"],
    event_type: &["json:/0/subscriptionType"],
    time: &["json:/0/occurredAt ms"],
    order_key: &["json:/0/objectId"],
    batch: Some(""),
    sample_types: &["contact.creation", "deal.propertyChange"],
    about: About {
        secret: "the app → Auth → Client secret",
        rotation: Rotation::Unknown,
        paste: "the app → Webhooks → Target URL",
        quirks: &[
            "The URL is signed: `server.public_url` must be what HubSpot posts to.",
            "Up to 100 events come in one batch; `eventId` alone is not unique.",
        ],
        docs: "https://developers.hubspot.com/docs/api/webhooks",
        timeout_s: Some(5),
        retries: Retries::hours(24, "ten times"),
    },
    conduct: Conduct {
        order: OrderPromise::None,
        reconcile: "`POST /crm/v3/objects/{type}/search` by `hs_lastmodifieddate`",
        gives_up: "it tries ten times in a day, then drops the event",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
