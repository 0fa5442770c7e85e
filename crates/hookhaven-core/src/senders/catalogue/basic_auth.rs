//! Any sender that shows user name and password: `Authorization: Basic …`. Nothing is signed.
//!
//! The key comes from headers that say that they are the event's id; an `id` in the body is as often that of the
//! thing the event is about.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "basic-auth",
    title: "Any sender with user name and password",
    scheme: Scheme::Shared(SharedSpec::Basic),
    id: &["header:webhook-id", "header:ce-id", "header:idempotency-key", "header:x-event-id"],
    event_type: &["header:ce-type", "header:x-event-type", "json:/type"],
    time: &["header:ce-time", "json:/timestamp"],
    content_types: &[],
    about: About {
        secret: "\"user:password\"",
        rotation: Rotation::MadeUp,
        paste: "where the sender asks for a URL",
        quirks: &["Nothing is signed: whoever sees one request can make others."],
        ..About::DEFAULT
    },
    ..Declaration::DEFAULT
};
