//! Discord's interactions: `X-Signature-Ed25519` over `<X-Signature-Timestamp><body>`; the secret is the app's
//! public key, in hex. A PING wants `{"type":1}`. Discord sends bad signatures on purpose and removes the URL
//! unless they get a 401.
//!
//! Facts: Discord's documentation and library.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "discord",
    title: "Discord interactions",
    scheme: Scheme::Signed(SignedSpec {
        by: Mechanism::Ed25519,
        key: KeyForm::Hex,
        header: "x-signature-ed25519",
        timestamp: Some(("header:x-signature-timestamp", Unit::S)),
        signed: "{timestamp}{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/id"],
    event_type: &["text:interaction + json:/type"],
    order_key: &["json:/channel_id"],
    handshakes: &[Handshake::Ping { at: "json:/type", value: "1", answer: Told::json(r#"{"type":1}"#) }],
    answer: Told::status(202),
    asks: &["*"],
    sample_types: &["interaction.2", "interaction.3"],
    about: About {
        secret: "Developer Portal → the application → General Information → Public Key",
        rotation: Rotation::Public,
        paste: "the same page → Interactions Endpoint URL",
        quirks: &[
            "202 tells Discord to wait: the handler must answer through the interaction's callback within 3 seconds of it being sent.",
        ],
        docs: "https://discord.com/developers/docs/interactions/overview",
        timeout_s: Some(3),
        retries: Retries::Never,
    },
    conduct: Conduct { gives_up: "an endpoint that accepts a wrongly signed request is removed", ..Conduct::UNKNOWN },
    ..Declaration::DEFAULT
};
