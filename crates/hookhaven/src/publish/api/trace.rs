//! The spans of a call that publishes: from its arrival to its answer, and within that the time in the store.
//!
//! It goes on where its publisher's span is: by the call's own `traceparent`, else by one that is forwarded.

use std::sync::Arc;

use hookhaven_core::{EventId, Time, event::PUBLISHED};
use hookhaven_store::StoreError;
use http::HeaderMap;

use super::Answer;
use crate::{
    publish::lines::FORWARD,
    telemetry::{Context, Kind, Open, Tracer},
};

pub(super) fn begin(tracer: &Tracer, headers: &HeaderMap, arrived: Time) -> Option<Open> {
    tracer.begin("request", Kind::Server, || Context::of_headers(headers).or_else(|| forwarded(headers)), arrived)
}

fn forwarded(headers: &HeaderMap) -> Option<Context> {
    Context::parse(headers.get(format!("{FORWARD}traceparent"))?.to_str().ok()?)
}

/// Waiting for the commit, and its sync.
pub(super) fn stored(span: &Open, from: Time, until: Time, error: Option<&StoreError>) {
    span.child("store.accept", Kind::Internal, from, until, error.map(ToString::to_string));
}

/// `first`: of what was published, or what it repeats.
pub(super) fn end(mut span: Open, first: Option<(EventId, Arc<str>)>, answer: &Answer, now: Time) {
    let status = match answer {
        Ok(response) => response.status(),
        Err(refusal) => refusal.status,
    };
    span.set("hookhaven.source", || PUBLISHED);
    span.set("http.response.status_code", || status.as_u16());
    span.set("hookhaven.status", || if status.is_success() { "published" } else { "rejected" });
    if let Some((event, event_type)) = first {
        span.set("hookhaven.event_type", || &*event_type);
        span.set_display("hookhaven.event_id", event);
    }
    if status.is_server_error() {
        span.fail(status);
    }
    span.end(now);
}
