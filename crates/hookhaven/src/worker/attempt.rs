//! One attempt, from the lease to its record: build, send, decide, settle, tell. It either settles or
//! leaves the lease to lapse; it never leaves a slot taken.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, Destination, ErrorClass, Phases, Time,
    breaker::Change,
    destination::DestinationState,
    lifecycle::{self, Answer, Decision, Outcome, Standing},
};
use hookhaven_store::{CatalogEntry, Leased, Next, Settled, Settlement};
use http::{HeaderMap, Method, StatusCode};

use super::{
    PAUSED_KIND, WorkerParts,
    board::{Board, Settling, Slot},
    headers,
    lanes::Effect,
    session::Session,
    shared,
};
use crate::egress::{Outbound, Sent, To};

/// Headers of an answer that are recorded.
const RECORDED_HEADERS_MAX: usize = 32;
/// Their bytes, names included.
const RECORDED_HEADER_BYTES_MAX: usize = 8 << 10;
/// Waits between tries to record an attempt while the store cannot: the first, and the longest.
const SETTLE_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// What an attempt came to, before anybody decides what that means.
struct Tried {
    outcome: Outcome,
    started_at: Time,
    duration: Duration,
    phases: Phases,
    status: Option<StatusCode>,
    error: String,
    headers: HeaderMap,
    excerpt: Bytes,
}

/// Makes one attempt of a leased delivery and settles it. Sending stops when the session ends.
pub async fn run(parts: Arc<WorkerParts>, board: Arc<Board>, session: Arc<Session>, leased: Leased, slot: Slot) {
    let destination = parts.config.load().destinations.get(&leased.delivery.destination).cloned();
    let Some(destination) = destination.filter(|d| d.state == DestinationState::Active) else {
        // It left the config, or was paused there, after the claim.
        return release(&parts, &session, &leased).await;
    };
    if slot.is_probe() && parts.config.load().shares_store() {
        // If the store cannot say, the one lease that it gave has to do.
        let _ = shared::read_breakers(&parts, &board).await;
        if !slot.may_probe() {
            drop(slot);
            return release(&parts, &session, &leased).await;
        }
    }
    if board.lanes().misses_deadline(&leased.delivery, parts.clock.now()) {
        parts.signals.deadline_missed(&leased.delivery.source, &leased.delivery.destination);
    }
    let tried = tokio::select! {
        biased;
        () = session.ended.cancelled() => {
            tracing::warn!(delivery_id = %leased.delivery.id, destination = %leased.delivery.destination,
                attempt = leased.attempt_number, "attempt aborted: its session ended");
            return;
        }
        tried = attempt(&parts, &leased, &destination) => tried,
    };
    let (decision, next, settling) = decide(&parts, &board, &leased, &destination, &tried, slot).await;
    let attempt = record(&parts, &leased, &tried, &decision, next);
    let class = decision.class;
    let settlement = Settlement {
        follows: vec![],
        delivery: leased.delivery.id,
        fence: leased.fence,
        attempt: Some(attempt.clone()),
        next,
    };
    let settled = settle(&parts, &session, settlement).await;
    if settled == Settled::LeaseLost {
        session.doubt.notify_one();
    }
    drop(settling);
    tell(&parts, &leased, &attempt, next, class, settled);
}

async fn release(parts: &WorkerParts, session: &Session, leased: &Leased) {
    let release = Settlement {
        follows: vec![],
        delivery: leased.delivery.id,
        fence: leased.fence,
        attempt: None,
        next: Next::Release,
    };
    settle(parts, session, release).await;
}

async fn attempt(parts: &WorkerParts, leased: &Leased, destination: &Destination) -> Tried {
    let started_at = parts.clock.now();
    let event = match &leased.event {
        Ok(event) => event,
        Err(why) => return Tried::unreadable(started_at, why),
    };
    let limits = parts.config.load();
    let outbound = Outbound {
        method: Method::POST,
        to: To::Configured(destination.url.clone()),
        headers: headers::build(event, destination, leased.attempt_number, started_at),
        body: event.body.clone(),
        timeout: destination.timeout,
        excerpt_bytes_max: limits.worker.excerpt_bytes_max,
        response_bytes_max: limits.worker.response_bytes_max,
    };
    drop(limits);
    let sent = parts.transport.send(outbound).await;
    Tried::sent(started_at, sent, parts.clock.now())
}

impl Tried {
    fn unreadable(started_at: Time, why: &str) -> Self {
        Tried {
            outcome: Outcome::Unreadable,
            started_at,
            duration: Duration::ZERO,
            phases: Phases::default(),
            status: None,
            error: format!("the stored event could not be read: {why}"),
            headers: HeaderMap::new(),
            excerpt: Bytes::new(),
        }
    }

    fn sent(started_at: Time, sent: Sent, now: Time) -> Self {
        let (outcome, status, error, headers, excerpt) = match sent.result {
            Ok(a) => {
                let answer = Answer::read(a.status, &a.headers, now);
                (Outcome::Answered(answer), Some(a.status), words(a.status, &answer), a.headers, a.excerpt)
            }
            Err(f) => (Outcome::Failed(f.class), f.status, f.error, HeaderMap::new(), Bytes::new()),
        };
        Tried { outcome, started_at, duration: sent.duration, phases: sent.phases, status, error, headers, excerpt }
    }
}

/// What an answer says, for people; empty for a success.
fn words(status: StatusCode, answer: &Answer) -> String {
    if status.is_success() {
        return String::new();
    }
    let mut text = format!("answered {}", status.as_u16());
    if let Some(reason) = status.canonical_reason() {
        text.push(' ');
        text.push_str(reason);
    }
    if status.is_redirection() {
        text.push_str("; redirects are not followed, put the final address into the config");
    }
    if answer.abort {
        text.push_str("; the handler asked not to be sent this event again");
    }
    text
}

/// Decides, tells the lane, and does what follows for the destination.
async fn decide(
    parts: &WorkerParts,
    board: &Board,
    leased: &Leased,
    destination: &Destination,
    tried: &Tried,
    slot: Slot,
) -> (Decision, Next, Settling) {
    let delivery = &leased.delivery;
    let (now, jitter) = (parts.clock.now(), parts.entropy.unit());
    let standing = Standing { retry: &delivery.policy.retry, attempts: delivery.attempts };
    let decision = lifecycle::decide(&tried.outcome, standing, now, jitter);
    let (effect, settling) = slot.finish(delivery.id, &decision, destination);
    if let Some(change) = effect.breaker {
        let open = change == Change::Opened;
        parts.signals.breaker(&destination.name, open);
        if open {
            tracing::warn!(destination = %destination.name, error = %tried.error, "breaker opened: the destination gets a rest");
        } else {
            tracing::info!(destination = %destination.name, "breaker closed: the destination answers again");
        }
    }
    if let Some(tell) = effect.tell {
        shared::tell(parts, board, &destination.name, tell).await;
    }
    if effect.pause {
        pause(parts, board, destination, leased).await;
    }
    let next = next_of(&decision, effect, delivery.policy.retry.initial, now);
    (decision, next, settling)
}

/// A 410 that paused its destination, or met it paused, ends no delivery: a person decides now.
fn next_of(decision: &Decision, effect: Effect, wait: Duration, now: Time) -> Next {
    match decision.next {
        lifecycle::Next::Dead(_) if decision.gone && (effect.pause || effect.paused) => {
            Next::Retry { due_at: now.plus(wait) }
        }
        lifecycle::Next::Delivered => Next::Delivered,
        lifecycle::Next::Retry { at, .. } => Next::Retry { due_at: at },
        lifecycle::Next::Dead(reason) => Next::Dead(reason),
        lifecycle::Next::Release => Next::Release,
    }
}

/// Pauses a destination that says it is gone, here at once and in the catalog for later.
async fn pause(parts: &WorkerParts, board: &Board, destination: &Destination, leased: &Leased) {
    let name = &*destination.name;
    tracing::warn!(
        destination = name,
        "destination paused: several deliveries in a row were answered 410 Gone; resume it once it is mended"
    );
    let value = serde_json::json!({ "by": "410", "at": parts.clock.now(), "delivery": leased.delivery.id });
    let value = value.to_string().into_bytes();
    let entry = CatalogEntry { kind: PAUSED_KIND.to_owned(), name: name.to_owned(), value };
    if let Err(error) = parts.store.put_catalog(entry).await {
        tracing::warn!(destination = name, %error, "the pause could not be stored and ends with this process");
    }
    board.set_paused(name, true);
}

fn record(parts: &WorkerParts, leased: &Leased, tried: &Tried, decision: &Decision, next: Next) -> Attempt {
    let next_attempt_at = match next {
        Next::Retry { due_at } => Some(due_at),
        _ => None,
    };
    Attempt {
        id: AttemptId::mint(tried.started_at, parts.entropy.id_bytes()),
        delivery: leased.delivery.id,
        number: leased.attempt_number,
        started_at: tried.started_at,
        duration_us: u64::try_from(tried.duration.as_micros()).unwrap_or(u64::MAX),
        phases: tried.phases,
        status: tried.status.map(|s| s.as_u16()),
        class: decision.class,
        error: tried.error.as_str().into(),
        response_headers: recorded_headers(&tried.headers),
        response_excerpt: tried.excerpt.clone(),
        next_attempt_at,
    }
}

/// The first of an answer's headers, without cookies, which are credentials.
fn recorded_headers(headers: &HeaderMap) -> Vec<(Arc<str>, Bytes)> {
    let mut bytes = 0;
    headers
        .iter()
        .filter(|(name, _)| *name != http::header::SET_COOKIE)
        .take(RECORDED_HEADERS_MAX)
        .take_while(|(name, value)| {
            bytes += name.as_str().len() + value.len();
            bytes <= RECORDED_HEADER_BYTES_MAX
        })
        .map(|(name, value)| (name.as_str().into(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}

/// Settles, again and again while the store cannot, for as long as the session stands. What is lost
/// with the session is recorded as lost by the store.
async fn settle(parts: &WorkerParts, session: &Session, settlement: Settlement) -> Settled {
    let [mut wait, longest] = SETTLE_AGAIN;
    loop {
        match parts.store.settle(session.id, vec![settlement.clone()]).await {
            Ok(settled) => return settled.first().copied().unwrap_or(Settled::LeaseLost),
            Err(error) => {
                tracing::warn!(delivery_id = %settlement.delivery, %error, "an attempt could not be recorded; trying again");
            }
        }
        tokio::select! {
            biased;
            () = session.ended.cancelled() => return Settled::LeaseLost,
            () = parts.clock.sleep_until(parts.clock.now().plus(wait)) => wait = (wait * 2).min(longest),
        }
    }
}

/// Counts and logs a finished attempt: one line each.
fn tell(parts: &WorkerParts, leased: &Leased, attempt: &Attempt, next: Next, class: ErrorClass, settled: Settled) {
    let delivery = &leased.delivery;
    let outcome = match (settled, next) {
        (Settled::LeaseLost, _) => "lease_lost",
        (Settled::Done, Next::Delivered) => "delivered",
        (Settled::Done, Next::Retry { .. }) => "retry",
        (Settled::Done, Next::Dead(_)) => "dead",
        (Settled::Done, Next::Release) => return,
    };
    tracing::info!(
        delivery_id = %delivery.id,
        event_id = %delivery.event,
        source = %delivery.source,
        event_type = %delivery.event_type,
        destination = %delivery.destination,
        attempt = attempt.number,
        outcome,
        error_class = class.as_str(),
        error = %attempt.error,
        http_status = attempt.status,
        duration_ms = attempt.duration_us / 1_000,
        next_attempt_at = attempt.next_attempt_at.map(tracing::field::display),
        correlation_id = leased.event.as_ref().map(|e| &*e.correlation_id).unwrap_or_default(),
        "attempt"
    );
    if settled == Settled::LeaseLost {
        parts.signals.lease_lost();
        return;
    }
    let took = Duration::from_micros(attempt.duration_us);
    parts.signals.attempt(&delivery.source, &delivery.destination, &delivery.event_type, outcome, class, took);
    if attempt.number > 1 {
        parts.signals.retried();
    }
    if let (Next::Delivered, Ok(event)) = (next, &leased.event) {
        parts.signals.end_to_end(parts.clock.now().since(event.received_at));
    }
}
