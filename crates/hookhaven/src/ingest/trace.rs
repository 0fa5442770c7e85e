//! The spans of a request: from its arrival to its answer, and within that the time in the store.
//!
//! Of what a request holds its span names what log lines do too: never a body, a header or a secret.

use hookhaven_core::{Time, source::Source};
use http::HeaderMap;

use super::answer::{Outcome, Refusal};
use crate::telemetry::{Context, Kind, Open, Tracer};

/// Of a request to a configured source; it goes on where its sender's span is.
pub(super) fn begin(tracer: &Tracer, headers: &HeaderMap, arrived: Time) -> Option<Open> {
    tracer.begin("request", Kind::Server, || Context::of_headers(headers), arrived)
}

/// Waiting for the commit, and its sync.
pub(super) fn stored(span: &Open, from: Time, until: Time, refusal: Option<&Refusal>) {
    span.child("store.accept", Kind::Internal, from, until, refusal.map(|refusal| refusal.as_str().to_owned()));
}

pub(super) fn end(mut span: Open, source: &Source, outcome: &Outcome, now: Time) {
    span.set("hookhaven.source", || &*source.name);
    span.set("hookhaven.sender", || source.sender.name());
    span.set("http.response.status_code", || outcome.status().as_u16());
    match outcome {
        Outcome::Stored { stored, .. } => {
            // Of a list the first stands for all.
            if let Some(first) = stored.first() {
                span.set("hookhaven.status", || first.status());
                span.set("hookhaven.event_type", || &*first.event_type);
                span.set_display("hookhaven.event_id", first.event);
            }
            span.set("hookhaven.events", || u32::try_from(stored.len()).unwrap_or(u32::MAX));
        }
        Outcome::Handshake(_) => span.set("hookhaven.status", || "handshake"),
        Outcome::Refused(refusal) => {
            span.set("hookhaven.status", || "rejected");
            span.set("hookhaven.reason", || refusal.as_str());
            // As OpenTelemetry has it, a server's span failed if the server did.
            if outcome.status().is_server_error() {
                span.fail(refusal.as_str());
            }
        }
    }
    span.end(now);
}
