//! What became of a request, what its sender is answered, and its one log line.
//!
//! A refusal's name is for us: it stands in the log and in metrics, never in an answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    EventId, Time,
    sender::{Answer, Rejection},
    source::Source,
};
use hookhaven_store::StoreError;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;

use super::ask::Heard;
use crate::body::BodyError;

/// When to come again after a 503, in seconds. Long enough for a restart; senders that know better
/// follow their own schedule.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");
/// Of a source's name that is not configured, this much is logged.
const NAME_CHARS_MAX: usize = 64;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownSource,
    Method,
    /// Over the source's rate; room again then.
    RateExceeded(Duration),
    /// Asked before the body was read.
    NotReady(StoreError),
    BodyTooLarge,
    ContentType,
    BodyTimeout,
    /// The connection or the framing broke.
    BodyBroken,
    /// `limits.body_bytes_in_flight_max` is used up.
    Busy,
    Rejected(Rejection),
    /// A handshake with a token or secret that is not ours, or that nobody awaits.
    Handshake,
    /// There is no copy yet of the addresses that the sender publishes.
    NetworksUnknown,
    /// What the request must be judged by could not be fetched.
    KeyNotFetched(String),
    /// A subscription could not be confirmed, or a secret not kept.
    NotConfirmed(String),
    /// The accept failed: nothing was kept, or nobody knows.
    NotStored(StoreError),
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::BodyTooLarge,
            BodyError::Timeout => Self::BodyTimeout,
            BodyError::Broken => Self::BodyBroken,
            BodyError::Busy => Self::Busy,
        }
    }
}

impl Refusal {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::UnknownSource => "unknown_source",
            Self::Method => "method",
            Self::RateExceeded(_) => "rate_exceeded",
            Self::NotReady(_) => "store_not_ready",
            Self::BodyTooLarge => "body_too_large",
            Self::ContentType => "content_type",
            Self::BodyTimeout => "body_timeout",
            Self::BodyBroken => "body_broken",
            Self::Busy => "busy",
            Self::Rejected(rejection) => rejection.as_str(),
            Self::Handshake => "handshake",
            Self::NetworksUnknown => "networks_unknown",
            Self::KeyNotFetched(_) => "key_not_fetched",
            Self::NotConfirmed(_) => "not_confirmed",
            Self::NotStored(_) => "not_stored",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownSource => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::RateExceeded(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::Rejected(_) => StatusCode::UNAUTHORIZED,
            Self::Handshake => StatusCode::FORBIDDEN,
            Self::NotReady(_)
            | Self::Busy
            | Self::NetworksUnknown
            | Self::KeyNotFetched(_)
            | Self::NotConfirmed(_)
            | Self::NotStored(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the peer is told beside the status.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self.status() {
            StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, HeaderValue::from_static("POST"))),
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, RETRY_AFTER_S)),
            StatusCode::TOO_MANY_REQUESTS => {
                let Self::RateExceeded(wait) = self else { return None };
                // Rounded up: one who comes earlier comes in vain.
                let seconds = u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
                Some((header::RETRY_AFTER, HeaderValue::from(seconds)))
            }
            _ => None,
        }
    }

    /// Our own trouble, in words.
    fn error(&self) -> Option<String> {
        match self {
            Self::NotReady(error) | Self::NotStored(error) => Some(error.to_string()),
            Self::KeyNotFetched(why) | Self::NotConfirmed(why) => Some(why.clone()),
            Self::NetworksUnknown => Some("the sender's addresses have not been fetched yet".to_owned()),
            _ => None,
        }
    }
}

/// An event that is on disk.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Of a duplicate, the event stored the first time.
    pub event: EventId,
    pub event_type: Arc<str>,
    /// When it happened, by the sender's own account.
    pub occurred_at: Option<Time>,
    pub novelty: Novelty,
    pub unrouted: bool,
}

/// What an event is to those that were there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    New,
    /// New by its id, which is not signed; but its bytes are those of an earlier event.
    SuspectedReplay(EventId),
    Duplicate,
    /// A duplicate by its signed id, with other bytes than the first time.
    OtherBytes,
}

impl Novelty {
    pub fn is_duplicate(self) -> bool {
        matches!(self, Novelty::Duplicate | Novelty::OtherBytes)
    }

    /// As it stands in metrics and logs.
    pub fn suspicion(self) -> Option<&'static str> {
        match self {
            Novelty::New | Novelty::Duplicate => None,
            Novelty::SuspectedReplay(_) => Some("suspected_replay"),
            Novelty::OtherBytes => Some("other_bytes"),
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Stored {
        /// Its events: at least one.
        stored: Vec<Stored>,
        answer: Answer,
        /// Whom the sender hears, where a route asks for the handler's answer.
        heard: Option<Heard>,
    },
    Handshake(Answer),
    Refused(Refusal),
}

impl Stored {
    /// What became of the event, as it stands in logs and traces.
    pub fn status(&self) -> &'static str {
        match (self.novelty.is_duplicate(), self.unrouted) {
            (true, _) => "duplicate",
            (false, true) => "unrouted",
            (false, false) => "queued",
        }
    }
}

impl Outcome {
    /// What the sender is answered.
    pub fn status(&self) -> StatusCode {
        match self {
            Outcome::Stored { answer, .. } | Outcome::Handshake(answer) => answer.status,
            Outcome::Refused(refusal) => refusal.status(),
        }
    }

    pub fn into_response(self) -> Response<Full<Bytes>> {
        match self {
            Outcome::Stored { answer, .. } | Outcome::Handshake(answer) => answered(answer),
            Outcome::Refused(refusal) => {
                let mut response = empty(refusal.status());
                if let Some((name, value)) = refusal.header() {
                    response.headers_mut().insert(name, value);
                }
                response
            }
        }
    }
}

fn answered(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.extend(answer.headers);
    if let Some(content_type) = answer.content_type.and_then(|text| HeaderValue::try_from(text.as_ref()).ok()) {
        headers.insert(header::CONTENT_TYPE, content_type);
        // A handshake's answer may hold text of the request; no browser shall take it for a page.
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    response
}

pub(super) fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Alive; whether it can accept is `/readyz`'s business, on the admin side.
pub(super) fn health(method: &Method) -> Response<Full<Bytes>> {
    match *method {
        Method::GET | Method::HEAD => Response::new(Full::from("ok\n")),
        _ => {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
    }
}

/// A request's log line, but for its outcome.
pub(super) struct Line<'a> {
    pub source_name: &'a str,
    pub source: Option<&'a Source>,
    pub correlation_id: Option<Arc<str>>,
    pub trace_id: Option<String>,
    pub took: Duration,
}

impl Line<'_> {
    pub fn log(&self, outcome: &Outcome) {
        let sender = self.source.map(|s| s.sender.name());
        let cut = self.source_name.char_indices().nth(NAME_CHARS_MAX).map_or(self.source_name.len(), |(at, _)| at);
        let source = &self.source_name[..cut];
        let duration_ms = self.took.as_micros() as f64 / 1_000.0;
        let (correlation_id, trace_id) = (self.correlation_id.as_deref(), self.trace_id.as_deref());
        match outcome {
            Outcome::Stored { stored, heard, .. } => {
                let heard = heard.map(Heard::as_str);
                for (number, one) in (1..).zip(stored) {
                    let (Stored { event, event_type, novelty, .. }, status) = (one, one.status());
                    let part = (stored.len() > 1).then(|| format!("{number}/{}", stored.len()));
                    let (part, suspicion) = (part.as_deref(), novelty.suspicion());
                    let twin = match novelty {
                        Novelty::SuspectedReplay(twin) => Some(tracing::field::display(twin)),
                        _ => None,
                    };
                    let (event_id, event_type) = (tracing::field::display(event), &**event_type);
                    tracing::info!(
                        sender,
                        source,
                        event_id,
                        event_type,
                        status,
                        part,
                        suspicion,
                        twin,
                        heard,
                        duration_ms,
                        correlation_id,
                        trace_id,
                        "request"
                    );
                }
            }
            Outcome::Handshake(_) => {
                tracing::info!(sender, source, status = "handshake", duration_ms, correlation_id, trace_id, "request");
            }
            Outcome::Refused(refusal) => {
                let status = format!("rejected:{}", refusal.as_str());
                let status = &*status;
                match refusal.error() {
                    Some(error) => {
                        tracing::warn!(sender, source, status, duration_ms, correlation_id, trace_id, %error, "request");
                    }
                    None => tracing::info!(sender, source, status, duration_ms, correlation_id, trace_id, "request"),
                }
            }
        }
    }
}
