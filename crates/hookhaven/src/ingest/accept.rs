//! From a whole body to a stored event: signature, handshake, facts, routes, one commit.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{
    Event, EventId, Time,
    sender::{Keys, Proof, Request, Sender},
    senders::facts_or_fallback,
    source::Source,
};
use hookhaven_store::{Accepted, NewEvent, StoreError};
use http::request;
use tokio::time::timeout;

use super::{
    IngestParts,
    answer::{Outcome, Refusal},
    headers,
};
use crate::{body::Whole, config::Config, routing, server::Peer};

/// How long an accept may take before the sender is told to come again. It may yet be stored; then the
/// next try is its duplicate.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(15);

/// A request that is all here.
pub(super) struct Taken<'a> {
    pub source: &'a Source,
    pub head: &'a request::Parts,
    pub body: &'a Whole,
    pub peer: Peer,
    pub arrived: Time,
}

pub(super) async fn accept(
    parts: &IngestParts,
    config: &Config,
    taken: Taken<'_>,
    correlation_id: &Arc<str>,
) -> Outcome {
    let sender = &*taken.source.sender;
    let url = signed_url(taken.source, sender, taken.head.uri.query());
    let request = Request {
        method: &taken.head.method,
        url: url.as_deref(),
        query: taken.head.uri.query(),
        headers: &taken.head.headers,
        body: &taken.body.bytes,
    };
    // The time of arrival, not of now: a slow body must not make a fresh signature stale.
    let keys = Keys { secrets: &taken.source.secrets, tolerance: taken.source.tolerance, now: taken.arrived };
    let proof = match sender.verify(&request, &keys) {
        Ok(proof) => proof,
        Err(rejection) => return Outcome::Refused(Refusal::Rejected(rejection)),
    };
    if let Some(answer) = sender.handshake(&request) {
        return Outcome::Handshake(answer);
    }
    let event = event(&taken, &request, proof, parts, correlation_id);
    let (id, event_type) = (event.id, event.event_type.clone());
    let deliveries = routing::deliveries(config, &event, event.received_at, &*parts.entropy);
    let unrouted = deliveries.is_empty();
    let key_until = taken.arrived.plus(taken.source.dedupe_window);
    let accepted = match store(parts, NewEvent { event, key_until, deliveries, revives: true }).await {
        Ok(accepted) => accepted,
        Err(error) => return Outcome::Refused(Refusal::NotStored(error)),
    };
    let (event, duplicate) = match accepted {
        Accepted::New => (id, false),
        Accepted::Duplicate { event, .. } => (event, true),
    };
    Outcome::Stored { event, event_type, duplicate, unrouted, answer: sender.answer() }
}

/// The configured address and the request's query: never the request's own idea of its host, or a
/// signature made for another site of the same account would hold here.
fn signed_url(source: &Source, sender: &dyn Sender, query: Option<&str>) -> Option<String> {
    let public = source.public_url.as_deref().filter(|_| sender.signs_url())?;
    Some(match query {
        Some(query) => format!("{public}?{query}"),
        None => public.to_owned(),
    })
}

fn event(
    taken: &Taken<'_>,
    request: &Request<'_>,
    proof: Proof,
    parts: &IngestParts,
    correlation_id: &Arc<str>,
) -> Event {
    let (key, event_type, occurred_at) = facts_or_fallback(&*taken.source.sender, request);
    Event {
        id: EventId::mint(taken.arrived, parts.entropy.id_bytes()),
        source: taken.source.name.clone(),
        event_type: event_type.into(),
        idempotency_key: key.into(),
        received_at: taken.arrived,
        occurred_at,
        correlation_id: correlation_id.clone(),
        matched_secret: proof.secret,
        remote: taken.peer.0.ip().to_canonical().to_string().into(),
        headers: headers::kept(&taken.head.headers),
        body: taken.body.bytes.clone(),
    }
}

async fn store(parts: &IngestParts, event: NewEvent) -> Result<Accepted, StoreError> {
    let accepted = timeout(ACCEPT_TIMEOUT, parts.store.accept(vec![event])).await;
    let accepted = accepted.map_err(|_| StoreError::Unavailable("it did not answer in time".to_owned()))??;
    accepted.into_iter().next().ok_or_else(|| StoreError::Failed("it gave no answer for the event".to_owned()))
}
