//! Trello: `X-Trello-Webhook`, base64 of HMAC-SHA1 over the body and then the callback URL, under the app's secret.
//! Making a hook sends a HEAD that must get 200.
//!
//! Facts: Trello's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "trello",
    title: "Trello",
    scheme: Scheme::Signed(SignedSpec {
        by: Mechanism::Hmac(Sha1),
        encoding: Encoding::Base64,
        header: "x-trello-webhook",
        signed: "{body}{url}",
        ..SignedSpec::DEFAULT
    }),
    id: &["json:/action/id"],
    event_type: &["json:/action/type"],
    time: &["json:/action/date"],
    order_key: &["json:/model/id"],
    handshakes: &[Handshake::Head],
    addresses: &[AddressList::atlassian(&[("product", "trello"), ("direction", "egress")])],
    sample_types: &["createCard", "updateCard"],
    about: About {
        secret: "trello.com/power-ups/admin → the app → API key → Secret",
        paste: "`callbackURL` of POST /1/webhooks",
        quirks: &[
            "The URL is signed: `server.public_url` must be what Trello posts to.",
            "No time is signed: only the idempotency key stops replays.",
        ],
        docs: "https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/",
        retries: Retries::minutes(4, "after 30 s, 60 s and 120 s"),
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /1/boards/{id}/actions?since=…` lists the actions that the events are made of",
        gives_up: "long failure disables the webhook, and 410 deletes it",
        stops: true,
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
