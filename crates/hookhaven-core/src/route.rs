//! Routes: which events go to which destinations, under which policy.

use std::sync::Arc;

use crate::{delivery::Policy, glob::Glob};

/// One `[[routes]]` entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// `stripe#1` unless the file names it: source and position.
    pub name: Arc<str>,
    pub source: Arc<str>,
    /// Any of them; never empty.
    pub events: Vec<Glob>,
    /// Names of destinations, in order; never empty.
    pub to: Vec<Arc<str>>,
    pub policy: Arc<Policy>,
}

impl Route {
    pub fn takes(&self, source: &str, event_type: &str) -> bool {
        &*self.source == source && self.events.iter().any(|g| g.matches(event_type))
    }
}

/// A destination that an event goes to, and the route that says so.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    pub destination: &'a Arc<str>,
    pub route: &'a Route,
}

/// Where an event goes: at most one delivery per destination, the first route that names it wins.
pub fn matches<'a>(routes: &'a [Route], source: &str, event_type: &str) -> Vec<Match<'a>> {
    let mut found: Vec<Match<'a>> = Vec::new();
    for route in routes.iter().filter(|r| r.takes(source, event_type)) {
        for destination in &route.to {
            if !found.iter().any(|m| m.destination == destination) {
                found.push(Match { destination, route });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::retry::RetryPolicy;

    fn route(name: &str, events: &str, to: &[&str]) -> Route {
        let policy = Policy {
            retry: RetryPolicy::default(),
            deadline: Duration::from_secs(30),
            max_age: Duration::from_secs(60),
            critical: false,
        };
        Route {
            name: name.into(),
            source: "stripe".into(),
            events: Glob::parse(events).into_iter().collect(),
            to: to.iter().map(|d| Arc::from(*d)).collect(),
            policy: Arc::new(policy),
        }
    }

    #[test]
    fn the_first_route_that_names_a_destination_wins() {
        let routes = [route("a", "invoice.*", &["billing"]), route("b", "*", &["billing", "log"])];
        let found = matches(&routes, "stripe", "invoice.paid");
        let found: Vec<_> = found.iter().map(|m| (&**m.destination, &*m.route.name)).collect();
        assert_eq!(found, [("billing", "a"), ("log", "b")]);
        assert!(matches(&routes, "github", "push").is_empty());
    }
}
