//! From a message to be published to the events that the store accepts.
//!
//! A message to an address is an event with one delivery, and both have the same id: so the answer to a
//! duplicate, which names the first event, names the first message. A group is one event with a delivery for
//! each endpoint; where it is deduplicated each endpoint has an event of its own, since each has its own key.
//!
//! Not here: parsing (`lines`, `settings`), storing, answering.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{DeliveryId, Event, EventId, Time, event::PUBLISHED};
use hookhaven_store::{Accepted, NewDelivery, NewEvent, clock::Entropy};

use super::{
    book::{Endpoint, Group},
    dedupe::{self, Content},
    ids,
    lines::Line,
    message::{self, ROUTE_URL},
    settings::{Deduplication, Settings},
};
use crate::telemetry::Context;

/// Lines that say how to publish, and nothing about the message.
const NOT_KEPT: [&str; 4] = ["upstash-cron", "upstash-schedule-id", "upstash-queue-name", "upstash-header-forward"];

/// A message as it is to be published.
#[derive(Clone, Debug)]
pub struct Draft {
    pub target: Target,
    pub lines: Vec<Line>,
    pub settings: Settings,
    pub queue: Option<String>,
    pub body: Bytes,
}

#[derive(Clone, Debug)]
pub enum Target {
    Url(String),
    Group { name: String, group: Arc<Group> },
}

/// What messages of one call have in common.
#[derive(Clone, Debug)]
pub struct Occasion {
    pub now: Time,
    /// Address of whoever published.
    pub caller: Arc<str>,
    pub correlation_id: Arc<str>,
    pub dedupe_window: Duration,
    /// Of a schedule's tick: the key by which it happens once, and until when.
    pub key: Option<(Arc<str>, Time)>,
    /// Where the call stands in a trace, where traces are made.
    pub trace: Option<Context>,
}

/// A message accepted, or the one it repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// `msg_…`
    pub id: String,
    pub url: Arc<str>,
    pub deduplicated: bool,
}

/// Ids of one call, each greater than the one before: what a call puts on a queue stays in its order.
#[derive(Debug)]
pub struct Ids<'e> {
    now: Time,
    entropy: &'e dyn Entropy,
    last: Option<u128>,
}

impl<'e> Ids<'e> {
    pub fn new(now: Time, entropy: &'e dyn Entropy) -> Self {
        Ids { now, entropy, last: None }
    }

    fn next(&mut self) -> DeliveryId {
        let next = match self.last {
            None => u128::from_be_bytes(*DeliveryId::mint(self.now, self.entropy.id_bytes()).as_bytes()),
            Some(last) => {
                let mut step = [0; 4];
                self.entropy.fill(&mut step);
                last.saturating_add(1 + u128::from(u32::from_be_bytes(step)))
            }
        };
        self.last = Some(next);
        DeliveryId::from_bytes(next.to_be_bytes())
    }
}

/// The events of one message.
pub fn events(draft: Draft, occasion: &Occasion, ids: &mut Ids<'_>) -> Vec<NewEvent> {
    let Draft { target, mut lines, settings, queue, body } = draft;
    lines.retain(|(name, _)| !NOT_KEPT.contains(&&**name));
    let composer = Composer { occasion, settings, queue, lines, body };
    match target {
        Target::Url(url) => vec![composer.single(ROUTE_URL.into(), &url, None, ids)],
        Target::Group { name, group } => {
            let route = |endpoint: &Endpoint| message::route_of_group(&name, endpoint.name.as_deref());
            if composer.settings.deduplication != Deduplication::None && occasion.key.is_none() {
                let single = |e: &Endpoint| composer.single(route(e), &e.url, Some(&e.url), ids);
                return group.endpoints.iter().map(single).collect();
            }
            let deliveries: Vec<_> =
                group.endpoints.iter().map(|e| composer.delivery(ids.next(), route(e), &e.url)).collect();
            let id = deliveries.first().map_or_else(|| ids.next(), |first| first.id);
            vec![composer.event(id, deliveries, None)]
        }
    }
}

/// What an event's messages are called, and where they go; of a duplicate, the first one's.
pub fn published(event: &Sent, accepted: &Accepted) -> Vec<Published> {
    let each = event.deliveries.iter().map(|(id, url)| {
        let (id, deduplicated) = match accepted {
            Accepted::New { .. } => (*id, false),
            Accepted::Duplicate { event, .. } | Accepted::Refused { twin: event } => {
                (DeliveryId::from_bytes(*event.as_bytes()), true)
            }
        };
        Published { id: ids::message(id), url: url.clone(), deduplicated }
    });
    each.collect()
}

/// What is remembered of an event while the store has it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub event: EventId,
    pub deliveries: Vec<(DeliveryId, Arc<str>)>,
}

impl From<&NewEvent> for Sent {
    fn from(new: &NewEvent) -> Self {
        let deliveries = new.deliveries.iter().map(|d| (d.id, d.destination.clone())).collect();
        Sent { event: new.event.id, deliveries }
    }
}

struct Composer<'d> {
    occasion: &'d Occasion,
    settings: Settings,
    queue: Option<String>,
    lines: Vec<Line>,
    body: Bytes,
}

impl Composer<'_> {
    /// An event with one delivery of the same id.
    fn single(&self, route: Arc<str>, url: &str, endpoint: Option<&str>, ids: &mut Ids<'_>) -> NewEvent {
        let id = ids.next();
        self.event(id, vec![self.delivery(id, route, url)], self.dedupe_key(url, endpoint))
    }

    fn event(&self, id: DeliveryId, deliveries: Vec<NewDelivery>, dedupe_key: Option<String>) -> NewEvent {
        let now = self.occasion.now;
        let (key, key_until) = match (&self.occasion.key, dedupe_key) {
            (Some((key, until)), _) => (key.clone(), *until),
            (None, Some(key)) => (key.into(), now.plus(self.occasion.dedupe_window)),
            // Unique, and not kept.
            (None, None) => (id.to_string().into(), now),
        };
        let trace = self.occasion.trace.iter().flat_map(Context::lines);
        let event = Event {
            digest: None,
            part: None,
            id: EventId::from_bytes(*id.as_bytes()),
            source: PUBLISHED.into(),
            event_type: self.settings.event_type().into(),
            idempotency_key: key,
            received_at: now,
            occurred_at: None,
            correlation_id: self.occasion.correlation_id.clone(),
            matched_secret: None,
            remote: self.occasion.caller.clone(),
            headers: self.lines.iter().cloned().chain(trace).collect(),
            body: self.body.clone(),
        };
        NewEvent { refuses_replay: false, event, key_until, deliveries, revives: false }
    }

    fn delivery(&self, id: DeliveryId, route: Arc<str>, url: &str) -> NewDelivery {
        NewDelivery {
            order: None,
            id,
            destination: url.into(),
            lane: message::lane(self.queue.as_deref(), self.settings.flow.as_ref(), url),
            route,
            policy: Arc::new(self.settings.policy()),
            due_at: self.settings.due_at(self.occasion.now),
        }
    }

    fn dedupe_key(&self, url: &str, endpoint: Option<&str>) -> Option<String> {
        match &self.settings.deduplication {
            Deduplication::None => None,
            Deduplication::Id(id) => Some(dedupe::by_id(id, endpoint)),
            Deduplication::Content => {
                let forward = &self.settings.forward;
                let forwarded: Vec<(&str, &[u8])> = forward.iter().map(|(name, value)| (&**name, &value[..])).collect();
                Some(dedupe::by_content(&Content {
                    url,
                    queue: self.queue.as_deref(),
                    method: self.settings.method.as_str(),
                    content_type: self.settings.content_type.as_deref(),
                    forwarded: &forwarded,
                    body: &self.body,
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_store::clock::SeededEntropy;

    use super::*;

    const NOW: Time = Time::from_s(1_700_000_000);

    fn compose(target: Target, pairs: &[(&str, &str)], queue: Option<&str>) -> Vec<NewEvent> {
        let lines: Vec<Line> =
            pairs.iter().map(|(n, v)| (Arc::from(*n), Bytes::copy_from_slice(v.as_bytes()))).collect();
        let settings = Settings::parse(&lines).unwrap();
        let draft = Draft { target, lines, settings, queue: queue.map(str::to_owned), body: Bytes::from_static(b"x") };
        let occasion = Occasion {
            now: NOW,
            caller: "203.0.113.9".into(),
            correlation_id: "c".into(),
            dedupe_window: Duration::from_secs(600),
            key: None,
            trace: None,
        };
        let entropy = SeededEntropy::new(1);
        events(draft, &occasion, &mut Ids::new(NOW, &entropy))
    }

    fn group() -> Target {
        let endpoint = |name: Option<&str>, url: &str| Endpoint { name: name.map(str::to_owned), url: url.into() };
        let endpoints = vec![endpoint(Some("e1"), "https://a/"), endpoint(None, "https://b/")];
        Target::Group { name: "g".into(), group: Arc::new(Group { endpoints, ..Group::default() }) }
    }

    #[test]
    fn an_address_is_one_event_and_one_delivery_of_the_same_id() {
        let pairs = [("upstash-delay", "10s"), ("upstash-label", "l"), ("upstash-cron", "* * * * *")];
        let [event] = &compose(Target::Url("https://a/x".into()), &pairs, None)[..] else { panic!() };
        let [delivery] = &event.deliveries[..] else { panic!() };
        assert_eq!(event.event.id.as_bytes(), delivery.id.as_bytes());
        assert_eq!(
            (&*delivery.destination, delivery.lane.as_str(), &*delivery.route),
            ("https://a/x", "u:https://a/x", "publish")
        );
        assert_eq!((delivery.due_at.since(NOW).as_secs(), event.key_until, event.revives), (10, NOW, false));
        assert_eq!((&*event.event.source, &*event.event.event_type), ("publish", "l"));
        assert!(event.event.header("upstash-label").is_some() && event.event.header("upstash-cron").is_none());
    }

    #[test]
    fn a_group_is_one_event_and_deduplicated_one_for_each_endpoint() {
        let [event] = &compose(group(), &[], None)[..] else { panic!() };
        let routes: Vec<_> = event.deliveries.iter().map(|d| (&*d.route, &*d.destination)).collect();
        assert_eq!(routes, [("g/e1", "https://a/"), ("g/", "https://b/")]);
        let [first, second] = &compose(group(), &[("upstash-deduplication-id", "d")], Some("q"))[..] else { panic!() };
        assert_ne!(first.event.idempotency_key, second.event.idempotency_key);
        assert_eq!(first.key_until.since(NOW).as_secs(), 600);
        assert_eq!(first.deliveries[0].lane.as_str(), "q:q");
        assert_eq!(first.event.id.as_bytes(), first.deliveries[0].id.as_bytes());
    }

    #[test]
    fn ids_of_a_call_grow_and_a_duplicate_names_the_first() {
        let entropy = SeededEntropy::new(1);
        let mut ids = Ids::new(NOW, &entropy);
        let all: Vec<_> = (0..1_000).map(|_| ids.next()).collect();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        let sent = Sent { event: EventId::from_bytes([1; 16]), deliveries: vec![(all[0], "https://a/".into())] };
        let first = EventId::from_bytes([9; 16]);
        let [published] =
            &published(&sent, &Accepted::Duplicate { other_bytes: false, event: first, revived: vec![] })[..]
        else {
            panic!()
        };
        assert_eq!((&published.id, published.deduplicated), (&ids::message(DeliveryId::from_bytes([9; 16])), true));
    }
}
