//! Cloudflare's notifications: `cf-webhook-auth` is the secret itself, and nothing is signed. Making the
//! destination sends a test.
//!
//! Facts: Cloudflare's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "cloudflare-notifications",
    title: "Cloudflare notifications",
    scheme: Scheme::Shared(SharedSpec::Header { name: "cf-webhook-auth", prefix: "" }),
    event_type: &["json:/alert_type"],
    time: &["json:/ts s"],
    order_key: &["json:/account_id"],
    sample_types: &["universal_ssl_event_type"],
    about: About {
        secret: "made up by you and entered as Secret",
        rotation: Rotation::MadeUp,
        paste: "Notifications → Destinations → Webhooks",
        quirks: &["Nothing is signed.", "There is no event id: the key is a hash of the body."],
        docs: "https://developers.cloudflare.com/notifications/get-started/configure-webhooks/",
        ..About::DEFAULT
    },
    ..Declaration::DEFAULT
};
