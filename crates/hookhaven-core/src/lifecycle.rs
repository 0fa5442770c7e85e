//! What follows from an attempt: the house rules of delivery as one pure function.
//!
//! Not here: when a whole destination rests (`breaker`), how fast it is called (`pace`), and the
//! published messages' own rules.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

use crate::{
    attempt::ErrorClass,
    breaker::Health,
    delivery::EndReason,
    id::DeliveryId,
    ordering::Order,
    retry::{RetryPolicy, parse_retry_after},
    time::Time,
};

/// One delivery's `Retry-After` holds its destination back no longer than this.
pub const HOLD_MAX: Duration = Duration::from_secs(60);

/// Different deliveries that must get 410 in a row before their destination is paused.
pub const GONE_DELIVERIES: usize = 3;

/// QStash's status for "do not try again", valid with its header only.
const NON_RETRYABLE: u16 = 489;

/// What the destination did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered(Answer),
    /// No whole answer came.
    Failed(ErrorClass),
    /// The stored event could not be read, so there was nothing to send.
    Unreadable,
    /// Given up before anything was sent (the destination left the config, we are shutting down).
    NotAttempted,
}

/// An answer, reduced to what decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The destination's `Retry-After`, as a wait from now.
    pub retry_after: Option<Duration>,
    /// The handler asked that this event be not tried again.
    pub abort: bool,
}

impl Answer {
    /// Reads the hints out of an answer's headers: `Retry-After`, `Upstash-NonRetryable-Error: true`
    /// with status 489 (QStash), and `webhook-delivery: abort-message` (Svix).
    pub fn read(status: StatusCode, headers: &HeaderMap, now: Time) -> Self {
        let says = |name: &str, value: &str| {
            headers.get_all(name).iter().any(|v| v.as_bytes().trim_ascii().eq_ignore_ascii_case(value.as_bytes()))
        };
        let non_retryable = status.as_u16() == NON_RETRYABLE && says("upstash-nonretryable-error", "true");
        Answer {
            status: status.as_u16(),
            retry_after: headers.get(RETRY_AFTER).and_then(|v| parse_retry_after(v.as_bytes(), now)),
            abort: non_retryable || says("webhook-delivery", "abort-message"),
        }
    }
}

/// What of a delivery bears on the decision.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    pub retry: &'a RetryPolicy,
    /// Attempts that counted before this one.
    pub attempts: u32,
}

/// What becomes of the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Delivered,
    Retry {
        at: Time,
        /// Likely to fail again until somebody changes something (401, 404, a redirect …).
        needs_person: bool,
    },
    Dead(EndReason),
    /// Back to its lane as it was.
    Release,
}

/// What we do about an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub next: Next,
    pub class: ErrorClass,
    /// How long the destination gets no further attempt, at its own wish.
    pub hold: Option<Duration>,
    /// What the breaker learns from it.
    pub health: Health,
    /// The destination said that it is gone for good (410).
    pub gone: bool,
}

/// Decides. `jitter` lies in 0.0..=1.0.
pub fn decide(outcome: &Outcome, standing: Standing<'_>, now: Time, jitter: f64) -> Decision {
    let class = classify(outcome);
    let answer = match outcome {
        Outcome::Answered(answer) => Some(answer),
        _ => None,
    };
    let hint = answer.and_then(|a| a.retry_after);
    let next = match outcome {
        Outcome::NotAttempted => Next::Release,
        Outcome::Unreadable => Next::Dead(EndReason::Damaged),
        Outcome::Answered(_) if class == ErrorClass::Ok => Next::Delivered,
        Outcome::Answered(Answer { abort: true, .. }) => Next::Dead(EndReason::Aborted),
        _ => match standing.retry.wait(standing.attempts.saturating_add(1), jitter) {
            Some(wait) => {
                let at = now.plus(wait.max(hint.unwrap_or_default()));
                Next::Retry { at, needs_person: needs_person(class) && !is_passing(answer) }
            }
            None => Next::Dead(EndReason::Exhausted),
        },
    };
    let holds = matches!(answer, Some(Answer { status: 429 | 503, .. }));
    Decision {
        next,
        class,
        hold: hint.filter(|_| holds).map(|h| h.min(HOLD_MAX)).filter(|h| !h.is_zero()),
        health: health(class),
        gone: matches!(answer, Some(Answer { status: 410, .. })),
    }
}

/// Decides for a published message: no jitter, the destination's hint replaces the wait, and nothing is learnt of
/// the destination, since whoever publishes was promised a schedule. `wait` replaces the policy's.
pub fn decide_published(
    outcome: &Outcome,
    standing: Standing<'_>,
    wait: Option<Duration>,
    hint: Option<Duration>,
    now: Time,
) -> Decision {
    let decision = decide(outcome, standing, now, 0.0);
    let next = match decision.next {
        Next::Retry { at, needs_person } => {
            Next::Retry { at: hint.or(wait).map_or(at, |wait| now.plus(wait)), needs_person }
        }
        next => next,
    };
    Decision { next, hold: None, health: Health::Silent, gone: false, ..decision }
}

/// Decides for a delivery with an order: one that would park its line for too long is not tried again.
pub fn decide_ordered(decision: Decision, order: Option<&Order>, now: Time) -> Decision {
    let next = match decision.next {
        Next::Retry { at, .. } if order.is_some_and(|order| order.parks_too_long(at, now)) => {
            Next::Dead(EndReason::Parked)
        }
        next => next,
    };
    Decision { next, ..decision }
}

/// The class an outcome counts under.
pub fn classify(outcome: &Outcome) -> ErrorClass {
    match outcome {
        Outcome::Answered(answer) => match answer.status {
            200..=299 => ErrorClass::Ok,
            300..=399 => ErrorClass::Http3xx,
            429 => ErrorClass::RateLimited,
            400..=499 => ErrorClass::Http4xx,
            500..=599 => ErrorClass::Http5xx,
            // No such answer exists (RFC 9110 §15).
            _ => ErrorClass::Protocol,
        },
        Outcome::Failed(class) => *class,
        Outcome::Unreadable => ErrorClass::Store,
        Outcome::NotAttempted => ErrorClass::Lost,
    }
}

/// 408 and 425 are the client errors that time mends (429 has a class of its own).
fn is_passing(answer: Option<&Answer>) -> bool {
    matches!(answer, Some(Answer { status: 408 | 425, .. }))
}

fn needs_person(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Http3xx | ErrorClass::Http4xx | ErrorClass::Refused)
}

fn health(class: ErrorClass) -> Health {
    match class {
        ErrorClass::Ok | ErrorClass::Http3xx | ErrorClass::Http4xx => Health::Alive,
        ErrorClass::Dns
        | ErrorClass::Connect
        | ErrorClass::Tls
        | ErrorClass::Timeout
        | ErrorClass::Protocol
        | ErrorClass::RateLimited
        | ErrorClass::Http5xx => Health::Failing,
        ErrorClass::Refused | ErrorClass::Lost | ErrorClass::Store => Health::Silent,
    }
}

/// Whether a destination that answers 410 should be paused: several different deliveries got it, one
/// after the other, and nothing else was answered between.
#[derive(Clone, Debug, Default)]
pub struct GoneWatch {
    deliveries: Vec<DeliveryId>,
}

impl GoneWatch {
    /// Takes note of a decision; true at the one that tips the balance.
    pub fn saw(&mut self, delivery: DeliveryId, decision: &Decision) -> bool {
        if decision.gone {
            if self.deliveries.contains(&delivery) || self.deliveries.len() >= GONE_DELIVERIES {
                return false;
            }
            self.deliveries.push(delivery);
            return self.deliveries.len() == GONE_DELIVERIES;
        }
        // A network error says nothing either way.
        if matches!(decision.health, Health::Alive) || decision.class == ErrorClass::Http5xx {
            self.deliveries.clear();
        }
        false
    }

    /// The count begins anew, when somebody resumes the destination.
    pub fn reset(&mut self) {
        self.deliveries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_s(1_700_000_000);

    fn answered(status: u16) -> Outcome {
        Outcome::Answered(Answer { status, retry_after: None, abort: false })
    }

    fn decide_after(outcome: &Outcome, attempts: u32) -> Decision {
        decide(outcome, Standing { retry: &RetryPolicy::default(), attempts }, NOW, 0.0)
    }

    fn in_s(s: u64, needs_person: bool) -> Next {
        Next::Retry { at: NOW.plus(Duration::from_secs(s)), needs_person }
    }

    #[test]
    fn the_table_of_outcomes() {
        use ErrorClass as C;
        use Health::{Alive, Failing, Silent};
        let table = [
            (answered(200), Next::Delivered, C::Ok, Alive),
            (answered(204), Next::Delivered, C::Ok, Alive),
            (answered(299), Next::Delivered, C::Ok, Alive),
            (answered(301), in_s(5, true), C::Http3xx, Alive),
            (answered(304), in_s(5, true), C::Http3xx, Alive),
            (answered(400), in_s(5, true), C::Http4xx, Alive),
            (answered(401), in_s(5, true), C::Http4xx, Alive),
            (answered(403), in_s(5, true), C::Http4xx, Alive),
            (answered(404), in_s(5, true), C::Http4xx, Alive),
            (answered(405), in_s(5, true), C::Http4xx, Alive),
            (answered(408), in_s(5, false), C::Http4xx, Alive),
            (answered(410), in_s(5, true), C::Http4xx, Alive),
            (answered(413), in_s(5, true), C::Http4xx, Alive),
            (answered(418), in_s(5, true), C::Http4xx, Alive),
            (answered(422), in_s(5, true), C::Http4xx, Alive),
            (answered(425), in_s(5, false), C::Http4xx, Alive),
            (answered(429), in_s(5, false), C::RateLimited, Failing),
            (answered(489), in_s(5, true), C::Http4xx, Alive),
            (answered(500), in_s(5, false), C::Http5xx, Failing),
            (answered(503), in_s(5, false), C::Http5xx, Failing),
            (answered(101), in_s(5, false), C::Protocol, Failing),
            (answered(999), in_s(5, false), C::Protocol, Failing),
            (Outcome::Failed(C::Dns), in_s(5, false), C::Dns, Failing),
            (Outcome::Failed(C::Connect), in_s(5, false), C::Connect, Failing),
            (Outcome::Failed(C::Tls), in_s(5, false), C::Tls, Failing),
            (Outcome::Failed(C::Timeout), in_s(5, false), C::Timeout, Failing),
            (Outcome::Failed(C::Protocol), in_s(5, false), C::Protocol, Failing),
            (Outcome::Failed(C::Refused), in_s(5, true), C::Refused, Silent),
            (Outcome::Unreadable, Next::Dead(EndReason::Damaged), C::Store, Silent),
            (Outcome::NotAttempted, Next::Release, C::Lost, Silent),
        ];
        for (outcome, next, class, health) in table {
            let decision = decide_after(&outcome, 0);
            assert_eq!((decision.next, decision.class, decision.health), (next, class, health), "{outcome:?}");
            assert_eq!(decision.hold, None, "{outcome:?}");
            assert_eq!(decision.gone, outcome == answered(410), "{outcome:?}");
        }
    }

    #[test]
    fn the_schedule_runs_out_at_the_fifth_attempt() {
        let nexts: Vec<_> = (0..5).map(|n| decide_after(&answered(500), n).next).collect();
        let dead = Next::Dead(EndReason::Exhausted);
        assert_eq!(nexts, [in_s(5, false), in_s(25, false), in_s(125, false), in_s(625, false), dead]);
    }

    #[test]
    fn retry_after_only_lengthens_the_wait() {
        for (hint_s, attempts, wait_s) in [(0, 0, 5), (3, 0, 5), (90, 0, 90), (90, 2, 125), (7_200, 2, 7_200)] {
            let hint = Some(Duration::from_secs(hint_s));
            let outcome = Outcome::Answered(Answer { status: 500, retry_after: hint, abort: false });
            assert_eq!(decide_after(&outcome, attempts).next, in_s(wait_s, false));
        }
    }

    #[test]
    fn retry_after_holds_the_destination_for_a_minute_at_most() {
        for (status, hint_s, hold_s) in [(429, 30, Some(30)), (503, 3_600, Some(60)), (503, 0, None), (500, 30, None)] {
            let hint = Some(Duration::from_secs(hint_s));
            let outcome = Outcome::Answered(Answer { status, retry_after: hint, abort: false });
            assert_eq!(decide_after(&outcome, 0).hold.map(|h| h.as_secs()), hold_s, "{status} {hint_s}");
        }
        // The last attempt's wish is heard, too.
        let hint = Some(Duration::from_secs(10));
        let last = decide_after(&Outcome::Answered(Answer { status: 429, retry_after: hint, abort: false }), 4);
        assert_eq!((last.next, last.hold), (Next::Dead(EndReason::Exhausted), hint));
    }

    #[test]
    fn a_published_message_keeps_its_schedule() {
        let retry = RetryPolicy::default();
        let asked = Answer { status: 503, retry_after: Some(Duration::from_secs(90)), abort: false };
        let decide = |attempts, wait: Option<u64>, hint: Option<u64>| {
            let [wait, hint] = [wait, hint].map(|s| s.map(Duration::from_secs));
            decide_published(&Outcome::Answered(asked), Standing { retry: &retry, attempts }, wait, hint, NOW)
        };
        assert_eq!(decide(0, Some(2), None).next, in_s(2, false));
        assert_eq!(decide(0, Some(2), Some(1)).next, in_s(1, false));
        assert_eq!(decide(4, Some(2), Some(1)).next, Next::Dead(EndReason::Exhausted));
        let of_410 = decide_published(&answered(410), Standing { retry: &retry, attempts: 0 }, None, None, NOW);
        assert_eq!((of_410.next, of_410.gone, of_410.health), (in_s(5, true), false, Health::Silent));
    }

    #[test]
    fn hints_are_read_from_headers() {
        let read = |status: u16, name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, http::HeaderValue::from_static(value));
            Answer::read(StatusCode::from_u16(status).unwrap(), &headers, NOW)
        };
        assert!(read(489, "upstash-nonretryable-error", "true").abort);
        assert!(!read(489, "upstash-nonretryable-error", "false").abort);
        assert!(!read(500, "upstash-nonretryable-error", "true").abort);
        assert!(read(400, "webhook-delivery", "abort-message").abort);
        assert_eq!(read(503, "retry-after", "120").retry_after, Some(Duration::from_secs(120)));
        assert_eq!(read(503, "retry-after", "soon").retry_after, None);
    }

    #[test]
    fn abort_ends_it_but_success_stays_success() {
        let aborted = |status| Outcome::Answered(Answer { status, retry_after: None, abort: true });
        assert_eq!(decide_after(&aborted(400), 0).next, Next::Dead(EndReason::Aborted));
        assert_eq!(decide_after(&aborted(503), 0).next, Next::Dead(EndReason::Aborted));
        assert_eq!(decide_after(&aborted(200), 0).next, Next::Delivered);
    }

    #[test]
    fn three_different_deliveries_in_a_row_make_a_destination_gone() {
        let [gone, ok, broken] =
            [answered(410), answered(200), Outcome::Failed(ErrorClass::Connect)].map(|o| decide_after(&o, 0));
        let mut watch = GoneWatch::default();
        let mut saw = |n: u8, decision: &Decision| watch.saw(DeliveryId::from_bytes([n; 16]), decision);
        assert!(!saw(1, &gone) && !saw(2, &gone) && !saw(2, &gone));
        assert!(!saw(3, &ok));
        assert!(!saw(1, &gone) && !saw(2, &gone) && !saw(9, &broken));
        assert!(saw(3, &gone));
        assert!(!saw(4, &gone));
    }
}
