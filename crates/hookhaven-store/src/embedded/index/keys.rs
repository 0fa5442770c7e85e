//! Idempotency keys in the index: what holds which, and how an event is found by its key long after that.
//!
//! A key whose window has passed stays until its event goes; one that was taken over by a later event leaves the
//! earlier one in `older_keys`. Not here: whether something is a duplicate, which is `rules`'s.

use hookhaven_core::{EventId, Time};
use rusqlite::{Connection, params};

use super::{IndexError, IndexWriter, forget::Step, readers::Reader};
use crate::history::{KeyDigest, KeyHeld};

/// Keys looked at in one transaction.
const STEP: usize = 1_000;

pub(super) fn write(connection: &Connection, keys: &mut Vec<(KeyDigest, KeyHeld, Time)>) -> Result<(), IndexError> {
    // In the order of the tree: their places are random, and neighbours share a page.
    keys.sort_by_key(|(digest, ..)| *digest);
    let mut insert = connection.prepare_cached(
        "INSERT INTO keys VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (digest) DO UPDATE SET event = excluded.event, until = excluded.until, body = excluded.body",
    )?;
    for (digest, held, until) in keys.drain(..) {
        insert.execute(params![digest.0, held.event.as_bytes(), until.as_us(), held.body])?;
    }
    Ok(())
}

/// Of an event whose window had passed when it was carried.
pub(super) fn write_passed(connection: &Connection, digest: KeyDigest, event: EventId) -> Result<(), IndexError> {
    let sql = "INSERT OR IGNORE INTO older_keys VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute(params![digest.0, event.as_bytes()])?;
    Ok(())
}

/// What led to an event that goes, unless it is still inside its window.
pub(super) fn forget_of(connection: &Connection, event: &[u8; 16]) -> Result<(), IndexError> {
    let mut select = connection.prepare_cached("SELECT source, idempotency_key FROM events WHERE id = ?1")?;
    let digest = |row: &rusqlite::Row<'_>| {
        Ok(KeyDigest::of(row.get_ref(0)?.as_str().unwrap_or_default(), row.get_ref(1)?.as_str().unwrap_or_default()))
    };
    for digest in select.query_map([event], digest)? {
        let sql = "DELETE FROM keys WHERE digest = ?1 AND event = ?2 AND until = 0";
        connection.prepare_cached(sql)?.execute(params![digest?.0, event])?;
    }
    Ok(())
}

/// What once led to events that are no longer there.
pub(super) fn forget_older(connection: &Connection) -> Result<(), IndexError> {
    let sql = "DELETE FROM older_keys WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.id = older_keys.event)";
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

impl IndexWriter {
    /// Ends the windows of some keys whose time has come. What leads to no event goes.
    pub fn forget_keys(&self, now: Time) -> Result<Step, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut select = transaction.prepare_cached(
            "SELECT k.digest, e.source, e.idempotency_key FROM keys k LEFT JOIN events e ON e.id = k.event
             WHERE k.until > 0 AND k.until <= ?1 LIMIT ?2",
        )?;
        let passed = select.query_map(params![now.as_us(), STEP as i64], |row| {
            let (source, key): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
            let digest = KeyDigest(row.get(0)?);
            Ok((digest, source.zip(key).is_some_and(|(source, key)| KeyDigest::of(&source, &key) == digest)))
        })?;
        let passed = passed.collect::<Result<Vec<_>, _>>()?;
        drop(select);
        for (digest, leads) in &passed {
            let sql = match leads {
                true => "UPDATE keys SET until = 0 WHERE digest = ?1",
                false => "DELETE FROM keys WHERE digest = ?1",
            };
            transaction.prepare_cached(sql)?.execute([digest.0])?;
        }
        transaction.commit()?;
        Ok(Step { gone: passed.len() as u64, more: passed.len() == STEP })
    }
}

impl Reader {
    /// The events that have or had this key, of one source or of any.
    pub(super) fn events_of_key(&self, key: &str, source: Option<&str>) -> Result<Vec<[u8; 16]>, IndexError> {
        let sources = match source {
            Some(source) => vec![source.to_owned()],
            None => {
                let mut select = self.connection.prepare_cached("SELECT DISTINCT source FROM kinds")?;
                select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
            }
        };
        let sql = "SELECT event FROM keys WHERE digest = ?1 UNION SELECT event FROM older_keys WHERE digest = ?1";
        let mut select = self.connection.prepare_cached(sql)?;
        let mut events = Vec::new();
        for source in sources {
            let found = select.query_map([KeyDigest::of(&source, key).0], |row| row.get(0))?;
            events.extend(found.collect::<Result<Vec<[u8; 16]>, _>>()?);
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_be_taken_over_by_turns() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(super::super::SCHEMA).unwrap();
        let digest = KeyDigest::of("stripe", "evt_1");
        for event in [1, 2, 1, 2, 3] {
            let held = KeyHeld { event: EventId::from_bytes([event; 16]), body: None };
            write(&connection, &mut vec![(digest, held, Time::from_s(1))]).unwrap();
        }
        let older: i64 = connection.query_row("SELECT count(*) FROM older_keys", [], |row| row.get(0)).unwrap();
        assert_eq!(older, 2, "each earlier event once");
    }
}
