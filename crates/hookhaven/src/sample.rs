//! Sample events: made and signed as their sender would, and brought to a gateway's own ingest address, which is not
//! told that they are ours. What comes of one is what would come of the sender's.
//!
//! This is no way out: a [`Door`] leads to an address of a gateway's own, and by TLS to nobody but who has its very
//! certificate. For `hookhaven trigger` and the API alike. Not here: schemes and bodies (`hookhaven_core::senders`).

use std::{fmt, net::SocketAddr, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Secret, Time,
    sender::{CannotSign, Own, Request as Posted, Sample, Signed},
    source::Source,
};
use hookhaven_store::clock::Entropy;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, Error, ResponseFuture, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::pki_types::CertificateDer;

use crate::{
    ingest::{self, PATH_PREFIX},
    server::local_url,
    tls::{ListenerTls, pinned},
};

/// For the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of an answer; a sender's is empty or a few words, a handler's has a limit of its own.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// An id as senders make them.
pub fn fresh_id(entropy: &dyn Entropy) -> String {
    let mut random = [0u8; 12];
    entropy.fill(&mut random);
    format!("evt_{}", hex::encode(random))
}

/// A sample event of a source, signed with its current secret; with a body of the caller's own, if there is one.
///
/// # Errors
/// The sender has no such sample, or only the sender itself can sign.
pub fn signed(
    source: &Source,
    event_type: &str,
    id: &str,
    body: Option<Vec<u8>>,
    now: Time,
) -> Result<Signed, CannotSign> {
    let mut sample: Sample = source.sender.sample(event_type, id, now)?;
    if let Some(body) = body {
        sample.body = body;
    }
    sign(source, &sample, now)
}

/// A sample, signed as the source's sender would sign it now.
///
/// # Errors
/// Only the sender itself can sign, or the source has no secret yet.
pub fn sign(source: &Source, sample: &Sample, now: Time) -> Result<Signed, CannotSign> {
    // A sender that verifies nothing has no secret, and signs with none.
    let nothing = Secret::new("unverified");
    let secret = source.secrets.first().or(nothing.as_ref());
    let secret = secret.ok_or_else(|| CannotSign("the source has no secret".to_owned()))?;
    source.sender.sign(sample, source.public_url.as_deref(), secret, now)
}

/// The idempotency keys of the events that the gateway will make of it: one, or where the source takes a list apart
/// one for each item.
pub fn keys_of(source: &Source, signed: &Signed) -> Vec<String> {
    posted(source, signed, |request| ingest::keys_of(source, request))
}

/// Whether it becomes an event: what only asks something about the subscription does not.
pub fn becomes_event(source: &Source, signed: &Signed) -> bool {
    let own = Own {
        secrets: &source.secrets,
        verify_token: source.verify_token.as_ref(),
        awaits_secret: source.handover.is_some() && source.secrets.is_empty(),
    };
    let asks = |request: &Posted<'_>| {
        source.sender.greet(request, &own).or_else(|| source.sender.handshake(request, &own)).is_some()
    };
    !posted(source, signed, asks)
}

/// As the gateway will see it.
fn posted<T>(source: &Source, signed: &Signed, look: impl FnOnce(&Posted<'_>) -> T) -> T {
    let header = |(name, value): &(String, String)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    };
    let headers: HeaderMap = signed.headers.iter().filter_map(header).collect();
    let query = signed.query.strip_prefix('?');
    let url = source.signed_url(query);
    look(&Posted { method: &Method::POST, url: url.as_deref(), query, headers: &headers, body: &signed.body })
}

/// An HTTP answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody listens there.
    #[error("nobody listens at {0}")]
    Nobody(String),
    #[error("{0}")]
    Failed(String),
}

/// A gateway's ingest address, as it is called from the same machine.
#[derive(Clone, Debug)]
pub struct Door {
    base: String,
    certificate: Option<CertificateDer<'static>>,
}

impl Door {
    pub fn of(ingest: SocketAddr, tls: Option<&ListenerTls>) -> Self {
        Door { base: local_url(ingest, tls.is_some()), certificate: tls.map(ListenerTls::certificate) }
    }

    /// Where a source's sender posts.
    pub fn url(&self, source: &str) -> String {
        format!("{}{PATH_PREFIX}{source}", self.base)
    }

    /// Posts a request, once, on a connection of its own.
    ///
    /// # Errors
    /// No whole answer came in time.
    pub async fn post(&self, source: &str, signed: Signed, timeout: Duration) -> Result<Answer, NoAnswer> {
        self.open()?.post(source, signed, timeout).await
    }

    /// For many requests, which share connections.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn open(&self) -> Result<OpenDoor, NoAnswer> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let pool = Client::builder(TokioExecutor::new());
        let Some(certificate) = self.certificate.clone() else {
            return Ok(OpenDoor { door: self.clone(), via: Via::Http(pool.build(connector)) });
        };
        connector.enforce_http(false);
        let failed = |error| NoAnswer::Failed(format!("TLS cannot be set up: {error}"));
        let tls = pinned::with_only(certificate).map_err(failed)?;
        let tls = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
        Ok(OpenDoor { door: self.clone(), via: Via::Https(pool.build(tls.wrap_connector(connector))) })
    }
}

/// A [`Door`] that is gone through many times.
pub struct OpenDoor {
    door: Door,
    via: Via,
}

enum Via {
    Http(Client<HttpConnector, Full<Bytes>>),
    Https(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl fmt::Debug for OpenDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenDoor").field("door", &self.door).finish_non_exhaustive()
    }
}

impl OpenDoor {
    /// Posts a request, once.
    ///
    /// # Errors
    /// No whole answer came in time.
    pub async fn post(&self, source: &str, signed: Signed, timeout: Duration) -> Result<Answer, NoAnswer> {
        let url = format!("{}{}", self.door.url(source), signed.query);
        let mut request = Request::builder().method(Method::POST).uri(&url);
        for (name, value) in &signed.headers {
            request = request.header(name, value);
        }
        let failed = |what: String| NoAnswer::Failed(format!("sending to {}: {what}", self.door.url(source)));
        let request = request.body(Full::new(Bytes::from(signed.body))).map_err(|error| failed(error.to_string()))?;
        let answering = self.send(request);
        let exchange = async {
            let (head, body) = answering.await.map_err(|error| self.no_answer(source, &error))?.into_parts();
            let body =
                Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| failed(error.to_string()))?;
            Ok(Answer { status: head.status, body: body.to_bytes() })
        };
        let late = |_| failed(format!("no answer within {} s", timeout.as_secs()));
        tokio::time::timeout(timeout, exchange).await.map_err(late)?
    }

    fn send(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        match &self.via {
            Via::Http(pool) => pool.request(request),
            Via::Https(pool) => pool.request(request),
        }
    }

    fn no_answer(&self, source: &str, error: &Error) -> NoAnswer {
        let mut causes = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |e| e.source());
        let refused = |e: &std::io::Error| e.kind() == std::io::ErrorKind::ConnectionRefused;
        let url = self.door.url(source);
        if causes.any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(refused)) {
            return NoAnswer::Nobody(url);
        }
        let innermost = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |e| e.source()).last();
        NoAnswer::Failed(format!("sending to {url}: {}", innermost.map(ToString::to_string).unwrap_or_default()))
    }
}
