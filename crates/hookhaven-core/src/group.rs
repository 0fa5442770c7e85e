//! A group: dead letters with one root cause. They are of one destination, failed with the same class and status, and
//! said the same ([`likeness`]). Nothing stores groups: an id says all that makes one, so that whoever has it finds
//! the letters of the group, those too that died since it was shown.
//!
//! Not here: how letters are read and counted.

use aws_lc_rs::digest::{Context, SHA256};

use crate::{
    attempt::{Attempt, ErrorClass},
    delivery::Delivery,
    id::GroupId,
    likeness,
};

/// Characters of a cause in words.
pub const CAUSE_CHARS_MAX: usize = 240;
const HALF: usize = 8;

impl GroupId {
    /// Of a dead delivery whose last attempt this was; `None`: it was never attempted.
    pub fn of(delivery: &Delivery, last: Option<&Attempt>) -> Self {
        let mut id = [0; 2 * HALF];
        id[..HALF].copy_from_slice(&kind(delivery, last.map(|last| (last.class, last.status))));
        let error = last.map(|last| likeness::of_words(&last.error)).unwrap_or_default();
        let answer = last.map(|last| likeness::of_answer(&last.response_excerpt)).unwrap_or_default();
        id[HALF..].copy_from_slice(&digest(&[error.as_bytes(), answer.pattern.as_bytes()]));
        GroupId::from_bytes(id)
    }

    /// Whether a dead delivery that failed so can be of this group: it is known without the words of its failure.
    pub fn may_hold(&self, delivery: &Delivery, last: Option<(ErrorClass, Option<u16>)>) -> bool {
        self.as_bytes()[..HALF] == kind(delivery, last)
    }
}

/// What is known of a dead delivery without reading its attempts.
fn kind(delivery: &Delivery, last: Option<(ErrorClass, Option<u16>)>) -> [u8; HALF] {
    let how = match (last, delivery.end_reason) {
        (Some((class, _)), _) => class.as_str(),
        (None, Some(reason)) => reason.as_str(),
        (None, None) => "",
    };
    let status = last.and_then(|(_, status)| status).unwrap_or(0);
    digest(&[delivery.destination.as_bytes(), how.as_bytes(), &status.to_be_bytes()])
}

fn digest(parts: &[&[u8]]) -> [u8; HALF] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut half = [0; HALF];
    half.copy_from_slice(&context.finish().as_ref()[..HALF]);
    half
}

/// Why a dead delivery died, in words: the last error, and the gist of the answer.
pub fn cause(delivery: &Delivery, last: Option<&Attempt>) -> String {
    let Some(last) = last else {
        let reason = delivery.end_reason.map_or("ended", |reason| reason.as_str());
        return format!("{reason}, never attempted");
    };
    let error = if last.error.is_empty() { last.class.as_str() } else { &last.error };
    let gist = likeness::of_answer(&last.response_excerpt).gist;
    let words = if gist.is_empty() { error.to_owned() } else { format!("{error}: {gist}") };
    match words.char_indices().nth(CAUSE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use bytes::Bytes;

    use super::*;
    use crate::{
        attempt::Phases,
        delivery::{DeliveryState, EndReason, Lane, Policy},
        id::{AttemptId, DeliveryId, EventId},
        retry::RetryPolicy,
        time::Time,
    };

    fn delivery(destination: &str, reason: EndReason) -> Delivery {
        let policy = Policy {
            retry: RetryPolicy::default(),
            deadline: Duration::from_secs(30),
            max_age: Duration::from_secs(60),
            critical: false,
        };
        Delivery {
            id: DeliveryId::from_bytes([1; 16]),
            event: EventId::from_bytes([2; 16]),
            source: "stripe".into(),
            event_type: "t".into(),
            destination: destination.into(),
            lane: Lane::of_destination(destination),
            route: "r".into(),
            policy: Arc::new(policy),
            accepted_at: Time::EPOCH,
            due_at: Time::EPOCH,
            attempts: 1,
            tries: 1,
            lost: 0,
            state: DeliveryState::Dead,
            ended_at: Some(Time::EPOCH),
            end_reason: Some(reason),
            replaces: None,
            replaced_by: None,
            dismissed_at: None,
            cancel_asked_at: None,
            order: None,
        }
    }

    fn attempt(class: ErrorClass, status: u16, answer: &str) -> Attempt {
        Attempt {
            id: AttemptId::from_bytes([1; 16]),
            delivery: DeliveryId::from_bytes([1; 16]),
            number: 1,
            started_at: Time::EPOCH,
            duration_us: 1,
            phases: Phases::default(),
            status: Some(status),
            class,
            error: format!("answered {status}").into(),
            response_headers: Vec::new(),
            response_excerpt: Bytes::copy_from_slice(answer.as_bytes()),
            next_attempt_at: None,
        }
    }

    #[test]
    fn each_part_of_a_cause_makes_another_group() {
        let billing = delivery("billing", EndReason::Exhausted);
        let failed = attempt(ErrorClass::Http5xx, 503, "no such order 12");
        let group = GroupId::of(&billing, Some(&failed));
        assert_eq!(GroupId::of(&billing, Some(&attempt(ErrorClass::Http5xx, 503, "no such order 99"))), group);
        assert_eq!(GroupId::of(&delivery("billing", EndReason::Expired), Some(&failed)), group);
        let others = [
            GroupId::of(&delivery("mail", EndReason::Exhausted), Some(&failed)),
            GroupId::of(&billing, Some(&attempt(ErrorClass::Http4xx, 503, "no such order 12"))),
            GroupId::of(&billing, Some(&attempt(ErrorClass::Http5xx, 502, "no such order 12"))),
            GroupId::of(&billing, Some(&attempt(ErrorClass::Http5xx, 503, "no such user 12"))),
            GroupId::of(&billing, None),
            GroupId::of(&delivery("billing", EndReason::Expired), None),
        ];
        let distinct: std::collections::BTreeSet<_> = others.iter().chain([&group]).collect();
        assert_eq!(distinct.len(), others.len() + 1);
        // Known before the answer is: all but the fourth.
        let how = Some((ErrorClass::Http5xx, Some(503)));
        assert_eq!(others.map(|other| other.may_hold(&billing, how)), [false, false, false, true, false, false]);
        assert!(group.may_hold(&billing, how));
        assert_eq!(group.to_string().parse(), Ok(group));
    }

    #[test]
    fn a_cause_says_what_was_answered() {
        let billing = delivery("billing", EndReason::Expired);
        assert_eq!(cause(&billing, None), "expired, never attempted");
        let failed = attempt(ErrorClass::Http5xx, 503, r#"{"id":"x1","message":"Down for repairs"}"#);
        assert_eq!(cause(&billing, Some(&failed)), "answered 503: Down for repairs");
        assert_eq!(cause(&billing, Some(&attempt(ErrorClass::Http5xx, 503, ""))), "answered 503");
        let long = Attempt { error: "é".repeat(900).into(), ..failed };
        assert_eq!(cause(&billing, Some(&long)).chars().count(), CAUSE_CHARS_MAX + 1);
    }
}
