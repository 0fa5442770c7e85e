//! Twitch: `Twitch-Eventsub-Message-Signature: sha256=<hex>`, over message id, timestamp (RFC 3339) and body, with
//! nothing between. A verification wants its challenge back as text. Facts: Twitch's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "twitch",
    title: "Twitch EventSub",
    scheme: Scheme::Signed(SignedSpec {
        header: "twitch-eventsub-message-signature",
        form: Form::prefix("sha256="),
        timestamp: Some(("header:twitch-eventsub-message-timestamp", Unit::Rfc3339)),
        id: Some("twitch-eventsub-message-id"),
        signed: "{id}{timestamp}{body}",
        ..SignedSpec::DEFAULT
    }),
    id: &["header:twitch-eventsub-message-id"],
    event_type: &["json:/subscription/type"],
    time: &["header:twitch-eventsub-message-timestamp"],
    order_key: &["json:/subscription/id"],
    tolerance: Duration::from_secs(600),
    handshakes: &[Handshake::Echo {
        when: Some(("header:twitch-eventsub-message-type", "webhook_callback_verification")),
        challenge: "json:/challenge",
        answer: Echoed::Text,
        signed: true,
    }],
    sample_types: &["channel.follow", "stream.online"],
    about: About {
        secret: "made up by you (10 to 100 characters) and given as `transport.secret`",
        rotation: Rotation::MadeUp,
        paste: "`transport.callback` of POST /helix/eventsub/subscriptions",
        quirks: &["After many failures the subscription is revoked; the revocation is an event."],
        docs: "https://dev.twitch.tv/docs/eventsub/handling-webhook-events/",
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /helix/eventsub/subscriptions` shows which subscriptions still live; missed events are nowhere",
        gives_up: "after many failures it revokes the subscription (`notification_failures_exceeded`)",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
