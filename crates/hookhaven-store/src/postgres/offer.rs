//! What is offered to be accepted, and what became of it: one event, or those of one request.
//!
//! Not here: how that is found out (`accept`, `judge`).

use std::collections::{HashMap, HashSet};

use hookhaven_core::EventId;
use tokio::sync::oneshot;

use super::{judge, queue::Job};
use crate::{
    history::{KeyDigest, KeyHeld},
    seam::{Accepted, NewDelivery, NewEvent, StoreError},
};

/// The events of one request, or one alone, and who waits for what became of them. All of them in one commit.
#[derive(Debug)]
pub(super) struct Offer {
    /// No key twice.
    pub events: Vec<NewEvent>,
    /// Of their ids.
    pub keys: Vec<KeyDigest>,
    /// For each event as it came: which of those it is.
    places: Vec<usize>,
    /// It is the next of the same call, which puts something into a queue or a line: in their order.
    with_last: bool,
    answer: oneshot::Sender<Result<Vec<Accepted>, StoreError>>,
}

pub(super) type Answer = oneshot::Receiver<Result<Vec<Accepted>, StoreError>>;

/// What became of an event that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    New {
        twin: Option<EventId>,
    },
    Refused {
        twin: EventId,
    },
    Known {
        event: EventId,
        other_bytes: bool,
    },
    /// Its key was taken.
    Lost,
}

impl Job for Offer {
    fn bytes(&self) -> usize {
        self.events.iter().map(|new| new.event.body.len()).sum()
    }

    fn with_last(&self) -> bool {
        self.with_last
    }
}

impl Offer {
    /// The offers of one call, each for itself.
    pub fn all(events: Vec<NewEvent>) -> (Vec<Self>, Vec<Answer>) {
        let ordered = |delivery: &NewDelivery| delivery.lane.is_queue() || delivery.order.is_some();
        let in_order = events.iter().flat_map(|new| &new.deliveries).any(ordered);
        let offer = |(n, new)| Self::new(vec![new], in_order && n > 0);
        events.into_iter().enumerate().map(offer).unzip()
    }

    /// Of events that share a key the first is offered.
    pub fn together(events: Vec<NewEvent>) -> (Self, Answer) {
        Self::new(events, false)
    }

    fn new(events: Vec<NewEvent>, with_last: bool) -> (Self, Answer) {
        let (answer, answered) = oneshot::channel();
        let mut offer = Offer { events: Vec::new(), keys: Vec::new(), places: Vec::new(), with_last, answer };
        let mut known = HashMap::new();
        for new in events {
            let key = KeyDigest::of(&new.event.source, &new.event.idempotency_key);
            let place = *known.entry(key).or_insert(offer.events.len());
            offer.places.push(place);
            if place == offer.events.len() {
                offer.events.push(new);
                offer.keys.push(key);
            }
        }
        (offer, answered)
    }

    pub fn deliveries(&self) -> u64 {
        self.events.iter().map(|new| new.deliveries.len() as u64).sum()
    }

    /// Whether it takes more than one statement.
    pub fn must_be_judged(&self) -> bool {
        let judged = |new: &NewEvent| {
            let watched = new.event.digest.is_some_and(|digest| digest.watched);
            watched || new.event.part.is_some() || new.deliveries.iter().any(|delivery| delivery.order.is_some())
        };
        self.events.len() != 1 || self.events.iter().any(judged)
    }

    /// Whoever waited may have gone.
    pub fn tell(self, what: Result<Vec<Accepted>, StoreError>) {
        let in_places = |answers: Vec<Accepted>| {
            let mut told = HashSet::new();
            let again = |place: usize| match answers.get(place)? {
                Accepted::Duplicate { event, .. } => Some(*event),
                _ => self.events.get(place).map(|new| new.event.id),
            };
            let answer = |place: &usize| match told.insert(*place) {
                true => answers.get(*place).cloned(),
                false => again(*place).map(|event| Accepted::Duplicate { event, revived: vec![], other_bytes: false }),
            };
            self.places.iter().filter_map(answer).collect()
        };
        let _ = self.answer.send(what.map(in_places));
    }
}

/// The key of an event's bytes, if they are watched.
pub(super) fn of_bytes(new: &NewEvent) -> Option<KeyDigest> {
    let digest = new.event.digest.filter(|digest| digest.watched)?;
    Some(KeyDigest::of_bytes(&new.event.source, &digest.bytes))
}

/// Those that have no key in common, and the others, which have to wait for the next batch.
pub(super) fn apart(offers: Vec<Offer>) -> (Vec<Offer>, Vec<Offer>) {
    let mut seen = HashSet::new();
    offers.into_iter().partition(|offer| {
        let keys: Vec<_> = offer.keys.iter().copied().chain(offer.events.iter().filter_map(of_bytes)).collect();
        let free = keys.iter().all(|key| !seen.contains(key));
        // Who has to wait keeps its place before those that come after it.
        seen.extend(keys);
        free
    })
}

impl Fate {
    /// The answer, if there is nothing more to look for.
    pub fn said(&self) -> Option<Accepted> {
        match *self {
            Fate::New { twin } => Some(Accepted::New { twin }),
            Fate::Refused { twin } => Some(Accepted::Refused { twin }),
            Fate::Known { .. } | Fate::Lost => None,
        }
    }

    pub fn event(&self) -> Option<EventId> {
        match *self {
            Fate::Known { event, .. } => Some(event),
            _ => None,
        }
    }
}

impl Offer {
    /// What one of its events repeats; `None` if it may be an event of its own.
    pub fn known(&self, n: usize, holders: &HashMap<KeyDigest, KeyHeld>) -> Option<Fate> {
        let (held, digest) = (holders.get(self.keys.get(n)?)?, self.events.get(n)?.event.digest);
        let other_bytes = judge::differ(held, digest);
        let watched = digest.is_some_and(|digest| digest.watched);
        (!other_bytes || !watched).then_some(Fate::Known { event: held.event, other_bytes })
    }
}
