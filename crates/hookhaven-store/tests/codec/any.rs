//! Any record at all.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, Delivery, DeliveryId, DeliveryState, EndReason, ErrorClass, Event, EventId, Lane, Order,
    OrderRule, Phases, Policy, Time, Version,
    event::{BodyDigest, Part},
    retry::RetryPolicy,
};
use hookhaven_store::{
    CatalogEntry, NewDelivery,
    history::KeyDigest,
    position::Position,
    record::{CarriedDelivery, CarriedKey, CarriedRecord, Record, RemovedRecord, SettledRecord, SettledTo},
};
use proptest::{collection::vec, option, prelude::*, sample::select};

fn text() -> impl Strategy<Value = Arc<str>> {
    ".{0,24}".prop_map(|s: String| s.into())
}

fn time() -> impl Strategy<Value = Time> {
    any::<i64>().prop_map(Time::from_us)
}

fn blob() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0u32..1_000_000_000).prop_map(|(s, ns)| Duration::new(s, ns))
}

fn headers() -> impl Strategy<Value = Vec<(Arc<str>, Bytes)>> {
    vec((text(), blob()), 0..4)
}

fn delivery_id() -> impl Strategy<Value = DeliveryId> {
    any::<[u8; 16]>().prop_map(DeliveryId::from_bytes)
}

fn event_id() -> impl Strategy<Value = EventId> {
    any::<[u8; 16]>().prop_map(EventId::from_bytes)
}

fn policy() -> impl Strategy<Value = Policy> {
    // NaN equals nothing, itself included.
    let factor = any::<f64>().prop_filter("a number", |x| !x.is_nan());
    (any::<u32>(), duration(), factor, duration(), duration(), duration(), any::<bool>()).prop_map(
        |(attempts, initial, factor, max, deadline, max_age, critical)| Policy {
            retry: RetryPolicy { attempts, initial, factor, max },
            deadline,
            max_age,
            critical,
        },
    )
}

fn order() -> impl Strategy<Value = Arc<Order>> {
    let rule = prop_oneof![
        duration().prop_map(|park| OrderRule::Fifo { park }),
        any::<[u8; 16]>().prop_map(|bytes| OrderRule::Latest { version: Version::from_bytes(bytes) }),
    ];
    (text(), rule, any::<u64>(), option::of(time()), option::of(time())).prop_map(
        |(key, rule, turn, failed_at, parks_until)| Arc::new(Order { key, rule, turn, failed_at, parks_until }),
    )
}

fn digest() -> impl Strategy<Value = BodyDigest> {
    (any::<[u8; 16]>(), any::<bool>()).prop_map(|(bytes, watched)| BodyDigest { bytes, watched })
}

/// Events of one request, some of which do not have it any more.
pub fn parts() -> impl Strategy<Value = Vec<Record>> {
    let cut = (any::<bool>(), 0..100usize, 0..100usize);
    (vec((event(), cut, time(), vec(delivery(), 0..2)), 1..4), vec(any::<u8>(), 1..200)).prop_map(|(all, whole)| {
        let (whole, of) = (Bytes::from(whole), all.len() as u32);
        let part = |(n, (mut event, (kept, from, len), key_until, deliveries)): (usize, (Event, _, Time, _))| {
            let (from, len) = (usize::min(from, whole.len()), len);
            if kept {
                event.body = whole.slice(from..usize::min(from + len, whole.len()));
            }
            event.part = Some(Part { number: n as u32 + 1, of, whole: kept.then(|| whole.clone()) });
            Record::Accepted { event: Arc::new(event), key_until, deliveries }
        };
        all.into_iter().enumerate().map(part).collect()
    })
}

fn delivery() -> impl Strategy<Value = NewDelivery> {
    (delivery_id(), text(), text(), text(), policy(), time(), option::of(order())).prop_map(
        |(id, destination, lane, route, policy, due_at, order)| NewDelivery {
            order,
            id,
            destination,
            lane: Lane::from_text(&lane),
            route,
            policy: Arc::new(policy),
            due_at,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let names = (event_id(), text(), text(), text(), text(), text());
    let rest = (time(), option::of(time()), option::of(any::<u8>()), headers(), blob(), option::of(digest()));
    (names, rest).prop_map(
        |(
            (id, source, event_type, key, correlation_id, remote),
            (received_at, occurred_at, secret, headers, body, digest),
        )| {
            Event {
                digest,
                part: None,
                id,
                source,
                event_type,
                idempotency_key: key,
                received_at,
                occurred_at,
                correlation_id,
                matched_secret: secret,
                remote,
                headers,
                body,
            }
        },
    )
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let who = (any::<[u8; 16]>(), delivery_id(), any::<u32>(), time(), any::<u64>());
    let phase = || option::of(any::<u64>());
    let phases = (phase(), phase(), phase(), phase());
    let what = (option::of(any::<u16>()), select(&ErrorClass::ALL), text(), headers(), blob(), option::of(time()));
    (who, phases, what).prop_map(|((id, delivery, number, started_at, duration_us), phases, what)| Attempt {
        id: AttemptId::from_bytes(id),
        delivery,
        number,
        started_at,
        duration_us,
        phases: Phases { dns_us: phases.0, connect_us: phases.1, tls_us: phases.2, first_byte_us: phases.3 },
        status: what.0,
        class: what.1,
        error: what.2,
        response_headers: what.3,
        response_excerpt: what.4,
        next_attempt_at: what.5,
    })
}

fn settled_to() -> impl Strategy<Value = SettledTo> {
    prop_oneof![
        Just(SettledTo::Delivered),
        time().prop_map(|due_at| SettledTo::Retry { due_at }),
        (time(), any::<u32>()).prop_map(|(due_at, lost)| SettledTo::Lost { due_at, lost }),
        select(&EndReason::ALL).prop_map(SettledTo::Dead),
        Just(SettledTo::Cancelled),
        Just(SettledTo::Superseded),
    ]
}

/// A delivery of this event as it may stand, with its attempts.
fn carried_delivery() -> impl Strategy<Value = (Delivery, Vec<Attempt>)> {
    use DeliveryState::{Cancelled, Dead, Delivered, Pending};
    let numbers = (time(), any::<u32>(), any::<u32>(), any::<u32>());
    let reason = option::of(select(&EndReason::ALL));
    let ended = (select(&[Pending, Delivered, Dead, Cancelled]), option::of(time()), reason, option::of(time()));
    let links = (option::of(delivery_id()), option::of(delivery_id()));
    (delivery(), numbers, ended, links, vec(attempt(), 0..3)).prop_map(|(new, numbers, ended, links, attempts)| {
        // Only what is pending can be asked to end, and then it has not ended.
        let asked = ended.0 == Pending && numbers.3 % 2 == 1;
        let d = Delivery {
            order: new.order,
            id: new.id,
            event: EventId::from_bytes([0; 16]),
            source: "".into(),
            event_type: "".into(),
            destination: new.destination,
            lane: new.lane,
            route: new.route,
            policy: new.policy,
            due_at: new.due_at,
            accepted_at: numbers.0,
            attempts: numbers.1,
            tries: numbers.2,
            lost: numbers.3,
            state: ended.0,
            ended_at: ended.1.filter(|_| !asked),
            cancel_asked_at: asked.then_some(numbers.0),
            end_reason: ended.2,
            dismissed_at: ended.3,
            replaces: links.0,
            replaced_by: links.1,
        };
        (d, attempts)
    })
}

fn carried() -> impl Strategy<Value = Record> {
    (time(), event(), option::of(time()), vec(carried_delivery(), 0..3)).prop_map(|(at, event, key_until, all)| {
        let of_event = |(d, attempts): (Delivery, Vec<Attempt>)| {
            let (source, event_type) = (event.source.clone(), event.event_type.clone());
            let delivery = Delivery { event: event.id, source, event_type, ..d };
            CarriedDelivery::new(delivery, attempts.into_iter().map(Arc::new).collect())
        };
        let deliveries = all.into_iter().map(of_event).collect();
        Record::Carried(Box::new(CarriedRecord { at, event: Arc::new(event), key_until, deliveries }))
    })
}

pub fn record() -> impl Strategy<Value = Record> {
    let accepted = (event(), time(), vec(delivery(), 0..3))
        .prop_map(|(event, key_until, deliveries)| Record::Accepted { event: Arc::new(event), key_until, deliveries });
    let settled = (time(), delivery_id(), option::of(attempt()), settled_to()).prop_map(|(at, delivery, a, to)| {
        Record::Settled(SettledRecord { at, delivery, attempt: a.map(Arc::new), to })
    });
    let place =
        (any::<u32>(), any::<u64>(), any::<u32>()).prop_map(|(segment, offset, len)| Position { segment, offset, len });
    let redelivered = (time(), event_id(), text(), text(), place, option::of(delivery_id()), delivery()).prop_map(
        |(at, event, source, event_type, event_at, replaces, delivery)| Record::Redelivered {
            at,
            event,
            source,
            event_type,
            event_at,
            replaces,
            delivery,
        },
    );
    let dismissed = (time(), delivery_id()).prop_map(|(at, delivery)| Record::Dismissed { at, delivery });
    let asked = (time(), delivery_id()).prop_map(|(at, delivery)| Record::CancelAsked { at, delivery });
    let put = (time(), ".{0,9}", ".{0,9}", vec(any::<u8>(), 0..40))
        .prop_map(|(at, kind, name, value)| Record::CatalogPut { at, entry: CatalogEntry { kind, name, value } });
    let deleted = (time(), ".{0,9}", ".{0,9}").prop_map(|(at, kind, name)| Record::CatalogDeleted { at, kind, name });
    let removed = (time(), 1u32.., event_id(), event_id()).prop_map(|(at, upto, first_event, last_event)| {
        Record::Removed(RemovedRecord { at, upto, first_event, last_event })
    });
    let body = option::of(any::<[u8; 16]>());
    let key = (any::<[u8; 16]>(), event_id(), time(), body).prop_map(|(digest, event, until, body)| CarriedKey {
        body,
        digest: KeyDigest(digest),
        event,
        until,
    });
    let keys = (time(), vec(key, 0..3)).prop_map(|(at, keys)| Record::CarriedKeys { at, keys });
    prop_oneof![
        4 => accepted, 4 => settled, 2 => redelivered, 1 => dismissed, 1 => asked, 1 => put, 1 => deleted,
        3 => carried(), 1 => keys, 1 => removed
    ]
}
