//! Discord's webhook events: signed as its interactions are, but a PING (`/type` 0) wants a 204 without a body.
//!
//! Facts: Discord's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "discord-events",
    title: "Discord webhook events",
    scheme: Scheme::Signed(SignedSpec {
        by: Mechanism::Ed25519,
        key: KeyForm::Hex,
        header: "x-signature-ed25519",
        timestamp: Some(("header:x-signature-timestamp", Unit::S)),
        signed: "{timestamp}{body}",
        ..SignedSpec::DEFAULT
    }),
    event_type: &["json:/event/type"],
    time: &["json:/event/timestamp"],
    handshakes: &[Handshake::Ping { at: "json:/type", value: "0", answer: Told::status(204) }],
    answer: Told::status(204),
    sample: r#"{"version":1,"type":1}"#,
    sample_types: &["APPLICATION_AUTHORIZED", "ENTITLEMENT_CREATE"],
    about: About {
        secret: "Developer Portal → the application → General Information → Public Key",
        rotation: Rotation::Public,
        paste: "the application → Webhooks → Endpoint URL",
        quirks: &["There is no event id: the key is a hash of the body."],
        docs: "https://discord.com/developers/docs/events/webhook-events",
        timeout_s: Some(3),
        retries: Retries::minutes(10, "with growing pauses; then it is switched off"),
    },
    conduct: Conduct {
        gives_up: "after 10 minutes of failures it switches the endpoint off",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
