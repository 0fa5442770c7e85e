//! Events, and their places among the parts of a request.

use hookhaven_core::{Event, EventId, Time, event::Part};
use hookhaven_store::EventRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DeliveryDetail, HeaderView, Routing, headers};

/// An event without headers and body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    pub id: EventId,
    pub source: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub idempotency_key: String,
    pub received_at: Time,
    pub occurred_at: Option<Time>,
    pub correlation_id: String,
    /// Position, from 0, of the source's secret that the signature held with; `null` if unverified.
    pub matched_secret: Option<u8>,
    pub remote: String,
    pub body_bytes: u64,
    /// Its place in the request that it came in with others, if it is read alone.
    pub part: Option<PartView>,
    /// How many deliveries it made, replays included; 0 is an unrouted event.
    pub delivery_count: u32,
}

/// Which of a request's events it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartView {
    /// From 1.
    pub number: u32,
    pub of: u32,
    /// Of the request's body, which is at `/events/{id}/request`; `null` where it is not kept any more.
    pub request_bytes: Option<u64>,
}

impl PartView {
    fn of(part: &Part) -> Self {
        let request_bytes = part.whole.as_ref().map(|whole| whole.len() as u64);
        PartView { number: part.number, of: part.of, request_bytes }
    }
}

impl From<EventRow> for EventView {
    fn from(row: EventRow) -> Self {
        EventView {
            id: row.id,
            source: row.source.to_string(),
            event_type: row.event_type.to_string(),
            idempotency_key: row.idempotency_key.to_string(),
            received_at: row.received_at,
            occurred_at: row.occurred_at,
            correlation_id: row.correlation_id.to_string(),
            matched_secret: row.matched_secret,
            remote: row.remote.to_string(),
            body_bytes: row.body_bytes,
            part: None,
            delivery_count: row.deliveries,
        }
    }
}

/// An event with all that became of it; the body is at `/events/{id}/body`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventDetail {
    #[serde(flatten)]
    pub event: EventView,
    pub headers: Vec<HeaderView>,
    /// Oldest first, at most 500, each with its attempts.
    pub deliveries: Vec<DeliveryDetail>,
    pub routing: Routing,
}

impl EventDetail {
    pub(crate) fn new(event: &Event, deliveries: Vec<DeliveryDetail>, routing: Routing) -> Self {
        let view = EventView {
            id: event.id,
            source: event.source.to_string(),
            event_type: event.event_type.to_string(),
            idempotency_key: event.idempotency_key.to_string(),
            received_at: event.received_at,
            occurred_at: event.occurred_at,
            correlation_id: event.correlation_id.to_string(),
            matched_secret: event.matched_secret,
            remote: event.remote.to_string(),
            body_bytes: event.body.len() as u64,
            part: event.part.as_ref().map(PartView::of),
            delivery_count: u32::try_from(deliveries.len()).unwrap_or(u32::MAX),
        };
        EventDetail { event: view, headers: headers(&event.headers), deliveries, routing }
    }
}
