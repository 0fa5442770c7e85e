//! Zoom: `x-zm-signature: v0=<hex>`, over `v0:<x-zm-request-timestamp>:<body>`. `endpoint.url_validation` comes at
//! set-up and every 72 hours and wants the HMAC of its token; it is only answered if it is signed itself.
//!
//! Facts: Zoom's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "zoom",
    title: "Zoom",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-zm-signature",
        form: Form::prefix("v0="),
        timestamp: Some(("header:x-zm-request-timestamp", Unit::S)),
        signed: "v0:{timestamp}:{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &[
        "json:/event + json:/event_ts + json:/payload/object/uuid",
        "json:/event + json:/event_ts + json:/payload/object/id",
    ],
    event_type: &["json:/event"],
    time: &["json:/event_ts ms"],
    order_key: &["json:/payload/object/uuid"],
    handshakes: &[Handshake::EncryptedToken],
    sample_types: &["meeting.started", "recording.completed"],
    about: About {
        secret: "App Marketplace → the app → Features → Secret Token",
        rotation: Rotation::Unknown,
        paste: "the same page → Event notification endpoint URL",
        quirks: &["There is no event id: event, time and the object's uuid stand in for it."],
        docs: "https://developers.zoom.us/docs/api/webhooks/",
        timeout_s: Some(3),
        retries: Retries::hours(2, "three times"),
    },
    conduct: Conduct {
        reconcile: "the meetings', recordings' and reports' APIs by date",
        gives_up: "an endpoint that fails its challenge, which comes every 72 hours, is switched off",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
