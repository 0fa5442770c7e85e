//! `sender = "unverified"`: no signature at all. Must be written out, and its source needs an allow-list of
//! addresses, which ingest checks; nothing here protects anything.
//!
//! The key of an event comes from the headers that say "this is the event's id"; an `id` in the body is as often
//! the id of the thing the event is about, and taking it would merge several events into one. So without such a
//! header the key is a hash of the body.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "unverified",
    title: "Anyone, unverified",
    scheme: Scheme::Nothing,
    id: &["header:webhook-id", "header:ce-id", "header:idempotency-key"],
    event_type: &["header:ce-type", "header:x-event-type", "json:/type"],
    time: &["header:ce-time"],
    content_types: &[],
    handshakes: &[Handshake::Origin],
    about: About {
        secret: "none: the source's `allow` says which addresses may post",
        paste: "wherever the program asks for a URL",
        quirks: &["Nothing is verified. Whoever can post from an allowed address can make events."],
        ..About::DEFAULT
    },
    ..Declaration::DEFAULT
};
