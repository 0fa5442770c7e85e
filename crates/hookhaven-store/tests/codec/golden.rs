//! Golden files: payloads as version 1 wrote them. They are never changed; a version that cannot read
//! them, or writes other bytes for the same records, is broken.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    Attempt, AttemptId, Delivery, DeliveryId, DeliveryState, EndReason, ErrorClass, Event, EventId, Lane, Order,
    OrderRule, Phases, Policy, Time, Version,
    event::{BodyDigest, Part},
    retry::RetryPolicy,
};
use hookhaven_store::{
    CatalogEntry, NewDelivery, codec,
    history::KeyDigest,
    position::Position,
    record::{CarriedDelivery, CarriedKey, CarriedRecord, Record, RemovedRecord, SettledRecord, SettledTo},
};

fn delivery(n: u8) -> NewDelivery {
    let retry = RetryPolicy {
        attempts: 5,
        initial: Duration::from_secs(5),
        factor: 5.0,
        max: Duration::from_millis(3_600_500),
    };
    let policy = Policy {
        retry,
        deadline: Duration::from_secs(30),
        max_age: Duration::from_secs(3 * 24 * 3600),
        critical: n == 1,
    };
    NewDelivery {
        order: None,
        id: DeliveryId::from_bytes([n; 16]),
        destination: "billing".into(),
        lane: Lane::of_destination("billing"),
        route: "stripe#1".into(),
        policy: Arc::new(policy),
        due_at: Time::from_us(1_790_000_000_123_456),
    }
}

fn accepted(full: bool) -> Record {
    let headers = vec![
        (Arc::from("content-type"), Bytes::from_static(b"application/json")),
        (Arc::from("x-raw"), Bytes::from_static(b"\xff\x00")),
    ];
    let event = Event {
        digest: None,
        part: None,
        id: EventId::from_bytes(*b"0123456789abcdef"),
        source: "stripe".into(),
        event_type: "invoice.paid".into(),
        idempotency_key: "evt_1É".into(),
        received_at: Time::from_us(1_790_000_000_000_001),
        occurred_at: full.then_some(Time::from_us(-1)),
        correlation_id: "c-1".into(),
        matched_secret: full.then_some(1),
        remote: if full { "2001:db8::1".into() } else { "".into() },
        headers: if full { headers } else { vec![] },
        body: if full { Bytes::from_static(b"{\"id\": \"evt_1\"}\n") } else { Bytes::new() },
    };
    let deliveries = if full { vec![delivery(1), delivery(2)] } else { vec![] };
    Record::Accepted { event: Arc::new(event), key_until: Time::from_s(1_790_604_800), deliveries }
}

fn settled(class: ErrorClass, to: SettledTo) -> Record {
    let attempt = Attempt {
        id: AttemptId::from_bytes([9; 16]),
        delivery: DeliveryId::from_bytes([1; 16]),
        number: 300,
        started_at: Time::from_s(1_790_000_001),
        duration_us: 1_234_567,
        phases: Phases { dns_us: None, connect_us: Some(90), tls_us: Some(128), first_byte_us: Some(1_200) },
        status: (class == ErrorClass::Http5xx).then_some(503),
        class,
        error: "503 Service Unavailable".into(),
        response_headers: vec![("retry-after".into(), Bytes::from_static(b"7"))],
        response_excerpt: Bytes::from_static(b"busy"),
        next_attempt_at: Some(Time::from_s(1_790_000_008)),
    };
    let delivery = attempt.delivery;
    Record::Settled(SettledRecord { at: Time::from_s(1_790_000_002), delivery, attempt: Some(Arc::new(attempt)), to })
}

fn key(n: u8) -> CarriedKey {
    let (digest, event) = (KeyDigest([n; 16]), EventId::from_bytes([n + 100; 16]));
    CarriedKey { body: None, digest, event, until: Time::from_s(1_790_604_800) }
}

fn carried(full: bool) -> Record {
    let Record::Accepted { event, key_until, deliveries } = accepted(full) else { unreachable!() };
    let one = |(state, new): (DeliveryState, NewDelivery)| {
        let ended = state.is_final();
        let dead = state == DeliveryState::Dead;
        let Record::Settled(SettledRecord { attempt, .. }) = settled(ErrorClass::Http5xx, SettledTo::Delivered) else {
            unreachable!()
        };
        let delivery = Delivery {
            order: None,
            id: new.id,
            event: event.id,
            source: event.source.clone(),
            event_type: event.event_type.clone(),
            destination: new.destination,
            lane: new.lane,
            route: new.route,
            policy: new.policy,
            accepted_at: Time::from_s(1_790_000_001),
            due_at: new.due_at,
            attempts: 299,
            tries: 300,
            lost: 1,
            state,
            ended_at: ended.then_some(Time::from_s(1_790_000_009)),
            end_reason: dead.then_some(EndReason::Exhausted),
            replaces: (!ended).then_some(DeliveryId::from_bytes([7; 16])),
            replaced_by: dead.then_some(DeliveryId::from_bytes([8; 16])),
            dismissed_at: dead.then_some(Time::from_s(1_790_000_010)),
            cancel_asked_at: None,
        };
        CarriedDelivery::new(delivery, attempt.into_iter().filter(|_| dead).collect())
    };
    use DeliveryState::{Cancelled, Dead, Delivered, Leased};
    let more = if full { vec![delivery(3), delivery(4)] } else { vec![] };
    let all = deliveries.into_iter().chain(more);
    let deliveries = [Leased, Dead, Delivered, Cancelled].into_iter().zip(all).map(one).collect();
    let key_until = full.then_some(key_until);
    Record::Carried(Box::new(CarriedRecord { at: Time::from_s(1_790_000_011), event, key_until, deliveries }))
}

/// Its pending delivery was to end.
fn asked() -> Record {
    let Record::Carried(mut carried) = carried(true) else { unreachable!() };
    carried.deliveries[0].delivery.cancel_asked_at = Some(Time::from_s(1_790_000_012));
    Record::Carried(carried)
}

fn with_body(n: u8) -> CarriedKey {
    CarriedKey { body: Some([n + 50; 16]), ..key(n) }
}

/// Two events of one request, and one whose request is not kept; digests of each kind.
fn accepted_parts() -> Vec<Record> {
    let whole = Bytes::from_static(b"[{\"n\":1},{\"n\":2}]");
    let part = |number: u32| {
        let Record::Accepted { event, key_until, deliveries } = accepted(number == 1) else { unreachable!() };
        let kept = number < 3;
        let from = 1 + 8 * (number as usize - 1);
        let event = Event {
            body: if kept { whole.slice(from..from + 7) } else { Bytes::from_static(b"alone") },
            part: Some(Part { number, of: 3, whole: kept.then(|| whole.clone()) }),
            digest: (number > 1).then_some(BodyDigest { bytes: [number as u8; 16], watched: number == 2 }),
            ..Event::clone(&event)
        };
        Record::Accepted { event: Arc::new(event), key_until, deliveries }
    };
    (1..=3).map(part).collect()
}

/// A delivery in a line of each mode.
fn ordered() -> Record {
    let Record::Accepted { event, key_until, mut deliveries } = accepted(true) else { unreachable!() };
    let fifo = Order {
        key: "cus_1".into(),
        rule: OrderRule::Fifo { park: Duration::from_secs(3_600) },
        turn: 300,
        failed_at: Some(Time::from_s(1_790_000_002)),
        parks_until: Some(Time::from_s(1_790_003_602)),
    };
    let version = Version::parse("1790000000.5").unwrap();
    deliveries[0].order = Some(Arc::new(fifo));
    deliveries[1].order = Some(Arc::new(Order::new("cus_1", OrderRule::Latest { version })));
    Record::Accepted { event, key_until, deliveries }
}

fn superseded() -> Record {
    let (at, delivery) = (Time::from_s(1_790_000_003), DeliveryId::from_bytes([1; 16]));
    Record::Settled(SettledRecord { at, delivery, attempt: None, to: SettledTo::Superseded })
}

fn samples() -> Vec<(&'static str, Vec<Record>)> {
    use EndReason::{Aborted, Cancelled, Damaged, Exhausted, Expired, Lost};
    let at = Time::from_s(1_790_000_003);
    let due_at = Time::from_s(1_790_000_008);
    let id = DeliveryId::from_bytes([1; 16]);
    let redelivered = |replaces| Record::Redelivered {
        at,
        event: EventId::from_bytes(*b"0123456789abcdef"),
        source: "stripe".into(),
        event_type: "invoice.paid".into(),
        event_at: Position { segment: 7, offset: 1 << 40, len: 2_100 },
        replaces,
        delivery: delivery(3),
    };
    let reasons = [Exhausted, Aborted, Expired, Lost, Damaged, Cancelled];
    let dead = |reason| Record::Settled(SettledRecord { at, delivery: id, attempt: None, to: SettledTo::Dead(reason) });
    let entry = CatalogEntry { kind: "destination-paused".into(), name: "billing".into(), value: vec![0, 255] };
    vec![
        ("accepted", vec![accepted(true)]),
        ("accepted-unrouted", vec![accepted(false)]),
        ("settled-delivered", vec![settled(ErrorClass::Ok, SettledTo::Delivered)]),
        ("settled-retry", vec![settled(ErrorClass::Http5xx, SettledTo::Retry { due_at })]),
        ("settled-lost", vec![settled(ErrorClass::Lost, SettledTo::Lost { due_at, lost: 3 })]),
        ("settled-dead", reasons.map(dead).to_vec()),
        ("classes", ErrorClass::ALL.map(|class| settled(class, SettledTo::Delivered)).to_vec()),
        ("redelivered", vec![redelivered(Some(id)), redelivered(None)]),
        ("dismissed", vec![Record::Dismissed { at, delivery: id }]),
        ("carried", vec![carried(true)]),
        ("carried-bare", vec![carried(false)]),
        ("cancelled", vec![Record::CancelAsked { at, delivery: id }, settled(ErrorClass::Ok, SettledTo::Cancelled)]),
        ("carried-asked", vec![asked()]),
        ("carried-keys", vec![Record::CarriedKeys { at, keys: vec![key(1), key(2)] }]),
        ("accepted-parts", accepted_parts()),
        ("ordered", vec![ordered(), superseded()]),
        ("carried-keys-and-bodies", vec![Record::CarriedKeys { at, keys: vec![key(1), with_body(2)] }]),
        (
            "removed",
            vec![Record::Removed(RemovedRecord {
                at,
                upto: 300,
                first_event: EventId::from_bytes([1; 16]),
                last_event: EventId::from_bytes([0xfe; 16]),
            })],
        ),
        (
            "catalog",
            vec![
                Record::CatalogPut { at, entry: entry.clone() },
                Record::CatalogDeleted { at, kind: entry.kind, name: entry.name },
            ],
        ),
    ]
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1").join(format!("{name}.bin"))
}

/// For a sample added, before it is released: its file is made where it does no harm, to be looked at.
fn offer(name: &str, bytes: &[u8], why: &std::io::Error) -> ! {
    let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.bin"));
    fs::write(&made, bytes).unwrap();
    panic!("{name}: {why}; if it is new, look at {} and put it under golden/v1", made.display());
}

#[test]
fn version_1_is_written_and_read_as_ever() {
    for (name, records) in samples() {
        let golden = fs::read(path(name)).unwrap_or_else(|e| offer(name, &codec::encode(&records), &e));
        assert_eq!(codec::decode(&golden).unwrap(), records, "{name} is read otherwise");
        assert_eq!(codec::encode(&records), golden, "{name} is written otherwise");
    }
}

#[test]
fn every_golden_file_is_checked() {
    let files = fs::read_dir(path("x").parent().unwrap()).unwrap().count();
    assert_eq!(files, samples().len());
}
