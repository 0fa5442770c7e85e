//! The span of an attempt, with the phases of its connection within it. It goes on where the request's span was, whichever
//! node makes it and whenever: the event says where. A replay belongs to the same trace, since that is the event's story.
//!
//! Of what was sent and answered it names what the log line does: never a body, a header or a secret.

use std::time::Duration;

use hookhaven_core::{Attempt, Phases, Time};
use hookhaven_store::{Follow, Leased};
use http::HeaderMap;

use super::{attempt, work::Work};
use crate::telemetry::{Context, Kind, Open, Tracer, Value};

pub fn begin(tracer: &Tracer, leased: &Leased, at: Time) -> Option<Open> {
    let parent = || Context::of_event(leased.event.as_ref().ok()?);
    let mut span = tracer.begin("deliver", Kind::Client, parent, at)?;
    let delivery = &leased.delivery;
    span.set("hookhaven.source", || &*delivery.source);
    span.set("hookhaven.event_type", || &*delivery.event_type);
    span.set_display("hookhaven.event_id", delivery.event);
    span.set_display("hookhaven.delivery_id", delivery.id);
    span.set("hookhaven.destination", || Value::display(attempt::shown(delivery)));
    span.set("hookhaven.attempt", || leased.attempt_number);
    if let Some(replaced) = delivery.replaces {
        span.set_display("hookhaven.replaces", replaced);
    }
    Some(span)
}

/// Tells the handler where the attempt stands. Published messages bring what their publisher forwards, verbatim; whom a
/// late answer goes to is not of our making, and hears nothing of us.
pub fn tell(span: &Open, work: &Work, headers: &mut HeaderMap) {
    let told = match work {
        Work::Configured(..) => true,
        Work::Published(_) => !Context::is_in(headers),
        Work::Late(_) | Work::Alert | Work::Unread => false,
    };
    if told {
        span.context().inject(headers);
    }
}

/// What follows from the attempt goes on from here.
pub fn follow(span: &Open, follows: &mut [Follow]) {
    for follow in follows {
        follow.event.event.headers.extend(span.context().lines());
    }
}

pub fn end(mut span: Open, attempt: &Attempt, outcome: &'static str) {
    phases(&span, attempt.started_at, attempt.phases);
    span.set("hookhaven.outcome", || outcome);
    span.set("hookhaven.class", || attempt.class.as_str());
    if let Some(status) = attempt.status {
        span.set("http.response.status_code", || status);
    }
    if outcome != "delivered" {
        span.fail(&attempt.error);
    }
    span.end(attempt.started_at.plus(Duration::from_micros(attempt.duration_us)));
}

/// The attempt was cut short: its session ended.
pub fn abort(mut span: Open, now: Time) {
    span.set("hookhaven.outcome", || "aborted");
    span.fail("its session ended");
    span.end(now);
}

/// One after the other, as far as they came. A connection that was there already has none but the wait.
fn phases(span: &Open, started_at: Time, phases: Phases) {
    let mut from = started_at;
    for (name, took_us) in [
        ("resolve", phases.dns_us),
        ("connect", phases.connect_us),
        ("tls", phases.tls_us),
        ("wait", phases.first_byte_us),
    ] {
        let Some(took_us) = took_us else { continue };
        let until = from.plus(Duration::from_micros(took_us));
        span.child(name, Kind::Internal, from, until, None);
        from = until;
    }
}
