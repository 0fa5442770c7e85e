//! What a reader wants to be told of: kinds of things, and which of them.

use hookhaven_core::{DeliveryState, ErrorClass, glob::Glob};
use hookhaven_store::{AttemptRow, DeliveryFilter, DeliveryRow, EventRow};

/// All set fields must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub source: Option<String>,
    pub event_type: Option<Glob>,
    pub destination: Option<String>,
    /// Attempts that ended so; empty: any.
    pub outcomes: Vec<Outcome>,
    pub events: bool,
    pub attempts: bool,
    pub dead_letters: bool,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// There was, or will be, another one.
    Retry,
    /// It was the last; the delivery is dead.
    Dead,
    /// It was the last; the delivery was cancelled meanwhile.
    Cancelled,
}

impl Outcome {
    pub const ALL: [Outcome; 4] = [Self::Delivered, Self::Retry, Self::Dead, Self::Cancelled];

    /// By the delivery as it is now.
    pub fn of(row: &AttemptRow) -> Self {
        match row.delivery.state {
            _ if row.class == ErrorClass::Ok => Outcome::Delivered,
            _ if row.at.number < row.delivery.tries => Outcome::Retry,
            DeliveryState::Dead => Outcome::Dead,
            DeliveryState::Cancelled => Outcome::Cancelled,
            _ => Outcome::Retry,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry => "retry",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

impl Wanted {
    /// Everything that happens.
    pub fn everything() -> Self {
        Wanted {
            source: None,
            event_type: None,
            destination: None,
            outcomes: Vec::new(),
            events: true,
            attempts: true,
            dead_letters: true,
        }
    }

    fn of(&self, source: &str, event_type: &str) -> bool {
        self.source.as_deref().is_none_or(|wanted| wanted == source)
            && self.event_type.as_ref().is_none_or(|wanted| wanted.matches(event_type))
    }

    pub(super) fn event(&self, row: &EventRow) -> bool {
        self.of(&row.source, &row.event_type)
    }

    pub(super) fn attempt(&self, row: &AttemptRow) -> bool {
        let (of, outcome) = (&row.delivery, Outcome::of(row));
        self.of(&of.source, &of.event_type)
            && self.destination.as_deref().is_none_or(|wanted| wanted == &*of.destination)
            && (self.outcomes.is_empty() || self.outcomes.contains(&outcome))
    }

    pub(super) fn dead_letter(&self, row: &DeliveryRow) -> bool {
        self.of(&row.delivery.source, &row.delivery.event_type)
    }

    /// As far as the store can tell.
    pub(super) fn of_deliveries(&self) -> DeliveryFilter {
        DeliveryFilter {
            source: self.source.clone(),
            destination: self.destination.clone(),
            ..DeliveryFilter::default()
        }
    }
}
