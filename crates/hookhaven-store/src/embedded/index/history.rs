//! The index as the rules ask it: one connection of the writer's, point look-ups only.

use std::{cell::RefCell, sync::Arc};

use hookhaven_core::{DeliveryId, EventId, LineId, Time, Version};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Index, IndexError, rows};
use crate::{
    history::{History, KeyDigest, KeyHeld, Past, PastEvent},
    seam::StoreError,
};

#[derive(Debug)]
pub struct IndexHistory {
    connection: Connection,
    names: rows::Names,
    /// The first sign of damage; the rules are only told that something failed.
    damage: RefCell<Option<String>>,
}

impl IndexHistory {
    pub fn open(index: &Index) -> Result<Self, IndexError> {
        Ok(IndexHistory { connection: index.reader()?, names: rows::Names::default(), damage: RefCell::default() })
    }

    /// Looks at the index as it is now until [`IndexHistory::end`]: many look-ups share one snapshot.
    pub fn begin(&self) -> Result<(), IndexError> {
        if !self.connection.is_autocommit() {
            // An end that failed must not be in the way for ever.
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(self.connection.prepare_cached("BEGIN")?.execute([]).map(drop)?)
    }

    pub fn end(&self) -> Result<(), IndexError> {
        Ok(self.connection.prepare_cached("COMMIT")?.execute([]).map(drop)?)
    }

    /// The damage that a look-up met, if one did.
    pub fn take_damage(&self) -> Option<String> {
        self.damage.borrow_mut().take()
    }

    fn watch<T>(&self, looked_up: Result<T, IndexError>) -> Result<T, StoreError> {
        looked_up.map_err(|e| {
            if e.is_damage() {
                *self.damage.borrow_mut() = Some(e.to_string());
            }
            e.into()
        })
    }

    fn find_key(&self, key: KeyDigest, now: Time) -> Result<Option<KeyHeld>, IndexError> {
        let sql = "SELECT event, body FROM keys WHERE digest = ?1 AND until > ?2";
        let held = |row: &rusqlite::Row<'_>| Ok(KeyHeld { event: EventId::from_bytes(row.get(0)?), body: row.get(1)? });
        Ok(self.connection.prepare_cached(sql)?.query_row(params![key.0, now.as_us()], held).optional()?)
    }

    fn find_newest(&self, line: LineId) -> Result<Option<Version>, IndexError> {
        let mut select = self.connection.prepare_cached("SELECT version FROM versions WHERE line = ?1")?;
        Ok(select.query_row([line.0], |row| row.get(0)).optional()?.map(Version::from_bytes))
    }

    /// Deliveries for which `what` holds of `?1`.
    fn pasts(&self, what: &str, id: &[u8; 16]) -> Result<Vec<Past>, IndexError> {
        let sql = format!("SELECT {} FROM deliveries WHERE {what}", rows::DELIVERY_COLUMNS);
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut found = select.query([id])?;
        let mut pasts = Vec::new();
        while let Some(row) = found.next()? {
            let indexed = self.names.delivery(&self.connection, row)?;
            pasts.push(Past { delivery: indexed.delivery, event_at: indexed.event_at });
        }
        Ok(pasts)
    }

    fn find_event(&self, id: EventId) -> Result<Option<PastEvent>, IndexError> {
        let sql = "SELECT source, event_type, segment, offset, len FROM events WHERE id = ?1";
        let mut select = self.connection.prepare_cached(sql)?;
        let mut found = select.query([id.as_bytes()])?;
        let Some(row) = found.next()? else { return Ok(None) };
        Ok(Some(PastEvent {
            source: rows::text(row, 0)?.into(),
            event_type: rows::text(row, 1)?.into(),
            event_at: rows::position(row, 2)?,
        }))
    }

    fn find_destinations(&self, event: EventId) -> Result<Vec<Arc<str>>, IndexError> {
        let sql = "SELECT DISTINCT destination FROM deliveries WHERE event = ?1";
        let mut select = self.connection.prepare_cached(sql)?;
        let found = select.query_map([event.as_bytes()], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

impl History for IndexHistory {
    fn key(&self, key: KeyDigest, now: Time) -> Result<Option<KeyHeld>, StoreError> {
        self.watch(self.find_key(key, now))
    }

    fn newest(&self, line: LineId) -> Result<Option<Version>, StoreError> {
        self.watch(self.find_newest(line))
    }

    fn delivery(&self, id: DeliveryId) -> Result<Option<Past>, StoreError> {
        self.watch(self.pasts("id = ?1", id.as_bytes())).map(|mut found| found.pop())
    }

    fn dead_letters_of(&self, event: EventId) -> Result<Vec<Past>, StoreError> {
        // The plus keeps SQLite from walking the list of all dead letters, which may be long.
        let what = "event = ?1 AND +state = 'dead' AND replaced_by IS NULL AND dismissed_at IS NULL";
        self.watch(self.pasts(what, event.as_bytes()))
    }

    fn event(&self, id: EventId) -> Result<Option<PastEvent>, StoreError> {
        self.watch(self.find_event(id))
    }

    fn destinations_of(&self, event: EventId) -> Result<Vec<Arc<str>>, StoreError> {
        self.watch(self.find_destinations(event))
    }
}
