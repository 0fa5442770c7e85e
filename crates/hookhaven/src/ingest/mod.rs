//! Ingest: a sender's request becomes a stored event, or an answer that says no and not why.
//!
//! Order of work, cheapest and least trusting first: the source is known (404) → the client's address and
//! certificate are allowed (401; 503 before the sender's list is there) → its rate (429) → another method than POST is a handshake or refused (405) → the store can accept (503, before the body, I9) → declared length
//! (413) → content type (415) → body, bounded in bytes and time (413, 408, 503) → handshakes that nobody signs →
//! signature over the raw bytes (401), if need be by a key that the sender publishes (503 where that cannot be
//! had) → handshakes that are signed, else id and type → routes → **one commit** → the sender's answer, or the handler's
//! where a route asks for it (`ask`). A duplicate gets the sender's usual answer. Nothing reads the store before the signature holds, and no body, be
//! it what it may, leads to a 5xx.
//!
//! No 2xx leaves before `Store::accept` has answered (I1). A peer that goes away in the middle loses
//! nothing but its answer.
//!
//! Not here: connections and their limits (`server`), schemes (`hookhaven_core::senders`), delivery.

mod accept;
mod answer;
mod ask;
mod client;
mod handover;
mod headers;
pub mod keys;
pub mod networks;
mod rates;
pub mod release;
mod split;
mod trace;

use std::{net::IpAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use hookhaven_core::{Time, sender::Rejection, source::Source};
use hookhaven_store::{
    Leave, Store,
    clock::{Clock, Entropy},
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Body, Incoming};

pub use self::split::keys_of;
use self::{
    answer::{Line, Novelty, Outcome, Refusal, Stored},
    client::client_address,
    keys::SenderKeys,
    networks::{Admission, Networks},
    rates::Rates,
};
use crate::{
    asking::Asker,
    body::{self, Budget},
    config::Config,
    correlation,
    metrics::Metrics,
    quarantine::Keeper,
    secrets::SecretUse,
    server::{ClientCertificate, Handler, Peer},
    telemetry::{Open, Tracer},
};

/// Where senders post: this and the source's name.
pub const PATH_PREFIX: &str = "/webhooks/";

/// What ingest is made of.
#[derive(Clone, Debug)]
pub struct IngestParts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Read once per request, so that a request sees one configuration.
    pub config: Arc<ArcSwap<Config>>,
    pub metrics: Arc<Metrics>,
    /// Of all bodies held, other doors' included.
    pub budget: Arc<Budget>,
    pub sender_keys: Arc<SenderKeys>,
    /// Where handlers can be asked for their answer at once; without it none is.
    pub asker: Option<Arc<dyn Asker>>,
    /// Keeps what is refused; `None`: nobody does.
    pub keeper: Option<Arc<Keeper>>,
    /// Watches which secrets are in use; `None`: nobody does.
    pub secrets: Option<Arc<SecretUse>>,
    pub networks: Arc<Networks>,
    pub tracer: Tracer,
}

/// Takes requests in. Shared by all connections.
#[derive(Debug)]
pub struct Ingest {
    parts: IngestParts,
    rates: Rates,
}

impl Ingest {
    pub fn new(parts: IngestParts) -> Arc<Self> {
        Arc::new(Ingest { parts, rates: Rates::default() })
    }

    /// What the ingest address serves: webhooks, `/healthz`, and for any other path `beside` (the
    /// publish API), or 404.
    pub fn service<H: Handler>(self: &Arc<Self>, beside: Option<H>) -> IngestService<H> {
        IngestService { ingest: self.clone(), beside }
    }

    /// Takes one request to a source in and answers it.
    pub async fn receive<B>(&self, source_name: &str, request: Request<B>, peer: Peer) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let arrived = self.parts.clock.now();
        let config = self.parts.config.load_full();
        let source = config.sources.get(source_name);
        // Names that are not configured are chosen by whoever asks; nothing is recorded of them.
        let span = source.and_then(|_| trace::begin(&self.parts.tracer, request.headers(), arrived));
        let (outcome, correlation_id) = match source {
            Some(source) => self.receive_for(&config, source, request, peer, arrived, span.as_ref()).await,
            None => (Outcome::Refused(Refusal::UnknownSource), None),
        };
        let now = self.parts.clock.now();
        let took = now.since(arrived);
        if let Some(source) = source {
            self.count(source, &outcome, took);
        }
        let trace_id = span.as_ref().map(|span| span.context().trace_id());
        Line { source_name, source: source.map(|s| &**s), correlation_id, trace_id, took }.log(&outcome);
        if let Some((source, span)) = source.zip(span) {
            trace::end(span, source, &outcome, now);
        }
        outcome.into_response()
    }

    async fn receive_for<B>(
        &self,
        config: &Config,
        source: &Source,
        request: Request<B>,
        peer: Peer,
        arrived: Time,
        span: Option<&Open>,
    ) -> (Outcome, Option<Arc<str>>)
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let client = client_address(peer.0, request.headers(), &config.server.trusted_proxies);
        if let Err(refusal) = self.may_ask(source, client, &request, arrived) {
            return (Outcome::Refused(refusal), None);
        }
        if request.method() != Method::POST {
            let (head, _) = request.into_parts();
            return (accept::greet(&self.parts, source, &head).await, None);
        }
        let leave = config.leave(source);
        if let Err(refusal) = self.admit(source, leave, &request) {
            return (Outcome::Refused(refusal), None);
        }
        let (head, body) = request.into_parts();
        let entropy = &*self.parts.entropy;
        let correlation_id = correlation::of(&head.headers, entropy);
        let outcome = match body::read(body, source.body_bytes_max, leave, &config.limits, &self.parts.budget).await {
            Ok(body) => {
                let client = client.unwrap_or_else(|| peer.0.ip().to_canonical());
                let taken = accept::Taken { source, head: &head, body: &body.bytes, client, arrived, span };
                accept::accept(&self.parts, config, taken, &correlation_id).await
            }
            Err(error) => Outcome::Refused(error.into()),
        };
        (outcome, Some(correlation_id))
    }

    /// Whether the client may ask anything at all just now.
    fn may_ask<B>(
        &self,
        source: &Source,
        client: Option<IpAddr>,
        request: &Request<B>,
        arrived: Time,
    ) -> Result<(), Refusal> {
        match self.parts.networks.judge(source, client) {
            Admission::Granted => {}
            Admission::Denied => return Err(Refusal::Rejected(Rejection::AddressNotAllowed)),
            Admission::Undecided => return Err(Refusal::NetworksUnknown),
        }
        if !source.client_names.is_empty() {
            let certificate = request.extensions().get::<ClientCertificate>();
            if !certificate.is_some_and(|certificate| certificate.is_for(&source.client_names)) {
                return Err(Refusal::Rejected(Rejection::CertificateNotAllowed));
            }
        }
        self.rates.take(source, arrived).map_err(Refusal::RateExceeded)
    }

    /// What else can be said before the body is read.
    fn admit<B: Body>(&self, source: &Source, leave: Leave, request: &Request<B>) -> Result<(), Refusal> {
        self.parts.store.ready(leave).map_err(Refusal::NotReady)?;
        if request.body().size_hint().lower() > source.body_bytes_max as u64 {
            return Err(Refusal::BodyTooLarge);
        }
        headers::check_content_type(request.headers(), source.sender.content_types())
    }

    /// Of configured sources only: other names are chosen by whoever asks, and are no labels.
    fn count(&self, source: &Source, outcome: &Outcome, took: Duration) {
        let metrics = &self.parts.metrics;
        match outcome {
            Outcome::Stored { stored, heard, .. } => {
                stored.iter().for_each(|stored| self.count_stored(source, stored, took));
                if let Some(heard) = heard {
                    metrics.asked(&source.name, heard.as_str());
                }
            }
            Outcome::Handshake(_) => {}
            Outcome::Refused(Refusal::Rejected(rejection)) => {
                metrics.signature_invalid(&source.name, rejection.as_str());
            }
            Outcome::Refused(refusal) => metrics.refused(&source.name, refusal.as_str()),
        }
    }
}

impl Ingest {
    fn count_stored(&self, source: &Source, stored: &Stored, took: Duration) {
        let metrics = &self.parts.metrics;
        metrics.received(&source.name, &stored.event_type, took);
        match stored.novelty {
            Novelty::New | Novelty::SuspectedReplay(_) if stored.unrouted => {
                metrics.unrouted(&source.name, &stored.event_type);
            }
            Novelty::New | Novelty::SuspectedReplay(_) => {}
            Novelty::Duplicate | Novelty::OtherBytes => metrics.duplicate(&source.name),
        }
        if let Some(suspicion) = stored.novelty.suspicion() {
            metrics.suspicious(&source.name, suspicion);
        }
        let window = source.sender.redelivery_window();
        if stored.occurred_at.zip(window).is_some_and(|(at, window)| self.parts.clock.now().since(at) > window) {
            metrics.suspicious(&source.name, OLD);
        }
    }
}

/// Of events that happened longer ago than their sender comes again.
const OLD: &str = "old";

/// The ingest address's handler. A plain match on the path: a router would cost more than the rest of
/// what is done before the body.
#[derive(Clone, Debug)]
pub struct IngestService<H> {
    ingest: Arc<Ingest>,
    beside: Option<H>,
}

impl<H: Handler> Handler for IngestService<H> {
    type Body = Either<Full<Bytes>, H::Body>;

    async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Self::Body> {
        // A clone of the URI shares its bytes.
        let uri = request.uri().clone();
        if let Some(name) = uri.path().strip_prefix(PATH_PREFIX) {
            return self.ingest.receive(name, request, peer).await.map(Either::Left);
        }
        if uri.path() == "/healthz" {
            return answer::health(request.method()).map(Either::Left);
        }
        match &self.beside {
            Some(beside) => beside.handle(request, peer).await.map(Either::Right),
            None => answer::empty(StatusCode::NOT_FOUND).map(Either::Left),
        }
    }
}
