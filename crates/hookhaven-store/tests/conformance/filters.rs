//! Filters: whatever a list is asked for, it shows exactly those rows of the whole list for which that holds, in
//! either order, on pages of any length; before and after a restart, and after retention.

use std::{collections::HashMap, sync::Arc, time::Duration};

use hookhaven_core::{DeliveryState, EndReason, ErrorClass, EventId, Lane, Time};
use hookhaven_store::{
    DeliveryFilter, DeliveryRow, EventFilter, EventRow, Leased, Next, Page, Retention, Store, clock::Clock,
};

use crate::bench::*;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const SOURCES: [&str; 3] = ["stripe", "github", "a%b_c"];
const TYPES: [&str; 5] = ["invoice.paid", "invoice.voided", "push", "100%_off[?]", ""];
const DESTINATIONS: [&str; 3] = ["billing", "log", "mail"];

/// Events of all sources and types, some more than a day apart, and of their deliveries every kind of end.
async fn make_world(store: &Arc<dyn Store>, bench: &dyn Bench) {
    let clock = bench.clock();
    for n in 0..60 {
        clock.advance(if n % 20 == 0 { 30 * HOUR } else { Duration::from_millis(11 * (n % 7)) });
        let to = match n % 6 {
            0 => &DESTINATIONS[..0],
            1 | 2 => &DESTINATIONS[..1],
            3 => &DESTINATIONS[1..],
            _ => &DESTINATIONS[..],
        };
        let mut new = event(&format!("k{}", n % 45), clock.now(), to);
        new.event.source = SOURCES[n as usize * 7 % 3].into();
        new.event.event_type = TYPES[n as usize % 5].into();
        for (d, delivery) in new.deliveries.iter_mut().enumerate() {
            delivery.route = format!("route#{}", (n as usize + d) % 4).into();
        }
        accept(store, new).await;
    }
    let session = store.open_session(TTL).await.unwrap();
    for (n, destination) in DESTINATIONS.into_iter().cycle().take(60).enumerate() {
        let mut leased = claim(store, session, destination, 1).await;
        if let Some(leased) = leased.pop() {
            settle_somehow(store, session, &leased, n, clock.now()).await;
        }
    }
    store.close_session(session).await.unwrap();
    let letters = DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
    let letters = store.deliveries(&letters, Page::first(100)).await.unwrap();
    clock.advance(HOUR);
    store.replay(&[letters[0].delivery.id, letters[3].delivery.id]).await.unwrap();
    store.dismiss(&[letters[1].delivery.id]).await.unwrap();
    let waits = DeliveryFilter { state: Some(DeliveryState::Pending), ..DeliveryFilter::default() };
    let waiting = store.deliveries(&waits, Page::first(100)).await.unwrap();
    store.cancel(&[waiting[2].delivery.id]).await.unwrap();
}

async fn settle_somehow(
    store: &Arc<dyn Store>,
    session: hookhaven_store::SessionId,
    leased: &Leased,
    n: usize,
    now: Time,
) {
    let retry = Next::Retry { due_at: now.plus(DAY) };
    let (class, status, next) = match n % 5 {
        0 | 1 => (ErrorClass::Ok, Some(200 + n as u16 % 2), Next::Delivered),
        2 => (ErrorClass::Http5xx, Some(503), Next::Dead(EndReason::Exhausted)),
        3 => (ErrorClass::Timeout, None, Next::Dead(EndReason::Exhausted)),
        _ => (ErrorClass::Http4xx, Some(418), retry),
    };
    let mut settlement = settlement(leased, class, next, now);
    if let Some(attempt) = &mut settlement.attempt {
        attempt.status = status;
    }
    store.settle(session, vec![settlement]).await.unwrap();
}

type Holds<T> = Box<dyn Fn(&T) -> bool>;

fn starts(prefix: &'static str) -> impl Fn(&str) -> bool {
    move |text| text.starts_with(prefix)
}

fn event_filters(rows: &[EventRow], deliveries: &[DeliveryRow]) -> Vec<(EventFilter, Holds<EventRow>)> {
    let (all, some) = (EventFilter::default, rows[rows.len() / 2].clone());
    let time = some.received_at;
    let with = |is: &dyn Fn(&DeliveryRow) -> bool| -> Holds<EventRow> {
        let ids: Vec<EventId> = deliveries.iter().filter(|row| is(row)).map(|row| row.delivery.event).collect();
        Box::new(move |e| ids.contains(&e.id))
    };
    let dead = DeliveryState::Dead;
    vec![
        (all(), Box::new(|_| true)),
        (EventFilter { id: Some(some.id), ..all() }, Box::new(move |e| e.id == some.id)),
        (EventFilter { source: Some("github".into()), ..all() }, Box::new(|e| &*e.source == "github")),
        (EventFilter { source: Some("nobody".into()), ..all() }, Box::new(|_| false)),
        (EventFilter { source: Some("a%b_c".into()), ..all() }, Box::new(|e| &*e.source == "a%b_c")),
        (EventFilter { event_type: Some("push".into()), ..all() }, Box::new(|e| &*e.event_type == "push")),
        (EventFilter { event_type: Some(String::new()), ..all() }, Box::new(|e| e.event_type.is_empty())),
        (EventFilter { event_type: Some("invoice.*".into()), ..all() }, {
            let is = starts("invoice.");
            Box::new(move |e| is(&e.event_type))
        }),
        (EventFilter { event_type: Some("*%_off[?]".into()), ..all() }, {
            let is = starts("100%");
            Box::new(move |e| is(&e.event_type))
        }),
        (
            EventFilter { source: Some("stripe".into()), event_type: Some("*o*".into()), ..all() },
            Box::new(|e| &*e.source == "stripe" && e.event_type.contains('o')),
        ),
        (EventFilter { idempotency_key: Some("k7".into()), ..all() }, Box::new(|e| &*e.idempotency_key == "k7")),
        (
            EventFilter { idempotency_key: Some("k7".into()), source: Some("github".into()), ..all() },
            Box::new(|e| &*e.idempotency_key == "k7" && &*e.source == "github"),
        ),
        (EventFilter { since: Some(time), ..all() }, Box::new(move |e| e.received_at >= time)),
        (EventFilter { until: Some(time), ..all() }, Box::new(move |e| e.received_at < time)),
        (
            EventFilter { until: Some(time), source: Some("stripe".into()), ..all() },
            Box::new(move |e| e.received_at < time && &*e.source == "stripe"),
        ),
        (EventFilter { unrouted: true, ..all() }, Box::new(|e| e.deliveries == 0)),
        (EventFilter { unrouted: true, idempotency_key: Some("of none".into()), ..all() }, Box::new(|_| false)),
        (
            EventFilter { unrouted: true, source: Some("stripe".into()), ..all() },
            Box::new(|e| e.deliveries == 0 && &*e.source == "stripe"),
        ),
        (EventFilter { destination: Some("mail".into()), ..all() }, with(&|d| &*d.delivery.destination == "mail")),
        (EventFilter { state: Some(dead), ..all() }, with(&|d| d.delivery.state == dead)),
        (
            EventFilter { state: Some(dead), destination: Some("log".into()), ..all() },
            with(&|d| d.delivery.state == dead && &*d.delivery.destination == "log"),
        ),
        (
            EventFilter { state: Some(DeliveryState::Pending), ..all() },
            with(&|d| d.delivery.state == DeliveryState::Pending),
        ),
    ]
}

fn delivery_filters(rows: &[DeliveryRow], events: &[EventRow]) -> Vec<(DeliveryFilter, Holds<DeliveryRow>)> {
    let (all, some) = (DeliveryFilter::default, rows[rows.len() / 2].delivery.clone());
    let (time, of) = (some.accepted_at, some.event);
    let keys: HashMap<EventId, String> = events.iter().map(|e| (e.id, e.idempotency_key.to_string())).collect();
    let letters = || DeliveryFilter { dead_letters: true, ..DeliveryFilter::default() };
    let letter_times: Vec<Time> =
        rows.iter().filter(|row| row.delivery.is_dead_letter()).filter_map(|row| row.delivery.ended_at).collect();
    let died = letter_times[letter_times.len() / 2];
    let class = |row: &DeliveryRow| row.last.as_ref().map(|last| last.class);
    let status = |row: &DeliveryRow| row.last.as_ref().and_then(|last| last.status);
    let state = |state| DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
    use DeliveryState::{Cancelled, Dead, Delivered, Pending};
    vec![
        (all(), Box::new(|_| true)),
        (DeliveryFilter { event: Some(of), ..all() }, Box::new(move |d| d.delivery.event == of)),
        (DeliveryFilter { source: Some("github".into()), ..all() }, Box::new(|d| &*d.delivery.source == "github")),
        (
            DeliveryFilter { source: Some("stripe".into()), event_type: Some("invoice.*".into()), ..all() },
            Box::new(|d| &*d.delivery.source == "stripe" && d.delivery.event_type.starts_with("invoice.")),
        ),
        (DeliveryFilter { event_type: Some("push".into()), ..all() }, Box::new(|d| &*d.delivery.event_type == "push")),
        (DeliveryFilter { destination: Some("log".into()), ..all() }, Box::new(|d| &*d.delivery.destination == "log")),
        (DeliveryFilter { route: Some("route#2".into()), ..all() }, Box::new(|d| &*d.delivery.route == "route#2")),
        (
            DeliveryFilter { lane: Some(Lane::of_destination("mail")), ..all() },
            Box::new(|d| &*d.delivery.destination == "mail"),
        ),
        (DeliveryFilter { idempotency_key: Some("k8".into()), ..all() }, {
            let keys = keys.clone();
            Box::new(move |d| keys[&d.delivery.event] == "k8")
        }),
        (
            DeliveryFilter { idempotency_key: Some("k8".into()), destination: Some("billing".into()), ..all() },
            Box::new(move |d| keys[&d.delivery.event] == "k8" && &*d.delivery.destination == "billing"),
        ),
        (state(Pending), Box::new(|d| d.delivery.state == Pending)),
        (state(Delivered), Box::new(|d| d.delivery.state == Delivered)),
        (state(Dead), Box::new(|d| d.delivery.state == Dead)),
        (state(Cancelled), Box::new(|d| d.delivery.state == Cancelled)),
        (
            DeliveryFilter { destination: Some("billing".into()), ..state(Pending) },
            Box::new(|d| d.delivery.state == Pending && &*d.delivery.destination == "billing"),
        ),
        (
            DeliveryFilter { class: Some(ErrorClass::Timeout), ..all() },
            Box::new(move |d| class(d) == Some(ErrorClass::Timeout)),
        ),
        (DeliveryFilter { class: Some(ErrorClass::Ok), ..all() }, Box::new(move |d| class(d) == Some(ErrorClass::Ok))),
        (DeliveryFilter { status: Some(503), ..all() }, Box::new(move |d| status(d) == Some(503))),
        (DeliveryFilter { status: Some(201), ..all() }, Box::new(move |d| status(d) == Some(201))),
        (
            DeliveryFilter { status: Some(418), ..state(Pending) },
            Box::new(move |d| status(d) == Some(418) && d.delivery.state == Pending),
        ),
        (DeliveryFilter { since: Some(time), ..all() }, Box::new(move |d| d.delivery.accepted_at >= time)),
        (
            DeliveryFilter { until: Some(time), source: Some("stripe".into()), ..all() },
            Box::new(move |d| d.delivery.accepted_at < time && &*d.delivery.source == "stripe"),
        ),
        (letters(), Box::new(|d| d.delivery.is_dead_letter())),
        (
            DeliveryFilter { since: Some(died), ..letters() },
            Box::new(move |d| d.delivery.is_dead_letter() && d.delivery.ended_at >= Some(died)),
        ),
        (
            DeliveryFilter { until: Some(died), ..letters() },
            Box::new(move |d| d.delivery.is_dead_letter() && d.delivery.ended_at < Some(died)),
        ),
        (
            DeliveryFilter { class: Some(ErrorClass::Http5xx), destination: Some("mail".into()), ..letters() },
            Box::new(move |d| {
                d.delivery.is_dead_letter()
                    && class(d) == Some(ErrorClass::Http5xx)
                    && &*d.delivery.destination == "mail"
            }),
        ),
    ]
}

/// Every filter shows what the whole list has of it.
async fn agree(store: &Arc<dyn Store>) {
    let events = store.events(&EventFilter::default(), Page::first(1_000)).await.unwrap();
    let deliveries = store.deliveries(&DeliveryFilter::default(), Page::first(1_000)).await.unwrap();
    for (filter, holds) in event_filters(&events, &deliveries) {
        let mut wanted: Vec<_> = events.iter().filter(|row| holds(row)).cloned().collect();
        assert_eq!(store.events(&filter, Page::first(1_000)).await.unwrap(), wanted, "{filter:?}");
        for first in [Page::first(7), Page::first(7).oldest_first()] {
            let (mut found, mut page) = (Vec::new(), first);
            loop {
                let rows = store.events(&filter, page).await.unwrap();
                let Some(last) = rows.last() else { break };
                page = page.after(last.id);
                found.extend(rows);
            }
            assert_eq!(found, wanted, "by pages: {filter:?}, {first:?}");
            wanted.reverse();
        }
    }
    for (filter, holds) in delivery_filters(&deliveries, &events) {
        let mut wanted: Vec<_> = deliveries.iter().filter(|row| holds(row)).cloned().collect();
        assert_eq!(store.deliveries(&filter, Page::first(1_000)).await.unwrap(), wanted, "{filter:?}");
        let rows = store.deliveries(&filter, Page::first(1_000).oldest_first()).await.unwrap();
        wanted.reverse();
        assert_eq!(rows, wanted, "oldest first: {filter:?}");
        let (mut found, mut page) = (Vec::new(), Page::first(5));
        loop {
            let rows = store.deliveries(&filter, page).await.unwrap();
            let Some(last) = rows.last() else { break };
            page = page.after(last.delivery.id);
            found.extend(rows);
        }
        wanted.reverse();
        assert_eq!(found, wanted, "by pages: {filter:?}");
    }
}

pub async fn each_filter_shows_what_the_whole_list_has_of_it(bench: &dyn Bench) {
    let (mut store, clock) = (bench.open().await, bench.clock());
    make_world(&store, bench).await;
    assert_eq!(store.events(&EventFilter::default(), Page::first(1_000)).await.unwrap().len(), 45);
    agree(&store).await;
    if bench.survives() {
        store = bench.reopen(store).await.unwrap();
        agree(&store).await;
    }
    // What is over goes; the dead and the pending are carried elsewhere.
    clock.advance(2 * DAY);
    let retention = Retention { before: clock.now().minus(DAY), dead_before: None };
    while store.retain(retention).await.unwrap().more {}
    make_world(&store, bench).await;
    agree(&store).await;
}

pub async fn a_key_leads_to_its_events_long_after_its_window(bench: &dyn Bench) {
    let (mut store, clock) = (bench.open().await, bench.clock());
    let mut sent = Vec::new();
    for _ in 0..2 {
        let new = event("again", clock.now(), &[]);
        sent.insert(0, new.event.id);
        accept(&store, new).await;
        clock.advance(8 * DAY);
        let retention = Retention { before: start().minus(DAY), dead_before: None };
        while store.retain(retention).await.unwrap().more {}
    }
    let found = async |store: &Arc<dyn Store>| {
        let filter = EventFilter { idempotency_key: Some("again".into()), ..EventFilter::default() };
        let rows = store.events(&filter, Page::first(10)).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(found(&store).await, sent);
    if bench.survives() {
        store = bench.reopen(store).await.unwrap();
        assert_eq!(found(&store).await, sent);
    }
    let retention = Retention { before: start().plus(4 * DAY), dead_before: None };
    while store.retain(retention).await.unwrap().more {}
    assert_eq!(found(&store).await, sent[..1], "what has gone is not found");
}
