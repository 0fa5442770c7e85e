//! Strava signs nothing. A subscription begins with a GET that holds `hub.verify_token` and wants `hub.challenge`
//! back as JSON.
//!
//! Facts: Strava's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "strava",
    title: "Strava",
    scheme: Scheme::Nothing,
    id: &["json:/object_type + json:/aspect_type + json:/event_time + json:/object_id"],
    event_type: &["json:/object_type + json:/aspect_type"],
    time: &["json:/event_time s"],
    order_key: &["json:/object_id"],
    handshakes: &[Handshake::Hub { answer: Echoed::Json("hub.challenge") }],
    sample_types: &["activity.create", "athlete.update"],
    about: About {
        secret: "none: Strava signs nothing, so `allow` must say who may post; `verify_token` is made up by you",
        rotation: Rotation::Unknown,
        paste: "`callback_url` of POST /api/v3/push_subscriptions",
        quirks: &["Nothing is verified: fetch the object by the API."],
        docs: "https://developers.strava.com/docs/webhooks/",
        timeout_s: Some(2),
        retries: Retries::minutes(10, "three times"),
    },
    conduct: Conduct {
        whole: &["*"],
        reconcile: "`GET /athlete/activities?after=…` lists activities of each athlete",
        thin: &["*"],
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
