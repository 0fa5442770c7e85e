//! Auth0's streams: `Authorization` is the text entered for the stream, and nothing is signed. Bodies are JSON, an
//! array of it, or lines of it.
//!
//! Facts: Auth0's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "auth0",
    title: "Auth0 event and log streams",
    scheme: Scheme::Shared(SharedSpec::Header { name: "authorization", prefix: "" }),
    id: &["json:/id", "json:/0/log_id", "json:/log_id"],
    event_type: &["json:/type", "json:/0/data/type", "json:/data/type"],
    time: &["json:/time", "json:/0/data/date", "json:/data/date"],
    batch: Some(""),
    content_types: &[],
    sample_types: &["user.created"],
    about: About {
        secret: "made up by you and entered as Authorization Token, as it stands in the header",
        rotation: Rotation::MadeUp,
        paste: "Monitoring → Streams → Custom Webhook → Payload URL",
        quirks: &["Nothing is signed.", "Log streams send batches."],
        docs: "https://auth0.com/docs/customize/log-streams/custom-log-streams",
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "`GET /api/v2/logs?from=LOG_ID` goes through the log from an id on, as far back as the plan keeps it",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
