//! From an event to the deliveries it makes under the present configuration: one for each destination
//! that a route names, none for disabled ones. The same for a fresh event and for one routed later.

use std::sync::Arc;

use hookhaven_core::{DeliveryId, Event, Lane, Time, route};
use hookhaven_store::{NewDelivery, clock::Entropy};

use crate::config::Config;

/// Deliveries due at `due_at`; empty if no route takes the event.
pub fn deliveries(config: &Config, event: &Event, due_at: Time, entropy: &dyn Entropy) -> Vec<NewDelivery> {
    route::matches(&config.routes, event)
        .into_iter()
        .filter(|found| !config.is_disabled(found.destination))
        .map(|found| NewDelivery {
            order: found.route.ordering.as_ref().and_then(|ordering| ordering.order(event)).map(Arc::new),
            id: DeliveryId::mint(due_at, entropy.id_bytes()),
            destination: found.destination.clone(),
            lane: Lane::of_destination(found.destination),
            route: found.route.name.clone(),
            policy: found.route.policy.clone(),
            due_at,
        })
        .collect()
}
