//! From a verified request to the events it holds: one, or where its source says so one for each item of its list,
//! all of which share the request's bytes.
//!
//! Not here: verification, storing.

use std::sync::Arc;

use bytes::Bytes;

use hookhaven_core::{
    Event, EventId, Time,
    event::{BodyDigest, Part},
    sender::{Cover, Proof, Request},
    senders::{Item, bounded, facts_or_fallback},
    source::Source,
};
use hookhaven_store::{NewEvent, clock::Entropy};

use super::{accept::Taken, headers};
use crate::{config::Config, routing, seal::mark_body};

/// Most events that a request is taken apart into; a longer list stays one event.
const PARTS_MAX: usize = 1_000;

/// The events of a request, with the deliveries they make. At least one.
pub(super) fn events(
    taken: &Taken<'_>,
    request: &Request<'_>,
    proof: Proof,
    config: &Config,
    entropy: &dyn Entropy,
    correlation_id: &Arc<str>,
) -> Vec<NewEvent> {
    let source = taken.source;
    let mut kept = headers::kept(&taken.head.headers);
    if shows_secret(source, taken.body) {
        kept.push(mark_body());
    }
    // So that attempts join the request's trace, whenever they are made.
    kept.extend(taken.span.into_iter().flat_map(|span| span.context().lines()));
    let event = |(key, event_type, occurred_at): (String, String, Option<Time>), body: Bytes, part: Option<Part>| {
        // Parts alike in two requests are no sign of a replay: their ids, or their numbers, tell them apart.
        let watched = part.is_none() && !source.sender.signs_id();
        let event = Event {
            id: EventId::mint(taken.arrived, entropy.id_bytes()),
            source: source.name.clone(),
            event_type: event_type.into(),
            idempotency_key: key.into(),
            received_at: taken.arrived,
            occurred_at,
            correlation_id: correlation_id.clone(),
            matched_secret: proof.secret,
            remote: taken.client.to_string().into(),
            headers: kept.clone(),
            digest: Some(BodyDigest::of(&body, watched)),
            body,
            part,
        };
        let deliveries = routing::deliveries(config, &event, event.received_at, entropy);
        let key_until = taken.arrived.plus(source.dedupe_window);
        NewEvent { event, key_until, deliveries, revives: true, refuses_replay: source.refuses_replay }
    };
    let whole = taken.body;
    match items(source, request) {
        None => vec![event(facts_or_fallback(&*source.sender, request), whole.clone(), None)],
        Some(items) => {
            let of = items.len() as u32;
            let part = |(number, item): (u32, Item<'_>)| {
                let place = Part { number, of, whole: Some(whole.clone()) };
                event(bounded(item.facts, item.bytes), whole.slice_ref(item.bytes), Some(place))
            };
            (1..).zip(items).map(part).collect()
        }
    }
}

/// The idempotency keys of the events that a request becomes.
pub fn keys_of(source: &Source, request: &Request<'_>) -> Vec<String> {
    match items(source, request) {
        None => vec![facts_or_fallback(&*source.sender, request).0],
        Some(items) => items.into_iter().map(|item| bounded(item.facts, item.bytes).0).collect(),
    }
}

/// `None`: it is one event.
fn items<'a>(source: &Source, request: &Request<'a>) -> Option<Vec<Item<'a>>> {
    if source.splits { source.sender.items(request, PARTS_MAX) } else { None }
}

/// Whether its sender signs nothing and shows its secret in the body, so that the body must not be stored as it is.
fn shows_secret(source: &Source, body: &[u8]) -> bool {
    let holds = |secret: &[u8]| body.windows(secret.len()).any(|window| window == secret);
    source.sender.covers() == Cover::Nothing && source.secrets.iter().any(|secret| holds(secret.expose()))
}
