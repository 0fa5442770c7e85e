//! A delivery as it changes within a transaction, and how it was found.
//!
//! How a settle changes a delivery is `live::apply`'s rule; it stands here again because the index is made
//! from the journal alone.

use std::sync::Arc;

use hookhaven_core::{Attempt, DeliveryId, DeliveryState, EndReason, EventId, Order, Time, event::PUBLISHED};
use rusqlite::{Connection, OptionalExtension};

use super::{IndexError, kinds::Kind, rows};
use crate::{
    record::{SettledRecord, SettledTo},
    seam::LastAttempt,
};

/// The part of a delivery that changes.
pub(super) struct Changing<'a> {
    pub(super) state: DeliveryState,
    pub(super) due_at: Time,
    pub(super) attempts: u32,
    pub(super) tries: u32,
    pub(super) lost: u32,
    pub(super) ended_at: Option<Time>,
    pub(super) end_reason: Option<EndReason>,
    pub(super) replaced_by: Option<DeliveryId>,
    pub(super) dismissed_at: Option<Time>,
    pub(super) cancel_asked_at: Option<Time>,
    pub(super) order: Option<Arc<Order>>,
    pub(super) last: Last<'a>,
    pub(super) published: bool,
}

/// The last attempt, as it stands already or made in this batch.
pub(super) enum Last<'a> {
    AsIs(Option<LastAttempt>),
    New(&'a Attempt),
}

/// What never changes of a delivery that was there.
pub(super) struct Known {
    pub(super) event: EventId,
    pub(super) source: String,
    pub(super) event_type: String,
    pub(super) destination: String,
    pub(super) route: String,
}

impl<'a> Changing<'a> {
    /// Whether the record changed anything: it does not if the delivery had ended, or the attempt is known.
    pub(super) fn settle(&mut self, settled: &'a SettledRecord) -> bool {
        let known = settled.attempt.as_ref().is_some_and(|a| a.number <= self.tries);
        if self.state != DeliveryState::Pending || known {
            return false;
        }
        let tried = u32::from(settled.attempt.is_some());
        self.tries += tried;
        if let Some(attempt) = &settled.attempt {
            self.last = Last::New(attempt);
        }
        match settled.to {
            SettledTo::Retry { due_at } => {
                (self.attempts, self.lost, self.due_at) = (self.attempts + 1, 0, due_at);
                if let Some(order) = &mut self.order {
                    Arc::make_mut(order).fail(settled.at);
                }
            }
            SettledTo::Lost { due_at, lost } => (self.lost, self.due_at) = (lost, due_at),
            SettledTo::Delivered => {
                self.attempts += 1;
                self.end(DeliveryState::Delivered, None, settled.at);
            }
            SettledTo::Dead(reason) => {
                match reason {
                    EndReason::Lost => self.lost += 1,
                    _ => self.attempts += tried,
                }
                self.end(DeliveryState::Dead, Some(reason), settled.at);
            }
            SettledTo::Cancelled => {
                self.attempts += tried;
                self.end(DeliveryState::Cancelled, Some(EndReason::Cancelled), settled.at);
            }
            SettledTo::Superseded => {
                self.attempts += tried;
                self.end(DeliveryState::Cancelled, Some(EndReason::Superseded), settled.at);
            }
        }
        true
    }

    /// The part of its kind that changes.
    pub(super) fn kind(&self) -> Kind<'_> {
        let (_, class, status, _) = self.last.parts();
        Kind {
            state: self.state.as_str(),
            class: class.unwrap_or_default(),
            status: status.unwrap_or(0),
            ..Kind::default()
        }
    }

    fn end(&mut self, state: DeliveryState, reason: Option<EndReason>, at: Time) {
        (self.state, self.end_reason, self.ended_at) = (state, reason, Some(at));
        if let (DeliveryState::Dead, Some(reason), Some(order)) = (state, reason, &mut self.order) {
            Arc::make_mut(order).die(reason, at);
        }
    }
}

pub(super) type LastParts<'b> = (Option<i64>, Option<&'static str>, Option<u16>, Option<&'b str>);

impl Last<'_> {
    pub(super) fn parts(&self) -> LastParts<'_> {
        match self {
            Last::AsIs(None) => (None, None, None, None),
            Last::AsIs(Some(last)) => {
                (Some(last.at.as_us()), Some(last.class.as_str()), last.status, Some(&*last.error))
            }
            Last::New(a) => (Some(a.started_at.as_us()), Some(a.class.as_str()), a.status, Some(&*a.error)),
        }
    }
}

pub(super) fn read_changing(
    connection: &Connection,
    id: DeliveryId,
) -> Result<Option<(Changing<'static>, Known)>, IndexError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {}, source, event, event_type, destination, route FROM deliveries WHERE id = ?1",
        rows::CHANGING_COLUMNS
    ))?;
    let read = |row: &rusqlite::Row<'_>| Ok(changing(row).and_then(|now| Ok((now, known(row)?))));
    select.query_row([id.as_bytes()], read).optional()?.transpose()
}

fn known(row: &rusqlite::Row<'_>) -> Result<Known, IndexError> {
    Ok(Known {
        source: row.get(15)?,
        event: EventId::from_bytes(row.get(16)?),
        event_type: row.get(17)?,
        destination: row.get(18)?,
        route: row.get(19)?,
    })
}

fn changing(row: &rusqlite::Row<'_>) -> Result<Changing<'static>, IndexError> {
    let rows::Changed { state, due_at, attempts, tries, lost, ended_at, end_reason, replaced_by, dismissed_at } =
        rows::changed(row, 0)?;
    Ok(Changing {
        state,
        due_at,
        attempts,
        tries,
        lost,
        ended_at,
        end_reason,
        replaced_by,
        dismissed_at,
        cancel_asked_at: row.get::<_, Option<i64>>(13)?.map(rows::time),
        last: Last::AsIs(rows::last_attempt(row, 9)?),
        order: rows::order(row, 14)?,
        published: rows::text(row, 15)? == PUBLISHED,
    })
}
