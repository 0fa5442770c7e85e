//! A sender: a *kind* of third party and its signing scheme. This file is the contract that every
//! sender keeps; each sender is one file under `senders/` and one line in its table.
//!
//! Not here: sources (a configured address of one sender), sockets, configuration syntax.

use std::{borrow::Cow, fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::{
    secret::Secret,
    senders::{Item, LateAnswers},
    time::Time,
};

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
    /// What [`Sender::needs`] asked for.
    pub fetched: Option<&'a [u8]>,
}

/// Something that a sender publishes and that one of its requests is judged by: a certificate, a public key.
/// Verification itself is pure; whoever calls it fetches this first, and keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetch {
    pub method: Method,
    /// HTTPS, on a host of the sender's own. A request may name it only as far as the sender's file has
    /// compared it with what the sender is known to use.
    pub url: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// May hold credentials.
    pub body: Bytes,
    /// What tells one answer from another: the URL, mostly. Holds no credentials.
    pub cache_key: String,
}

impl Fetch {
    pub fn get(url: String) -> Self {
        Fetch { method: Method::GET, cache_key: url.clone(), url, headers: Vec::new(), body: Bytes::new() }
    }
}

/// Without headers and body: they may hold credentials (I6).
impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").field("method", &self.method).field("url", &self.url).finish_non_exhaustive()
    }
}

/// What a source knows that a handshake may turn on.
#[derive(Clone, Copy)]
pub struct Own<'a> {
    pub secrets: &'a [Secret],
    /// The source's `verify_token`.
    pub verify_token: Option<&'a Secret>,
    /// Whether a secret that the sender hands over now would be taken.
    pub awaits_secret: bool,
}

/// What is done with a request that only asks or tells something about the subscription. It becomes no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Answer(Answer),
    /// It asks with a token that is not ours: 403.
    Refuse,
    /// The subscription is confirmed by calling this address, which is the sender's own; then answered.
    Call {
        url: String,
        answer: Answer,
    },
    /// The sender hands over the secret that it will sign with; to be kept, then answered.
    Keep {
        secret: Secret,
        answer: Answer,
    },
}

/// How much of the body a sender's proof covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    Whole,
    /// A checksum of it that can be forged: whoever holds one request can make another.
    Checksum,
    /// Some of its fields.
    Part,
    /// Nothing of it: the request only shows that its maker knows a secret.
    Nothing,
}

/// The request is the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Position of the secret that matched; `None` where nothing is verified, or not with a secret.
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
    /// It names a certificate or key that is not where the sender keeps its own, or one that cannot be used.
    KeyUnusable,
    /// Nothing in the body to be signed.
    BodyEmpty,
    /// The body does not have the hash that was signed, or no hash covers it.
    BodyHashMismatch,
    /// The sender signs the URL and no `public_url` is configured.
    UrlUnknown,
    /// The client's address is not on the source's allow-list.
    AddressNotAllowed,
    /// The same bytes came before under another id, and the sender does not sign the id.
    ReplaySuspected,
    /// It happened longer ago than the source takes.
    EventTooOld,
    /// It showed no client certificate, or one that is made out for somebody else.
    CertificateNotAllowed,
}

impl Rejection {
    pub const ALL: [Rejection; 17] = [
        Self::SignatureMissing,
        Self::SignatureRepeated,
        Self::SignatureMalformed,
        Self::SignatureMismatch,
        Self::TimestampMissing,
        Self::TimestampMalformed,
        Self::TimestampStale,
        Self::TimestampFuture,
        Self::IdMissing,
        Self::KeyUnusable,
        Self::BodyEmpty,
        Self::BodyHashMismatch,
        Self::UrlUnknown,
        Self::AddressNotAllowed,
        Self::ReplaySuspected,
        Self::EventTooOld,
        Self::CertificateNotAllowed,
    ];

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rejection| rejection.as_str() == name)
    }

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
            Self::KeyUnusable => "key_unusable",
            Self::BodyEmpty => "body_empty",
            Self::BodyHashMismatch => "body_hash_mismatch",
            Self::UrlUnknown => "url_unknown",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::ReplaySuspected => "replay_suspected",
            Self::EventTooOld => "event_too_old",
            Self::CertificateNotAllowed => "certificate_not_allowed",
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
    /// A well-formed header value.
    pub content_type: Option<Cow<'static, str>>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// 200 with an empty body: right for nearly every sender.
    pub fn empty() -> Self {
        Answer::of(StatusCode::OK, None, "")
    }

    pub fn of(status: StatusCode, content_type: Option<&'static str>, body: impl Into<Vec<u8>>) -> Self {
        Answer { status, content_type: content_type.map(Cow::Borrowed), headers: Vec::new(), body: body.into() }
    }

    /// 200 with this text.
    pub fn text(body: impl Into<Vec<u8>>) -> Self {
        Answer::of(StatusCode::OK, Some("text/plain"), body)
    }

    /// 200 with this JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        Answer::of(StatusCode::OK, Some("application/json"), value.to_string())
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

    /// What must be fetched from the sender before this request can be judged.
    fn needs(&self, _request: &Request<'_>, _keys: &Keys<'_>) -> Result<Option<Fetch>, Rejection> {
        Ok(None)
    }

    /// Whether the request is the sender's. Sees the raw bytes and nothing else; parses no body whose
    /// signature has not held.
    fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection>;

    /// Id, type and time, read without building the whole tree. Only called after `verify`.
    fn facts(&self, request: &Request<'_>) -> Facts;

    /// The events of a request that holds several, at least one and at most `max`; `None` for any other request.
    /// Only called after `verify`.
    fn items<'a>(&self, _request: &Request<'a>, _max: usize) -> Option<Vec<Item<'a>>> {
        None
    }

    /// Whether its requests may hold several events.
    fn has_batches(&self) -> bool {
        false
    }

    /// How long after the event the sender may come with it again; `None` if it does not say.
    fn redelivery_window(&self) -> Option<Duration> {
        None
    }

    /// What to do with a request that asks before anything is signed, of whatever method: challenges by GET,
    /// probes by HEAD, a secret handed over. Called before `verify`.
    fn greet(&self, _request: &Request<'_>, _own: &Own<'_>) -> Option<Reply> {
        None
    }

    /// The same for those that are signed (Slack's `url_verification`). Only called after `verify`.
    fn handshake(&self, _request: &Request<'_>, _own: &Own<'_>) -> Option<Reply> {
        None
    }

    /// The answer to an accepted event and to its duplicates.
    fn answer(&self) -> Answer {
        Answer::empty()
    }

    /// Where it takes a handler's answer that came too late for the request's own.
    fn late_answers(&self) -> Option<&'static LateAnswers> {
        None
    }

    /// Content types the sender uses, without parameters; empty means any. Others get 415.
    fn content_types(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the sender signs the URL, so that a source of it needs `public_url`.
    fn signs_url(&self) -> bool {
        false
    }

    /// The header that carries the signature or shows the secret, where there is one and it is known by data.
    fn signature_header(&self) -> Option<HeaderName> {
        None
    }

    /// Whether the sender signs a time, so that replays die with the tolerance. Where it does not, only the
    /// idempotency key stops them.
    fn signs_time(&self) -> bool {
        false
    }

    /// Whether the event's id is signed. Where it is not, whoever holds one request can send it again under
    /// another id.
    fn signs_id(&self) -> bool {
        false
    }

    /// Whether the event's type is signed.
    fn signs_type(&self) -> bool {
        false
    }

    /// How much of the body its proof covers.
    fn covers(&self) -> Cover {
        Cover::Whole
    }

    /// Where events say what they are ordered by, narrowest first; and what says which of two events of the same
    /// thing is newer, if not the time. In the notation of [`FactPlaces::parse`](crate::senders::FactPlaces::parse).
    fn order(&self) -> (&'static [&'static str], &'static [&'static str]) {
        (&[], &[])
    }

    /// How far a signed time may be off where the source sets no tolerance.
    fn tolerance_default(&self) -> Duration {
        Duration::from_secs(300)
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

    /// Signs a body as the sender would. `url` is the source's public URL. Where the sender signs with a private
    /// key, `secret` must be one (PKCS#8 in base64), which only tests have.
    fn sign(&self, sample: &Sample, url: Option<&str>, secret: &Secret, now: Time) -> Result<Signed, CannotSign>;
}
