//! X: `x-twitter-webhooks-signature: sha256=<base64>` of the body, under the consumer secret. An hourly GET with
//! `crc_token` wants its HMAC back; only tokens of `[A-Za-z0-9_=-]` are answered, so that no delivery can be signed
//! that way.
//!
//! Facts: X's documentation.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "x",
    aliases: &["twitter"],
    title: "X (Twitter)",
    scheme: Scheme::Signed(SignedSpec {
        encoding: Encoding::Base64,
        header: "x-twitter-webhooks-signature",
        form: Form::prefix("sha256="),
        ..SignedSpec::DEFAULT
    }),
    event_type: &[
        "has:/tweet_create_events /tweet_delete_events /favorite_events /follow_events /block_events /mute_events /user_event /direct_message_events /direct_message_indicate_typing_events /direct_message_mark_read_events",
    ],
    order_key: &["json:/for_user_id"],
    handshakes: &[Handshake::CrcToken],
    sample_types: &["tweet_create_events", "follow_events"],
    about: About {
        secret: "developer portal → the app → Keys and tokens → API key secret (consumer secret)",
        rotation: Rotation::Unknown,
        paste: "`url` of POST /2/webhooks; without a port",
        quirks: &[
            "The URL may not have a port.",
            "There is no event id: the key is a hash of the body.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://docs.x.com/x-api/webhooks/introduction",
        timeout_s: Some(10),
        retries: Retries::minutes(5, "three times, enterprise"),
    },
    conduct: Conduct {
        gives_up: "a URL that fails the hourly challenge gets no more events",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
