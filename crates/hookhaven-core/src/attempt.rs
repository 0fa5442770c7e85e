//! An attempt: one try of a delivery, recorded once and never changed.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    id::{AttemptId, DeliveryId},
    time::Time,
};

/// What went wrong, coarse enough to group by. `Ok` is the class of a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    Ok,
    Dns,
    Connect,
    Tls,
    Timeout,
    /// The connection broke after it stood, or the answer was not HTTP.
    Protocol,
    /// 429.
    RateLimited,
    Http5xx,
    Http4xx,
    Http3xx,
    /// The destination's address is one we must not call.
    Refused,
    /// The node that made the attempt went away.
    Lost,
    /// The stored event could not be read.
    Store,
}

impl ErrorClass {
    pub const ALL: [ErrorClass; 13] = [
        Self::Ok,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Protocol,
        Self::RateLimited,
        Self::Http5xx,
        Self::Http4xx,
        Self::Http3xx,
        Self::Refused,
        Self::Lost,
        Self::Store,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::RateLimited => "rate_limited",
            Self::Http5xx => "http_5xx",
            Self::Http4xx => "http_4xx",
            Self::Http3xx => "http_3xx",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Store => "store",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == text)
    }
}

/// How long each part of an attempt took, in microseconds; `None` for a part that did not happen
/// (a pooled connection needs no DNS, connect or TLS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Phases {
    pub dns_us: Option<u64>,
    pub connect_us: Option<u64>,
    pub tls_us: Option<u64>,
    pub first_byte_us: Option<u64>,
}

/// One attempt, as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    pub delivery: DeliveryId,
    /// From 1; counts every attempt, lost ones too.
    pub number: u32,
    pub started_at: Time,
    /// From start to the last byte read, or to the failure.
    pub duration_us: u64,
    pub phases: Phases,
    pub status: Option<u16>,
    pub class: ErrorClass,
    /// What happened, in words; empty on success. Never holds a secret.
    pub error: Arc<str>,
    /// The answer's headers, bounded.
    pub response_headers: Vec<(Arc<str>, Bytes)>,
    /// The beginning of the answer's body, bounded.
    pub response_excerpt: Bytes,
    /// When the next attempt was planned for, if one was.
    pub next_attempt_at: Option<Time>,
}
