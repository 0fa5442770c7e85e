//! One transaction's changes, gathered before they are written: what was accepted and settled within it
//! becomes one row, written once, as it ended.
//!
//! What a record does to one delivery is `changing`'s, and how deliveries are written `deliveries`'.

use std::{collections::HashMap, sync::Arc};

use hookhaven_core::{
    Attempt, DeliveryId, DeliveryState, Event, EventId, LineId, Policy, Time, Version, event::PUBLISHED,
};
use rusqlite::{Connection, params};

use super::{
    IndexError,
    changing::{Changing, Known, Last, read_changing},
    keys,
    kinds::{Kind, Kinds},
    steps,
};
use crate::{
    history::{KeyDigest, KeyHeld, keys_of},
    position::Position,
    record::{CarriedKey, Record, SettledRecord},
    seam::{NewDelivery, StepKind},
};

/// Distinct policies whose number is remembered; beyond, they are asked for again.
const POLICIES_MAX: usize = 4_096;

pub(super) struct Batch<'a> {
    pub(super) connection: &'a Connection,
    pub(super) policies: &'a mut HashMap<Vec<u8>, i64>,
    pub(super) kinds: &'a mut Kinds,
    /// The policy met last, which is mostly that of the next delivery too.
    pub(super) last_policy: Option<(Arc<Policy>, i64)>,
    pub(super) events: Vec<EventDraft<'a>>,
    pub(super) event_at: HashMap<EventId, usize>,
    /// `None` for one that is not there: its acceptance was lost to damage.
    pub(super) drafts: Vec<Option<Draft<'a>>>,
    draft_at: HashMap<DeliveryId, usize>,
    pub(super) keys: Vec<(KeyDigest, KeyHeld, Time)>,
    /// Newest versions of lines, each with the segment of its event.
    versions: HashMap<LineId, (Version, u32)>,
    pub(super) attempts: Vec<(&'a Attempt, Position)>,
    /// Of published deliveries, in the order of the journal.
    steps: Vec<(DeliveryId, Time, StepKind)>,
    /// The first segment of the journal: what was made of events before it has gone with them.
    begins: u32,
}

pub(super) struct EventDraft<'a> {
    pub(super) event: &'a Event,
    pub(super) at: Position,
    pub(super) deliveries: usize,
}

/// A delivery born in this batch, or one that was there and changes.
pub(super) struct Draft<'a> {
    pub(super) id: DeliveryId,
    pub(super) birth: Result<Birth<'a>, Known>,
    pub(super) now: Changing<'a>,
}

pub(super) struct Birth<'a> {
    pub(super) event: EventId,
    pub(super) source: &'a str,
    pub(super) event_type: &'a str,
    pub(super) new: &'a NewDelivery,
    pub(super) accepted_at: Time,
    pub(super) replaces: Option<DeliveryId>,
    pub(super) event_at: Position,
}

impl<'a> Batch<'a> {
    pub fn new(
        connection: &'a Connection,
        policies: &'a mut HashMap<Vec<u8>, i64>,
        kinds: &'a mut Kinds,
        begins: u32,
    ) -> Self {
        if policies.len() > POLICIES_MAX {
            policies.clear();
        }
        Batch {
            connection,
            policies,
            kinds,
            last_policy: None,
            events: Vec::new(),
            event_at: HashMap::new(),
            drafts: Vec::new(),
            draft_at: HashMap::new(),
            keys: Vec::new(),
            versions: HashMap::new(),
            attempts: Vec::new(),
            steps: Vec::new(),
            begins,
        }
    }

    pub fn take(&mut self, record: &'a Record, at: Position) -> Result<(), IndexError> {
        match record {
            Record::Accepted { event, key_until, deliveries } => {
                self.keys.extend(keys_of(event).map(|(key, held)| (key, held, *key_until)));
                self.event_at.insert(event.id, self.events.len());
                self.events.push(EventDraft { event, at, deliveries: deliveries.len() });
                for new in deliveries {
                    self.born(Birth {
                        event: event.id,
                        source: &event.source,
                        event_type: &event.event_type,
                        new,
                        accepted_at: event.received_at,
                        replaces: None,
                        event_at: at,
                    });
                }
            }
            Record::Settled(settled) => self.settle(settled, at)?,
            // Whatever of it lives on, a later record carries.
            Record::Redelivered { event_at, .. } if event_at.segment < self.begins => {}
            Record::Redelivered { at: when, event, source, event_type, event_at, replaces, delivery } => {
                if let Some(old) = replaces {
                    self.change(*old, |now| now.replaced_by = Some(delivery.id))?;
                }
                self.one_more_delivery(*event)?;
                self.born(Birth {
                    event: *event,
                    source,
                    event_type,
                    new: delivery,
                    accepted_at: *when,
                    replaces: *replaces,
                    event_at: *event_at,
                });
            }
            Record::Dismissed { at: when, delivery } => {
                self.change(*delivery, |now| now.dismissed_at = Some(*when))?;
            }
            Record::CancelAsked { at: when, delivery } => self.ask_cancel(*delivery, *when)?,
            Record::CatalogPut { entry, .. } => {
                let sql = "INSERT OR REPLACE INTO catalog VALUES (?1, ?2, ?3)";
                self.connection.prepare_cached(sql)?.execute(params![entry.kind, entry.name, entry.value])?;
            }
            Record::CatalogDeleted { kind, name, .. } => {
                let sql = "DELETE FROM catalog WHERE kind = ?1 AND name = ?2";
                self.connection.prepare_cached(sql)?.execute([kind, name])?;
            }
            Record::Carried(carried) => self.take_carried(carried, at)?,
            Record::CarriedKeys { keys, .. } => {
                let held = |key: &CarriedKey| KeyHeld { event: key.event, body: key.body };
                self.keys.extend(keys.iter().map(|key| (key.digest, held(key), key.until)));
            }
            Record::Removed(removed) => self.take_removed(removed)?,
        }
        Ok(())
    }

    fn born(&mut self, birth: Birth<'a>) {
        self.raise(birth.new, birth.event_at);
        let now = Changing {
            state: DeliveryState::Pending,
            order: birth.new.order.clone(),
            due_at: birth.new.due_at,
            attempts: 0,
            tries: 0,
            lost: 0,
            ended_at: None,
            end_reason: None,
            replaced_by: None,
            dismissed_at: None,
            cancel_asked_at: None,
            last: Last::AsIs(None),
            published: birth.source == PUBLISHED,
        };
        let id = birth.new.id;
        if now.published {
            self.steps.push((id, birth.accepted_at, StepKind::Accepted));
        }
        self.draft_at.insert(id, self.drafts.len());
        self.drafts.push(Some(Draft { id, birth: Ok(birth), now }));
    }

    /// The version of a delivery whose event lies there, if it is the newest of its line.
    pub(super) fn raise(&mut self, delivery: &NewDelivery, event_at: Position) {
        let Some(order) = &delivery.order else { return };
        let Some(version) = order.version() else { return };
        let newest = self.versions.entry(order.line(&delivery.destination)).or_insert((version, event_at.segment));
        *newest = (*newest).max((version, event_at.segment));
    }

    fn change<T>(
        &mut self,
        id: DeliveryId,
        change: impl FnOnce(&mut Changing<'a>) -> T,
    ) -> Result<Option<T>, IndexError> {
        let at = match self.draft_at.get(&id) {
            Some(at) => *at,
            None => {
                let found = read_changing(self.connection, id)?;
                self.draft_at.insert(id, self.drafts.len());
                self.drafts.push(found.map(|(now, known)| Draft { id, birth: Err(known), now }));
                self.drafts.len() - 1
            }
        };
        Ok(self.drafts[at].as_mut().map(|draft| change(&mut draft.now)))
    }

    fn settle(&mut self, settled: &'a SettledRecord, at: Position) -> Result<(), IndexError> {
        let taken = self.change(settled.delivery, |now| now.settle(settled).then_some(now.published))?.flatten();
        let Some(published) = taken else { return Ok(()) };
        if let Some(attempt) = &settled.attempt {
            self.attempts.push((attempt, at));
        }
        if published {
            let kind = settled.attempt.as_ref().map_or(StepKind::Ended, |a| StepKind::Attempted(a.number));
            self.steps.push((settled.delivery, settled.at, kind));
        }
        Ok(())
    }

    fn ask_cancel(&mut self, delivery: DeliveryId, at: Time) -> Result<(), IndexError> {
        let ask = |now: &mut Changing<'_>| {
            let asked = now.state == DeliveryState::Pending && now.cancel_asked_at.is_none();
            if asked {
                now.cancel_asked_at = Some(at);
            }
            asked && now.published
        };
        if self.change(delivery, ask)? == Some(true) {
            self.steps.push((delivery, at, StepKind::CancelAsked));
        }
        Ok(())
    }

    fn one_more_delivery(&mut self, event: EventId) -> Result<(), IndexError> {
        match self.event_at.get(&event) {
            Some(at) => self.events[*at].deliveries += 1,
            None => {
                let sql = "UPDATE events SET deliveries = deliveries + 1 WHERE id = ?1";
                self.connection.prepare_cached(sql)?.execute([event.as_bytes()])?;
            }
        }
        Ok(())
    }

    /// Writes everything taken so far; more may be taken afterwards.
    pub fn write(&mut self) -> Result<(), IndexError> {
        self.write_events()?;
        self.write_deliveries()?;
        self.write_attempts()?;
        steps::write(self.connection, &mut self.steps)?;
        self.event_at.clear();
        self.draft_at.clear();
        keys::write(self.connection, &mut self.keys)?;
        self.kinds.write(self.connection)?;
        self.write_versions()
    }

    fn write_versions(&mut self) -> Result<(), IndexError> {
        if self.versions.is_empty() {
            return Ok(());
        }
        let mut raise = self.connection.prepare_cached(
            "INSERT INTO versions VALUES (?1, ?2, ?3) ON CONFLICT (line) DO UPDATE
             SET version = excluded.version, segment = CASE WHEN excluded.version > version THEN excluded.segment
             ELSE max(segment, excluded.segment) END WHERE excluded.version >= version",
        )?;
        for (line, (version, segment)) in self.versions.drain() {
            raise.execute(params![line.0, version.to_bytes(), segment])?;
        }
        Ok(())
    }

    fn write_events(&mut self) -> Result<(), IndexError> {
        let mut insert = self.connection.prepare_cached(
            "INSERT OR REPLACE INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?;
        for EventDraft { event: e, at, deliveries } in self.events.drain(..) {
            let kind = Kind { source: &e.source, event_type: &e.event_type, ..Kind::default() };
            self.kinds.note(self.connection, kind, &[e.id.as_bytes()])?;
            insert.execute(params![
                e.id.as_bytes(),
                &*e.source,
                &*e.event_type,
                &*e.idempotency_key,
                e.received_at.as_us(),
                e.occurred_at.map(Time::as_us),
                &*e.correlation_id,
                e.matched_secret,
                &*e.remote,
                e.body.len() as i64,
                deliveries as i64,
                at.segment,
                at.offset as i64,
                at.len,
            ])?;
        }
        Ok(())
    }

    fn write_attempts(&mut self) -> Result<(), IndexError> {
        let mut insert = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO attempts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?;
        for (a, at) in self.attempts.drain(..) {
            insert.execute(params![
                a.delivery.as_bytes(),
                a.number,
                a.id.as_bytes(),
                a.started_at.as_us(),
                i64::try_from(a.duration_us).unwrap_or(i64::MAX),
                a.status,
                a.class.as_str(),
                &*a.error,
                at.segment,
                at.offset as i64,
                at.len,
            ])?;
        }
        Ok(())
    }
}
