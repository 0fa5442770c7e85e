//! Routes, as the config in force has them, and what they make of an event.

use hookhaven_core::filter::Finding;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
