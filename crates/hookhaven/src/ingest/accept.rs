//! From a whole body to a stored event: handshake, signature, facts, routes, one commit.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    EventId, Secret, Time,
    sender::{Keys, Own, Proof, Rejection, Reply, Request},
    source::Source,
};
use hookhaven_store::{Accepted, NewEvent, StoreError};
use http::request;
use tokio::time::timeout;

use super::{
    IngestParts,
    answer::{Novelty, Outcome, Refusal, Stored},
    ask, handover,
    keys::{NotFetched, SenderKeys},
    release, split, trace,
};
use crate::{config::Config, telemetry::Open};

/// How long an accept may take before the sender is told to come again. It may yet be stored; then the
/// next try is its duplicate.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(15);

/// A request that is all here.
pub(super) struct Taken<'a> {
    pub source: &'a Source,
    pub head: &'a request::Parts,
    pub body: &'a Bytes,
    pub client: IpAddr,
    pub arrived: Time,
    /// The request's, where traces are made.
    pub span: Option<&'a Open>,
}

pub(super) async fn accept(
    parts: &IngestParts,
    config: &Config,
    taken: Taken<'_>,
    correlation_id: &Arc<str>,
) -> Outcome {
    let sender = &*taken.source.sender;
    let url = taken.source.signed_url(taken.head.uri.query());
    let request = Request {
        method: &taken.head.method,
        url: url.as_deref(),
        query: taken.head.uri.query(),
        headers: &taken.head.headers,
        body: taken.body,
    };
    let own = own(taken.source);
    if let Some(reply) = sender.greet(&request, &own) {
        return reply_to(parts, taken.source, reply).await;
    }
    let proof = match judge(&parts.sender_keys, &taken, &request).await {
        Ok(proof) => proof,
        Err(refusal) => {
            keep(parts, config, &taken, &refusal);
            return Outcome::Refused(refusal);
        }
    };
    note_secret(parts, &taken, proof);
    if let Some(reply) = sender.handshake(&request, &own) {
        return reply_to(parts, taken.source, reply).await;
    }
    let mut events = split::events(&taken, &request, proof, config, &*parts.entropy, correlation_id);
    if let Some(refusal) = too_old(taken.source, &events) {
        return Outcome::Refused(refusal);
    }
    let asking = ask::prepare(parts, config, &mut events);
    let began_at = parts.clock.now();
    let stored = store(parts, events).await;
    if let Some(span) = taken.span {
        trace::stored(span, began_at, parts.clock.now(), stored.as_ref().err());
    }
    let stored = match stored {
        Ok(stored) => stored,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let (answer, heard) = ask::hear(asking, &stored, &*parts.clock).await;
    let default = || taken.source.answer.clone().unwrap_or_else(|| sender.answer());
    Outcome::Stored { stored, answer: answer.unwrap_or_else(default), heard }
}

/// The answer to a request without a body, if the sender asks that way.
pub(super) async fn greet(parts: &IngestParts, source: &Source, head: &request::Parts) -> Outcome {
    let query = head.uri.query();
    let request = Request { method: &head.method, url: None, query, headers: &head.headers, body: &[] };
    match source.sender.greet(&request, &own(source)) {
        Some(reply) => reply_to(parts, source, reply).await,
        None => Outcome::Refused(Refusal::Method),
    }
}

/// What was refused for want of a proof goes into quarantine, so that it can be released once that is mended.
fn keep(parts: &IngestParts, config: &Config, taken: &Taken<'_>, refusal: &Refusal) {
    let Refusal::Rejected(reason) = *refusal else { return };
    if let Some((keeper, terms)) = parts.keeper.as_ref().zip(config.quarantine.terms(&taken.source.name)) {
        let rejected = || release::rejected(taken, reason, parts.entropy.id_bytes());
        keeper.offer(&taken.source.name, terms, taken.arrived, rejected);
    }
}

/// Which of its secrets a source is signed with.
fn note_secret(parts: &IngestParts, taken: &Taken<'_>, proof: Proof) {
    let Some((position, secret)) = proof.secret.and_then(|n| Some((n, taken.source.secrets.get(usize::from(n))?)))
    else {
        return;
    };
    parts.metrics.secret_matched(&taken.source.name, usize::from(position) + 1);
    if let Some(secrets) = &parts.secrets {
        secrets.matched(&taken.source.name, secret, taken.arrived);
    }
}

/// A secret is awaited until there is one.
pub(super) fn own(source: &Source) -> Own<'_> {
    let awaits_secret = source.handover.is_some() && source.secrets.is_empty();
    Own { secrets: &source.secrets, verify_token: source.verify_token.as_ref(), awaits_secret }
}

/// Whether the request is the sender's, by what the source has and what the sender publishes.
async fn judge(sender_keys: &SenderKeys, taken: &Taken<'_>, request: &Request<'_>) -> Result<Proof, Refusal> {
    let Taken { source, arrived, .. } = taken;
    // The time of arrival, not of now: a slow body must not make a fresh signature stale.
    let keys = Keys { secrets: &source.secrets, tolerance: source.tolerance, now: *arrived, fetched: None };
    let fetched = match source.sender.needs(request, &keys).map_err(Refusal::Rejected)? {
        Some(fetch) => Some(sender_keys.get(&fetch).await.map_err(|why| match why {
            NotFetched::NoSuch => Refusal::Rejected(Rejection::KeyUnusable),
            NotFetched::Failed(why) => Refusal::KeyNotFetched(why),
        })?),
        None => None,
    };
    let keys = Keys { fetched: fetched.as_deref(), ..keys };
    source.sender.verify(request, &keys).map_err(Refusal::Rejected)
}

/// Does what a handshake asks for.
async fn reply_to(parts: &IngestParts, source: &Source, reply: Reply) -> Outcome {
    match reply {
        Reply::Answer(answer) => Outcome::Handshake(answer),
        Reply::Refuse => Outcome::Refused(Refusal::Handshake),
        Reply::Call { url, answer } => match parts.sender_keys.call(&url).await {
            Ok(()) => {
                tracing::info!(source = &*source.name, "the subscription was confirmed");
                Outcome::Handshake(answer)
            }
            Err(why) => Outcome::Refused(Refusal::NotConfirmed(why)),
        },
        Reply::Keep { secret, answer } => match keep_secret(parts, source, secret).await {
            Ok(true) => {
                tracing::info!(source = &*source.name, "the sender has handed over the secret; it is kept");
                Outcome::Handshake(answer)
            }
            Ok(false) => Outcome::Refused(Refusal::Handshake),
            Err(why) => Outcome::Refused(Refusal::NotConfirmed(why)),
        },
    }
}

async fn keep_secret(parts: &IngestParts, source: &Source, secret: Secret) -> Result<bool, String> {
    let Some(path) = source.handover.clone() else { return Ok(false) };
    let random = parts.entropy.id_bytes();
    let kept = tokio::task::spawn_blocking(move || handover::keep(&path, &secret, &random)).await;
    match kept {
        Ok(kept) => kept.map_err(|error| format!("the secret could not be kept: {error}")),
        Err(_) => Err("the secret could not be kept".to_owned()),
    }
}

/// Where the source sets a limit: one that happened too long ago, by its own account, is taken for a replay.
fn too_old(source: &Source, events: &[NewEvent]) -> Option<Refusal> {
    let age_max = source.age_max?;
    let old = |new: &NewEvent| new.event.occurred_at.is_some_and(|at| new.event.received_at.since(at) > age_max);
    events.iter().any(old).then_some(Refusal::Rejected(Rejection::EventTooOld))
}

/// All of them in one commit.
pub(super) async fn store(parts: &IngestParts, events: Vec<NewEvent>) -> Result<Vec<Stored>, Refusal> {
    let sketch =
        |new: &NewEvent| (new.event.id, new.event.event_type.clone(), new.event.occurred_at, new.deliveries.is_empty());
    let sketches: Vec<_> = events.iter().map(sketch).collect();
    let accepted = async {
        match events.len() {
            1 => parts.store.accept(events).await,
            _ => parts.store.accept_together(events).await,
        }
    };
    let accepted = timeout(ACCEPT_TIMEOUT, accepted).await;
    let accepted = accepted.map_err(|_| StoreError::Unavailable("it did not answer in time".to_owned()));
    let accepted = accepted.and_then(|accepted| accepted).map_err(Refusal::NotStored)?;
    if accepted.len() != sketches.len() {
        return Err(Refusal::NotStored(StoreError::Failed("it did not answer for each event".to_owned())));
    }
    let stored = |((id, event_type, occurred_at, unrouted), accepted): ((EventId, Arc<str>, _, _), Accepted)| {
        let (event, novelty) = match accepted {
            Accepted::New { twin: None } => (id, Novelty::New),
            Accepted::New { twin: Some(twin) } => (id, Novelty::SuspectedReplay(twin)),
            Accepted::Duplicate { event, other_bytes: false, .. } => (event, Novelty::Duplicate),
            Accepted::Duplicate { event, other_bytes: true, .. } => (event, Novelty::OtherBytes),
            Accepted::Refused { .. } => return Err(Refusal::Rejected(Rejection::ReplaySuspected)),
        };
        Ok(Stored { event, event_type, occurred_at, novelty, unrouted })
    };
    sketches.into_iter().zip(accepted).map(stored).collect()
}
