//! Routes: which events go to which destinations, under which policy.

use std::{cell::OnceCell, sync::Arc, time::Duration};

use crate::{
    delivery::Policy,
    event::Event,
    filter::{Filter, Finding, Reading},
    glob::Glob,
    ordering::{Order, OrderRule},
    senders::OrderPlaces,
};

/// One `[[routes]]` entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// `stripe#1` unless the file names it: source and position.
    pub name: Arc<str>,
    pub source: Arc<str>,
    /// Any of them; never empty.
    pub events: Vec<Glob>,
    /// What else must hold of an event.
    pub when: Option<Filter>,
    /// Names of destinations, in order; never empty.
    pub to: Vec<Arc<str>>,
    pub policy: Arc<Policy>,
    /// The handler's answer goes back to the sender if it comes so soon after the request; `None`: it is not asked.
    pub answer_within: Option<Duration>,
    /// `None`: deliveries go whenever they are due.
    pub ordering: Option<Ordering>,
}

/// How deliveries of the same ordering key stand to each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordering {
    pub mode: Mode,
    pub places: OrderPlaces,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Fifo {
        /// How long after its first failure a delivery may park those behind it.
        park: Duration,
    },
    Latest,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Fifo { .. } => "fifo",
            Mode::Latest => "latest",
        }
    }
}

impl Ordering {
    /// The order of an event's delivery. `None` if the event has no ordering key, or for `latest` no version: there
    /// is nothing to order it by, and it goes when it is due.
    pub fn order(&self, event: &Event) -> Option<Order> {
        let (key, version) = self.places.read(event)?;
        let rule = match self.mode {
            Mode::Fifo { park } => OrderRule::Fifo { park },
            Mode::Latest => OrderRule::Latest { version: version? },
        };
        // Two sources may use the same numbers for different things.
        Some(Order::new(&format!("{}/{key}", event.source), rule))
    }
}

impl Route {
    /// Whether it is for such events at all; its filter has the last word.
    pub fn takes_type(&self, source: &str, event_type: &str) -> bool {
        &*self.source == source && self.events.iter().any(|g| g.matches(event_type))
    }
}

/// A destination that an event goes to, and the route that says so.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    pub destination: &'a Arc<str>,
    pub route: &'a Route,
}

/// Where an event goes: at most one delivery per destination, the first route that takes the event and names
/// it wins. The body is read once, and only if a route that takes the type has a filter.
pub fn matches<'a>(routes: &'a [Route], event: &Event) -> Vec<Match<'a>> {
    let asked = || routes.iter().filter(|r| r.takes_type(&event.source, &event.event_type));
    let reading = OnceCell::new();
    let read = || reading.get_or_init(|| Reading::of(event, asked().filter_map(|r| r.when.as_ref())));
    let mut found: Vec<Match<'a>> = Vec::new();
    for route in asked().filter(|r| r.when.as_ref().is_none_or(|filter| filter.holds(read()))) {
        for destination in &route.to {
            if !found.iter().any(|m| m.destination == destination) {
                found.push(Match { destination, route });
            }
        }
    }
    found
}

/// Whose handler's answer goes back to the sender: the first destination of the first route that asks for it. Of a
/// destination that an earlier route has taken, that route decides.
pub fn asked<'a>(found: &[Match<'a>]) -> Option<Match<'a>> {
    let asks = |m: &&Match<'_>| m.route.answer_within.is_some() && m.route.to.first() == Some(m.destination);
    found.iter().find(asks).copied()
}

/// What one route says of an event of its source.
#[derive(Clone, Debug)]
pub struct Explained<'a> {
    pub route: &'a Route,
    /// Whether one of its patterns matches the event's type.
    pub takes_type: bool,
    /// What became of each condition of its filter, whether or not it takes the type.
    pub findings: Vec<Finding>,
}

impl Explained<'_> {
    pub fn takes(&self) -> bool {
        self.takes_type && self.findings.iter().all(|finding| finding.holds)
    }
}

/// What the routes of the event's source say of it, in their order.
pub fn explain<'a>(routes: &'a [Route], event: &Event) -> Vec<Explained<'a>> {
    let of_source: Vec<&Route> = routes.iter().filter(|r| r.source == event.source).collect();
    let reading = Reading::of(event, of_source.iter().filter_map(|r| r.when.as_ref()));
    let one = |route: &'a Route| Explained {
        route,
        takes_type: route.takes_type(&event.source, &event.event_type),
        findings: route.when.as_ref().map(|filter| filter.explain(&reading)).unwrap_or_default(),
    };
    of_source.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Time,
        event::testing::event_with,
        filter::{Condition, Literal, Test},
        retry::RetryPolicy,
        senders::Place,
    };

    fn route(name: &str, events: &str, when: Option<&str>, to: &[&str]) -> Route {
        let policy = Policy {
            retry: RetryPolicy::default(),
            deadline: Duration::from_secs(30),
            max_age: Duration::from_secs(60),
            critical: false,
        };
        let is_true = |place| Condition::At(Place::parse(place).unwrap(), vec![Test::In(vec![Literal::Bool(true)])]);
        Route {
            name: name.into(),
            source: "stripe".into(),
            events: Glob::parse(events).into_iter().collect(),
            when: when.map(|place| Filter::new(vec![is_true(place)])),
            to: to.iter().map(|d| Arc::from(*d)).collect(),
            policy: Arc::new(policy),
            answer_within: None,
            ordering: None,
        }
    }

    fn found(routes: &[Route], event: &Event) -> Vec<(String, String)> {
        let names = |m: &Match<'_>| (m.destination.to_string(), m.route.name.to_string());
        matches(routes, event).iter().map(names).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn an_order_is_read_from_the_event() {
        let order = |mode, key: &[&str], version: &[&str], body: &str| {
            let ordering = Ordering { mode, places: OrderPlaces::parse(key, version).unwrap() };
            let mut event = event_with(&[("x-key", "h")], body.as_bytes());
            event.received_at = Time::from_s(7);
            ordering.order(&event)
        };
        let fifo = Mode::Fifo { park: Duration::from_secs(60) };
        let keys = ["json:/id", "header:x-key"];
        let of = |order: Option<Order>| order.map(|o| (o.key.to_string(), o.version().map(|v| v.to_string())));
        assert_eq!(of(order(fifo, &keys, &[], r#"{"id":"a"}"#)), Some(("stripe/a".into(), None)));
        assert_eq!(of(order(fifo, &keys, &[], "no json")), Some(("stripe/h".into(), None)));
        assert_eq!(of(order(fifo, &["json:/id"], &[], "{}")), None);
        let latest = |version: &[&str], body| of(order(Mode::Latest, &keys, version, body));
        assert_eq!(latest(&[], "{}"), Some(("stripe/h".into(), Some("7".into()))));
        assert_eq!(latest(&["json:/v"], r#"{"v":"3.5"}"#), Some(("stripe/h".into(), Some("3.5".into()))));
        assert_eq!(latest(&["json:/v"], r#"{"v":"three"}"#), None);
    }

    #[test]
    fn the_first_route_that_names_a_destination_wins() {
        let routes = [route("a", "invoice.*", None, &["billing"]), route("b", "*", None, &["billing", "log"])];
        let mut event = event_with(&[], b"");
        assert_eq!(found(&routes, &event), pairs(&[("billing", "a"), ("log", "b")]));
        event.source = "github".into();
        assert_eq!(found(&routes, &event), []);
    }

    #[test]
    fn one_destination_answers_at_most() {
        let asks =
            |name, to: &[&str]| Route { answer_within: Some(Duration::from_secs(1)), ..route(name, "*", None, to) };
        let event = event_with(&[], b"");
        let answers = |routes: &[Route]| asked(&matches(routes, &event)).map(|m| m.destination.to_string());
        assert_eq!(answers(&[route("a", "*", None, &["x"])]), None);
        assert_eq!(answers(&[route("a", "*", None, &["x"]), asks("b", &["y", "z"])]).as_deref(), Some("y"));
        assert_eq!(answers(&[asks("a", &["y"]), asks("b", &["z"])]).as_deref(), Some("y"));
        // The first route decides about x, and does not ask.
        assert_eq!(answers(&[route("a", "*", None, &["x"]), asks("b", &["x", "z"])]), None);
    }

    #[test]
    fn a_route_whose_filter_does_not_hold_leaves_the_event_to_the_next() {
        let routes = [
            route("live", "invoice.*", Some("json:/live"), &["billing"]),
            route("marked", "*", Some("header:x-mark"), &["billing", "log"]),
            route("other", "charge.*", Some("json:/other"), &["log"]),
            route("rest", "*", None, &["log"]),
        ];
        for (headers, body, expected) in [
            (&[][..], r#"{"live":true,"other":true}"#, pairs(&[("billing", "live"), ("log", "rest")])),
            (&[("x-mark", "true")], r#"{"live":true}"#, pairs(&[("billing", "live"), ("log", "marked")])),
            (&[("x-mark", "true")], r#"{"live":false}"#, pairs(&[("billing", "marked"), ("log", "marked")])),
            (&[], "no json", pairs(&[("log", "rest")])),
        ] {
            let event = event_with(headers, body.as_bytes());
            assert_eq!(found(&routes, &event), expected, "{body}");
            let explained = explain(&routes, &event);
            let taking: Vec<_> = explained.iter().filter(|e| e.takes()).map(|e| &*e.route.name).collect();
            assert!(expected.iter().all(|(_, route)| taking.contains(&&**route)), "{taking:?}");
            assert!(!explained[2].takes() && !explained[2].takes_type);
        }
    }
}
