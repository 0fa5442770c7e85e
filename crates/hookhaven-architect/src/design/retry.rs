//! How often and for how long a delivery is tried: by what it may cost when it is not, and for whom it is still of use.
//!
//! Not here: when the gateway rests a destination instead of trying on (its breaker, which spends no attempts).

use std::time::Duration;

use super::{OrderingDesign, RetryDesign, destination};
use crate::{
    Choice,
    intake::{Once, SenderAnswers},
    words::span,
};

/// Below it, somebody waits at the other end of the line.
const SOON: Duration = Duration::from_secs(10);
/// Where somebody waits: whoever has heard nothing by then has given up, or has asked again.
const WAITED_AGE: Duration = Duration::from_secs(300);
/// What one delivery may hold up its ordering key for (the gateway's own).
const PARK: Duration = Duration::from_secs(3_600);
/// What the gateway adds to a wait at most.
const JITTER: f64 = 1.1;

pub fn of(
    sender: &SenderAnswers,
    once: Once,
    latency: Duration,
    ordering: &OrderingDesign,
    answers: bool,
) -> Choice<RetryDesign> {
    let paths = ["idempotency", "latency", "processing", "ordering"].map(|table| sender.path(table)).to_vec();
    let by_api = sender.processing.answers_user && latency <= SOON && once != Once::Must;
    let (value, why) = if answers || by_api {
        waited()
    } else if matches!(ordering, OrderingDesign::Fifo { .. }) {
        parking(destination::timeout(sender).value)
    } else {
        patient(once)
    };
    Choice::from(value, why, [paths, vec![sender.path("events"), "senders".to_owned()]].concat())
}

fn waited() -> (RetryDesign, String) {
    let s = Duration::from_secs;
    let value = RetryDesign { attempts: 5, initial: s(1), factor: 3.0, max: s(30), max_age: Some(WAITED_AGE) };
    let why = format!(
        "Somebody waits for the answer. {} attempts over {} outlast a restart of the handler; what still waits after {} \
         ends as a dead letter: by then they have given up or asked again, and a late attempt would do it a second time.",
        value.attempts,
        span(value.covers()),
        span(WAITED_AGE)
    );
    (value, why)
}

/// As many as fit into the time for which one may hold up its key, each attempt as long as it may be.
fn parking(timeout: Duration) -> (RetryDesign, String) {
    let s = Duration::from_secs;
    let of = |attempts| RetryDesign { attempts, initial: s(5), factor: 5.0, max: s(600), max_age: None };
    let fits = |value: &RetryDesign| value.covers().mul_f64(JITTER) + timeout * (value.attempts - 1) <= PARK;
    let value = (2..=8).rev().map(of).find(fits).unwrap_or_else(|| of(2));
    let why = format!(
        "{} attempts over {}, within the hour that one event may hold up its key: what has not gone through by then \
         waits for somebody as a dead letter.",
        value.attempts,
        span(value.covers())
    );
    (value, why)
}

fn patient(once: Once) -> (RetryDesign, String) {
    let s = Duration::from_secs;
    let attempts = match once {
        Once::Must => 28,
        Once::Nice => 10,
        Once::Free => 5,
    };
    let value = RetryDesign { attempts, initial: s(5), factor: 5.0, max: s(3_600), max_age: None };
    let why = format!(
        "{attempts} attempts, {} to {} apart: a handler that is down for {} loses nothing.",
        span(value.initial),
        span(value.wait(attempts - 1)),
        span(value.covers())
    );
    (value, why)
}
