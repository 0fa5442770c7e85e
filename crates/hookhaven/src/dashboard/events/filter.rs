//! Which events a list shows: read from its address, and written into those of other pages.

use hookhaven_core::{DeliveryId, EventId, RejectedId};

use super::super::{Visit, query, visit::Range};

/// What stands for events without a delivery among the states.
pub(super) const UNROUTED: &str = "unrouted";

/// All that is set must hold; empty is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub source: String,
    pub event_type: String,
    pub id: String,
    pub key: String,
    pub destination: String,
    /// Of a delivery; or [`UNROUTED`].
    pub state: String,
    /// In the body.
    pub text: String,
    /// Where the page before ended.
    pub after: String,
    /// The span of time, as pages name it.
    range: &'static str,
    since: String,
    until: String,
}

impl Filter {
    pub fn of(visit: &Visit) -> Self {
        let mut filter = Filter::default();
        let asked = visit.address.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in url::form_urlencoded::parse(asked.as_bytes()) {
            let value = value.trim();
            match &*name {
                "unrouted" if !matches!(value, "" | "false") => UNROUTED.clone_into(&mut filter.state),
                "source" => value.clone_into(&mut filter.source),
                "type" => value.clone_into(&mut filter.event_type),
                "id" => value.clone_into(&mut filter.id),
                "key" => value.clone_into(&mut filter.key),
                "destination" => value.clone_into(&mut filter.destination),
                "state" => value.clone_into(&mut filter.state),
                "text" => value.clone_into(&mut filter.text),
                "after" => value.clone_into(&mut filter.after),
                _ => {}
            }
        }
        filter.range = visit.range.name();
        // A key is looked up over all time, unless a span was drawn.
        if filter.key.is_empty() || matches!(visit.range, Range::Between(..)) {
            filter.since = visit.range.since(visit.now).to_string();
        }
        filter.until = visit.range.until().map(|until| until.to_string()).unwrap_or_default();
        filter
    }

    /// Where an id leads by itself.
    pub fn leads_to(&self) -> Option<String> {
        let id = &self.id;
        let event = id.parse::<EventId>().ok().map(|id| format!("/events/{id}"));
        let delivery = || id.parse::<DeliveryId>().ok().map(|id| format!("/deliveries/{id}"));
        let rejected = || id.parse::<RejectedId>().ok().map(|id| format!("/rejected/{id}"));
        event.or_else(delivery).or_else(rejected)
    }

    pub fn is_unrouted(&self) -> bool {
        self.state == UNROUTED
    }

    /// Whether anything but the span of time is asked for.
    pub fn is_narrow(&self) -> bool {
        [&self.source, &self.event_type, &self.id, &self.key, &self.destination, &self.state, &self.text]
            .into_iter()
            .any(|set| !set.is_empty())
    }

    /// What the API is asked for.
    pub fn question(&self, limit: &str) -> String {
        let (state, unrouted) = if self.is_unrouted() { ("", "true") } else { (&*self.state, "") };
        let parameters = [
            ("source", &*self.source),
            ("type", &self.event_type),
            ("id", &self.id),
            ("key", &self.key),
            ("destination", &self.destination),
            ("state", state),
            ("unrouted", unrouted),
            ("since", &self.since),
            ("until", &self.until),
            ("after", &self.after),
            ("limit", limit),
        ];
        query::path("/events", &parameters)
    }

    /// What the API's search is asked for: it knows source, type and time.
    pub fn search(&self, limit: &str) -> String {
        let parameters = [
            ("text", &*self.text),
            ("source", &self.source),
            ("type", &self.event_type),
            ("since", &self.since),
            ("until", &self.until),
            ("after", &self.after),
            ("limit", limit),
        ];
        query::path("/search", &parameters)
    }

    /// The address of this list, from there on.
    pub fn link(&self, after: &str) -> String {
        let span = if self.range.is_empty() { ("", &*self.since, &*self.until) } else { (self.range, "", "") };
        let parameters = [
            ("text", &*self.text),
            ("source", &self.source),
            ("type", &self.event_type),
            ("key", &self.key),
            ("destination", &self.destination),
            ("state", &self.state),
            ("range", span.0),
            ("since", span.1),
            ("until", span.2),
            ("after", after),
        ];
        query::path("/events", &parameters)
    }

    /// What a form of this page keeps of the span of time.
    pub fn kept(&self) -> Vec<(&'static str, &str)> {
        if self.range.is_empty() {
            vec![("since", &self.since), ("until", &self.until)]
        } else {
            vec![("range", self.range)]
        }
    }

    /// The live view of the same.
    pub fn live(&self) -> String {
        let parameters = [("source", &*self.source), ("type", &self.event_type), ("destination", &self.destination)];
        query::path("/events/live", &parameters)
    }
}
