//! A past of thirty days: a million events, mostly delivered, and some of whatever else there is; and the figures over
//! time that a gateway would have kept of them.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use hookhaven_core::{
    Attempt, AttemptId, DeliveryId, EndReason, ErrorClass, Event, EventId, Lane, Policy, Time, retry::RetryPolicy,
};
use hookhaven_store::{
    CatalogEntry, LaneRoom, Leased, NewDelivery, NewEvent, Next, Settlement, Store,
    clock::{Clock as _, Entropy, OsEntropy, SystemClock},
};
use serde_json::json;

pub const EVENTS: u64 = 1_000_000;
/// The last ones, whose bodies are searched.
pub const SEARCHED: u64 = 100_000;
const BATCH: u64 = 2_000;
const SPAN: Duration = Duration::from_secs(30 * 24 * 3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const BODY_BYTES: usize = 200;
const SEARCHED_BODY_BYTES: usize = 2_048;
const NEEDLE: &str = "the-one-that-is-sought";
const DESTINATIONS: [&str; 3] = ["sink", "ledger", "archive"];

/// What is known of the past that was made.
#[derive(Clone, Debug)]
pub struct Known {
    now: Time,
    old_event: EventId,
    old_key: String,
    /// When the first of those that are searched came in.
    searched_from: Time,
}

impl Known {
    /// Lists, each with whether it shows anything.
    pub fn lists(&self) -> Vec<(String, bool)> {
        let ago = |days: u32| self.now.minus(DAY * days);
        let (far, farther) = (ago(25), ago(26));
        let future = self.now.plus(2 * DAY);
        let mut lists: Vec<(String, bool)> = Vec::new();
        for (filter, holds) in [
            ("", true),
            ("source=stripe", true),
            ("source=rare", true),
            ("source=nobody", false),
            ("type=invoice.paid", true),
            ("type=rare.*", true),
            ("type=*.t17", true),
            ("type=nobody.*", false),
            ("source=github&type=invoice.paid", false),
            ("key=nobody", false),
            ("unrouted=true", true),
            ("unrouted=true&source=rare", false),
            ("destination=ledger", true),
            ("state=dead", true),
            ("state=pending", true),
        ] {
            lists.push((format!("events?{filter}"), holds));
        }
        lists.push((format!("events?key={}", self.old_key), true));
        lists.push((format!("events?id={}", self.old_event), true));
        for (filter, holds) in [
            ("", true),
            ("source=rare", true),
            ("source=nobody", false),
            ("type=invoice.*", true),
            ("type=nobody", false),
            ("destination=archive", true),
            ("destination=nowhere", false),
            ("route=rare%231", true),
            ("state=pending", true),
            ("state=delivered", true),
            ("state=dead", true),
            ("state=cancelled", false),
            ("state=dead&source=rare", false),
            ("class=timeout", true),
            ("class=dns", false),
            ("status=503", true),
            ("status=418", true),
            ("status=204", false),
            ("class=http_4xx&destination=sink", true),
            ("state=pending&source=github", true),
        ] {
            lists.push((format!("deliveries?{filter}"), holds));
        }
        lists.push((format!("deliveries?key={}", self.old_key), true));
        lists.push((format!("deliveries?event={}", self.old_event), true));
        for (filter, holds) in [
            ("", true),
            ("source=github", true),
            ("source=rare", false),
            ("destination=ledger", true),
            ("type=*.t3", true),
            ("class=timeout", true),
            ("status=418", true),
        ] {
            lists.push((format!("dead-letters?{filter}"), holds));
        }
        for list in ["events", "deliveries"] {
            lists.push((format!("{list}?since={farther}&until={far}"), true));
            lists.push((format!("{list}?since={farther}&until={far}&source=github"), true));
            lists.push((format!("{list}?since={farther}&until={far}&source=nobody"), false));
            lists.push((format!("{list}?since={future}"), false));
            lists.push((format!("{list}?until={}", ago(40)), false));
        }
        lists.push((format!("dead-letters?since={future}"), false));
        lists.push((format!("dead-letters?until={far}"), false));
        lists.push(("rejected?source=stripe".to_owned(), false));
        lists
    }

    /// Without what differs from run to run.
    pub fn shown(&self, list: &str) -> String {
        let named = |text: &str| match text.split_once('=') {
            Some((name @ ("since" | "until" | "key" | "id" | "event"), _)) if text.len() > 16 => format!("{name}=…"),
            _ => text.to_owned(),
        };
        match list.split_once('?') {
            Some((list, "")) => list.to_owned(),
            Some((list, query)) => format!("{list}?{}", query.split('&').map(named).collect::<Vec<_>>().join("&")),
            None => list.to_owned(),
        }
    }

    /// One of the oldest events.
    pub fn event(&self) -> EventId {
        self.old_event
    }

    pub fn search(&self) -> String {
        format!("search?text={}&since={}&until={}", NEEDLE.to_uppercase(), self.searched_from, self.now)
    }
}

/// Makes it, and what is still open of it: a few thousand deliveries wait for long.
pub async fn make(store: &Arc<dyn Store>) -> Result<Known> {
    let now = SystemClock::start().now();
    let policy = Arc::new(Policy {
        retry: RetryPolicy::default(),
        deadline: Duration::from_secs(30),
        max_age: 365 * DAY,
        critical: false,
    });
    let time = |n: u64| now.minus(SPAN).plus(SPAN / EVENTS as u32 * n as u32);
    let (mut old, mut made) = (None, 0);
    let session = store.open_session(Duration::from_secs(3_600)).await?;
    while made < EVENTS {
        let events: Vec<_> = (made..made + BATCH).map(|n| event(n, time(n), now, &policy)).collect();
        if made == 0 {
            old = events.get(1).map(|new| (new.event.id, new.event.idempotency_key.to_string()));
        }
        store.accept(events).await?;
        made += BATCH;
        settle(store, session, now).await?;
    }
    store.close_session(session).await?;
    keep_figures(store, now).await?;
    let (old_event, old_key) = old.context("no past was made")?;
    let searched_from = time(EVENTS - SEARCHED);
    Ok(Known { now, old_event, old_key, searched_from })
}

/// Figures of each hour of the past, and of each minute of its last two days, in the form that the gateway keeps them in.
async fn keep_figures(store: &Arc<dyn Store>, now: Time) -> Result<()> {
    let figures = |events: u64| {
        // Buckets of durations, each with how many fell into it: about a millisecond, and some ten.
        let spread = [[12, events / 2], [15, events / 3], [26, events / 6]].concat();
        let source = |events: u64| json!({ "r": events, "d": events / 100, "j": events / 50, "a": spread });
        let pair = |events: u64| json!({ "o": events, "r": events / 40, "x": events / 50, "q": 1_000, "e": spread });
        let (most, rest) = (events * 9 / 10, events / 10);
        let sources = json!({ "stripe": source(most), "github": source(rest), "rare": source(1) });
        let pairs = json!({ "stripe": { "sink": pair(most) }, "github": { "ledger": pair(rest) } });
        json!({ "s": sources, "p": pairs }).to_string().into_bytes()
    };
    let hour = now.as_s() / 3_600;
    let entry = |kind: String, name: String, events| CatalogEntry { kind, name, value: figures(events) };
    for ago in 49..30 * 24 {
        store.put_catalog(entry("stats-hours".to_owned(), (hour - ago).to_string(), EVENTS / 720)).await?;
    }
    for ago in 1..49 {
        for minute in 0..60 {
            let name = format!("{minute:02}/0123456789ab/0");
            store.put_catalog(entry(format!("stats-minutes:{}", hour - ago), name, EVENTS / 720 / 60)).await?;
        }
    }
    Ok(())
}

fn event(n: u64, at: Time, now: Time, policy: &Arc<Policy>) -> NewEvent {
    let entropy: &dyn Entropy = &OsEntropy;
    let is_rare = n % (EVENTS / 3) == EVENTS / 7;
    let (source, event_type) = match n % 10 {
        _ if is_rare => ("rare", "rare.one".to_owned()),
        0 => ("github", format!("push.t{}", n / 10 % 40)),
        1 => ("stripe", "invoice.paid".to_owned()),
        _ => ("stripe", format!("charge.t{}", n / 10 % 40)),
    };
    let destination = if is_rare { "archive" } else { DESTINATIONS[usize::from(n.is_multiple_of(10))] };
    let id = EventId::mint(at, entropy.id_bytes());
    let delivery = NewDelivery {
        order: None,
        id: DeliveryId::mint(at, entropy.id_bytes()),
        destination: destination.into(),
        lane: Lane::of_destination(destination),
        route: format!("{source}#1").into(),
        policy: policy.clone(),
        due_at: at,
    };
    NewEvent {
        refuses_replay: false,
        revives: true,
        event: Event {
            digest: None,
            part: None,
            id,
            source: source.into(),
            event_type: event_type.into(),
            idempotency_key: format!("key-{n}").into(),
            received_at: at,
            occurred_at: Some(at),
            correlation_id: format!("{n:032x}").into(),
            matched_secret: Some(0),
            remote: "127.0.0.1".into(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: body(n, entropy).into(),
        },
        key_until: now.plus(7 * DAY),
        deliveries: if n % 1_000 == 7 { Vec::new() } else { vec![delivery] },
    }
}

fn body(n: u64, entropy: &dyn Entropy) -> Vec<u8> {
    let len = if n >= EVENTS - SEARCHED { SEARCHED_BODY_BYTES } else { BODY_BYTES };
    let sought = if n == EVENTS - SEARCHED + 100 { NEEDLE } else { "nothing" };
    let mut body = format!("{{\"id\":\"evt_{n}\",\"note\":\"{sought}\",\"data\":\"").into_bytes();
    // Half of it repeats itself, as JSON does.
    while body.len() < len {
        body.extend_from_slice(b"\"currency\":\"eur\",");
        body.extend(entropy.id_bytes().iter().map(|byte| b'a' + byte % 26));
    }
    body
}

/// Attempts whatever is due, once.
async fn settle(store: &Arc<dyn Store>, session: hookhaven_store::SessionId, now: Time) -> Result<()> {
    let rooms: Vec<_> = DESTINATIONS
        .iter()
        .map(|name| LaneRoom { lane: Lane::of_destination(name), room: 1_000, limit: None })
        .collect();
    loop {
        let leased = store.claim(session, &rooms, 1_000).await?;
        if leased.is_empty() {
            return Ok(());
        }
        store.settle(session, leased.iter().map(|leased| settlement(leased, now)).collect()).await?;
    }
}

/// By a byte of its id: two in a hundred die, one in three hundred waits for long.
fn settlement(leased: &Leased, now: Time) -> Settlement {
    let id = leased.delivery.id.as_bytes();
    let chance = u32::from(id[14]) << 8 | u32::from(id[15]);
    let dead = Next::Dead(EndReason::Exhausted);
    let (class, status, next) = match chance {
        _ if &*leased.delivery.source == "rare" => (ErrorClass::Ok, Some(200), Next::Delivered),
        0..=9 => (ErrorClass::Http4xx, Some(418), dead),
        10..=700 => (ErrorClass::Http5xx, Some(503), dead),
        701..=1_300 => (ErrorClass::Timeout, None, dead),
        1_301..=1_500 => (ErrorClass::Http5xx, Some(500), Next::Retry { due_at: now.plus(300 * DAY) }),
        _ => (ErrorClass::Ok, Some(200), Next::Delivered),
    };
    let attempt = Attempt {
        id: AttemptId::mint(now, (&OsEntropy as &dyn Entropy).id_bytes()),
        delivery: leased.delivery.id,
        number: leased.attempt_number,
        started_at: leased.delivery.accepted_at,
        duration_us: 1_000,
        phases: Default::default(),
        status,
        class,
        error: if class == ErrorClass::Ok { "".into() } else { "no".into() },
        response_headers: vec![("content-type".into(), "text/plain".into())],
        response_excerpt: "ok".into(),
        next_attempt_at: None,
    };
    Settlement { follows: vec![], delivery: leased.delivery.id, fence: leased.fence, attempt: Some(attempt), next }
}
