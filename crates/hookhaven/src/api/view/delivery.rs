//! Deliveries, their places in line, and their attempts.

use hookhaven_core::{Attempt, AttemptId, DeliveryId, DeliveryState, EventId, JobId, Order, Phases, Time, job::Mark};
use hookhaven_store::{DeliveryRow, InLine, LastAttempt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{HeaderView, Text, headers};
use crate::api::schema;

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
        let last = |l: LastAttempt| LastAttemptView {
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
