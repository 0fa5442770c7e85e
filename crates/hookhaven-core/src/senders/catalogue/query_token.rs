//! Any sender to which nothing but a URL can be given: `?token=<secret>`. Nothing is signed, and URLs end up in
//! logs on the way: prefer anything else.
//!
//! The key comes from headers that say that they are the event's id; an `id` in the body is as often that of the
//! thing the event is about.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "query-token",
    title: "Any sender with a token in the URL",
    scheme: Scheme::Shared(SharedSpec::Query("token")),
    id: &["header:webhook-id", "header:ce-id", "header:idempotency-key", "header:x-event-id"],
    event_type: &["header:ce-type", "header:x-event-type", "json:/type"],
    time: &["header:ce-time", "json:/timestamp"],
    content_types: &[],
    about: About {
        secret: "a long random text",
        rotation: Rotation::MadeUp,
        paste: "where the sender asks for a URL, with ?token=… after it",
        quirks: &["Nothing is signed: whoever sees one request can make others."],
        ..About::DEFAULT
    },
    ..Declaration::DEFAULT
};
