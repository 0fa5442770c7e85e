//! One rule in one scope, over time: as all nodes know it and the store keeps it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rule::{Rule, Severity};
use crate::{id::EventId, time::Time};

/// Of an episode's tellings that are kept with it; what it counts is exact all the same.
pub const TELLINGS_KEPT: usize = 10;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AlertKind)]
pub enum Kind {
    Fired,
    /// It has become more since.
    Grown,
    /// It still fires.
    Repeated,
    Ended,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Fired => "fired",
            Kind::Grown => "grown",
            Kind::Repeated => "repeated",
            Kind::Ended => "ended",
        }
    }
}

/// That something was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub kind: Kind,
    pub at: Time,
    pub value: f64,
    /// Whose deliveries go to the channels; `None`: there was no channel for it, or the store could not take it and
    /// the channels were told by the node itself.
    #[serde(default)]
    pub event: Option<EventId>,
}

/// The last episode of a rule in a scope, and the wait for the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    pub rule: String,
    /// Name of the source, destination or route; empty: everything.
    pub scope: String,
    pub severity: Severity,
    /// From 1; 0: it has never fired.
    pub number: u64,
    /// Since when the condition holds that is not held for long enough yet.
    #[serde(default)]
    pub pending_since: Option<Time>,
    #[serde(default)]
    pub fired_at: Option<Time>,
    #[serde(default)]
    pub ended_at: Option<Time>,
    /// When it was last told, and at the end.
    pub value: f64,
    pub peak: f64,
    pub threshold: f64,
    /// How often it was told that it fires.
    #[serde(default)]
    pub told: u32,
    /// The last of them, in order.
    #[serde(default)]
    pub tellings: Vec<Told>,
}

impl Episode {
    /// Before the first.
    pub(super) fn none(rule: &Rule, scope: &str) -> Self {
        Episode {
            rule: rule.name.to_string(),
            scope: scope.to_owned(),
            severity: rule.severity,
            number: 0,
            pending_since: None,
            fired_at: None,
            ended_at: None,
            value: 0.0,
            peak: 0.0,
            threshold: rule.threshold,
            told: 0,
            tellings: Vec::new(),
        }
    }

    /// The one after this, which fires now.
    pub(super) fn next(&self, rule: &Rule, value: f64, peak: f64, now: Time) -> Self {
        Episode {
            number: self.number + 1,
            fired_at: Some(now),
            value,
            peak: peak.max(value),
            ..Episode::none(rule, &self.scope)
        }
    }

    pub fn is_firing(&self) -> bool {
        self.fired_at.is_some() && self.ended_at.is_none()
    }

    pub fn is_pending(&self) -> bool {
        self.pending_since.is_some() && !self.is_firing()
    }

    /// What tells what is told next from everything else that ever was told: the same on every node.
    pub fn key(&self, kind: Kind) -> String {
        match kind {
            Kind::Ended => format!("{}/{}/{}/end", self.rule, self.scope, self.number),
            _ => format!("{}/{}/{}/{}", self.rule, self.scope, self.number, self.told + 1),
        }
    }

    /// What all tellings of this episode have in common, for receivers that put them together.
    pub fn thread(&self) -> String {
        match &*self.scope {
            "" => format!("hookhaven/{}/{}", self.rule, self.number),
            scope => format!("hookhaven/{}/{scope}/{}", self.rule, self.number),
        }
    }

    /// The same once this was told.
    pub fn having_told(mut self, told: Told) -> Self {
        if told.kind != Kind::Ended {
            self.told = self.told.saturating_add(1);
        }
        self.tellings.push(told);
        let surplus = self.tellings.len().saturating_sub(TELLINGS_KEPT);
        self.tellings.drain(..surplus);
        self
    }

    pub(super) fn last_told(&self) -> Option<&Told> {
        self.tellings.last()
    }
}
