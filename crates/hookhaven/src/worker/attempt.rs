//! One attempt, from the lease to its record: build, send, decide, settle, tell. It either settles or
//! leaves the lease to lapse; it never leaves a slot taken.

use std::{borrow::Cow, sync::Arc, time::Duration};

use hookhaven_core::{
    Attempt, AttemptId, Delivery, Destination, EndReason, Time,
    breaker::Change,
    delivery::counted_as,
    event::{ALERTS, PUBLISHED},
    lifecycle::{self, Decision},
};
use hookhaven_store::{CatalogEntry, Follow, Leased, Next, Settled, Settlement, clock::Entropy};
use tokio::sync::oneshot;

use super::{
    PAUSED_KIND, WorkerParts,
    board::{Board, Slot},
    lanes::Effect,
    session::Session,
    shared, trace,
    tried::Tried,
    work::Work,
};
use crate::{asking::HandlerAnswer, egress::ExactUrl, telemetry::Open};

/// Waits between tries to record an attempt while the store cannot: the first, and the longest.
const SETTLE_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// Makes one attempt of a leased delivery and settles it. Sending stops when the session ends. `asked` is whoever waits
/// for the handler's answer.
pub async fn run(
    parts: Arc<WorkerParts>,
    session: Arc<Session>,
    leased: Leased,
    mut slot: Slot,
    asked: Option<oneshot::Sender<HandlerAnswer>>,
) {
    let board = slot.board().clone();
    let Some(work) = Work::of(&parts, &leased) else {
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
    if work.flow_key(&leased).is_some_and(|key| !slot.pass(key)) {
        drop(slot);
        return release(&parts, &session, &leased).await;
    }
    let counted_as = counted_as(&leased.delivery.source, &leased.delivery.destination);
    let is_alert = &*leased.delivery.source == ALERTS;
    if !is_alert && board.lanes().misses_deadline(&leased.delivery, parts.clock.now()) {
        parts.signals.deadline_missed(&leased.delivery.source, counted_as);
    }
    let span = trace::begin(&parts.tracer, &leased, parts.clock.now());
    let tried = tokio::select! {
        biased;
        () = session.ended.cancelled() => {
            if let Some(span) = span {
                trace::abort(span, parts.clock.now());
            }
            tracing::warn!(delivery_id = %leased.delivery.id, destination = %counted_as,
                attempt = leased.attempt_number, "attempt aborted: its session ended");
            return;
        }
        tried = work.attempt(&parts, &leased, span.as_ref()) => tried,
    };
    // Before anything is recorded: whoever waits has little time, and the event is stored.
    let late = pass_on(&work, &tried, asked);
    let decision = work.decide(&leased, &tried, parts.clock.now(), parts.entropy.unit());
    let (effect, settling) = slot.finish(leased.delivery.id, &decision, work.destination().map(|d| &**d));
    if let Some(destination) = work.destination() {
        tell_of_destination(&parts, &board, &leased, destination, effect, &tried.error).await;
    }
    let now = parts.clock.now();
    let next = next_of(&decision, effect, leased.delivery.policy.retry.initial, now);
    let id = AttemptId::mint(tried.started_at, parts.entropy.id_bytes());
    let attempt = tried.record(id, &leased, decision.class, next);
    let mut follows = match &work {
        Work::Published(message) => message.follows(&attempt, next, now, &mut || parts.entropy.id_bytes()),
        Work::Configured(..) => {
            late_answer(&work, &leased, next, late, now, parts.entropy.as_ref()).into_iter().collect()
        }
        Work::Late(_) | Work::Alert | Work::Unread => Vec::new(),
    };
    if let Some(span) = &span {
        trace::follow(span, &mut follows);
    }
    let settlement =
        Settlement { delivery: leased.delivery.id, fence: leased.fence, attempt: Some(attempt.clone()), next, follows };
    let settled = settle(&parts, &session, settlement).await;
    if settled == Settled::LeaseLost {
        session.doubt.notify_one();
    }
    drop(settling);
    tell(&parts, &leased, &attempt, next, settled, span);
}

/// Gives the handler's answer to whoever waits for it. Answers what of it nobody waits for any more.
fn pass_on(work: &Work, tried: &Tried, asked: Option<oneshot::Sender<HandlerAnswer>>) -> Option<HandlerAnswer> {
    let answer = work.answers().and_then(|_| tried.answer())?;
    match asked {
        Some(asked) => asked.send(answer).err(),
        None => Some(answer),
    }
}

/// What of a success comes too late for whoever asked, or was asked by nobody: the sender may take it all the same.
fn late_answer(
    work: &Work,
    leased: &Leased,
    next: Next,
    late: Option<HandlerAnswer>,
    now: Time,
    entropy: &dyn Entropy,
) -> Option<Follow> {
    let event = leased.event.as_ref().ok().filter(|_| next == Next::Delivered)?;
    work.answers()?.late(event, &late?.body, now, || entropy.id_bytes())
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

/// Does what follows for the destination: its breaker, its pause.
async fn tell_of_destination(
    parts: &WorkerParts,
    board: &Board,
    leased: &Leased,
    destination: &Destination,
    effect: Effect,
    error: &str,
) {
    if let Some(change) = effect.breaker {
        let open = change == Change::Opened;
        parts.signals.breaker(&destination.name, open);
        if open {
            tracing::warn!(destination = %destination.name, %error, "breaker opened: the destination gets a rest");
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
}

/// A 410 that paused its destination, or met it paused, does not use up a delivery's attempts: a person decides now. One
/// that would park its line for too long, or that the handler wants no more, dies all the same.
fn next_of(decision: &Decision, effect: Effect, wait: Duration, now: Time) -> Next {
    match decision.next {
        lifecycle::Next::Dead(EndReason::Exhausted) if decision.gone && (effect.pause || effect.paused) => {
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
    parts.signals.paused(&destination.name);
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

/// Counts and logs a finished attempt, one line each, and ends its span.
fn tell(parts: &WorkerParts, leased: &Leased, attempt: &Attempt, next: Next, settled: Settled, span: Option<Open>) {
    let class = attempt.class;
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
        destination = %shown(delivery),
        attempt = attempt.number,
        outcome,
        error_class = class.as_str(),
        error = %attempt.error,
        http_status = attempt.status,
        duration_ms = attempt.duration_us / 1_000,
        next_attempt_at = attempt.next_attempt_at.map(tracing::field::display),
        correlation_id = leased.event.as_ref().map(|e| &*e.correlation_id).unwrap_or_default(),
        trace_id = span.as_ref().map(|span| tracing::field::display(span.context().trace_id())),
        "attempt"
    );
    if let Some(span) = span {
        trace::end(span, attempt, outcome);
    }
    if settled == Settled::LeaseLost {
        parts.signals.lease_lost();
        return;
    }
    if &*delivery.source == ALERTS {
        // Otherwise what tells of failures would count among them.
        let outcome = match next {
            Next::Delivered => "told",
            Next::Retry { .. } => "retry",
            Next::Dead(_) | Next::Release => "failed",
        };
        return parts.signals.telling(&delivery.destination, outcome);
    }
    let took = Duration::from_micros(attempt.duration_us);
    let destination = counted_as(&delivery.source, &delivery.destination);
    parts.signals.attempt(&delivery.source, destination, &delivery.event_type, outcome, class, took);
    if attempt.number > 1 {
        parts.signals.retried();
    }
    if let (Next::Delivered, Ok(event)) = (next, &leased.event) {
        let took = parts.clock.now().since(event.received_at);
        parts.signals.end_to_end(&delivery.source, destination, took);
    }
}

/// A published address may hold credentials: it is shown without them (I6).
pub(super) fn shown(delivery: &Delivery) -> Cow<'_, str> {
    if &*delivery.source != PUBLISHED {
        return Cow::Borrowed(&delivery.destination);
    }
    ExactUrl::parse(&delivery.destination).map_or(Cow::Borrowed("published"), |url| Cow::Owned(url.shown()))
}
