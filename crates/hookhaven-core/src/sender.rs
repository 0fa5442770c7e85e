//! A sender: a *kind* of third party and its signing scheme. This file is the contract that every
//! sender keeps; each sender is one file under `senders/` and one line in its table.
//!
//! Not here: sources (a configured address of one sender), sockets, configuration syntax.

use std::{fmt, time::Duration};

use http::{HeaderMap, Method, StatusCode};

use crate::{secret::Secret, time::Time};

/// The HTTP request as it arrived, not yet judged.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a Method,
    /// The source's public URL from configuration, with the request's query appended as received.
    /// `None` if no public URL is configured.
    pub url: Option<&'a str>,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// What a request is verified with.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    pub secrets: &'a [Secret],
    pub tolerance: Duration,
    pub now: Time,
}

/// The request is the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Position of the secret that matched; `None` where nothing is verified.
    pub secret: Option<u8>,
}

/// Why a request was refused. The sender is told nothing but the status; we log the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// The header that carries the signature is not there.
    SignatureMissing,
    /// It is there twice, or another header that the signature rests on is.
    SignatureRepeated,
    /// It cannot be read as the scheme writes it.
    SignatureMalformed,
    /// It matches none of the secrets.
    SignatureMismatch,
    TimestampMissing,
    TimestampMalformed,
    /// Older than the tolerance: a replay, or a clock that is wrong.
    TimestampStale,
    /// Further ahead than the tolerance.
    TimestampFuture,
    /// A header that is signed along is missing.
    IdMissing,
    /// Nothing in the body to be signed.
    BodyEmpty,
    /// The body does not have the hash that was signed, or no hash covers it.
    BodyHashMismatch,
    /// The sender signs the URL and no `public_url` is configured.
    UrlUnknown,
    /// The peer's address is not on the source's allow-list.
    AddressNotAllowed,
}

impl Rejection {
    pub const ALL: [Rejection; 13] = [
        Self::SignatureMissing,
        Self::SignatureRepeated,
        Self::SignatureMalformed,
        Self::SignatureMismatch,
        Self::TimestampMissing,
        Self::TimestampMalformed,
        Self::TimestampStale,
        Self::TimestampFuture,
        Self::IdMissing,
        Self::BodyEmpty,
        Self::BodyHashMismatch,
        Self::UrlUnknown,
        Self::AddressNotAllowed,
    ];

    /// As it stands in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignatureMissing => "signature_missing",
            Self::SignatureRepeated => "signature_repeated",
            Self::SignatureMalformed => "signature_malformed",
            Self::SignatureMismatch => "signature_mismatch",
            Self::TimestampMissing => "timestamp_missing",
            Self::TimestampMalformed => "timestamp_malformed",
            Self::TimestampStale => "timestamp_stale",
            Self::TimestampFuture => "timestamp_future",
            Self::IdMissing => "id_missing",
            Self::BodyEmpty => "body_empty",
            Self::BodyHashMismatch => "body_hash_mismatch",
            Self::UrlUnknown => "url_unknown",
            Self::AddressNotAllowed => "address_not_allowed",
        }
    }
}

/// What the gateway needs to know of a verified request; whatever the body does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The sender's event id, or its documented fallback.
    pub idempotency_key: Option<String>,
    pub event_type: Option<String>,
    /// When it happened, by the sender's own account.
    pub occurred_at: Option<Time>,
}

/// What the sender is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub content_type: Option<&'static str>,
    pub body: Vec<u8>,
}

impl Answer {
    /// 200 with an empty body: right for nearly every sender.
    pub fn empty() -> Self {
        Answer { status: StatusCode::OK, content_type: None, body: Vec::new() }
    }
}

/// A request made by us in the sender's manner: for `trigger`, the demo, tests and benches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Headers to send, content type included.
    pub headers: Vec<(String, String)>,
    /// To be appended to the URL, with its `?`; mostly empty.
    pub query: String,
    pub body: Vec<u8>,
}

/// A sample event to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub id: String,
    pub event_type: String,
    pub body: Vec<u8>,
}

/// Why a sample could not be made or signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CannotSign(pub String);

/// One kind of third party. Implementations never panic, whatever the bytes, and compare in constant
/// time over buffers of equal length.
pub trait Sender: fmt::Debug + Send + Sync {
    /// In kebab-case, as written in the config file.
    fn name(&self) -> &'static str;

    /// Whether the request is the sender's. Sees the raw bytes and nothing else; parses no body whose
    /// signature has not held.
    fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection>;

    /// Id, type and time, read without building the whole tree. Only called after `verify`.
    fn facts(&self, request: &Request<'_>) -> Facts;

    /// The answer to a request that only asks whether we are there (Slack's `url_verification`). Such
    /// a request becomes no event. Only called after `verify`.
    fn handshake(&self, _request: &Request<'_>) -> Option<Answer> {
        None
    }

    /// The answer to an accepted event and to its duplicates.
    fn answer(&self) -> Answer {
        Answer::empty()
    }

    /// Content types the sender uses, without parameters; empty means any. Others get 415.
    fn content_types(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the sender signs the URL, so that a source of it needs `public_url`.
    fn signs_url(&self) -> bool {
        false
    }

    /// Whether the sender signs a time, so that replays die with the tolerance. Where it does not, only the
    /// idempotency key stops them.
    fn signs_time(&self) -> bool {
        false
    }

    /// Limit of the body where the source sets none; the sender's largest events must fit.
    fn body_bytes_default(&self) -> usize {
        1 << 20
    }

    /// Checks that a secret has the form this sender needs (e.g. base64 after `whsec_`); the text says
    /// what is wrong and how to mend it, without the secret.
    fn check_secret(&self, _secret: &Secret) -> Result<(), String> {
        Ok(())
    }

    /// Types of which there are committed samples, for help texts; any other type gives a plain body.
    fn sample_types(&self) -> &'static [&'static str] {
        &[]
    }

    /// A sample body of the given type, with a given id, as the sender would send it. The sample's own type
    /// may be narrower than the one asked for (GitHub's `issues` becomes `issues.opened`).
    fn sample(&self, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign>;

    /// Signs a body as the sender would. `url` is the source's public URL.
    fn sign(&self, sample: &Sample, url: Option<&str>, secret: &Secret, now: Time) -> Result<Signed, CannotSign>;
}
