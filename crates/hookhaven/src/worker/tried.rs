//! What an attempt came to, and how that is recorded. Deciding what follows is not here.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, ErrorClass, Phases, Time,
    lifecycle::{Answer, Outcome},
};
use hookhaven_store::{Leased, Next};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};

use super::answers::NotPosted;
use crate::{
    asking::{ANSWER_BYTES_MAX, HandlerAnswer},
    egress::Sent,
};

/// Headers of an answer that are recorded.
const RECORDED_HEADERS_MAX: usize = 32;
/// Their bytes, names included.
const RECORDED_HEADER_BYTES_MAX: usize = 8 << 10;

/// What an attempt came to, before anybody decides what that means.
pub struct Tried {
    pub outcome: Outcome,
    pub started_at: Time,
    duration: Duration,
    phases: Phases,
    status: Option<StatusCode>,
    pub error: String,
    pub headers: HeaderMap,
    excerpt: Bytes,
    /// The body as far as it was read, where that is more than what is recorded.
    whole: Option<Bytes>,
}

impl Tried {
    pub fn unreadable(started_at: Time, why: &str) -> Self {
        Self::unsent(started_at, Outcome::Unreadable, format!("the stored event could not be read: {why}"))
    }

    /// A late answer that cannot be posted.
    pub fn not_posted(started_at: Time, why: &NotPosted) -> Self {
        let class = match why {
            NotPosted::Never(_) => ErrorClass::Refused,
            NotPosted::Unread(_) => ErrorClass::Store,
        };
        Self::unsent(started_at, Outcome::Failed(class), why.to_string())
    }

    fn unsent(started_at: Time, outcome: Outcome, error: String) -> Self {
        Tried {
            outcome,
            started_at,
            duration: Duration::ZERO,
            phases: Phases::default(),
            status: None,
            error,
            headers: HeaderMap::new(),
            excerpt: Bytes::new(),
            whole: None,
        }
    }

    pub fn sent(started_at: Time, sent: Sent, now: Time) -> Self {
        let (outcome, status, error, headers, excerpt) = match sent.result {
            Ok(a) => {
                let answer = Answer::read(a.status, &a.headers, now);
                (Outcome::Answered(answer), Some(a.status), words(a.status, &answer), a.headers, a.excerpt)
            }
            Err(f) => (Outcome::Failed(f.class), f.status, f.error, HeaderMap::new(), Bytes::new()),
        };
        let (duration, phases) = (sent.duration, sent.phases);
        Tried { outcome, started_at, duration, phases, status, error, headers, excerpt, whole: None }
    }

    /// More of the body was kept than is recorded.
    pub fn with_whole_body(self, recorded_bytes_max: usize) -> Self {
        let excerpt = self.excerpt.slice(..self.excerpt.len().min(recorded_bytes_max));
        Tried { excerpt, whole: Some(self.excerpt), ..self }
    }

    /// A success that can be passed on; `None` if it is none, was not kept, or is too long.
    pub fn answer(&self) -> Option<HandlerAnswer> {
        let status = self.status.filter(StatusCode::is_success)?;
        let body = self.whole.clone().filter(|body| body.len() <= ANSWER_BYTES_MAX)?;
        Some(HandlerAnswer { status, content_type: self.headers.get(CONTENT_TYPE).cloned(), body })
    }

    /// The attempt as it is recorded.
    pub fn record(&self, id: AttemptId, leased: &Leased, class: ErrorClass, next: Next) -> Attempt {
        let next_attempt_at = match next {
            Next::Retry { due_at } => Some(due_at),
            _ => None,
        };
        Attempt {
            id,
            delivery: leased.delivery.id,
            number: leased.attempt_number,
            started_at: self.started_at,
            duration_us: u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
            phases: self.phases,
            status: self.status.map(|s| s.as_u16()),
            class,
            error: self.error.as_str().into(),
            response_headers: recorded_headers(&self.headers),
            response_excerpt: self.excerpt.clone(),
            next_attempt_at,
        }
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
