//! What lists and look-ups show, and how they are asked.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{
    Attempt, AttemptId, Delivery, DeliveryId, DeliveryState, ErrorClass, Event, EventId, Lane, Time, event::ALERTS,
};

/// An event as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    pub id: EventId,
    pub source: Arc<str>,
    pub event_type: Arc<str>,
    pub idempotency_key: Arc<str>,
    pub received_at: Time,
    pub occurred_at: Option<Time>,
    pub correlation_id: Arc<str>,
    pub matched_secret: Option<u8>,
    pub remote: Arc<str>,
    pub body_bytes: u64,
    /// How many deliveries it made, replays included; 0 = unrouted.
    pub deliveries: u32,
}

impl EventRow {
    /// Of a whole event that made so many deliveries.
    pub(crate) fn of(e: &Event, deliveries: u32) -> Self {
        EventRow {
            id: e.id,
            source: e.source.clone(),
            event_type: e.event_type.clone(),
            idempotency_key: e.idempotency_key.clone(),
            received_at: e.received_at,
            occurred_at: e.occurred_at,
            correlation_id: e.correlation_id.clone(),
            matched_secret: e.matched_secret,
            remote: e.remote.clone(),
            body_bytes: e.body.len() as u64,
            deliveries,
        }
    }
}

/// A delivery as lists show it: with its last attempt in short.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRow {
    pub delivery: Delivery,
    pub last: Option<LastAttempt>,
}

/// A delivery with the whole of its last attempt, if there was one.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    pub row: DeliveryRow,
    pub attempt: Option<Attempt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAttempt {
    pub at: Time,
    pub class: ErrorClass,
    pub status: Option<u16>,
    pub error: Arc<str>,
}

/// Where an attempt stands among all: by its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptAt {
    pub ended_at: Time,
    pub delivery: DeliveryId,
    pub number: u32,
}

impl AttemptAt {
    pub fn of(a: &Attempt) -> Self {
        let ended_at = a.started_at.plus(Duration::from_micros(a.duration_us));
        AttemptAt { ended_at, delivery: a.delivery, number: a.number }
    }

    /// Before all attempts that ended then or later.
    pub fn before(ended_at: Time) -> Self {
        AttemptAt { ended_at, delivery: DeliveryId::from_bytes([0; 16]), number: 0 }
    }
}

/// An attempt in short, with its delivery as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    pub id: AttemptId,
    pub at: AttemptAt,
    pub duration_us: u64,
    pub class: ErrorClass,
    pub status: Option<u16>,
    pub error: Arc<str>,
    pub delivery: Delivery,
}

impl AttemptRow {
    pub(crate) fn of(a: &Attempt, delivery: Delivery) -> Self {
        AttemptRow {
            id: a.id,
            at: AttemptAt::of(a),
            duration_us: a.duration_us,
            class: a.class,
            status: a.status,
            error: a.error.clone(),
            delivery,
        }
    }
}

/// A dead letter, and when it died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub id: DeliveryId,
    pub died_at: Time,
}

/// All set fields must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventFilter {
    pub id: Option<EventId>,
    pub source: Option<String>,
    /// In it `*` stands for any run of characters.
    pub event_type: Option<String>,
    pub idempotency_key: Option<String>,
    /// Only events with a delivery to this destination; in that state, if `state` is set too.
    pub destination: Option<String>,
    /// Only events with a delivery in this state. `Leased` counts as `Pending` too.
    pub state: Option<DeliveryState>,
    /// Received at or after.
    pub since: Option<Time>,
    /// Received before.
    pub until: Option<Time>,
    /// Only events that made no delivery.
    pub unrouted: bool,
}

/// All set fields must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeliveryFilter {
    pub event: Option<EventId>,
    pub source: Option<String>,
    pub destination: Option<String>,
    pub route: Option<String>,
    pub lane: Option<Lane>,
    /// In it `*` stands for any run of characters.
    pub event_type: Option<String>,
    /// Of the event.
    pub idempotency_key: Option<String>,
    /// `Leased` counts as `Pending` too.
    pub state: Option<DeliveryState>,
    /// Dead letters only: dead, not replaced, not dismissed.
    pub dead_letters: bool,
    /// Class of the last attempt.
    pub class: Option<ErrorClass>,
    /// HTTP status of the last attempt.
    pub status: Option<u16>,
    /// For dead letters the time of death, else of acceptance; at or after.
    pub since: Option<Time>,
    /// Before.
    pub until: Option<Time>,
    /// How old ids may be of what was accepted `since`, if that is more than seconds: the ids of what bulk work makes
    /// bear the time at which it was asked for.
    pub minted_since: Option<Time>,
}

/// What one look at a list found. A look is bounded: where most rows are none of those asked for, it may end
/// before its page is full.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked<T, I> {
    pub rows: Vec<T>,
    /// Up to where it looked, if it ended before the page was full and before the list was over: go on after this.
    pub upto: Option<I>,
}

impl<T, I> Looked<T, I> {
    /// Of a look that came to the end of its page or of the list.
    pub fn whole(rows: Vec<T>) -> Self {
        Looked { rows, upto: None }
    }
}

/// A page asked for: newest first unless told otherwise, `after` the last id of the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<I> {
    pub after: Option<I>,
    pub limit: usize,
    pub oldest_first: bool,
}

impl<I> Page<I> {
    pub fn first(limit: usize) -> Self {
        Page { after: None, limit, oldest_first: false }
    }

    /// The next page after that one.
    pub fn after(self, id: I) -> Self {
        Page { after: Some(id), ..self }
    }

    pub fn oldest_first(self) -> Self {
        Page { oldest_first: true, ..self }
    }
}

/// Something that happened to a published delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Grows with each step, in the order of commits; where a page ends.
    pub number: u64,
    pub at: Time,
    pub delivery: DeliveryId,
    pub kind: StepKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    Accepted,
    /// An attempt was recorded, with what followed from it; its number.
    Attempted(u32),
    CancelAsked,
    /// It ended without an attempt: cancelled or expired.
    Ended,
}

/// All set fields must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepFilter {
    /// At or after.
    pub since: Option<Time>,
    /// Before.
    pub until: Option<Time>,
}

/// How many deliveries of a lane have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneSize {
    pub waiting: u64,
    pub leased: u64,
}

/// Catalog kind of the width of a queue: the name is its lane's text, the value the width in decimal digits.
/// One that is not there is 1 wide.
pub const LANE_WIDTH_KIND: &str = "lane-width";

/// How many deliveries wait or are in hand, by source and destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    pub source: Arc<str>,
    pub destination: Arc<str>,
    pub pending: u64,
    pub leased: u64,
    /// Dead letters of routes that are not critical.
    pub dead_letters: u64,
    pub dead_letters_critical: u64,
}

/// Where a delivery stands in its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InLine {
    /// Who goes first, if it is another: in hand, or waiting for its turn or its retry.
    pub behind: Option<DeliveryId>,
    /// How many go before it.
    pub ahead: u64,
    /// The dead delivery that parks the line, and until when.
    pub parked: Option<(DeliveryId, Time)>,
}

/// What the lines of a destination keep back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBack {
    pub destination: Arc<str>,
    /// Deliveries that would wait in their lane if they were not behind others of their ordering key.
    pub deliveries: u64,
    /// Lines parked by a dead delivery.
    pub parked_lines: u64,
}

impl KeptBack {
    pub fn none(destination: Arc<str>) -> Self {
        KeptBack { destination, deliveries: 0, parked_lines: 0 }
    }
}

/// What the operator sees of the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    pub depths: Vec<Depth>,
    /// When the oldest delivery that is due fell due, by destination.
    pub oldest_due: Vec<(Arc<str>, Time)>,
    pub kept_back: Vec<KeptBack>,
    /// Deliveries that ended superseded, as far as this process knows.
    pub superseded: u64,
    pub pending: u64,
    pub pending_max: u64,
    /// Journal records not yet in the index; 0 where there is no index.
    pub index_lag: u64,
    pub journal_bytes: u64,
    /// Files the journal consists of.
    pub segments: u64,
    pub index_bytes: u64,
    /// When the oldest event that is still kept was received.
    pub oldest_event: Option<Time>,
    /// Dead letters that retention dismissed since the store was opened.
    pub dismissed_by_age: u64,
    pub sessions: u64,
    /// Bytes free on the disk as last seen, and below how many nothing is accepted; `None` where there is
    /// no disk.
    pub free_bytes: Option<u64>,
    pub free_min_bytes: u64,
    /// Damaged places met since the store was opened, and the first of them in words.
    pub damages: u64,
    pub damage: Vec<String>,
}

impl Stats {
    /// Without what tells people of alerts, which is no work of the team's.
    pub fn without_alerts(mut self) -> Self {
        let channels: Vec<Arc<str>> =
            self.depths.extract_if(.., |depth| &*depth.source == ALERTS).map(|depth| depth.destination).collect();
        self.oldest_due.retain(|(destination, _)| !channels.contains(destination));
        self.kept_back.retain(|kept| !channels.contains(&kept.destination));
        self
    }
}
