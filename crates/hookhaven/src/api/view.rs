//! What the API shows of events, deliveries and attempts: the JSON of its answers, written here and
//! read by the command line. Times are RFC 3339 in UTC, durations carry their unit in the name.
//!
//! Views hold no secrets: credentials in headers and URLs are left out here, for every resource.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
pub use hookhaven_core::destination::shown_url;
use hookhaven_core::{
    Attempt, AttemptId, DeliveryId, DeliveryState, Event, EventId, JobId, Order, Phases, Time, event::Part,
    filter::Finding, job::Mark,
};
use hookhaven_store::{DeliveryRow, EventRow, InLine};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;
use crate::{
    headers::is_sealed,
    seal::{SEAL_BODY, SEALED},
};

/// One page of a list, newest first. `next` goes into `after` for the next one. A page with a `next` may hold fewer
/// items than asked for, or none, where most of the list is not what was asked for; then it says how far it looked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Listing<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
    /// The page ends early, because so much was looked at: everything since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_back_to: Option<Time>,
}

impl<T> Listing<T> {
    /// Everything there is.
    pub fn whole(items: Vec<T>) -> Self {
        Listing { items, next: None, looked_back_to: None }
    }
}

/// Bytes that are mostly text: a string where they are UTF-8, `{"base64": …}` where not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Text {
    Utf8(String),
    Base64 { base64: String },
}

impl Text {
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Text::Utf8(text.to_owned()),
            Err(_) => Text::Base64 { base64: BASE64_STANDARD.encode(bytes) },
        }
    }

    /// The bytes again; empty if the base64 is none.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Text::Utf8(text) => text.clone().into_bytes(),
            Text::Base64 { base64 } => BASE64_STANDARD.decode(base64).unwrap_or_default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeaderView {
    pub name: String,
    pub value: Text,
}

/// Stands in the place of a credential.
pub const REDACTED: &str = "[redacted]";

pub(super) fn headers<N: AsRef<str>>(headers: &[(N, Bytes)]) -> Vec<HeaderView> {
    let value = |name: &str, value: &Bytes| match is_sealed(&name.to_ascii_lowercase()) && name != SEALED {
        true => Text::Utf8(REDACTED.to_owned()),
        false => Text::of(value),
    };
    let shown = headers.iter().filter(|(n, _)| n.as_ref() != SEAL_BODY);
    shown.map(|(n, v)| HeaderView { name: n.as_ref().to_owned(), value: value(n.as_ref(), v) }).collect()
}

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

/// What the config in force says of an event: the answer to "why did nobody get it".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Routing {
    /// The source's sender; `null` if the config has no such source any more.
    pub sender: Option<String>,
    /// How many secrets the source has now.
    pub secret_count: usize,
    /// Whether it happened longer before it came than its sender comes again.
    pub old: bool,
    /// The routes of this source, in the file's order.
    pub routes: Vec<RouteView>,
    /// Where it would go if it came now.
    pub goes_to: Vec<GoesTo>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteView {
    pub name: String,
    pub events: Vec<String>,
    pub to: Vec<String>,
    /// Whether one of its patterns matches the event's type.
    pub takes_type: bool,
    /// What became of each condition of its filter; all must hold.
    pub conditions: Vec<FindingView>,
    /// Whether it takes the event: type and filter.
    pub takes: bool,
}

/// What became of one condition of a route's filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindingView {
    pub condition: String,
    pub holds: bool,
    /// What stood there, cut if it is long; `null` for a group.
    pub seen: Option<String>,
    /// The conditions of a group (`any of these`, `all of these`, `not`).
    #[schema(no_recursion)]
    pub conditions: Vec<FindingView>,
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        let Finding { condition, holds, seen, parts } = finding;
        FindingView { condition, holds, seen, conditions: parts.into_iter().map(Self::from).collect() }
    }
}

/// A route as the config in force has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListedRoute {
    pub name: String,
    /// `active`; `disabled`: all its destinations are, so that it makes no delivery.
    pub state: String,
    pub source: String,
    pub events: Vec<String>,
    /// The conditions of its filter, in words; all must hold.
    pub when: Vec<String>,
    pub to: Vec<String>,
    pub critical: bool,
    /// `fifo` or `latest`; `null`: deliveries go whenever they are due.
    pub ordering: Option<String>,
    /// Places of the ordering key.
    pub ordering_key: Vec<String>,
    /// How soon after the request the handler's answer goes back to the sender; `null`: it is not asked for.
    pub answer_within_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GoesTo {
    pub destination: String,
    pub route: String,
    /// Disabled destinations get no new deliveries.
    pub disabled: bool,
}

/// A delivery with its last attempt in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    pub id: DeliveryId,
    pub event: EventId,
    pub source: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub destination: String,
    /// Of a delivery that a job made: the job, after `replay/`.
    pub route: String,
    /// The job that made it to bring its event to another destination.
    pub job: Option<JobId>,
    pub lane: String,
    /// `pending`, `leased`, `delivered`, `dead` or `cancelled`.
    #[schema(value_type = DeliveryState)]
    pub state: String,
    pub critical: bool,
    pub accepted_at: Time,
    /// When the next attempt is due; `null` once it has ended.
    pub due_at: Option<Time>,
    /// When it ends dead if it could not be attempted.
    pub expires_at: Time,
    /// Its place among those of its ordering key; `null` if it goes whenever it is due.
    pub ordering: Option<OrderView>,
    /// Attempts that counted, and how many the policy grants.
    pub attempt_count: u32,
    pub attempts_max: u32,
    /// Attempts lost in a row with the node that made them.
    pub lost_count: u32,
    pub ended_at: Option<Time>,
    pub end_reason: Option<String>,
    pub replaces: Option<DeliveryId>,
    pub replaced_by: Option<DeliveryId>,
    pub dismissed_at: Option<Time>,
    /// Dead, neither replaced nor dismissed.
    pub dead_letter: bool,
    pub last_attempt: Option<LastAttemptView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastAttemptView {
    pub at: Time,
    #[schema(schema_with = schema::class)]
    pub class: String,
    pub status: Option<u16>,
    pub error: String,
}

impl From<DeliveryRow> for DeliveryView {
    fn from(row: DeliveryRow) -> Self {
        let d = row.delivery;
        let last = |l: hookhaven_store::LastAttempt| LastAttemptView {
            at: l.at,
            class: l.class.as_str().to_owned(),
            status: l.status,
            error: l.error.to_string(),
        };
        DeliveryView {
            id: d.id,
            event: d.event,
            source: d.source.to_string(),
            event_type: d.event_type.to_string(),
            destination: d.destination.to_string(),
            job: Mark::of_route(&d.route).map(|mark| mark.job),
            route: d.route.to_string(),
            lane: d.lane.as_str().to_owned(),
            state: d.state.as_str().to_owned(),
            critical: d.policy.critical,
            accepted_at: d.accepted_at,
            due_at: (!d.state.is_final()).then_some(d.due_at),
            expires_at: d.accepted_at.plus(d.policy.max_age),
            ordering: d.order.as_deref().map(OrderView::of),
            attempt_count: d.attempts,
            attempts_max: d.policy.retry.attempts,
            lost_count: d.lost,
            ended_at: d.ended_at,
            end_reason: d.end_reason.map(|r| r.as_str().to_owned()),
            replaces: d.replaces,
            replaced_by: d.replaced_by,
            dismissed_at: d.dismissed_at,
            dead_letter: d.is_dead_letter(),
            last_attempt: row.last.map(last),
        }
    }
}

/// A delivery's place in its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderView {
    /// `fifo` or `latest`.
    pub mode: String,
    pub key: String,
    /// Of `latest`: a number; times in seconds.
    pub version: Option<String>,
    /// Until when it keeps those behind it back, dead.
    pub parks_until: Option<Time>,
    /// What goes before it, where it is looked at alone and has not ended.
    pub waits_for: Option<WaitsFor>,
}

/// What keeps a delivery back in its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitsFor {
    /// The delivery that goes first.
    pub behind: Option<DeliveryId>,
    /// How many go before it.
    pub ahead: u64,
    /// The dead delivery that parks the line, and until when.
    pub parked_by: Option<DeliveryId>,
    pub parked_until: Option<Time>,
}

impl OrderView {
    fn of(order: &Order) -> Self {
        OrderView {
            mode: if order.version().is_some() { "latest" } else { "fifo" }.to_owned(),
            key: order.key.to_string(),
            version: order.version().map(|version| version.to_string()),
            parks_until: order.parks_until,
            waits_for: None,
        }
    }
}

impl WaitsFor {
    /// `None` if nothing keeps it back.
    pub(crate) fn of(stands: InLine) -> Option<Self> {
        let (parked_by, parked_until) = stands.parked.unzip();
        let kept_back = stands.behind.is_some() || parked_by.is_some();
        kept_back.then_some(WaitsFor { behind: stands.behind, ahead: stands.ahead, parked_by, parked_until })
    }
}

/// A delivery with all its attempts, first to last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryDetail {
    #[serde(flatten)]
    pub delivery: DeliveryView,
    pub attempts: Vec<AttemptView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    pub id: AttemptId,
    /// From 1; lost ones count.
    pub number: u32,
    pub started_at: Time,
    pub duration_us: u64,
    pub phases: Phases,
    pub status: Option<u16>,
    #[schema(schema_with = schema::class)]
    pub class: String,
    pub error: String,
    pub response_headers: Vec<HeaderView>,
    pub response_excerpt: Text,
    pub next_attempt_at: Option<Time>,
}

impl From<Attempt> for AttemptView {
    fn from(a: Attempt) -> Self {
        AttemptView {
            id: a.id,
            number: a.number,
            started_at: a.started_at,
            duration_us: a.duration_us,
            phases: a.phases,
            status: a.status,
            class: a.class.as_str().to_owned(),
            error: a.error.to_string(),
            response_headers: headers(&a.response_headers),
            response_excerpt: Text::of(&a.response_excerpt),
            next_attempt_at: a.next_attempt_at,
        }
    }
}

/// What became of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayAnswer {
    pub replayed: Vec<ReplayedView>,
    /// New deliveries of an event that had gone nowhere.
    pub routed: Vec<DeliveryId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayedView {
    pub delivery: DeliveryId,
    pub replaced_by: DeliveryId,
    /// It had been replayed before; nothing was done now.
    pub already: bool,
}

/// What became of a bulk act. The counts of what was not done say why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkAnswer {
    pub dry_run: bool,
    /// Dead letters that the request named.
    pub matched: u64,
    pub done: u64,
    /// Replayed or dismissed by somebody else before.
    pub already: u64,
    /// Not ended, or not a dead letter.
    pub refused: u64,
    pub unknown: u64,
    /// By filter: only what died before this was counted or touched. Given as the filter's `until`, it
    /// keeps a second request to what the first one saw.
    pub until: Option<Time>,
    /// There are more: the same request with this as `after` goes on.
    pub next: Option<DeliveryId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_brings_any_bytes_back() {
        for bytes in [&b"plain"[..], b"", b"\xff\xfe", "käse".as_bytes()] {
            let json = serde_json::to_string(&Text::of(bytes)).unwrap();
            let back: Text = serde_json::from_str(&json).unwrap();
            assert_eq!(back.to_bytes(), bytes);
        }
    }

    #[test]
    fn credentials_are_left_out() {
        let shown =
            headers(&[("Authorization", Bytes::from("Bearer s3cret")), ("x-github-event", Bytes::from("push"))]);
        assert_eq!(shown[0].value, Text::Utf8(REDACTED.into()));
        assert_eq!(shown[1].value, Text::Utf8("push".into()));
        let url = "https://user:pass@example.com/hook?token=s3cret#s3cret".parse().unwrap();
        assert_eq!(shown_url(&url), "https://example.com/hook?…");
    }
}
