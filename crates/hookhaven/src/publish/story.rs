//! A message's log: what happened to it, in QStash's states and in the order it happened. Told from the
//! delivery and its attempts; nothing is stored for it.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{Attempt, DeliveryState, ErrorClass, Time};
use hookhaven_store::StepKind;

use super::view::Seen;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Created,
    Active,
    Delivered,
    Error,
    Retry,
    Failed,
    CancelRequested,
    Canceled,
}

impl State {
    /// The Python client knows these words and no others.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Active => "ACTIVE",
            Self::Delivered => "DELIVERED",
            Self::Error => "ERROR",
            Self::Retry => "RETRY",
            Self::Failed => "FAILED",
            Self::CancelRequested => "CANCEL_REQUESTED",
            Self::Canceled => "CANCELED",
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub at: Time,
    pub state: State,
    /// Of `Error` and `Delivered`: the attempt.
    pub attempt: Option<Arc<Attempt>>,
    /// Of `Retry`: when.
    pub next_at: Option<Time>,
}

/// What a step of the store means, in order.
pub fn step(kind: StepKind, at: Time, seen: &Seen, attempts: &[Arc<Attempt>]) -> Vec<Told> {
    match kind {
        StepKind::Accepted => vec![plain(at, State::Created)],
        StepKind::CancelAsked => vec![plain(at, State::CancelRequested)],
        StepKind::Attempted(number) => {
            let attempt = attempts.iter().find(|attempt| attempt.number == number);
            attempt.map(|attempt| attempted(seen, attempt, attempts)).unwrap_or_default()
        }
        StepKind::Ended => ended(at, seen),
    }
}

/// All of a message's entries, oldest first.
pub fn whole(seen: &Seen, attempts: &[Arc<Attempt>]) -> Vec<Told> {
    let delivery = &seen.row.delivery;
    let mut told = vec![plain(delivery.accepted_at, State::Created)];
    told.extend(attempts.iter().flat_map(|attempt| attempted(seen, attempt, attempts)));
    if let Some(asked_at) = delivery.cancel_asked_at {
        let before = told.iter().position(|told| told.at > asked_at).unwrap_or(told.len());
        told.insert(before, plain(asked_at, State::CancelRequested));
    }
    let closed = told.last().is_some_and(|told| is_end(told.state));
    if let (Some(ended_at), false) = (delivery.ended_at, closed) {
        told.extend(ended(ended_at, seen));
    }
    told
}

fn attempted(seen: &Seen, attempt: &Arc<Attempt>, attempts: &[Arc<Attempt>]) -> Vec<Told> {
    let ended_at = attempt.started_at.plus(Duration::from_micros(attempt.duration_us));
    let about = |state| Told { attempt: Some(attempt.clone()), ..plain(ended_at, state) };
    let mut told = vec![plain(attempt.started_at, State::Active)];
    if attempt.class == ErrorClass::Ok {
        told.push(about(State::Delivered));
        return told;
    }
    told.push(about(State::Error));
    let is_last = attempts.last().is_some_and(|last| last.number == attempt.number);
    match seen.row.delivery.state {
        DeliveryState::Dead if is_last => told.push(plain(ended_at, State::Failed)),
        DeliveryState::Cancelled if is_last && attempt.next_attempt_at.is_none() => {
            told.push(plain(ended_at, State::Canceled));
        }
        _ => told.push(Told { next_at: attempt.next_attempt_at, ..plain(ended_at, State::Retry) }),
    }
    told
}

/// It ended without an attempt.
fn ended(at: Time, seen: &Seen) -> Vec<Told> {
    let delivery = &seen.row.delivery;
    match delivery.state {
        // Nobody had it in hand, so asking and ending were one.
        DeliveryState::Cancelled if delivery.cancel_asked_at.is_none() => {
            vec![plain(at, State::CancelRequested), plain(at, State::Canceled)]
        }
        DeliveryState::Cancelled => vec![plain(at, State::Canceled)],
        _ => vec![plain(at, State::Failed)],
    }
}

fn is_end(state: State) -> bool {
    matches!(state, State::Delivered | State::Failed | State::Canceled)
}

fn plain(at: Time, state: State) -> Told {
    Told { at, state, attempt: None, next_at: None }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookhaven_core::{AttemptId, Lane, Phases};
    use hookhaven_store::DeliveryRow;

    use super::*;
    use crate::publish::message::tests::stored;

    const NOW: Time = Time::from_s(1_700_000_000);

    fn attempt(number: u32, class: ErrorClass, retried: bool) -> Arc<Attempt> {
        let started_at = NOW.plus(Duration::from_secs(u64::from(number)));
        Arc::new(Attempt {
            id: AttemptId::from_bytes([1; 16]),
            delivery: hookhaven_core::DeliveryId::from_bytes([7; 16]),
            number,
            started_at,
            duration_us: 1_000,
            phases: Phases::default(),
            status: Some(500),
            class,
            error: "answered 500".into(),
            response_headers: Vec::new(),
            response_excerpt: Bytes::new(),
            next_attempt_at: retried.then(|| started_at.plus(Duration::from_secs(12))),
        })
    }

    fn states(state: DeliveryState, asked: bool, attempts: &[Arc<Attempt>]) -> Vec<&'static str> {
        let (event, mut delivery) = stored("https://a/", "publish", Lane::of_url("https://a/"), &[]);
        delivery.state = state;
        delivery.ended_at = state.is_final().then(|| NOW.plus(Duration::from_secs(60)));
        delivery.cancel_asked_at = asked.then(|| NOW.plus(Duration::from_micros(1_000_500)));
        let seen = Seen::new(DeliveryRow { delivery, last: None }, event.into());
        whole(&seen, attempts).iter().map(|told| told.state.as_str()).collect()
    }

    #[test]
    fn the_documented_stories() {
        use DeliveryState as S;
        use ErrorClass::{Http5xx, Ok};
        let failed = |n, retried| attempt(n, Http5xx, retried);
        assert_eq!(states(S::Pending, false, &[]), ["CREATED"]);
        assert_eq!(states(S::Delivered, false, &[attempt(1, Ok, false)]), ["CREATED", "ACTIVE", "DELIVERED"]);
        assert_eq!(states(S::Dead, false, &[failed(1, false)]), ["CREATED", "ACTIVE", "ERROR", "FAILED"]);
        assert_eq!(
            states(S::Dead, false, &[failed(1, true), failed(2, false)]),
            ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "ERROR", "FAILED"]
        );
        assert_eq!(states(S::Cancelled, false, &[]), ["CREATED", "CANCEL_REQUESTED", "CANCELED"]);
        assert_eq!(
            states(S::Cancelled, true, &[failed(1, false)]),
            ["CREATED", "ACTIVE", "CANCEL_REQUESTED", "ERROR", "CANCELED"]
        );
        assert_eq!(
            states(S::Cancelled, false, &[failed(1, true)]),
            ["CREATED", "ACTIVE", "ERROR", "RETRY", "CANCEL_REQUESTED", "CANCELED"]
        );
        assert_eq!(
            states(S::Delivered, true, &[attempt(1, Ok, false)]),
            ["CREATED", "ACTIVE", "CANCEL_REQUESTED", "DELIVERED"]
        );
        assert_eq!(states(S::Dead, false, &[]), ["CREATED", "FAILED"], "its time was over");
    }
}
