//! What became of what was sent, as the gateway's admin API tells it: which events there are, what their deliveries came
//! to, how soon after the event was accepted, and whether within the deadline of their route.
//!
//! A deadline is held against the end of the delivery, handler's answer included: stricter than what it promises, which
//! is when an attempt begins. Not here: what is sent.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use hookhaven_core::{EventId, Time};
use hookhaven_store::clock::Clock;
use serde::{Deserialize as _, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Stand,
    report::{Report, Times, micros},
};
use crate::{
    api::view::{DeliveryView, EventView, Listing},
    cli::{
        client::{Client, Query},
        jobs::{Bar, deliveries},
        print::{Screen, clean, span},
    },
    stage::Stop,
};

/// Events that are followed; each is remembered.
pub(super) const EVENTS_MAX: u64 = 1_000_000;
/// Events that were not found since the beginning and are looked for in all of the past: they were sent with an old id.
const OLD_MAX: usize = 200;
/// Clocks of gateway and command may differ by so much.
const CLOCKS_APART: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(250);
const PAGE: usize = 500;

/// What became of everything that was accepted.
#[derive(Debug, Default)]
pub(super) struct Followed {
    pub events: u64,
    /// Accepted as duplicates of events that came before this run, whose deliveries are not of this run.
    pub before: u64,
    /// Accepted, and the gateway does not have it.
    pub lost: u64,
    /// No route takes them.
    pub unrouted: u64,
    pub delivered: u64,
    pub dead: u64,
    /// Cancelled or superseded.
    pub cancelled: u64,
    /// Not ended when it was stopped.
    pub waiting: u64,
    /// Ended later than the deadline of their route, or dead.
    pub late: u64,
    /// Of deliveries that more than one attempt was made for.
    pub retried: u64,
    /// From accepted to delivered.
    end_to_end: Times,
    routes: BTreeMap<String, OfRoute>,
}

#[derive(Debug, Default)]
struct OfRoute {
    deadline: Option<Duration>,
    deliveries: u64,
    late: u64,
    end_to_end: Times,
}

/// Waits until all of it has ended, or somebody stops it: then what is known is what comes of a last look, and a second
/// stop does without that.
///
/// # Errors
/// The gateway cannot be asked; it was stopped before anything was known.
pub(super) async fn follow(
    report: &Report,
    admin: &Client,
    stand: &Stand<'_>,
    began: Time,
    stop: &mut Stop,
    screen: &Screen,
) -> anyhow::Result<Followed> {
    let looking = Looking { admin, clock: stand.clock, since: began.minus(CLOCKS_APART) };
    let bar = Bar::new(screen);
    let found = unless(stop, looking.events(&report.keys)).await?;
    let Found { events, before, lost } = found.context("stopped before it was known what became of the events")?;
    let waited = match unless(stop, looking.until_all_ended(&events, &bar)).await? {
        Some(all) => Some(all),
        None => unless(stop, looking.deliveries(&events)).await?,
    };
    let unrouted = events.values().filter(|routed| !**routed).count() as u64;
    let mut followed = Followed { events: events.len() as u64, before, lost, unrouted, ..Followed::default() };
    let deadlines: HashMap<&str, Duration> =
        stand.config.routes.iter().map(|route| (&*route.name, route.policy.deadline)).collect();
    match waited {
        Some(all) => all.iter().for_each(|one| followed.add(one, deadlines.get(&*one.route).copied())),
        None => followed.waiting = followed.events - unrouted,
    }
    Ok(followed)
}

/// `None`: somebody stopped it.
async fn unless<T>(stop: &mut Stop, done: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Option<T>> {
    tokio::select! {
        biased;
        () = stop.asked() => Ok(None),
        done = done => done.map(Some),
    }
}

fn has_ended(delivery: &DeliveryView) -> bool {
    !matches!(&*delivery.state, "pending" | "leased")
}

/// Our events, and whether each has deliveries.
type Events = HashMap<EventId, bool>;

/// Where the accepted events are.
#[derive(Default)]
struct Found {
    events: Events,
    before: u64,
    lost: u64,
}

struct Looking<'c> {
    admin: &'c Client,
    clock: &'c dyn Clock,
    since: Time,
}

impl Looking<'_> {
    /// Those with these keys.
    async fn events(&self, keys: &BTreeMap<Arc<str>, HashSet<String>>) -> anyhow::Result<Found> {
        let mut found = Found::default();
        for (source, keys) in keys {
            let mut missing: HashSet<&str> = keys.iter().map(String::as_str).collect();
            let query = Query::default().with("source", Some(source)).with("since", Some(self.since));
            self.each("/events", &query, |event: EventView| {
                if missing.remove(&*event.idempotency_key) {
                    found.events.insert(event.id, event.delivery_count > 0);
                }
                missing.is_empty()
            })
            .await?;
            for key in missing.iter().take(OLD_MAX) {
                let query = Query::default().with("source", Some(source)).with("key", Some(key)).with("limit", Some(1));
                let page: Listing<EventView> = self.admin.get("/events", &query).await?;
                match page.items.is_empty() {
                    true => found.lost += 1,
                    false => found.before += 1,
                }
            }
            found.lost += missing.len().saturating_sub(OLD_MAX) as u64;
        }
        Ok(found)
    }

    /// All their deliveries, once none is pending any more.
    async fn until_all_ended(&self, events: &Events, bar: &Bar) -> anyhow::Result<Vec<DeliveryView>> {
        loop {
            if !self.is_any_waiting(events).await? {
                let all = self.deliveries(events).await?;
                if all.iter().all(has_ended) {
                    return Ok(all);
                }
            }
            bar.tell(0, events.len() as u64, "waiting until all has been delivered".to_owned());
            self.clock.sleep_until(self.clock.now().plus(LOOK_EVERY)).await;
        }
    }

    async fn is_any_waiting(&self, events: &Events) -> anyhow::Result<bool> {
        for state in ["pending", "leased"] {
            let query = Query::default().with("state", Some(state)).with("since", Some(self.since));
            let mut found = false;
            self.each("/deliveries", &query, |delivery: DeliveryView| {
                found = events.contains_key(&delivery.event);
                found
            })
            .await?;
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The newest of each event and destination.
    async fn deliveries(&self, events: &Events) -> anyhow::Result<Vec<DeliveryView>> {
        let mut all = Vec::with_capacity(events.len());
        let query = Query::default().with("since", Some(self.since));
        self.each("/deliveries", &query, |delivery: DeliveryView| {
            if events.contains_key(&delivery.event) && delivery.replaced_by.is_none() {
                all.push(delivery);
            }
            false
        })
        .await?;
        Ok(all)
    }

    /// Page by page, until there are no more or `enough` says so.
    async fn each<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
        mut enough: impl FnMut(T) -> bool,
    ) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let mut page: Value = self.admin.list(path, query, PAGE, after.take()).await?;
            let items = page.get_mut("items").map(Value::take).unwrap_or_default();
            for item in Vec::<Value>::deserialize(items).context("a list")? {
                if enough(T::deserialize(item).context("the gateway is of another version")?) {
                    return Ok(());
                }
            }
            after = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

impl Followed {
    fn add(&mut self, delivery: &DeliveryView, deadline: Option<Duration>) {
        let took = delivery.ended_at.map(|ended| ended.since(delivery.accepted_at));
        let route = self.routes.entry(delivery.route.clone()).or_default();
        route.deadline = deadline;
        route.deliveries += 1;
        self.retried += u64::from(delivery.attempt_count > 1);
        let late = match (&*delivery.state, took) {
            ("delivered", Some(took)) => {
                self.delivered += 1;
                self.end_to_end.add(took);
                route.end_to_end.add(took);
                deadline.is_some_and(|deadline| took > deadline)
            }
            ("cancelled", _) => {
                self.cancelled += 1;
                false
            }
            ("dead", _) => {
                self.dead += 1;
                true
            }
            _ => {
                self.waiting += 1;
                false
            }
        };
        self.late += u64::from(late);
        route.late += u64::from(late);
    }

    /// Nothing is lost, dead, late or still to come.
    pub fn is_well(&self) -> bool {
        self.lost + self.dead + self.late + self.waiting == 0
    }

    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("events      {}, {} lost", self.events, self.lost)];
        if self.before > 0 {
            lines.push(format!("known       {}: events with these ids came before this run", self.before));
        }
        if self.unrouted > 0 {
            lines.push(format!("unrouted    {}: no route takes them", self.unrouted));
        }
        lines.push(format!("delivered   {}, {} of them retried", self.delivered, self.retried));
        for (what, n) in [("dead", self.dead), ("cancelled", self.cancelled), ("waiting", self.waiting)] {
            if n > 0 {
                lines.push(format!("{what:<12}{n}"));
            }
        }
        lines.push(format!("end to end  {}", self.end_to_end.words()));
        lines.push(format!("deadlines   {} missed", deliveries(self.late)));
        for (name, route) in &self.routes {
            let deadline = route.deadline.map_or("no deadline".to_owned(), |d| format!("deadline {}", span(d)));
            let OfRoute { deliveries, late, end_to_end, .. } = route;
            lines.push(format!(
                "  {}: {deadline}, {deliveries} in all, {late} late; {}",
                clean(name),
                end_to_end.words()
            ));
        }
        lines
    }

    pub fn json(&self) -> Value {
        let route = |(name, route): (&String, &OfRoute)| {
            json!({
                "route": name,
                "deadline_us": route.deadline.map(micros),
                "deliveries": route.deliveries,
                "late": route.late,
                "end_to_end": route.end_to_end.json(),
            })
        };
        json!({
            "events": self.events,
            "known_before": self.before,
            "lost": self.lost,
            "unrouted": self.unrouted,
            "delivered": self.delivered,
            "retried": self.retried,
            "dead": self.dead,
            "cancelled": self.cancelled,
            "waiting": self.waiting,
            "late": self.late,
            "end_to_end": self.end_to_end.json(),
            "routes": self.routes.iter().map(route).collect::<Vec<_>>(),
        })
    }
}
