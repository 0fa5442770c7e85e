//! Letting go of rows, in small transactions between the large ones: of events whose frames are gone. Keys whose window
//! has passed are `keys`'s.

use hookhaven_core::EventId;
use rusqlite::{Connection, OptionalExtension, params};

use super::{IndexError, IndexWriter, keys, kinds::Kinds, steps};

/// Events looked at in one transaction, and versions deleted.
const EVENTS_STEP: usize = 250;
const VERSIONS_STEP: usize = 1_000;

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub gone: u64,
    /// Another step would find something to do.
    pub more: bool,
}

/// What remains to be deleted of removed segments.
struct Left {
    upto: u32,
    first_event: [u8; 16],
    last_event: [u8; 16],
}

impl IndexWriter {
    /// The last segment that was removed.
    pub fn removed_upto(&self) -> Result<Option<u32>, IndexError> {
        Ok(self.connection.query_row("SELECT upto FROM removed", [], |row| row.get(0)).optional()?)
    }

    /// Deletes some events whose segments were removed, with their deliveries and attempts.
    pub fn forget_removed(&self) -> Result<Step, IndexError> {
        let sql = "SELECT upto, first_event, last_event FROM removed WHERE done = 0";
        let left =
            |row: &rusqlite::Row<'_>| Ok(Left { upto: row.get(0)?, first_event: row.get(1)?, last_event: row.get(2)? });
        let Some(left) = self.connection.prepare_cached(sql)?.query_row([], left).optional()? else {
            return Ok(Step::default());
        };
        let transaction = self.connection.unchecked_transaction()?;
        let step = forget_some(&transaction, &mut self.kinds.borrow_mut(), &left)?;
        transaction.commit()?;
        Ok(step)
    }

    /// Deletes some steps that are older than any event that is kept; whether there are more.
    pub fn forget_steps(&self) -> Result<bool, IndexError> {
        steps::forget_some(&self.connection)
    }
}

fn forget_some(connection: &Connection, kinds: &mut Kinds, left: &Left) -> Result<Step, IndexError> {
    let sql = "DELETE FROM versions WHERE line IN (SELECT line FROM versions WHERE segment <= ?1 LIMIT ?2)";
    let versions = connection.prepare_cached(sql)?.execute(params![left.upto, VERSIONS_STEP as i64])?;
    if versions == VERSIONS_STEP {
        return Ok(Step { gone: 0, more: true });
    }
    let sql = "SELECT id, segment FROM events WHERE id >= ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
    let mut select = connection.prepare_cached(sql)?;
    let values = params![left.first_event, left.last_event, EVENTS_STEP as i64];
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, u32>(1)?));
    let seen = select.query_map(values, row)?.collect::<Result<Vec<_>, _>>()?;
    let mut gone = 0;
    for (event, _) in seen.iter().filter(|(_, segment)| *segment <= left.upto) {
        forget_event(connection, event)?;
        gone += 1;
    }
    let more = seen.len() == EVENTS_STEP;
    match seen.last() {
        Some((last, _)) if more => {
            kinds.note_again(connection, &left.first_event, last, false)?;
            connection.prepare_cached("UPDATE removed SET first_event = ?1")?.execute([after(*last)])?;
        }
        _ => {
            if is_whole_range(left) {
                forget_orphans(connection, left.upto)?;
            }
            kinds.note_again(connection, &left.first_event, &left.last_event, true)?;
            kinds.forget_unused(connection)?;
            keys::forget_older(connection)?;
            connection.prepare_cached("UPDATE removed SET done = 1")?.execute([])?;
        }
    }
    Ok(Step { gone, more })
}

fn forget_event(connection: &Connection, event: &[u8; 16]) -> Result<(), IndexError> {
    keys::forget_of(connection, event)?;
    for sql in [
        "DELETE FROM attempts WHERE delivery IN (SELECT id FROM deliveries WHERE event = ?1)",
        "DELETE FROM deliveries WHERE event = ?1",
        "DELETE FROM events WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([event])?;
    }
    Ok(())
}

/// Deliveries of events that damage took. Only a removal that met damage looks for them: it names no range.
fn forget_orphans(connection: &Connection, upto: u32) -> Result<(), IndexError> {
    connection
        .execute("DELETE FROM attempts WHERE delivery IN (SELECT id FROM deliveries WHERE segment <= ?1)", [upto])?;
    connection.execute("DELETE FROM deliveries WHERE segment <= ?1", [upto])?;
    Ok(())
}

/// The ids that say that any event may be among those that go.
pub const WHOLE_RANGE: (EventId, EventId) = (EventId::from_bytes([0; 16]), EventId::from_bytes([0xff; 16]));

fn is_whole_range(left: &Left) -> bool {
    left.last_event == *WHOLE_RANGE.1.as_bytes()
}

/// The id next to this one.
fn after(id: [u8; 16]) -> [u8; 16] {
    u128::from_be_bytes(id).saturating_add(1).to_be_bytes()
}
