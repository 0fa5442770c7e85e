//! The index as `doctor` looks at it: whether it is whole, what lies where, and what it knows of places
//! that the journal can no longer tell of. Changes nothing.

use std::path::Path;

use hookhaven_core::{DeliveryId, DeliveryState, EventId};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{Index, IndexError, Reached, SCHEMA_VERSION, reached, rows};
use crate::{
    embedded::{journal::JournalReader, segment::Damage},
    position::Position,
};

/// Complaints of SQLite about itself that are told.
const COMPLAINTS_MAX: u32 = 10;
/// Events told of a tail that is gone.
const BEYOND_MAX: usize = 32;

/// An index opened to be looked at.
#[derive(Debug)]
pub struct Examined {
    connection: Connection,
    pub(in crate::embedded) reached: Option<Reached>,
}

/// Where the index says that an event lies.
pub type EventPlace = (Position, EventId);

/// What the index knows of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownEvent {
    pub id: EventId,
    pub source: String,
    pub event_type: String,
    pub body_bytes: u64,
    pub deliveries: Vec<KnownDelivery>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDelivery {
    pub id: DeliveryId,
    pub destination: String,
    pub state: DeliveryState,
}

impl Index {
    /// Opens it without changing it; `None` if there is none. SQLite may put its shared memory beside one
    /// that was not closed cleanly.
    pub fn examine(&self) -> Result<Option<Examined>, IndexError> {
        if !self.path.exists() {
            return Ok(None);
        }
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        let clean = std::fs::metadata(wal).map_or(true, |wal| wal.len() == 0);
        let connection = if clean {
            // Nobody changes it, so SQLite needs no files of its own beside it.
            let mode = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(immutable(&self.path), mode)?
        } else {
            self.reader()?
        };
        let version = connection.query_row("SELECT value FROM meta WHERE name = 'schema_version'", [], |r| r.get(0));
        if version.optional()? != Some(SCHEMA_VERSION) {
            return Err(IndexError::Malformed("it is of another version".into()));
        }
        let reached = reached(&connection)?;
        Ok(Some(Examined { connection, reached }))
    }

    /// Whether it can be read and belongs to this journal.
    pub fn fits(&self, journal: &JournalReader) -> bool {
        let examined = self.examine().ok().flatten();
        examined.is_some_and(|e| e.reached.is_none_or(|r| journal.salt(r.at.segment).is_none_or(|s| s == r.salt)))
    }

    /// What the journal has lost at its end: an index only takes what was synced, so one that is ahead
    /// of its journal has seen what is gone.
    pub fn beyond(&self, journal: &JournalReader) -> Option<Damage> {
        let examined = self.examine().ok()??;
        let (reached, end) = (examined.reached?, journal.end());
        let theirs = journal.salt(reached.at.segment).is_some_and(|salt| salt != reached.salt);
        if theirs || (reached.at.segment, reached.at.end()) <= (end.segment, end.offset) {
            return None;
        }
        let same = reached.at.segment == end.segment;
        let bytes = if same { reached.at.end() - end.offset } else { 0 };
        let mut held = examined.events_from(end.segment, end.offset).unwrap_or_default();
        if !same {
            held.insert(0, format!("everything up to segment {}, byte {}", reached.at.segment, reached.at.end()));
        }
        Some(Damage { segment: end.segment, offset: end.offset, bytes, held })
    }
}

/// A URI, so that nothing in a path is taken for a parameter.
fn immutable(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?immutable=1")
}

impl Examined {
    /// What SQLite finds wrong with its own file.
    pub fn complaints(&self) -> Result<Vec<String>, IndexError> {
        let mut check = self.connection.prepare(&format!("PRAGMA quick_check({COMPLAINTS_MAX})"))?;
        let said = check.query_map([], |row| row.get::<_, String>(0))?;
        let said: Vec<String> = said.collect::<Result<_, _>>()?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }

    /// Tells where each event lies, in the order of the journal.
    pub fn places(&self) -> Result<Places<'_>, IndexError> {
        let sql = "SELECT segment, offset, len, id FROM events WHERE segment > (SELECT coalesce(max(upto), 0) FROM removed) ORDER BY segment, offset";
        Ok(Places { select: self.connection.prepare(sql)? })
    }

    pub fn has_event(&self, id: EventId) -> Result<bool, IndexError> {
        let mut select = self.connection.prepare_cached("SELECT 1 FROM events WHERE id = ?1")?;
        Ok(select.exists([id.as_bytes()])?)
    }

    pub fn event(&self, id: EventId) -> Result<Option<KnownEvent>, IndexError> {
        let sql = "SELECT source, event_type, body_bytes FROM events WHERE id = ?1";
        let read = |row: &rusqlite::Row<'_>| {
            let (source, event_type, body_bytes) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(KnownEvent { id, source, event_type, body_bytes, deliveries: Vec::new() })
        };
        let found = self.connection.prepare_cached(sql)?.query_row([id.as_bytes()], read).optional()?;
        let Some(mut event) = found else { return Ok(None) };
        let sql = "SELECT id, destination, state FROM deliveries WHERE event = ?1 ORDER BY id";
        let mut select = self.connection.prepare_cached(sql)?;
        let mut found = select.query([id.as_bytes()])?;
        while let Some(row) = found.next()? {
            let state = rows::state_of(rows::text(row, 2)?)?;
            let id = DeliveryId::from_bytes(row.get(0)?);
            event.deliveries.push(KnownDelivery { id, destination: row.get(1)?, state });
        }
        Ok(Some(event))
    }

    /// How many attempts lie between two places of a segment.
    pub fn attempts_within(&self, segment: u32, from: u64, to: u64) -> Result<u64, IndexError> {
        let sql = "SELECT count(*) FROM attempts WHERE segment = ?1 AND offset >= ?2 AND offset < ?3";
        let (from, to) = (i64::try_from(from).unwrap_or(i64::MAX), i64::try_from(to).unwrap_or(i64::MAX));
        Ok(self.connection.query_row(sql, params![segment, from, to], |row| row.get(0))?)
    }

    fn events_from(&self, segment: u32, offset: u64) -> Result<Vec<String>, IndexError> {
        let sql = "SELECT id FROM events WHERE (segment, offset) >= (?1, ?2) ORDER BY segment, offset LIMIT ?3";
        let mut select = self.connection.prepare(sql)?;
        let found = select.query_map(params![segment, offset as i64, BEYOND_MAX + 1], |row| row.get(0))?;
        let ids: Vec<[u8; 16]> = found.collect::<Result<_, _>>()?;
        let more = (ids.len() > BEYOND_MAX).then(|| "more events".to_owned());
        let told = ids.into_iter().take(BEYOND_MAX).map(|id| format!("event {}", EventId::from_bytes(id)));
        Ok(told.chain(more).collect())
    }
}

/// See [`Examined::places`].
#[derive(Debug)]
pub struct Places<'a> {
    select: rusqlite::Statement<'a>,
}

impl Places<'_> {
    /// One after the other; an end that is an error is told as such, once.
    pub fn each(&mut self) -> Result<impl Iterator<Item = Result<EventPlace, IndexError>>, IndexError> {
        let read = |row: &rusqlite::Row<'_>| {
            let at = Position { segment: row.get(0)?, offset: row.get(1)?, len: row.get(2)? };
            Ok((at, EventId::from_bytes(row.get(3)?)))
        };
        Ok(self.select.query_map([], read)?.map(|place| place.map_err(IndexError::from)))
    }
}
