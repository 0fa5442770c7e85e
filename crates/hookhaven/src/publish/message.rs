//! A delivery of a published event, seen as the message it is to QStash's clients.
//!
//! Where things stand: the address is the delivery's destination; group and endpoint are its route; the
//! queue is its lane; who published is the event's remote address; settings are the event's headers.

use std::sync::Arc;

use bytes::Bytes;
use hookhaven_core::{Delivery, Event, Lane};

use super::{
    ids,
    lines::Line,
    settings::{Flow, Settings},
};

/// Header of ours that names the schedule a message was made by.
pub const SCHEDULE: &str = "hookhaven-publish-schedule";

/// Routes of messages that go to no group.
pub const ROUTE_URL: &str = "publish";
pub const ROUTE_CALLBACK: &str = "callback";
pub const ROUTE_FAILURE_CALLBACK: &str = "failure-callback";

#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// `msg_…`
    pub id: String,
    pub url: Arc<str>,
    pub group: Option<String>,
    /// Name of the group's endpoint, if it has one.
    pub endpoint: Option<String>,
    pub queue: Option<String>,
    pub schedule: Option<String>,
    /// Address of whoever published.
    pub caller: Option<String>,
    pub settings: Settings,
}

impl Message {
    pub fn of(event: &Event, delivery: &Delivery) -> Self {
        let schedule = event.header(SCHEDULE).and_then(|value| std::str::from_utf8(value).ok());
        Message {
            schedule: schedule.map(str::to_owned),
            caller: Some(&*event.remote).filter(|remote| !remote.is_empty()).map(str::to_owned),
            settings: Settings::of(event),
            ..Self::of_delivery(delivery)
        }
    }

    /// What a delivery alone tells: all but settings, schedule and caller.
    pub fn of_delivery(delivery: &Delivery) -> Self {
        let (group, endpoint) = match delivery.route.split_once('/') {
            Some((group, endpoint)) => (Some(group), Some(endpoint).filter(|name| !name.is_empty())),
            None => (None, None),
        };
        Message {
            id: ids::message(delivery.id),
            url: delivery.destination.clone(),
            group: group.map(str::to_owned),
            endpoint: endpoint.map(str::to_owned),
            queue: queue_of(&delivery.lane).map(str::to_owned),
            schedule: None,
            caller: None,
            settings: Settings::default(),
        }
    }
}

/// A header line of ours that names a schedule.
pub fn schedule_line(id: &str) -> Line {
    (SCHEDULE.into(), Bytes::copy_from_slice(id.as_bytes()))
}

/// Route of a message to a group's endpoint.
pub fn route_of_group(group: &str, endpoint: Option<&str>) -> Arc<str> {
    format!("{group}/{}", endpoint.unwrap_or_default()).into()
}

/// What a message waits in: its queue, else its flow-control key, else its address.
pub fn lane(queue: Option<&str>, flow: Option<&Flow>, url: &str) -> Lane {
    match (queue, flow) {
        (Some(queue), _) => Lane::of_queue(queue),
        (None, Some(flow)) => Lane::of_flow(&flow.key),
        (None, None) => Lane::of_url(url),
    }
}

/// The queue that a message waits in; none for the callback of a queued one, which only waits beside it.
pub fn queue_of(lane: &Lane) -> Option<&str> {
    lane.queue().filter(|_| lane.is_queue())
}

#[cfg(test)]
pub(crate) mod tests {
    use hookhaven_core::{DeliveryId, DeliveryState, EventId, Time, event::PUBLISHED};

    use super::*;

    /// A message as the store gives it back.
    pub fn stored(url: &str, route: &str, lane: Lane, headers: &[(&str, &str)]) -> (Event, Delivery) {
        let headers: Vec<Line> =
            headers.iter().map(|(n, v)| (Arc::from(*n), Bytes::copy_from_slice(v.as_bytes()))).collect();
        let settings = Settings::parse(&headers).unwrap();
        let now = Time::from_s(1_700_000_000);
        let event = Event {
            digest: None,
            part: None,
            id: EventId::from_bytes([7; 16]),
            source: PUBLISHED.into(),
            event_type: settings.event_type().into(),
            idempotency_key: "k".into(),
            received_at: now,
            occurred_at: None,
            correlation_id: "c-1".into(),
            matched_secret: None,
            remote: "203.0.113.9".into(),
            headers,
            body: Bytes::from_static(b"{}"),
        };
        let delivery = Delivery {
            order: None,
            id: DeliveryId::from_bytes([7; 16]),
            event: event.id,
            source: event.source.clone(),
            event_type: event.event_type.clone(),
            destination: url.into(),
            lane,
            route: route.into(),
            policy: Arc::new(settings.policy()),
            accepted_at: now,
            due_at: now,
            attempts: 0,
            tries: 0,
            lost: 0,
            state: DeliveryState::Pending,
            ended_at: None,
            end_reason: None,
            replaces: None,
            replaced_by: None,
            dismissed_at: None,
            cancel_asked_at: None,
        };
        (event, delivery)
    }

    #[test]
    fn everything_is_found_again() {
        let headers = [("upstash-retries", "1"), (SCHEDULE, "scd_1")];
        let route = route_of_group("g", Some("e"));
        let (event, delivery) = stored("https://a/", &route, Lane::of_queue("q"), &headers);
        let message = Message::of(&event, &delivery);
        assert_eq!((message.group.as_deref(), message.endpoint.as_deref()), (Some("g"), Some("e")));
        assert_eq!((message.queue.as_deref(), message.schedule.as_deref()), (Some("q"), Some("scd_1")));
        assert_eq!((message.caller.as_deref(), message.settings.retries()), (Some("203.0.113.9"), 1));
        assert_eq!(message.id, ids::message(delivery.id));
        for (route, group) in [(ROUTE_URL, None), (ROUTE_CALLBACK, None), ("g/", Some("g"))] {
            let (event, delivery) = stored("https://a/", route, lane(None, None, "https://a/"), &[]);
            let message = Message::of(&event, &delivery);
            assert_eq!((message.group.as_deref(), message.endpoint, message.queue), (group, None, None), "{route}");
        }
    }

    #[test]
    fn lanes_are_by_queue_else_key_else_address() {
        let flow = Flow { key: "k".into(), parallelism: None, rate: None, period: std::time::Duration::ZERO };
        assert_eq!(lane(Some("q"), Some(&flow), "https://a/").as_str(), "q:q");
        assert_eq!(lane(None, Some(&flow), "https://a/").as_str(), "f:k");
        assert_eq!(lane(None, None, "https://a/").as_str(), "u:https://a/");
        let beside = Lane::of_queue("q").beside(DeliveryId::from_bytes([7; 16])).unwrap();
        assert_eq!((queue_of(&Lane::of_queue("q")), queue_of(&beside)), (Some("q"), None));
    }
}
