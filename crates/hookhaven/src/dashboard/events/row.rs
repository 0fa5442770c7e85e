//! One row of a list of events: what it is, and where its deliveries stand.

use askama::Template;
use futures_util::future::join_all;

use super::{super::show, cut, filter::Filter};
use crate::{
    api::view::{DeliveryView, EventView, Listing},
    dashboard::{Visit, query},
};

/// Deliveries of one event that a row looks at.
const DELIVERIES_MAX: &str = "20";
/// Shown of a type, a source or a piece of a body.
const TEXT_CHARS_MAX: usize = 160;

/// How many deliveries are in a state.
pub(super) struct Tally {
    pub state: String,
    pub count: u64,
}

#[derive(Template)]
#[template(path = "events_row.html")]
pub(super) struct Row {
    event: EventView,
    source: String,
    event_type: String,
    tallies: Vec<Tally>,
    /// Of a search: what stands around what was found.
    excerpt: Option<String>,
    /// For filters that a search does not know.
    deliveries: Vec<DeliveryView>,
}

impl Row {
    /// All at once: a list is as fast as its slowest row.
    pub async fn all(visit: &Visit, events: Vec<EventView>) -> Vec<Row> {
        join_all(events.into_iter().map(|event| Row::of(visit, event, None))).await
    }

    pub async fn of(visit: &Visit, event: EventView, excerpt: Option<String>) -> Row {
        let deliveries = if event.delivery_count == 0 { Vec::new() } else { deliveries(visit, &event).await };
        Row {
            source: cut(&event.source, TEXT_CHARS_MAX),
            event_type: cut(&event.event_type, TEXT_CHARS_MAX),
            tallies: tallies(&deliveries),
            excerpt: excerpt.map(|text| cut(&text, 2 * TEXT_CHARS_MAX)),
            event,
            deliveries,
        }
    }

    /// Whether it is what a list asks for, beyond what a search looked at.
    pub fn fits(&self, filter: &Filter) -> bool {
        let with = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        let delivery = |d: &DeliveryView| with(&filter.destination, &d.destination) && with(&filter.state, &d.state);
        let of_deliveries = match (filter.is_unrouted(), filter.destination.is_empty() && filter.state.is_empty()) {
            (true, _) => self.event.delivery_count == 0,
            (false, true) => true,
            (false, false) => self.deliveries.iter().any(delivery),
        };
        of_deliveries && with(&filter.key, &self.event.idempotency_key)
    }
}

/// A row stands without them where they cannot be read: the page of the event says why.
async fn deliveries(visit: &Visit, event: &EventView) -> Vec<DeliveryView> {
    let path = query::path("/deliveries", &[("event", &event.id.to_string()), ("limit", DELIVERIES_MAX)]);
    visit.api.get::<Listing<DeliveryView>>(&path).await.map(|page| page.items).unwrap_or_default()
}

/// What was replayed is told by what took its place.
fn tallies(deliveries: &[DeliveryView]) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = Vec::new();
    for d in deliveries.iter().filter(|d| d.replaced_by.is_none()) {
        let state = if d.state == "dead" && d.dismissed_at.is_some() { "dismissed" } else { &*d.state };
        match tallies.iter_mut().find(|tally| tally.state == state) {
            Some(tally) => tally.count += 1,
            None => tallies.push(Tally { state: state.to_owned(), count: 1 }),
        }
    }
    tallies
}
