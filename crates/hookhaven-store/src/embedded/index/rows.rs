//! Between rows and nouns: ids, names of states, positions, deliveries.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use hookhaven_core::{Delivery, DeliveryId, DeliveryState, EndReason, ErrorClass, EventId, Lane, Order, Policy, Time};
use rusqlite::{Connection, Row};

use super::IndexError;
use crate::{codec, position::Position, seam::LastAttempt};

/// The columns of a delivery in the order that [`Names::delivery`] reads them.
pub const DELIVERY_COLUMNS: &str = "id, event, source, event_type, destination, lane, route, policy, accepted_at, \
     replaces, segment, offset, len, state, due_at, attempts, tries, lost, ended_at, end_reason, replaced_by, \
     dismissed_at, last_at, last_class, last_status, last_error, cancel_asked_at, ordering";

/// Those of them that change: first the ones [`changed`] reads, then the last attempt's.
pub const CHANGING_COLUMNS: &str = "state, due_at, attempts, tries, lost, ended_at, end_reason, replaced_by, \
     dismissed_at, last_at, last_class, last_status, last_error, cancel_asked_at, ordering";

/// The changing part of a delivery, without its last attempt.
pub struct Changed {
    pub state: DeliveryState,
    pub due_at: Time,
    pub attempts: u32,
    pub tries: u32,
    pub lost: u32,
    pub ended_at: Option<Time>,
    pub end_reason: Option<EndReason>,
    pub replaced_by: Option<DeliveryId>,
    pub dismissed_at: Option<Time>,
}

/// Reads nine columns, as they stand in [`CHANGING_COLUMNS`].
pub fn changed(row: &Row<'_>, first: usize) -> Result<Changed, IndexError> {
    Ok(Changed {
        state: state_of(text(row, first)?)?,
        due_at: time(row.get(first + 1)?),
        attempts: row.get(first + 2)?,
        tries: row.get(first + 3)?,
        lost: row.get(first + 4)?,
        ended_at: row.get::<_, Option<i64>>(first + 5)?.map(time),
        end_reason: optional_text(row, first + 6)?.map(reason_of).transpose()?,
        replaced_by: row.get::<_, Option<[u8; 16]>>(first + 7)?.map(DeliveryId::from_bytes),
        dismissed_at: row.get::<_, Option<i64>>(first + 8)?.map(time),
    })
}

/// A delivery as the index has it.
#[derive(Clone, Debug)]
pub struct Indexed {
    pub delivery: Delivery,
    pub event_at: Position,
    pub last: Option<LastAttempt>,
}

/// Texts and policies that many rows share, held once while a connection lives.
#[derive(Debug, Default)]
pub struct Names {
    texts: RefCell<HashMap<Box<str>, Arc<str>>>,
    lanes: RefCell<HashMap<Box<str>, Lane>>,
    policies: RefCell<HashMap<i64, Arc<Policy>>>,
}

/// Beyond this many the shared ones are forgotten and gathered anew: event types come from outside.
const NAMES_MAX: usize = 4_096;

impl Names {
    pub fn text(&self, text: &str) -> Arc<str> {
        let mut texts = self.texts.borrow_mut();
        if let Some(known) = texts.get(text) {
            return known.clone();
        }
        if texts.len() >= NAMES_MAX {
            texts.clear();
        }
        let new: Arc<str> = text.into();
        texts.insert(text.into(), new.clone());
        new
    }

    fn lane(&self, text: &str) -> Lane {
        let mut lanes = self.lanes.borrow_mut();
        if let Some(known) = lanes.get(text) {
            return known.clone();
        }
        if lanes.len() >= NAMES_MAX {
            lanes.clear();
        }
        let new = Lane::from_text(text);
        lanes.insert(text.into(), new.clone());
        new
    }

    fn policy(&self, connection: &Connection, number: i64) -> Result<Arc<Policy>, IndexError> {
        if let Some(known) = self.policies.borrow().get(&number) {
            return Ok(known.clone());
        }
        let mut read = connection.prepare_cached("SELECT policy FROM policies WHERE id = ?1")?;
        let bytes: Vec<u8> = read.query_row([number], |row| row.get(0))?;
        let policy = Arc::new(codec::decode_policy(&bytes)?);
        let mut policies = self.policies.borrow_mut();
        if policies.len() >= NAMES_MAX {
            policies.clear();
        }
        policies.insert(number, policy.clone());
        Ok(policy)
    }

    fn shared(&self, row: &Row<'_>, column: usize) -> Result<Arc<str>, IndexError> {
        Ok(self.text(text(row, column)?))
    }

    /// Reads a row of [`DELIVERY_COLUMNS`].
    pub fn delivery(&self, connection: &Connection, row: &Row<'_>) -> Result<Indexed, IndexError> {
        let now = changed(row, 13)?;
        let delivery = Delivery {
            id: DeliveryId::from_bytes(row.get(0)?),
            event: EventId::from_bytes(row.get(1)?),
            source: self.shared(row, 2)?,
            event_type: self.shared(row, 3)?,
            destination: self.shared(row, 4)?,
            lane: self.lane(text(row, 5)?),
            route: self.shared(row, 6)?,
            policy: self.policy(connection, row.get(7)?)?,
            accepted_at: time(row.get(8)?),
            replaces: row.get::<_, Option<[u8; 16]>>(9)?.map(DeliveryId::from_bytes),
            state: now.state,
            due_at: now.due_at,
            attempts: now.attempts,
            tries: now.tries,
            lost: now.lost,
            ended_at: now.ended_at,
            end_reason: now.end_reason,
            replaced_by: now.replaced_by,
            dismissed_at: now.dismissed_at,
            cancel_asked_at: row.get::<_, Option<i64>>(26)?.map(time),
            order: order(row, 27)?,
        };
        Ok(Indexed { delivery, event_at: position(row, 10)?, last: last_attempt(row, 22)? })
    }
}

pub fn time(us: i64) -> Time {
    Time::from_us(us)
}

pub fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, IndexError> {
    let value = row.get_ref(column)?;
    value.as_str().map_err(|e| IndexError::Malformed(e.to_string()))
}

pub fn optional_text<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a str>, IndexError> {
    let value = row.get_ref(column)?;
    value.as_str_or_null().map_err(|e| IndexError::Malformed(e.to_string()))
}

/// Three columns: segment, offset, len.
pub fn position(row: &Row<'_>, first: usize) -> Result<Position, IndexError> {
    Ok(Position { segment: row.get(first)?, offset: row.get(first + 1)?, len: row.get(first + 2)? })
}

/// Four columns: time, class, status, error.
pub fn last_attempt(row: &Row<'_>, first: usize) -> Result<Option<LastAttempt>, IndexError> {
    let Some(at) = row.get::<_, Option<i64>>(first)? else { return Ok(None) };
    let class = text(row, first + 1)?;
    Ok(Some(LastAttempt {
        at: time(at),
        class: ErrorClass::parse(class).ok_or_else(|| unknown("error class", class))?,
        status: row.get(first + 2)?,
        error: text(row, first + 3)?.into(),
    }))
}

/// The place in its line.
pub fn order(row: &Row<'_>, column: usize) -> Result<Option<Arc<Order>>, IndexError> {
    let bytes = row.get_ref(column)?.as_blob_or_null().map_err(|e| IndexError::Malformed(e.to_string()))?;
    Ok(bytes.map(codec::decode_order).transpose()?.map(Arc::new))
}

pub fn state_of(text: &str) -> Result<DeliveryState, IndexError> {
    use DeliveryState::{Cancelled, Dead, Delivered, Pending};
    let known = [Pending, Delivered, Dead, Cancelled].into_iter().find(|state| state.as_str() == text);
    known.ok_or_else(|| unknown("state", text))
}

fn reason_of(text: &str) -> Result<EndReason, IndexError> {
    let known = EndReason::ALL.into_iter().find(|reason| reason.as_str() == text);
    known.ok_or_else(|| unknown("end reason", text))
}

fn unknown(what: &str, found: &str) -> IndexError {
    IndexError::Malformed(format!("{found:?} is no {what}"))
}
